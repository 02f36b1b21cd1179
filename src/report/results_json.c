/* results.json. The keys come in the order in which they are set here (jansson keeps it). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/report.h"
#include "report/words.h"

/* The value may be NULL only by our own fault: numbers were checked, texts cleaned. */
static void set(json_t *o, const char *key, json_t *value)
{
    CH_MUST(value && json_object_set_new(o, key, value) == 0);
}

static void append(json_t *list, json_t *value)
{
    CH_MUST(value && json_array_append_new(list, value) == 0);
}

static void set_text(json_t *o, const char *key, const char *s)
{
    char *clean = ch_clean(s);
    set(o, key, json_string(clean));
    free(clean);
}

static void set_int(json_t *o, const char *key, int64_t v)
{
    set(o, key, json_integer(v));
}

/* Seeds use all 64 bits; what an int64 cannot hold is written as a decimal text. */
static json_t *seed_value(uint64_t seed)
{
    char text[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return json_string(text);
}

static json_t *stats(const ch_stat *s)
{
    json_t *o = json_object();
    for (int k = 0; k < CH_M_COUNT; k++) {
        json_t *one = json_object();
        set(one, "value", json_real(s[k].value));
        set(one, "low", json_real(s[k].low));
        set(one, "high", json_real(s[k].high));
        set(o, ch_metrics[k].key, one);
    }
    return o;
}

static json_t *by_task(const ch_report_data *d, const ch_measure *m)
{
    json_t *list = json_array();
    for (int64_t t = 0; t < d->n_tasks; t++) {
        json_t *o = json_object();
        set_text(o, "task", d->tasks[t].name);
        for (int k = 0; k < CH_M_COUNT; k++)
            set(o, ch_metrics[k].key, json_real(m->by_task[t][k]));
        append(list, o);
    }
    return list;
}

static json_t *losses(const int64_t *step, const double *loss, int64_t n)
{
    json_t *o = json_object(), *steps = json_array(), *values = json_array();
    for (int64_t i = 0; i < n; i++) {
        append(steps, json_integer(step[i]));
        append(values, json_real(loss[i]));
    }
    set(o, "step", steps);
    set(o, "loss", values);
    return o;
}

static json_t *arm_json(const ch_report_data *d, const ch_report_arm *a)
{
    json_t *o = json_object(), *curve = json_object();
    set_text(o, "name", a->name);
    set_text(o, "description", a->description);
    set_text(o, "sha256", a->hash);
    set(o, "metrics", stats(a->measure.all));
    if (a->has_diff)
        set(o, "difference_to_first", stats(a->diff));
    if (ch_has_text(a->versus)) {
        set_text(o, "versus", a->versus);
        set(o, "difference_to_versus", stats(a->versus_diff));
    }
    set(o, "collapsed", json_boolean(a->measure.collapsed));
    set_text(o, "alarm", a->measure.alarm);
    set(o, "by_task", by_task(d, &a->measure));
    set(curve, "train", losses(a->curve.train_step, a->curve.train, a->curve.n_train));
    set(curve, "dev", losses(a->curve.dev_step, a->curve.dev, a->curve.n_dev));
    set(o, "losses", curve);
    return o;
}

static json_t *answers(const ch_report_answer *list, int64_t n)
{
    json_t *out = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_t *o = json_object();
        set_text(o, "text", list[i].text);
        set(o, "right", json_boolean(list[i].right));
        set_int(o, "group", list[i].group);
        append(out, o);
    }
    return out;
}

