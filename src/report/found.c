#include "report/found.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/found_parts.h"
#include "run/stage.h"

static void warn(ch_found *f, char *text)
{
    *CH_PUSH(f->warnings, f->n_warnings, f->cap_warnings) = text;
}

static char *text_at(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return ch_dup(s ? s : "");
}

static ch_code read_run(ch_found *f, ch_err *e)
{
    char *recipe = ch_path(f->dir, "recipe.yaml"), *info = ch_path(f->dir, "run.json");
    json_t *v = NULL;
    ch_code c = CH_OK;
    ch_recipe_init(&f->recipe);
    if (!ch_exists(recipe) || !ch_exists(info))
        c = ch_fail(e, CH_EUSER, "%s: is no run directory: recipe.yaml or run.json is missing",
                    f->dir);
    if (c == CH_OK) {
        ch_recipe_release(&f->recipe);
        c = ch_recipe_read(&f->recipe, recipe, e);
    }
    if (c == CH_OK)
        c = ch_recipe_finish(&f->recipe, recipe, e);
    if (c == CH_OK)
        c = ch_json_load(&v, info, e);
    if (c == CH_OK) {
        f->recipe_text = ch_recipe_text(&f->recipe);
        f->recipe_hash = ch_dup(ch_hash_bytes(f->recipe_text, strlen(f->recipe_text)).hex);
        f->model = text_at(v, "model");
        f->base_hash = text_at(v, "base_sha256");
        f->split = text_at(v, "split");
        f->seed = (uint64_t)f->recipe.seed;
        f->title = ch_fmt("Consistency of %s", f->model);
        f->data.dropped_wordings = json_integer_value(json_object_get(v, "dropped_wordings"));
        f->data.dropped_rows = json_integer_value(json_object_get(v, "dropped_rows"));
        int64_t left_out = json_integer_value(json_object_get(v, "left_out"));
        if (left_out > 0)
            warn(f, ch_fmt("%lld inputs and wordings are on no side of the split: an equal one is "
                           "on the other.",
                           (long long)left_out));
    }
    json_decref(v);
    free(recipe);
    free(info);
    return c;
}

static char *model_hash(const ch_found *f, const char *dir, int64_t arm)
{
    if (!arm)
        return ch_dup(f->base_hash);
    json_t *v = ch_stage_result_at(dir, "train");
    char *h = text_at(v, "model_sha256");
    json_decref(v);
    return h;
}

/* Answers to other inputs than the base's cannot be compared in pairs. */
static ch_code check_same_cases(const ch_found *f, const ch_found_arm *a, const char *path,
                                ch_err *e)
{
    const ch_replies *x = &f->arms[0].replies, *y = &a->replies;
    int same = ch_replies_alike(x, y);
    for (int64_t i = 0; same && i < x->n; i++)
        same = x->list[i].labelled == y->list[i].labelled;
    return same ? CH_OK
                : ch_fail(e, CH_EUSER,
                          "%s: answers other inputs than the base model did, or chooses them in "
                          "another way; run again to renew it",
                          path);
}

static ch_code read_arm(ch_found *f, int64_t arm, int *there, ch_err *e)
{
    const ch_arm *it = &f->recipe.arms[arm];
    char *dir = ch_path(f->dir, it->name);
    char *answers = ch_path(dir, "answers.jsonl"), *same = ch_path(dir, "same.jsonl"),
         *log = ch_path(dir, "train/log.jsonl");
    ch_code c = CH_OK;
    *there = ch_exists(answers) && ch_exists(same);
    if (*there) {
        ch_found_arm *a = &f->arms[f->n_arms++];
        *a = (ch_found_arm){.arm = arm, .versus = -1, .title = ch_dup(it->title)};
        a->about = ch_found_about(&f->recipe, it);
        a->hash = model_hash(f, dir, arm);
        c = ch_replies_read(&a->replies, answers, e);
        if (c == CH_OK)
            c = ch_cases_read(&a->cases, &a->replies, same, e);
        if (c == CH_OK && f->n_arms > 1)
            c = check_same_cases(f, a, answers, e);
        if (c == CH_OK && arm)
            c = ch_found_curve(&a->curve, log, e);
        if (c == CH_OK)
            c = ch_measure_make(&a->measure, a->cases.list, a->cases.n, a->cases.n_tasks,
                                a->cases.names, f->recipe.measure.resamples, f->seed, e);
    }
    free(dir);
    free(answers);
    free(same);
    free(log);
    return c;
}

