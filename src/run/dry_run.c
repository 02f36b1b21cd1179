#include "run/dry_run.h"

#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/forecast.h"
#include "run/know.h"
#include "run/preflight.h"

static json_t *load_json(const ch_load *l)
{
    return json_pack("{s:I,s:I,s:I,s:I}", "rows", (json_int_t)l->rows, "tokens",
                     (json_int_t)l->tokens, "tokens_shared", (json_int_t)l->shared, "longest",
                     (json_int_t)l->longest);
}

static const char *sampling_text(const ch_arm *a)
{
    return a->train.sampling == CH_DRAW_GROUPED ? "grouped" : "independent";
}

/* Means an update. */
static json_t *updates_json(const ch_forecast *x, const ch_recipe *r)
{
    json_t *list = json_array();
    for (int64_t i = 1; i < r->n_arms; i++) {
        const ch_arm *a = &r->arms[i];
        if (a->model[0]) /* only measured */
            continue;
        double each = 1 / (double)a->train.steps;
        json_array_append_new(list, json_pack("{s:o,s:s,s:I,s:f,s:f,s:f}", "arm",
                                              ch_json_text(a->name), "sampling", sampling_text(a),
                                              "batch", (json_int_t)a->train.batch, "wordings",
                                              each * (double)x->arms[i].instructions, "tokens",
                                              each * (double)x->arms[i].tokens, "tokens_shared",
                                              each * (double)x->arms[i].rows));
    }
    return list;
}

static void print_json(FILE *out, const ch_forecast *x, const ch_state *s)
{
    json_t *v = json_pack(
        "{s:o,s:o,s:o,s:{s:I,s:I,s:I,s:I},s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:I,s:s}", "train",
        load_json(&x->sft), "updates", updates_json(x, s->r), "train_augmented",
        load_json(&x->sft_ia), "test", "prompts", (json_int_t)x->test.n, "tokens",
        (json_int_t)x->test.tokens, "tokens_shared", (json_int_t)x->test.rows, "tasks_by_labels",
        (json_int_t)x->test.labelled_tasks, "candidates", (json_int_t)x->candidates,
        "train_bytes_estimate", (json_int_t)x->peak.train, "measure_bytes_estimate",
        (json_int_t)x->peak.measure, "candidates_bytes_estimate", (json_int_t)x->peak.align,
        "available_bytes", (double)ch_available_bytes(), "train_seconds_estimate", x->train_s,
        "measure_seconds_estimate", x->measure_s, "timed_rows", (json_int_t)x->timed, "device",
        ch_device_text(s->device));
    ch_json_set(v, "dropped", ch_dropped_json(&s->dropped));
    ch_json_tree(out, v);
}

static void print_load(FILE *out, const char *what, const ch_load *l)
{
    fprintf(
        out,
        "%-36s %8lld rows  %10lld tokens  %10lld when shared prefixes count once  longest %lld\n",
        what, (long long)l->rows, (long long)l->tokens, (long long)l->shared,
        (long long)l->longest);
}

static void print_updates(FILE *out, const ch_forecast *x, const ch_recipe *r)
{
    for (int64_t i = 1; i < r->n_arms; i++) {
        const ch_arm *a = &r->arms[i];
        if (a->model[0]) /* only measured */
            continue;
        double each = 1 / (double)a->train.steps;
        const ch_group_maker *groups = ch_objective_groups(ch_objective_find(a->objective));
        char *what = ch_fmt("an update of %s", a->name);
        fprintf(out,
                "%-36s %8lld %-5s %10.0f tokens  %10.0f when shared prefixes count once%s  "
                "%.1f wordings, %s sampling\n",
                what, (long long)a->train.batch, groups->unit, each * (double)x->arms[i].tokens,
                each * (double)x->arms[i].rows, groups->own_answers ? " (at most)" : "",
                each * (double)x->arms[i].instructions, sampling_text(a));
        free(what);
    }
}

static void print_text(FILE *out, const ch_forecast *x, const ch_state *s)
{
    char a[32], b[32], c[32];
    fprintf(out, "model    %s, %.1f million parameters\n", ch_model_name(s->base),
            1e-6 * (double)ch_model_n_params(s->base));
    fprintf(out, "device   %s\n", ch_device_text(s->device));
    fprintf(out, "tested   %s\n\n", "every test wording with every test input");
    print_load(out, "training rows, instruction only", &x->sft);
    print_load(out, "training rows, with wordings", &x->sft_ia);
    print_updates(out, x, s->r);
    fprintf(out, "%-36s %8lld rows  %10lld tokens  %10lld when shared prefixes count once\n",
            "test prompts", (long long)x->test.n, (long long)x->test.tokens,
            (long long)x->test.rows);
    if (x->test.labelled)
        fprintf(out, "%-36s %8lld of %lld tasks, the others decode freely\n",
                "answers chosen among labels", (long long)x->test.labelled_tasks,
                (long long)x->test.tasks);
    if (x->candidates)
        fprintf(out, "%-36s %8lld\n", "candidate answers", (long long)x->candidates);
    char *dropped = ch_dropped_text(&s->dropped);
    if (dropped[0])
        fprintf(out, "too long and left out: %s\n", dropped);
    free(dropped);
    fprintf(out, "\nmemory   %.2f GB while measuring", 1e-9 * (double)x->peak.measure);
    if (x->peak.train)
        fprintf(out, ", %.2f GB while training", 1e-9 * (double)x->peak.train);
    if (x->peak.align)
        fprintf(out, ", %.2f GB for candidates", 1e-9 * (double)x->peak.align);
    fprintf(out, " (estimates); %.2f GB are available\n", 1e-9 * (double)ch_available_bytes());
    fprintf(out, "time     about %s: training and candidates %s, %lld times measuring %s at most\n",
            ch_duration(x->train_s + x->measure_s, a), ch_duration(x->train_s, b),
            (long long)s->r->n_arms, ch_duration(x->measure_s / (double)s->r->n_arms, c));
    fprintf(out,
            "         (an estimate from %d rows timed here; answers counted at their full length "
            "of %lld tokens)\n",
            (int)x->timed, (long long)s->r->generate.max_new);
}

ch_code ch_dry_run(const ch_recipe *r, FILE *out, int json, ch_err *e)
{
    ch_state s = {.lock = -1};
    ch_forecast x = {0};
    ch_code c = ch_preflight_files(r, 0, e);
    if (c == CH_OK)
        c = ch_state_load(&s, r, e);
    if (c == CH_OK && !strcmp(r->data.wordings, "paraphrase"))
        c = ch_fail(
            e, CH_EUSER,
            "a dry run cannot know the wordings that the model will write; run chorus paraphrase "
            "first and name its file in data.wordings");
    if (c == CH_OK)
        c = ch_state_split(&s, e);
    if (c == CH_OK)
        c = ch_know_files(&s, e);
    if (c == CH_OK)
        c = ch_know_split(&s, e);
    if (c == CH_OK)
        c = ch_know_measured(&s, e);
    if (c == CH_OK)
        ch_state_say(&s);
    if (c == CH_OK)
        c = ch_forecast_make(&x, &s, e);
    if (c == CH_OK && json)
        print_json(out, &x, &s);
    else if (c == CH_OK)
        print_text(out, &x, &s);
    ch_forecast_release(&x);
    ch_state_release(&s);
    return c;
}
