/* Loads results.json back. Strings are borrowed from the JSON tree, which lives as long as the
 * report; arrays are on a list of blocks beside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "report/notes.h"
#include "support/results_read.h"

typedef struct {
    json_t *root;
    void **blocks;
    int64_t n, cap;
} owner;

typedef struct {
    const char *path;
    owner *own;
    ch_err *e;
} reader;

static void *block(reader *r, int64_t count, size_t elem)
{
    void *p = ch_new((size_t)(count > 0 ? count : 1), elem);
    *CH_PUSH(r->own->blocks, r->own->n, r->own->cap) = p;
    return p;
}

static ch_code wrong(const reader *r, const char *key, const json_t *found, const char *wanted)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a text",    [JSON_INTEGER] = "a whole number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return ch_fail(r->e, CH_EUSER,
                   "%s: \"%s\" is %s, %s is wanted; only files that chorus wrote can be read",
                   r->path, key, found ? names[json_typeof(found)] : "missing", wanted);
}

static ch_code get_object(reader *r, const json_t *o, const char *key, json_t **out)
{
    *out = json_object_get(o, key);
    return json_is_object(*out) ? CH_OK : wrong(r, key, *out, "an object");
}

static ch_code get_list(reader *r, const json_t *o, const char *key, json_t **out)
{
    *out = json_object_get(o, key);
    return json_is_array(*out) ? CH_OK : wrong(r, key, *out, "a list");
}

static ch_code get_text(reader *r, const json_t *o, const char *key, const char **out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_string_value(v);
    return *out ? CH_OK : wrong(r, key, v, "a text");
}

static ch_code get_int(reader *r, const json_t *o, const char *key, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_integer_value(v);
    return json_is_integer(v) ? CH_OK : wrong(r, key, v, "a whole number");
}

static ch_code get_number(reader *r, const json_t *o, const char *key, double *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_number_value(v);
    return json_is_number(v) ? CH_OK : wrong(r, key, v, "a number");
}

static ch_code get_flag(reader *r, const json_t *o, const char *key, int *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_is_true(v);
    return json_is_boolean(v) ? CH_OK : wrong(r, key, v, "true or false");
}

static ch_code to_seed(reader *r, const char *key, const json_t *v, uint64_t *out)
{
    const char *s = json_string_value(v);
    char *end = NULL;
    *out = (uint64_t)json_integer_value(v);
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        return CH_OK;
    errno = 0;
    if (s && *s >= '0' && *s <= '9')
        *out = strtoull(s, &end, 10);
    return end && !*end && !errno ? CH_OK : wrong(r, key, v, "a number 0..2^64-1");
}

static ch_code get_stats(reader *r, const json_t *o, const char *key, ch_stat out[CH_M_COUNT])
{
    json_t *all, *one;
    CH_TRY(get_object(r, o, key, &all));
    for (int k = 0; k < CH_M_COUNT; k++) {
        CH_TRY(get_object(r, all, ch_metrics[k].key, &one));
        CH_TRY(get_number(r, one, "value", &out[k].value));
        CH_TRY(get_number(r, one, "low", &out[k].low));
        CH_TRY(get_number(r, one, "high", &out[k].high));
    }
    return CH_OK;
}

static ch_code get_texts(reader *r, const json_t *o, const char *key, const char *const **out,
                         int64_t *n)
{
    json_t *list;
    CH_TRY(get_list(r, o, key, &list));
    *n = (int64_t)json_array_size(list);
    const char **texts = block(r, *n, sizeof *texts);
    for (int64_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, (size_t)i);
        texts[i] = json_string_value(v);
        if (!texts[i])
            return wrong(r, key, v, "a list of texts");
    }
    *out = texts;
    return CH_OK;
}

static ch_code get_losses(reader *r, const json_t *o, const char *key, const int64_t **step,
                          const double **loss, int64_t *n)
{
    json_t *one, *steps, *values;
    CH_TRY(get_object(r, o, key, &one));
    CH_TRY(get_list(r, one, "step", &steps));
    CH_TRY(get_list(r, one, "loss", &values));
    *n = (int64_t)json_array_size(steps);
    if (json_array_size(values) != json_array_size(steps))
        return wrong(r, "loss", values, "a list as long as \"step\"");
    int64_t *s = block(r, *n, sizeof *s);
    double *l = block(r, *n, sizeof *l);
    for (int64_t i = 0; i < *n; i++) {
        const json_t *a = json_array_get(steps, (size_t)i), *b = json_array_get(values, (size_t)i);
        if (!json_is_integer(a) || !json_is_number(b))
            return wrong(r, key, json_is_integer(a) ? b : a, "lists of numbers");
        s[i] = json_integer_value(a);
        l[i] = json_number_value(b);
    }
    *step = s;
    *loss = l;
    return CH_OK;
}

static ch_code read_side(reader *r, const json_t *o, const char *key, int64_t *n, int64_t *right)
{
    json_t *side;
    double share = 0;
    CH_TRY(get_object(r, o, key, &side));
    CH_TRY(get_int(r, side, "pairs", n));
    if (*n)
        CH_TRY(get_number(r, side, "right", &share));
    *right = (int64_t)(share * (double)*n + 0.5);
    return CH_OK;
}

static ch_code read_judge(reader *r, const json_t *arm, ch_verdicts *v)
{
    json_t *o;
    *v = (ch_verdicts){0};
    if (!json_object_get(arm, "judge_on_closed_tasks"))
        return CH_OK;
    CH_TRY(get_object(r, arm, "judge_on_closed_tasks", &o));
    CH_TRY(read_side(r, o, "same", &v->n_same, &v->right_same));
    return read_side(r, o, "different", &v->n_differ, &v->right_differ);
}

static ch_code read_measure(reader *r, const json_t *o, const ch_report_data *d, ch_measure *m)
{
    const char *alarm, *name;
    json_t *list;
    m->n_tasks = d->n_tasks;
    m->n_cases = d->n_inputs;
    m->n_wordings = d->n_wordings;
    m->most_wordings = d->most_wordings;
    CH_TRY(get_stats(r, o, "metrics", m->all));
    CH_TRY(get_flag(r, o, "collapsed", &m->collapsed));
    CH_TRY(get_text(r, o, "alarm", &alarm));
    size_t n = ch_utf8_whole(alarm, strnlen(alarm, sizeof m->alarm - 1));
    memcpy(m->alarm, alarm, n);
    CH_TRY(get_list(r, o, "by_task", &list));
    if ((int64_t)json_array_size(list) != d->n_tasks)
        return wrong(r, "by_task", list, "one entry a task");
    m->by_task = block(r, d->n_tasks, sizeof *m->by_task);
    for (int64_t t = 0; t < d->n_tasks; t++) {
        const json_t *row = json_array_get(list, (size_t)t);
        CH_TRY(get_text(r, row, "task", &name));
        if (strcmp(name, d->tasks[t].name) != 0)
            return wrong(r, "by_task", row, "the tasks in the order of \"tasks\"");
        for (int k = 0; k < CH_M_COUNT; k++)
            CH_TRY(get_number(r, row, ch_metrics[k].key, &m->by_task[t][k]));
    }
    return CH_OK;
}

static ch_code read_arm(reader *r, const json_t *o, const ch_report_data *d, ch_report_arm *a)
{
    json_t *curve;
    ch_report_curve *c = &a->curve;
    CH_TRY(get_text(r, o, "name", &a->name));
    CH_TRY(get_text(r, o, "description", &a->description));
    CH_TRY(get_text(r, o, "sha256", &a->hash));
    CH_TRY(read_measure(r, o, d, &a->measure));
    CH_TRY(read_judge(r, o, &a->judge));
    a->has_diff = json_object_get(o, "difference_to_first") != NULL;
    if (a->has_diff)
        CH_TRY(get_stats(r, o, "difference_to_first", a->diff));
    if (json_object_get(o, "versus")) {
        CH_TRY(get_text(r, o, "versus", &a->versus));
        CH_TRY(get_stats(r, o, "difference_to_versus", a->versus_diff));
    }
    CH_TRY(get_object(r, o, "losses", &curve));
    CH_TRY(get_losses(r, curve, "train", &c->train_step, &c->train, &c->n_train));
    return get_losses(r, curve, "dev", &c->dev_step, &c->dev, &c->n_dev);
}

static ch_code read_arms(reader *r, ch_report_data *d)
{
    json_t *list;
    const char *shown;
    CH_TRY(get_list(r, r->own->root, "arms", &list));
    CH_TRY(get_text(r, r->own->root, "main_arm", &shown));
    d->n_arms = (int64_t)json_array_size(list);
    ch_report_arm *arms = block(r, d->n_arms, sizeof *arms);
    for (int64_t i = 0; i < d->n_arms; i++) {
        CH_TRY(read_arm(r, json_array_get(list, (size_t)i), d, &arms[i]));
        if (strcmp(arms[i].name, shown) == 0)
            d->main_arm = i;
    }
    d->arms = arms;
    if (d->n_arms && strcmp(arms[ch_report_main_arm(d)].name, shown) != 0)
        return ch_fail(r->e, CH_EUSER, "%s: \"main_arm\" is \"%s\", the name of an arm is wanted",
                       r->path, shown);
    return CH_OK;
}

static ch_code read_answers(reader *r, const json_t *o, const char *key, int64_t n,
                            const ch_report_answer **out)
{
    json_t *list;
    CH_TRY(get_list(r, o, key, &list));
    if ((int64_t)json_array_size(list) != n)
        return wrong(r, key, list, "one answer a wording");
    ch_report_answer *a = block(r, n, sizeof *a);
    for (int64_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, (size_t)i);
        CH_TRY(get_text(r, one, "text", &a[i].text));
        CH_TRY(get_flag(r, one, "right", &a[i].right));
        CH_TRY(get_int(r, one, "group", &a[i].group));
    }
    *out = a;
    return CH_OK;
}

static ch_code read_examples(reader *r, ch_report_data *d)
{
    json_t *list;
    CH_TRY(get_list(r, r->own->root, "examples", &list));
    d->n_examples = (int64_t)json_array_size(list);
    ch_report_example *all = block(r, d->n_examples, sizeof *all);
    d->examples = all;
    for (int64_t i = 0; i < d->n_examples; i++) {
        const json_t *o = json_array_get(list, (size_t)i);
        ch_report_example *x = &all[i];
        CH_TRY(get_text(r, o, "task", &x->task));
        CH_TRY(get_text(r, o, "input", &x->input));
        CH_TRY(get_text(r, o, "gold", &x->gold));
        CH_TRY(get_texts(r, o, "wordings", &x->wordings, &x->n));
        CH_TRY(read_answers(r, o, "before", x->n, &x->before));
        if (json_object_get(o, "after"))
            CH_TRY(read_answers(r, o, "after", x->n, &x->after));
    }
    return CH_OK;
}

static ch_code read_measured(reader *r, ch_report_data *d)
{
    json_t *o, *n, *sim, *boot;
    CH_TRY(get_object(r, r->own->root, "measured", &o));
    CH_TRY(get_object(r, o, "n", &n));
    CH_TRY(get_int(r, n, "tasks", &d->n_tasks));
    CH_TRY(get_int(r, n, "inputs", &d->n_inputs));
    CH_TRY(get_int(r, n, "wordings", &d->n_wordings));
    CH_TRY(get_int(r, n, "most_wordings", &d->most_wordings));
    CH_TRY(get_text(r, o, "split", &d->split));
    CH_TRY(get_object(r, o, "sim", &sim));
    CH_TRY(get_text(r, sim, "closed", &d->sim_closed));
    CH_TRY(get_text(r, sim, "free", &d->sim_free));
    CH_TRY(get_object(r, o, "bootstrap", &boot));
    CH_TRY(get_int(r, boot, "resamples", &d->resamples));
    CH_TRY(to_seed(r, "seed", json_object_get(boot, "seed"), &d->bootstrap_seed));
    CH_TRY(get_int(r, o, "dropped_wordings", &d->dropped_wordings));
    return get_int(r, o, "dropped_rows", &d->dropped_rows);
}

static ch_code read_seeds(reader *r, ch_report_data *d)
{
    json_t *list;
    CH_TRY(get_list(r, r->own->root, "seeds", &list));
    d->n_seeds = (int64_t)json_array_size(list);
    uint64_t *seeds = block(r, d->n_seeds, sizeof *seeds);
    for (int64_t i = 0; i < d->n_seeds; i++)
        CH_TRY(to_seed(r, "seeds", json_array_get(list, (size_t)i), &seeds[i]));
    d->seeds = seeds;
    return CH_OK;
}

static ch_code read_tasks(reader *r, ch_report_data *d)
{
    json_t *list;
    CH_TRY(get_list(r, r->own->root, "tasks", &list));
    if ((int64_t)json_array_size(list) != d->n_tasks)
        return wrong(r, "tasks", list, "as many tasks as \"measured\" says");
    ch_report_task *tasks = block(r, d->n_tasks, sizeof *tasks);
    for (int64_t i = 0; i < d->n_tasks; i++) {
        const json_t *o = json_array_get(list, (size_t)i);
        CH_TRY(get_text(r, o, "name", &tasks[i].name));
        CH_TRY(get_text(r, o, "sim", &tasks[i].sim));
        CH_TRY(get_int(r, o, "inputs", &tasks[i].n_inputs));
        CH_TRY(get_int(r, o, "wordings", &tasks[i].n_wordings));
    }
    d->tasks = tasks;
    return CH_OK;
}

/* The file holds what its writers say by themselves too: that is taken out again. */
static void keep_own(const char *const *list, int64_t *n, char **theirs, int64_t n_theirs)
{
    const char **own = (const char **)(uintptr_t)list;
    int64_t kept = 0;
    for (int64_t i = 0; i < *n; i++) {
        int derived = 0;
        for (int64_t k = 0; k < n_theirs; k++)
            derived |= !strcmp(list[i], theirs[k]);
        if (!derived)
            own[kept++] = list[i];
    }
    *n = kept;
    for (int64_t k = 0; k < n_theirs; k++)
        free(theirs[k]);
    free(theirs);
}

