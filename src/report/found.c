#include "report/found.h"

#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/str.h"
#include "report/found_parts.h"

static void warn(ch_found *f, char *text)
{
    *CH_PUSH(f->warnings, f->n_warnings, f->cap_warnings) = text;
}

static char *text_at(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return ch_dup(s ? s : "");
}

static ch_code read_run(ch_found *f, ch_seen *seen, ch_err *e)
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
    if (c == CH_OK)
        c = ch_belongs_open(&f->belongs, f->dir, &f->recipe, v, info, seen, e);
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

/* Says what is left out or missing; *there 1 when the arm can be shown. */
static ch_code ask_belongs(ch_found *f, int64_t arm, ch_standing *s, int *there, ch_err *e)
{
    const char *title = f->recipe.arms[arm].title;
    ch_belongs_arm(&f->belongs, arm, s);
    *there = s->state == CH_STAGE_DONE;
    if (*there) {
        if (s->note)
            warn(f, ch_fmt("%s: %s; its figures are of what it was.", title, s->note));
        if (s->train && !s->curve)
            warn(f,
                 ch_fmt("%s: %s/train/log.jsonl is not what was written; its losses are left out.",
                        title, f->recipe.arms[arm].name));
        return CH_OK;
    }
    int never = s->state == CH_STAGE_NEVER;
    if (arm && never)
        warn(f, ch_fmt("%s is not measured yet and is missing here.", title));
    else if (arm)
        warn(f, ch_fmt("%s is left out: %s; chorus run %s/recipe.yaml makes it again.", title,
                       s->why, f->dir));
    else if (never)
        return ch_fail(e, CH_EEMPTY,
                       "%s: nothing was measured yet; chorus run %s/recipe.yaml goes on", f->dir,
                       f->dir);
    else
        return ch_fail(e, CH_EUSER,
                       "%s: the base model's answers, with which all else is compared, cannot be "
                       "shown: %s; chorus run %s/recipe.yaml makes them again",
                       f->dir, s->why, f->dir);
    return CH_OK;
}

static ch_code fill_arm(ch_found *f, ch_found_arm *a, ch_err *e)
{
    const ch_arm *it = &f->recipe.arms[a->arm];
    char *dir = ch_path(f->dir, it->name);
    char *answers = ch_path(dir, "answers.jsonl"), *same = ch_path(dir, "same.jsonl"),
         *log = ch_path(dir, "train/log.jsonl");
    a->title = ch_dup(it->title);
    a->about = ch_found_about(&f->recipe, it, a->standing.train);
    ch_code c = ch_replies_read(&a->replies, answers, e);
    if (c == CH_OK)
        c = ch_cases_read(&a->cases, &a->replies, same, e);
    if (c == CH_OK && f->n_arms > 1)
        c = check_same_cases(f, a, answers, e);
    if (c == CH_OK && a->standing.curve)
        c = ch_found_curve(&a->curve, log, e);
    if (c == CH_OK)
        c = ch_measure_make(&a->measure, a->cases.list, a->cases.n, a->cases.n_tasks,
                            a->cases.names, f->recipe.measure.resamples, f->seed, e);
    free(dir);
    free(answers);
    free(same);
    free(log);
    return c;
}

static ch_code read_arm(ch_found *f, int64_t arm, ch_err *e)
{
    ch_standing s;
    int there = 0;
    ch_code c = ask_belongs(f, arm, &s, &there, e);
    if (c != CH_OK || !there) {
        ch_standing_release(&s);
        return c;
    }
    ch_found_arm *a = &f->arms[f->n_arms++];
    *a = (ch_found_arm){.arm = arm, .versus = -1, .standing = s};
    return fill_arm(f, a, e);
}

static ch_code diff(const ch_found *f, ch_stat *out, const ch_found_arm *a, const ch_found_arm *b,
                    ch_err *e)
{
    return ch_measure_diff(out, a->cases.list, b->cases.list, a->cases.n, a->cases.n_tasks,
                           f->recipe.measure.resamples, f->seed, e);
}

/* The arm that pictures call "after": named cat, else trained on bad answers, else trained, else
 * another model. */