static json_t *texts(const char *const *list, int64_t n)
{
    json_t *out = json_array();
    for (int64_t i = 0; i < n; i++) {
        char *clean = ch_clean(list[i]);
        append(out, json_string(clean));
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
    set(o, "wordings", texts(x->wordings, x->n));
    set(o, "before", answers(x->before, x->n));
    if (x->after)
        set(o, "after", answers(x->after, x->n));
    return o;
}

static json_t *how_measured(const ch_report_data *d)
{
    json_t *o = json_object(), *n = json_object(), *boot = json_object(), *sim = json_object();
    set_int(n, "tasks", d->n_tasks);
    set_int(n, "inputs", d->n_inputs);
    set_int(n, "wordings", d->n_wordings);
    set(o, "n", n);
    set_text(o, "split", d->split);
    set_text(sim, "closed", d->sim_closed);
    set_text(sim, "free", d->sim_free);
    set(o, "sim", sim);
    set_text(o, "rouge", "rouge_score-compatible, stemmed");
    set(boot, "interval", json_real(0.95));
    set_text(boot, "resampled_by", "task, then input");
    set_int(boot, "resamples", d->resamples);
    set(boot, "seed", seed_value(d->bootstrap_seed));
    set(o, "bootstrap", boot);
    set_int(o, "dropped_wordings", d->dropped_wordings);
    set_int(o, "dropped_rows", d->dropped_rows);
    if (d->judge_n > 0) {
        json_t *judge = json_object();
        set_int(judge, "pairs", d->judge_n);
        set(judge, "agreement", json_real(d->judge_agreement));
        set(o, "judge_on_closed_tasks", judge);
    }
    return o;
}

static json_t *metrics_json(void)
{
    json_t *o = json_object();
    for (int k = 0; k < CH_M_COUNT; k++) {
        json_t *m = json_object();
        set_text(m, "title", ch_metrics[k].title);
        set(m, "share", json_boolean(ch_metrics[k].percent));
        set(m, "better",
            json_string(ch_metrics[k].higher_is_better == 1   ? "higher"
                        : ch_metrics[k].higher_is_better == 0 ? "lower"
                                                              : "neither"));
        set(o, ch_metrics[k].key, m);
    }
    return o;
}

static json_t *seeds_json(const ch_report_data *d)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < d->n_seeds; i++)
        append(list, seed_value(d->seeds[i]));
    return list;
}

static void set_origin(json_t *root, const ch_report_data *d)
{
    json_t *model = json_object(), *recipe = json_object();
    set_text(model, "name", d->model);
    set_text(model, "sha256", d->base_hash);
    set(root, "model", model);
    set_text(recipe, "sha256", d->recipe_hash);
    set_text(recipe, "text", d->recipe);
    set(root, "recipe", recipe);
    set(root, "seeds", seeds_json(d));
}

static json_t *report_json(const ch_report_data *d)
{
    json_t *root = json_object(), *tasks = json_array(), *arms = json_array(),
           *examples = json_array();
    set_int(root, "chorus_report", 1);
    set_text(root, "title", d->title);
    char *said = ch_report_headline(d);
    set_text(root, "summary", said);
    free(said);
    set_origin(root, d);
    set(root, "measured", how_measured(d));
    set(root, "warnings", texts(d->warnings, d->n_warnings));
    set(root, "notes", texts(d->notes, d->n_notes));
    for (int64_t t = 0; t < d->n_tasks; t++) {
        json_t *o = json_object();
        set_text(o, "name", d->tasks[t].name);
        set_text(o, "sim", d->tasks[t].sim);
        append(tasks, o);
    }
    set(root, "tasks", tasks);
    set(root, "metrics", metrics_json());
    set_text(root, "main_arm", d->arms[ch_report_main_arm(d)].name);
    for (int64_t i = 0; i < d->n_arms; i++)
        append(arms, arm_json(d, &d->arms[i]));
    set(root, "arms", arms);
    for (int64_t i = 0; i < d->n_examples; i++)
        append(examples, example_json(&d->examples[i]));
    set(root, "examples", examples);
    return root;
}

ch_code ch_report_json_text(char **text, const ch_report_data *d, ch_err *e)
{
    *text = NULL;
    CH_TRY(ch_report_check(d, e));
    json_t *root = report_json(d);
    char *dumped = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (!dumped)
        return ch_fail(e, CH_EMEM, "report: there is no memory for the JSON text");
    ch_str b = {0};
    ch_str_add(&b, dumped);
    ch_str_add(&b, "\n");
    free(dumped);
    *text = ch_str_take(&b);
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
