#include "report/found_parts.h"

#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

typedef struct {
    int64_t *train_step, *dev_step, cap_train, cap_dev, n_train, n_dev, cap_t, cap_d;
    double *train, *dev;
} curve;

static void add_point(curve *c, const json_t *v)
{
    const json_t *step = json_object_get(v, "step"), *loss = json_object_get(v, "loss"),
                 *dev = json_object_get(v, "dev");
    if (json_is_integer(step) && json_is_number(loss)) {
        int64_t n = c->n_train;
        *CH_PUSH(c->train_step, c->n_train, c->cap_train) = json_integer_value(step);
        *CH_PUSH(c->train, n, c->cap_t) = json_number_value(loss);
    }
    if (json_is_integer(step) && json_is_number(dev)) {
        int64_t n = c->n_dev;
        *CH_PUSH(c->dev_step, c->n_dev, c->cap_dev) = json_integer_value(step);
        *CH_PUSH(c->dev, n, c->cap_d) = json_number_value(dev);
    }
}

ch_code ch_found_curve(ch_report_curve *out, const char *log_path, ch_err *e)
{
    ch_jsonl f;
    curve c = {0};
    *out = (ch_report_curve){0};
    if (!ch_exists(log_path))
        return CH_OK;
    CH_TRY(ch_jsonl_open(&f, log_path, e));
    /* A line that a kill cut short is no point of the curve. */
    for (json_t *v; ch_jsonl_next(&f, &v, NULL) != CH_OK || v; json_decref(v))
        if (v)
            add_point(&c, v);
    ch_jsonl_close(&f);
    *out = (ch_report_curve){.n_train = c.n_train,
                             .n_dev = c.n_dev,
                             .train_step = c.train_step,
                             .train = c.train,
                             .dev_step = c.dev_step,
                             .dev = c.dev};
    return CH_OK;
}

void ch_found_curve_release(ch_report_curve *c)
{
    free((void *)(uintptr_t)c->train_step);
    free((void *)(uintptr_t)c->train);
    free((void *)(uintptr_t)c->dev_step);
    free((void *)(uintptr_t)c->dev);
    *c = (ch_report_curve){0};
}

/* Which update's model was kept; nothing when the record does not tell. */
static void add_kept(ch_str *b, const json_t *trained)
{
    const json_t *kept = json_object_get(trained, "kept_step");
    int64_t at = json_integer_value(kept),
            steps = json_integer_value(json_object_get(trained, "steps"));
    if (!json_is_integer(kept))
        return;
    if (at == steps)
        ch_str_addf(b, "; model of the last update, %lld", (long long)steps);
    else
        ch_str_addf(b, "; model of update %lld of %lld, the best by dev loss", (long long)at,
                    (long long)steps);
}

char *ch_found_about(const ch_recipe *r, const ch_arm *a, const json_t *trained)
{
    const ch_objective *o = ch_objective_find(a->objective);
    int64_t from = ch_recipe_arm(r, a->from);
    if (!o)
        return a->model[0] ? ch_fmt("%s as it is", a->model) : ch_dup("as it is");
    const char *on = ch_objective_groups(o)->on;
    if (!on)
        on = a->augment ? "the instruction and its training wordings" : "the instruction as it is";
    ch_str b = {0};
    ch_str_addf(&b, "%s from %s, on %s, %lld updates of %lld, lr %g", o->name,
                from >= 0 ? r->arms[from].title : a->from, on, (long long)a->train.steps,
                (long long)a->train.batch, a->train.lr);
    if (a->train.sampling == CH_DRAW_GROUPED)
        ch_str_addf(&b, ", grouped sampling, %lld inputs for each wording drawn",
                    (long long)a->train.inputs_per_instruction);
    add_kept(&b, trained);
    return ch_str_take(&b);
}

static const ch_arm *arm_of(const ch_found *f, int64_t i)
{
    return &f->recipe.arms[f->arms[i].arm];
}

int64_t ch_found_versus(const ch_found *f, int64_t i)
{
    const ch_arm *a = arm_of(f, i);
    const ch_objective *o = ch_objective_find(a->objective);
    int own_answers = o && ch_objective_groups(o)->own_answers;
    int plain = !strcmp(a->objective, "sft") && !a->augment;
    if (i == 0 || !o)
        return -1;
    for (int64_t k = 1; k < f->n_arms; k++) {
        const ch_arm *b = arm_of(f, k);
        int sibling = k != i && !strcmp(a->from, b->from) && !strcmp(b->objective, "sft");
        if (sibling && own_answers && b->train.steps == a->train.steps)
            return k;
        if (sibling && !own_answers && !plain && !b->augment)
            return k;
    }
    for (int64_t k = 1; k < f->n_arms; k++)
        if (!strcmp(arm_of(f, k)->name, a->from))
            return k;
    return -1;
}