static void drop_derived(ch_report_data *d)
{
    ch_report_data bare = *d;
    char **list;
    bare.n_warnings = bare.n_notes = 0;
    int64_t n = ch_report_warnings(&bare, &list);
    keep_own(d->warnings, &d->n_warnings, list, n);
    n = ch_report_notes(&bare, &list);
    keep_own(d->notes, &d->n_notes, list, n);
}

static ch_code read_report(reader *r, ch_report_data *d)
{
    json_t *root = r->own->root, *model, *recipe;
    int64_t version;
    CH_TRY(get_int(r, root, "chorus_report", &version));
    if (version != 1)
        return ch_fail(r->e, CH_EUSER, "%s: \"chorus_report\" is %lld, version 1 is wanted",
                       r->path, (long long)version);
    CH_TRY(get_text(r, root, "title", &d->title));
    CH_TRY(get_object(r, root, "model", &model));
    CH_TRY(get_text(r, model, "name", &d->model));
    CH_TRY(get_text(r, model, "sha256", &d->base_hash));
    CH_TRY(get_object(r, root, "recipe", &recipe));
    CH_TRY(get_text(r, recipe, "sha256", &d->recipe_hash));
    CH_TRY(get_text(r, recipe, "text", &d->recipe));
    CH_TRY(read_seeds(r, d));
    CH_TRY(read_measured(r, d));
    CH_TRY(get_texts(r, root, "warnings", &d->warnings, &d->n_warnings));
    if (json_object_get(root, "notes")) /* older files have none */
        CH_TRY(get_texts(r, root, "notes", &d->notes, &d->n_notes));
    CH_TRY(read_tasks(r, d));
    CH_TRY(read_arms(r, d));
    CH_TRY(read_examples(r, d));
    drop_derived(d);
    ch_err inner = {0};
    ch_code code = ch_report_check(d, &inner);
    return code == CH_OK ? CH_OK : ch_fail(r->e, code, "%s: %s", r->path, inner.msg);
}

ch_code ch_report_read_json(ch_report_data *d, const char *path, ch_err *e)
{
    json_t *root;
    *d = (ch_report_data){0};
    CH_TRY(ch_json_load(&root, path, e));
    owner *own = ch_new(1, sizeof *own);
    own->root = root;
    d->owned = own;
    reader r = {path, own, e};
    ch_code code = read_report(&r, d);
    if (code != CH_OK)
        ch_report_release(d);
    return code;
}

void ch_report_release(ch_report_data *d)
{
    owner *own = d->owned;
    if (!own)
        return;
    json_decref(own->root);
    for (int64_t i = 0; i < own->n; i++)
        free(own->blocks[i]);
    free(own->blocks);
    free(own);
    *d = (ch_report_data){0};
}
