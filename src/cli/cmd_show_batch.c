#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/sft.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"
#include "run/setup.h"

const ch_opt ch_opts_show_batch[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    CH_OPT_FIELD("wordings", "FILE", "data.wordings"),
    CH_OPT_FIELD("sampling", "HOW", "train.sampling"),
    CH_OPT_FIELD("seed", "N", "seed"),
    {"rows", 'n', CH_O_INT, "N", "4", NULL, "rows shown, evenly taken", 1, 1e6},
    {"update", 0, CH_O_INT, "N", NULL, NULL, "the rows that update N draws, from 1, instead", 1,
     1e9},
    {"plain", 0, CH_O_FLAG, NULL, NULL, NULL,
     "rows under the instruction alone, not under its wordings", 0, 0},
    CH_OPT_SET,
    CH_OPT_JSON,
    CH_OPT_END,
};

static json_t *row_json(const ch_model *m, const ch_group *g)
{
    const ch_seq *s = &g->list[0].seq;
    json_t *ids = json_array(), *mask = json_array(), *tokens = json_array(), *v = json_object();
    for (int64_t i = 0; i < s->n; i++) {
        char *t = ch_detokenize(m, &s->ids[i], 1, 1);
        json_array_append_new(ids, json_integer(s->ids[i]));
        json_array_append_new(mask, json_integer(i >= s->n_prompt));
        json_array_append_new(tokens, ch_json_text(t));
        free(t);
    }
    char *text = ch_detokenize(m, s->ids, s->n, 1);
    json_object_set_new(v, "row", ch_json_text(g->row));
    json_object_set_new(v, "text", ch_json_text(text));
    json_object_set_new(v, "n_prompt", json_integer(s->n_prompt));
    json_object_set_new(v, "ids", ids);
    json_object_set_new(v, "tokens", tokens);
    json_object_set_new(v, "learned", mask);
    free(text);
    return v;
}

/* One token on one line: control characters would hide what the template does. */
static void print_token(const char *t)
{
    putchar('"');
    for (; *t; t++)
        if (*t == '\n')
            fputs("\\n", stdout);
        else if (*t == '\t')
            fputs("\\t", stdout);
        else
            putchar(*t);
    putchar('"');
}

static void print_row(const ch_model *m, const ch_group *g)
{
    const ch_seq *s = &g->list[0].seq;
    char *text = ch_detokenize(m, s->ids, s->n, 1);
    printf("== %s: %lld tokens, %lld learned\n%s\n\n  pos      id  learned  token\n", g->row,
           (long long)s->n, (long long)(s->n - s->n_prompt), text);
    free(text);
    for (int64_t i = 0; i < s->n; i++) {
        char *t = ch_detokenize(m, &s->ids[i], 1, 1);
        printf("%5lld %7d  %-7s  ", (long long)i, s->ids[i], i >= s->n_prompt ? "yes" : "-");
        print_token(t);
        puts("");
        free(t);
    }
    puts("");
}

/* How much of an update is shared: means over the first UPDATES. */
static void show_sharing(const ch_groups *g, const ch_train_opts *o, int json)
{
    enum { UPDATES = 50 };
    ch_train_opts few = *o;
    few.steps = o->steps < UPDATES ? o->steps : UPDATES;
    const char *how = o->sampling == CH_DRAW_GROUPED ? "grouped" : "independent";
    ch_train_load l = ch_train_look(g, NULL, &few);
    double n = (double)few.steps;
    if (json)
        ch_json_line(stdout,
                     json_pack("{s:s,s:I,s:I,s:f,s:f,s:f}", "sampling", how, "updates",
                               (json_int_t)few.steps, "batch", (json_int_t)o->batch,
                               "wordings_an_update", (double)l.instructions / n, "tokens_an_update",
                               (double)l.tokens / n, "rows_an_update", (double)l.rows / n));
    else
        printf("sampling: %s; an update of %lld draws %.1f wordings and has %.0f tokens, of which "
               "%.0f are computed:\nwhat its rows begin with in common counts once (mean of %lld "
               "updates)\n\n",
               how, (long long)o->batch, (double)l.instructions / n, (double)l.tokens / n,
               (double)l.rows / n, (long long)few.steps);
}

/* Indices of the rows to show: evenly taken, or those that an update draws. New array. */
static int64_t *choose_rows(const ch_args *a, const ch_groups *g, const ch_train_opts *o,
                            int64_t *n)
{
    int64_t update = ch_arg_int(a, "update");
    *n = ch_arg_int(a, "rows");
    *n = update ? o->batch : *n > g->n ? g->n : *n;
    int64_t *rows = ch_new((size_t)*n + 1, sizeof *rows);
    for (int64_t i = 0; i < *n; i++)
        rows[i] = i * g->n / *n;
    if (update)
        ch_train_drawn(g, o, update - 1, rows);
    return rows;
}

static ch_code show(const ch_args *a, ch_state *s, ch_err *e)
{
    ch_groups g;
    int64_t dropped, n;
    ch_train_opts o = s->r->train;
    o.seed = (uint64_t)s->r->seed;
    int drop = s->r->data.overlong == CH_OVERLONG_DROP, json = ch_arg_given(a, "json");
    CH_TRY(ch_sft_groups(&g, s->base, &s->split, !ch_arg_given(a, "plain"), 0, s->r->data.max_len,
                         drop, &dropped, e));
    ch_state_say(s);
    char *template = NULL;
    ch_code c = ch_chat(s->base, "{prompt}", &template, e);
    int64_t *rows = choose_rows(a, &g, &o, &n);
    if (c == CH_OK && !json)
        printf("template: %s\n(%lld rows, %lld shown; \"learned\" tokens carry the loss)\n\n",
               template, (long long)g.n, (long long)n);
    if (c == CH_OK)
        show_sharing(&g, &o, json);
    for (int64_t i = 0; c == CH_OK && i < n; i++) {
        const ch_group *it = &g.list[rows[i]];
        if (json)
            ch_json_line(stdout, row_json(s->base, it));
        else
            print_row(s->base, it);
        c = ch_print_on(e);
    }
    free(template);
    free(rows);
    ch_groups_release(&g);
    return c;
}

ch_code ch_cmd_show_batch(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    ch_state s = {.lock = -1};
    ch_code c = ch_args_recipe(a, &r, e);
    if (c == CH_OK && !strcmp(r.data.wordings, "paraphrase"))
        c = ch_fail(
            e, CH_EUSER,
            "show-batch: data.wordings is paraphrase, and the wordings are not written yet; "
            "run chorus paraphrase first and name its file");
    if (c == CH_OK)
        c = ch_state_load(&s, &r, e);
    if (c == CH_OK)
        c = ch_state_deal(&s, e);
    if (c == CH_OK)
        c = show(a, &s, e);
    ch_state_release(&s);
    ch_recipe_release(&r);
    return c;
}