static ch_code diff(const ch_found *f, ch_stat *out, const ch_found_arm *a, const ch_found_arm *b,
                    ch_err *e)
{
    return ch_measure_diff(out, a->cases.list, b->cases.list, a->cases.n, a->cases.n_tasks,
                           f->recipe.measure.resamples, f->seed, e);
}

static ch_code read_arms(ch_found *f, ch_err *e)
{
    f->arms = ch_new((size_t)f->recipe.n_arms, sizeof *f->arms);
    for (int64_t i = 0; i < f->recipe.n_arms; i++) {
        int there;
        CH_TRY(read_arm(f, i, &there, e));
        if (!there && i == 0)
            return ch_fail(e, CH_EEMPTY,
                           "%s: nothing was measured yet; chorus run %s/recipe.yaml goes on",
                           f->dir, f->dir);
        if (!there)
            warn(f, ch_fmt("%s is not measured yet and is missing here.", f->recipe.arms[i].title));
    }
    for (int64_t i = 1; i < f->n_arms; i++) {
        ch_found_arm *a = &f->arms[i];
        CH_TRY(diff(f, a->diff, &f->arms[0], a, e));
        a->versus = ch_found_versus(f, i);
        if (a->versus >= 0)
            CH_TRY(diff(f, a->versus_diff, &f->arms[a->versus], a, e));
        const ch_objective *o = ch_objective_find(f->recipe.arms[a->arm].objective);
        if (ch_objective_groups(o)->own_answers || !f->main_arm)
            f->main_arm = i;
    }
    for (int64_t i = 1; i < f->n_arms; i++)
        if (!strcmp(f->recipe.arms[f->arms[i].arm].name, "cat"))
            f->main_arm = i;
    return CH_OK;
}

/* How the judge did on closed tasks with this arm's answers. */
static ch_verdicts verdicts_of(const ch_found *f, int64_t i)
{
    char *dir = ch_path(f->dir, f->recipe.arms[f->arms[i].arm].name);
    json_t *v = f->sim_free ? ch_stage_result_at(dir, "judge") : NULL;
    const ch_verdicts out = {.n_same = json_integer_value(json_object_get(v, "same")),
                             .right_same = json_integer_value(json_object_get(v, "right_on_same")),
                             .n_differ = json_integer_value(json_object_get(v, "different")),
                             .right_differ =
                                 json_integer_value(json_object_get(v, "right_on_different"))};
    json_decref(v);
    free(dir);
    return out;
}

static void fill_arms(ch_found *f)
{
    f->report_arms = ch_new((size_t)f->n_arms, sizeof *f->report_arms);
    for (int64_t i = 0; i < f->n_arms; i++) {
        const ch_found_arm *a = &f->arms[i];
        ch_report_arm *r = &f->report_arms[i];
        *r = (ch_report_arm){.name = a->title,
                             .description = a->about,
                             .hash = a->hash,
                             .measure = a->measure,
                             .has_diff = i > 0,
                             .versus = a->versus >= 0 ? f->arms[a->versus].title : NULL,
                             .curve = a->curve,
                             .judge = verdicts_of(f, i)};
        memcpy(r->diff, a->diff, sizeof r->diff);
        memcpy(r->versus_diff, a->versus_diff, sizeof r->versus_diff);
    }
}