/* "Grouped sampling in A, B: ..."; NULL when no arm has it. */
static char *sampling_note(const ch_found *f)
{
    ch_str b = {0};
    for (int64_t i = 1; i < f->n_arms; i++)
        if (!arm_of(f, i)->model[0] && arm_of(f, i)->train.sampling == CH_DRAW_GROUPED)
            ch_str_addf(&b, "%s%s", b.n ? ", " : "Grouped sampling in ", f->arms[i].title);
    if (b.n)
        ch_str_add(&b, ": an update drew wordings first and several inputs for each "
                       "(train.sampling); by default an update draws its rows independently.");
    return b.n ? ch_str_take(&b) : NULL;
}

void ch_found_notes(ch_found *f)
{
    ch_report_data *d = &f->data;
    char *labels = ch_decode_note(&f->arms[0].replies), *grouped = sampling_note(f);
    if (labels)
        f->notes[d->n_notes++] = labels;
    if (grouped)
        f->notes[d->n_notes++] = grouped;
    d->notes = (const char *const *)f->notes;
}

ch_report_task *ch_report_tasks(const ch_cases *c)
{
    ch_report_task *list = ch_new((size_t)c->n_tasks, sizeof *list);
    for (int64_t t = 0; t < c->n_tasks; t++)
        list[t] = (ch_report_task){c->task[t].name, c->task[t].judged ? "judge" : "exact",
                                   c->task[t].n_inputs, c->task[t].n_wordings};
    return list;
}

/* MCR's clusters: each answer joins the first whose first member it agrees with. New array. */
static ch_report_answer *answers_to(const ch_replies *r, const ch_cases *c, int64_t k)
{
    const ch_case *it = &c->list[k];
    const ch_reply *y = ch_replies_case(r, k);
    ch_report_answer *out = ch_new((size_t)it->n, sizeof *out);
    int64_t n_groups = 0, *first = ch_new((size_t)it->n, sizeof *first);
    for (int64_t i = 0; i < it->n; i++) {
        int64_t g = 0;
        while (g < n_groups && !it->same[i * it->n + first[g]])
            g++;
        if (g == n_groups)
            first[n_groups++] = i;
        out[i] = (ch_report_answer){y[i].answer, y[i].exact, g};
    }
    free(first);
    return out;
}

static void add_example(ch_found *f, int64_t k)
{
    const ch_found_arm *a = &f->arms[0], *b = f->main_arm ? &f->arms[f->main_arm] : NULL;
    int64_t n = a->cases.list[k].n;
    const ch_reply *y = ch_replies_case(&a->replies, k);
    const char **wordings = ch_new((size_t)n, sizeof *wordings);
    for (int64_t i = 0; i < n; i++)
        wordings[i] = y[i].wording;
    f->examples[f->n_examples++] =
        (ch_report_example){.task = y->task,
                            .input = y->input,
                            .gold = y->gold[0],
                            .n = n,
                            .wordings = wordings,
                            .before = answers_to(&a->replies, &a->cases, k),
                            .after = b ? answers_to(&b->replies, &b->cases, k) : NULL};
}

void ch_found_examples(ch_found *f)
{
    enum { MOST = 12 };
    const ch_cases *c = &f->arms[0].cases;
    unsigned char *shown = ch_new((size_t)c->n_tasks, 1);
    f->examples = ch_new(MOST, sizeof *f->examples);
    for (int64_t k = 0; k < c->n && f->n_examples < MOST; k++) {
        if (shown[c->list[k].task] || ch_cr(c->list[k].same, c->list[k].n) >= 1)
            continue;
        shown[c->list[k].task] = 1;
        add_example(f, k);
    }
    free(shown);
}

void ch_found_examples_release(ch_found *f)
{
    for (int64_t i = 0; i < f->n_examples; i++) {
        free((void *)(uintptr_t)f->examples[i].wordings);
        free((void *)(uintptr_t)f->examples[i].before);
        free((void *)(uintptr_t)f->examples[i].after);
    }
    free(f->examples);
}