static int64_t main_arm(const ch_found *f)
{
    int64_t best = 0;
    int most = 0;
    for (int64_t i = 1; i < f->n_arms; i++) {
        const ch_arm *it = &f->recipe.arms[f->arms[i].arm];
        const ch_objective *o = ch_objective_find(it->objective);
        int rank = !strcmp(it->name, "cat")                   ? 4
                   : o && ch_objective_groups(o)->own_answers ? 3
                   : o                                        ? 2
                                                              : 1;
        if (rank > most || (rank == 3 && most == 3)) {
            most = rank;
            best = i;
        }
    }
    return best;
}

static ch_code read_arms(ch_found *f, ch_err *e)
{
    f->arms = ch_new((size_t)f->recipe.n_arms, sizeof *f->arms);
    for (int64_t i = 0; i < f->recipe.n_arms; i++)
        CH_TRY(read_arm(f, i, e));
    for (int64_t i = 1; i < f->n_arms; i++) {
        ch_found_arm *a = &f->arms[i];
        CH_TRY(diff(f, a->diff, &f->arms[0], a, e));
        a->versus = ch_found_versus(f, i);
        if (a->versus >= 0)
            CH_TRY(diff(f, a->versus_diff, &f->arms[a->versus], a, e));
    }
    f->main_arm = main_arm(f);
    return CH_OK;
}

/* How the judge did on closed tasks with this arm's answers. */
static ch_verdicts verdicts_of(const ch_found *f, int64_t i)
{
    const json_t *v = f->arms[i].standing.judge;
    return (ch_verdicts){.n_same = json_integer_value(json_object_get(v, "same")),
                         .right_same = json_integer_value(json_object_get(v, "right_on_same")),
                         .n_differ = json_integer_value(json_object_get(v, "different")),
                         .right_differ =
                             json_integer_value(json_object_get(v, "right_on_different"))};
}

static void fill_arms(ch_found *f)
{
    f->report_arms = ch_new((size_t)f->n_arms, sizeof *f->report_arms);
    for (int64_t i = 0; i < f->n_arms; i++) {
        const ch_found_arm *a = &f->arms[i];
        ch_report_arm *r = &f->report_arms[i];
        *r = (ch_report_arm){.name = a->title,
                             .description = a->about,
                             .hash = a->standing.model.hex,
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
    int own = !strcmp(who, "base");
    if (judged)
        f->sim_free = ch_fmt("judge %s%s: Same or Contradicted, by log-probability, both orders",
                             own ? f->model : who, own ? ", untrained" : "");
    f->data.sim_closed = exact ? "exact match after normalising" : NULL;
    f->data.sim_free = f->sim_free;
    const json_t *answers = f->arms[0].standing.answers;
    char *dropped = ch_dropped_note(json_integer_value(json_object_get(answers, "dropped_inputs")),
                                    json_string_value(json_object_get(answers, "dropped")));
    if (dropped)
        warn(f, dropped);
    if (judged && own)
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

ch_code ch_found_read(ch_found **out, const char *dir, ch_seen *seen, ch_err *e)
{
    ch_found *f = ch_new(1, sizeof *f);
    f->dir = ch_dup(dir);
    ch_code c = read_run(f, seen, e);
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
        ch_standing_release(&a->standing);
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
    ch_belongs_close(&f->belongs);
    ch_recipe_release(&f->recipe);
    free(f);
}

static ch_code write_report(const char *dir, const ch_report_data *d, ch_err *e)
{
    char *json = ch_path(dir, "results.json"), *html = ch_path(dir, "report.html");
    ch_out_own(json);
    ch_out_own(html);
    ch_code c = ch_report_json(json, d, e);
    if (c == CH_OK)
        c = ch_report_html(html, d, e);
    free(json);
    free(html);
    return c;
}

ch_code ch_found_report(ch_found **out, const char *dir, ch_seen *seen, ch_err *e)
{
    CH_TRY(ch_found_read(out, dir, seen, e));
    ch_code c = write_report(dir, &(*out)->data, e);
    if (c == CH_OK)
        return CH_OK;
    ch_found_free(*out);
    *out = NULL;
    return c;
}
