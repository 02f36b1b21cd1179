/* results.json. The keys come in the order in which they are set here (jansson keeps it). */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "report/notes.h"
#include "report/report.h"
#include "report/words.h"

static void set_text(json_t *o, const char *key, const char *s)
{
    char *clean = ch_clean(s);
    ch_json_set(o, key, ch_json_text(clean));
    free(clean);
}

static void set_int(json_t *o, const char *key, int64_t v)
{
    ch_json_set(o, key, json_integer(v));
}

/* Seeds use all 64 bits; what an int64 cannot hold is written as a decimal text. */
static json_t *seed_value(uint64_t seed)
{
    char text[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return ch_json_text(text);
}

static json_t *stats(const ch_stat *s)
{
    json_t *o = json_object();
    for (int k = 0; k < CH_M_COUNT; k++) {
        json_t *one = json_object();
        ch_json_set(one, "value", ch_json_real(s[k].value));
        ch_json_set(one, "low", ch_json_real(s[k].low));
        ch_json_set(one, "high", ch_json_real(s[k].high));
        ch_json_set(o, ch_metrics[k].key, one);
    }
    return o;
}

static json_t *by_task(const ch_report_data *d, const ch_measure *m)
{
    json_t *list = json_array();
    for (int64_t t = 0; t < d->n_tasks; t++) {
        json_t *o = json_object();
        set_text(o, "task", d->tasks[t].name);
        ch_json_set(o, "collapsed", json_boolean(ch_is_collapsed(m->by_task[t])));
        for (int k = 0; k < CH_M_COUNT; k++)
            ch_json_set(o, ch_metrics[k].key, ch_json_real(m->by_task[t][k]));
        ch_json_add(list, o);
    }
    return list;
}

static json_t *losses(const int64_t *step, const double *loss, int64_t n)
{
    json_t *o = json_object(), *steps = json_array(), *values = json_array();
    for (int64_t i = 0; i < n; i++) {
        ch_json_add(steps, json_integer(step[i]));
        ch_json_add(values, ch_json_real(loss[i]));
    }
    ch_json_set(o, "step", steps);
    ch_json_set(o, "loss", values);
    return o;
}

/* right absent, balanced and kappa null: where a side has no pairs there is no figure. */
static json_t *side_json(int64_t n, int64_t right)
{
    json_t *o = json_object();
    set_int(o, "pairs", n);
    if (n)
        ch_json_set(o, "right", ch_json_real((double)right / (double)n));
    return o;
}

static json_t *judge_json(const ch_verdicts *v)
{
    json_t *o = json_object();
    set_int(o, "pairs", v->n_same + v->n_differ);
    ch_json_set(o, "agreement", ch_json_real(ch_balanced(v)));
    ch_json_set(o, "same", side_json(v->n_same, v->right_same));
    ch_json_set(o, "different", side_json(v->n_differ, v->right_differ));
    ch_json_set(o, "kappa", ch_json_real(ch_kappa(v)));
    return o;
}

static json_t *arm_json(const ch_report_data *d, const ch_report_arm *a)
{
    json_t *o = json_object(), *curve = json_object();
    set_text(o, "name", a->name);
    set_text(o, "description", a->description);
    set_text(o, "sha256", a->hash);
    ch_json_set(o, "metrics", stats(a->measure.all));
    if (a->has_diff)
        ch_json_set(o, "difference_to_first", stats(a->diff));
    if (ch_has_text(a->versus)) {
        set_text(o, "versus", a->versus);
        ch_json_set(o, "difference_to_versus", stats(a->versus_diff));
    }
    ch_json_set(o, "collapsed", json_boolean(a->measure.collapsed));
    set_text(o, "alarm", a->measure.alarm);
    ch_json_set(o, "by_task", by_task(d, &a->measure));
    if (a->judge.n_same + a->judge.n_differ > 0)
        ch_json_set(o, "judge_on_closed_tasks", judge_json(&a->judge));
    ch_json_set(curve, "train", losses(a->curve.train_step, a->curve.train, a->curve.n_train));
    ch_json_set(curve, "dev", losses(a->curve.dev_step, a->curve.dev, a->curve.n_dev));
    ch_json_set(o, "losses", curve);
    return o;
}

static json_t *answers(const ch_report_answer *list, int64_t n)
{
    json_t *out = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_t *o = json_object();
        set_text(o, "text", list[i].text);
        ch_json_set(o, "right", json_boolean(list[i].right));
        set_int(o, "group", list[i].group);
        ch_json_add(out, o);
    }
    return out;
}

/* The list and its texts are taken over. */
static json_t *said(char **list, int64_t n)
{
    json_t *out = json_array();
    for (int64_t i = 0; i < n; i++) {
        ch_json_add(out, ch_json_text(list[i]));
        free(list[i]);
    }
    free(list);
    return out;
}

static json_t *texts(const char *const *list, int64_t n)
{
    json_t *out = json_array();
    for (int64_t i = 0; i < n; i++) {
        char *clean = ch_clean(list[i]);
        ch_json_add(out, ch_json_text(clean));
        free(clean);
    }
    return out;
}