static void fill_sim(ch_found *f)
{
    const ch_cases *c = &f->arms[0].cases;
    int judged = 0, exact = 0;
    f->tasks = ch_report_tasks(c);
    for (int64_t t = 0; t < c->n_tasks; t++) {
        judged |= c->task[t].judged;
        exact |= !c->task[t].judged;
    }
    const char *who = f->recipe.measure.judge;
    int base = !strcmp(who, "base");
    if (judged)
        f->sim_free = ch_fmt("judge %s%s: Same or Contradicted, by log-probability, both orders",
                             base ? f->model : who, base ? ", untrained" : "");
    f->data.sim_closed = exact ? "exact match after normalising" : NULL;
    f->data.sim_free = f->sim_free;
    char *dir = ch_path(f->dir, "base");
    json_t *v = ch_stage_result_at(dir, "answers");
    char *dropped = ch_dropped_note(json_integer_value(json_object_get(v, "dropped_inputs")),
                                    json_string_value(json_object_get(v, "dropped")));
    json_decref(v);
    free(dir);
    if (dropped)
        warn(f, dropped);
    if (judged && base)
        warn(f, ch_dup("On free-form tasks the untrained base model says which answers mean the "
                       "same, also of its own "
                       "answers; a stronger judge (measure.judge) is to be preferred."));
}

static void fill(ch_found *f)
{
    const ch_found_arm *a = &f->arms[0];
    fill_sim(f);
    fill_arms(f);
    ch_found_examples(f);
    ch_found_notes(f);
    ch_report_data *d = &f->data;
    d->title = f->title;
    d->model = f->model;
    d->base_hash = f->base_hash;
    d->recipe = f->recipe_text;
    d->recipe_hash = f->recipe_hash;
    d->seeds = &f->seed;
    d->n_seeds = 1;
    d->bootstrap_seed = f->seed;
    d->resamples = f->recipe.measure.resamples;
    d->split = f->split;
    d->n_tasks = a->cases.n_tasks;
    d->n_inputs = a->cases.n;
    d->n_wordings = a->measure.n_wordings;
    d->most_wordings = a->measure.most_wordings;
    d->tasks = f->tasks;
    d->arms = f->report_arms;
    d->n_arms = f->n_arms;
    d->main_arm = f->main_arm;
    d->examples = f->examples;
    d->n_examples = f->n_examples;
    d->warnings = (const char *const *)f->warnings;
    d->n_warnings = f->n_warnings;
}

ch_code ch_found_read(ch_found **out, const char *dir, ch_err *e)
{
    ch_found *f = ch_new(1, sizeof *f);
    f->dir = ch_dup(dir);
    ch_code c = read_run(f, e);
    if (c == CH_OK)
        c = read_arms(f, e);
    if (c == CH_OK) {
        fill(f);
        *out = f;
        return CH_OK;
    }
    ch_found_free(f);
    *out = NULL;
    return c;
}

void ch_found_free(ch_found *f)
{
    if (!f)
        return;
    ch_found_examples_release(f);
    for (int64_t i = 0; i < f->n_arms; i++) {
        ch_found_arm *a = &f->arms[i];
        ch_measure_release(&a->measure);
        ch_cases_release(&a->cases);
        ch_replies_release(&a->replies);
        ch_found_curve_release(&a->curve);
        free(a->title);
        free(a->about);
        free(a->hash);
    }
    for (int64_t i = 0; i < f->n_warnings; i++)
        free(f->warnings[i]);
    free(f->warnings);
    for (int64_t i = 0; i < f->data.n_notes; i++)
        free(f->notes[i]);
    free(f->arms);
    free(f->report_arms);
    free(f->tasks);
    free(f->dir);
    free(f->recipe_text);
    free(f->recipe_hash);
    free(f->title);
    free(f->model);
    free(f->base_hash);
    free(f->split);
    free(f->sim_free);
    ch_recipe_release(&f->recipe);
    free(f);
}

static ch_code write_report(const char *dir, const ch_report_data *d, ch_err *e)
{
    char *json = ch_path(dir, "results.json"), *html = ch_path(dir, "report.html");
    ch_code c = ch_report_json(json, d, e);
    if (c == CH_OK)
        c = ch_report_html(html, d, e);
    free(json);
    free(html);
    return c;
}

ch_code ch_found_report(ch_found **out, const char *dir, ch_err *e)
{
    CH_TRY(ch_found_read(out, dir, e));
    ch_code c = write_report(dir, &(*out)->data, e);
    if (c == CH_OK)
        return CH_OK;
    ch_found_free(*out);
    *out = NULL;
    return c;
}