static json_t *example_json(const ch_report_example *x)
{
    json_t *o = json_object();
    set_text(o, "task", x->task);
    set_text(o, "input", x->input);
    set_text(o, "gold", x->gold);
    ch_json_set(o, "wordings", texts(x->wordings, x->n));
    ch_json_set(o, "before", answers(x->before, x->n));
    if (x->after)
        ch_json_set(o, "after", answers(x->after, x->n));
    return o;
}

static json_t *how_measured(const ch_report_data *d)
{
    json_t *o = json_object(), *n = json_object(), *boot = json_object(), *sim = json_object();
    set_int(n, "tasks", d->n_tasks);
    set_int(n, "inputs", d->n_inputs);
    set_int(n, "wordings", d->n_wordings);
    set_int(n, "most_wordings", d->most_wordings);
    ch_json_set(o, "n", n);
    set_text(o, "split", d->split);
    set_text(sim, "closed", d->sim_closed);
    set_text(sim, "free", d->sim_free);
    ch_json_set(o, "sim", sim);
    set_text(o, "rouge", "rouge_score-compatible, stemmed");
    ch_json_set(boot, "interval", ch_json_real(0.95));
    set_text(boot, "resampled_by", "task, then input");
    set_int(boot, "resamples", d->resamples);
    ch_json_set(boot, "seed", seed_value(d->bootstrap_seed));
    ch_json_set(o, "bootstrap", boot);
    set_int(o, "dropped_wordings", d->dropped_wordings);
    set_int(o, "dropped_rows", d->dropped_rows);
    const ch_verdicts *judge = &d->arms[0].judge;
    if (judge->n_same + judge->n_differ > 0)
        ch_json_set(o, "judge_on_closed_tasks", judge_json(judge));
    return o;
}

static json_t *metrics_json(void)
{
    json_t *o = json_object();
    for (int k = 0; k < CH_M_COUNT; k++) {
        json_t *m = json_object();
        set_text(m, "title", ch_metrics[k].title);
        ch_json_set(m, "share", json_boolean(ch_metrics[k].percent));
        ch_json_set(m, "better",
                    ch_json_text(ch_metrics[k].higher_is_better == 1   ? "higher"
                                 : ch_metrics[k].higher_is_better == 0 ? "lower"
                                                                       : "neither"));
        ch_json_set(o, ch_metrics[k].key, m);
    }
    return o;
}

static json_t *seeds_json(const ch_report_data *d)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < d->n_seeds; i++)
        ch_json_add(list, seed_value(d->seeds[i]));
    return list;
}

static void set_origin(json_t *root, const ch_report_data *d)
{
    json_t *model = json_object(), *recipe = json_object();
    set_text(model, "name", d->model);
    set_text(model, "sha256", d->base_hash);
    ch_json_set(root, "model", model);
    set_text(recipe, "sha256", d->recipe_hash);
    set_text(recipe, "text", d->recipe);
    ch_json_set(root, "recipe", recipe);
    ch_json_set(root, "seeds", seeds_json(d));
}

static json_t *report_json(const ch_report_data *d)
{
    json_t *root = json_object(), *tasks = json_array(), *arms = json_array(),
           *examples = json_array();
    set_int(root, "chorus_report", 1);
    set_text(root, "title", d->title);
    char *summary = ch_report_headline(d);
    set_text(root, "summary", summary);
    free(summary);
    set_origin(root, d);
    ch_json_set(root, "measured", how_measured(d));
    char **lines;
    int64_t n = ch_report_warnings(d, &lines);
    ch_json_set(root, "warnings", said(lines, n));
    n = ch_report_notes(d, &lines);
    ch_json_set(root, "notes", said(lines, n));
    for (int64_t t = 0; t < d->n_tasks; t++) {
        json_t *o = json_object();
        set_text(o, "name", d->tasks[t].name);
        set_text(o, "sim", d->tasks[t].sim);
        set_int(o, "inputs", d->tasks[t].n_inputs);
        set_int(o, "wordings", d->tasks[t].n_wordings);
        ch_json_add(tasks, o);
    }
    ch_json_set(root, "tasks", tasks);
    ch_json_set(root, "metrics", metrics_json());
    set_text(root, "main_arm", d->arms[ch_report_main_arm(d)].name);
    for (int64_t i = 0; i < d->n_arms; i++)
        ch_json_add(arms, arm_json(d, &d->arms[i]));
    ch_json_set(root, "arms", arms);
    for (int64_t i = 0; i < d->n_examples; i++)
        ch_json_add(examples, example_json(&d->examples[i]));
    ch_json_set(root, "examples", examples);
    return root;
}

ch_code ch_report_json_text(char **text, const ch_report_data *d, ch_err *e)
{
    *text = NULL;
    CH_TRY(ch_report_check(d, e));
    *text = ch_json_dump(report_json(d));
    return CH_OK;
}

ch_code ch_report_json(const char *path, const ch_report_data *d, ch_err *e)
{
    char *text;
    CH_TRY(ch_report_json_text(&text, d, e));
    ch_code code = ch_file_write(path, text, strlen(text), e);
    free(text);
    return code;
}
