/* Times chorus on the work of a recipe, and writes the same work for a peer to do.
 *   bench_forest [RECIPE WORK [updates] [tokens.json or -] [key=value ...]]
 * WORK: sft        stage 1 under all training wordings, drawn as the recipe says
 *       cat:K      CAT with K answers a prompt (synthetic ones, see support/works.h)
 *       plain:N,T,A  N random texts of T tokens, the last A of them learned: the plain case
 *       measure    greedy answers to every test input under every test wording
 *       write:WORK only writes tokens.json
 * Without arguments: sft of the demo. Updates are different ones, drawn from the recipe's seed; the
 * first is done once untimed. Prints one JSON line. The learning rate is next to nothing, so that
 * the loss printed, the first update's, can be compared with a peer's. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "align/sft.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "generate/generate.h"
#include "support/roof.h"
#include "support/works.h"
#include "train/sampler.h"
#include "train/step.h"

enum { UPDATES = 5 };

typedef struct {
    ch_recipe r;
    ch_state s;
    const char *name;   /* of the work */
    const char *tokens; /* file to write, or NULL */
    int64_t updates, answers, plain_n, plain_tokens, plain_learned;
    int only_write;
} bench;

static ch_code parse_work(bench *b, const char *text, ch_err *e)
{
    b->only_write = !strncmp(text, "write:", 6);
    b->name = b->only_write ? text + 6 : text;
    b->answers = 1;
    long n = 0, t = 0, a = 0;
    if (sscanf(b->name, "cat:%ld", &n) == 1 && n > 1)
        b->answers = n;
    else if (sscanf(b->name, "plain:%ld,%ld,%ld", &n, &t, &a) == 3 && n > 0 && a > 0 && a <= t)
        b->plain_n = n, b->plain_tokens = t, b->plain_learned = a;
    else if (strcmp(b->name, "sft") && strcmp(b->name, "measure"))
        return ch_fail(e, CH_EUSER,
                       "work %s: not known; sft, cat:6, plain:8,256,256 and measure are", b->name);
    return CH_OK;
}

static ch_code set_up(bench *b, int argc, char **argv, ch_err *e)
{
    ch_recipe_init(&b->r);
    CH_TRY(ch_recipe_read(&b->r, argv[1], e));
    CH_TRY(parse_work(b, argv[2], e));
    b->updates = argc > 3 ? strtol(argv[3], NULL, 10) : UPDATES;
    b->tokens = argc > 4 && strcmp(argv[4], "-") ? argv[4] : NULL;
    if (b->updates < 1)
        return ch_fail(e, CH_EUSER, "updates %s: a number from 1 on is wanted", argv[3]);
    for (int i = 5; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq)
            return ch_fail(e, CH_EUSER, "%s: key=value is wanted", argv[i]);
        char *key = ch_dupn(argv[i], (size_t)(eq - argv[i]));
        ch_code c = ch_recipe_set(&b->r, key, eq + 1, "bench_forest", e);
        free(key);
        CH_TRY(c);
    }
    CH_TRY(ch_recipe_finish(&b->r, argv[1], e));
    CH_TRY(ch_state_load(&b->s, &b->r, e));
    return ch_state_split(&b->s, e);
}

/* The rows of stage 1 that a training run would draw, n of them; new array. */
static int64_t *draw(const ch_groups *rows, const ch_train_opts *o, int64_t n)
{
    int64_t *at = ch_new((size_t)n, sizeof *at);
    ch_sampler sampler = ch_sampler_of(rows, o);
    for (int64_t i = 0; i < n; i++)
        at[i] = ch_sampler_at(&sampler, i);
    ch_sampler_release(&sampler);
    return at;
}

/* Groups of all updates: *batch points to group i of update u at [u * o->batch + i]. */
static ch_code make_groups(const bench *b, const ch_train_opts *o, ch_groups *g,
                           const ch_group ***batch, ch_err *e)
{
    const ch_recipe *r = &b->r;
    int64_t n = b->updates * o->batch, *at = NULL;
    ch_groups rows = {0};
    ch_code c = CH_OK;
    *batch = ch_new((size_t)n, sizeof **batch);
    if (b->plain_n) {
        ch_work_plain(g, b->s.base, b->plain_n, b->plain_tokens, b->plain_learned);
        for (int64_t i = 0; i < n; i++)
            (*batch)[i] = g->list + i % g->n;
        return CH_OK;
    }
    CH_TRY(ch_sft_groups(&rows, b->s.base, &b->s.split, 1, 0, r->data.max_len, 0, NULL, e));
    at = draw(&rows, o, n);
    if (b->answers > 1)
        c = ch_work_cat(g, b->s.base, r, &b->s.split, at, n, b->answers, e);
    else
        *g = rows;
    for (int64_t i = 0; c == CH_OK && i < n; i++)
        (*batch)[i] = g->list + (b->answers > 1 ? i : at[i]);
    if (b->answers > 1)
        ch_groups_release(&rows);
    free(at);
    return c;
}

typedef struct {
    double first_loss, seconds, update_s, ops;
    int64_t tokens, rows;
} outcome;

/* Operations that an update needs (2 a multiplication; forward, and twice that backward): each row
 * through the trunk, each learned token through the head, and 14 products of a head's size a row
 * and key on its path (2 forward, 5 backward, scores made again). */
static double ops_of(const bench *b, const ch_group *const *batch, int64_t n,
                     const ch_step_report *p)
{
    const ch_dims *z = ch_model_dims(b->s.base);
    double trunk = (double)ch_roof_weights(b->s.base, 0);
    double head = (double)ch_roof_weights(b->s.base, 1) - trunk, learned = 0, pairs = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < batch[i]->n; k++) {
            const ch_seq *q = &batch[i]->list[k].seq;
            learned += (double)(q->n - q->n_prompt);
            pairs += 0.5 * (double)q->n * (double)(q->n - 1);
        }
    /* paths of shared rows count once; about in the share in which rows do */
    pairs *= (double)p->rows / (double)p->tokens;
    return 6 * (trunk * (double)p->rows + head * learned) +
           14 * (double)(z->L * z->H * z->D) * pairs;
}

/* The last token of each is predicted and never read: no peer computes it either. */
static int64_t members_of(const ch_group *const *batch, int64_t n)
{
    int64_t members = 0;
    for (int64_t i = 0; i < n; i++)
        members += batch[i]->n;
    return members;
}

static ch_code time_updates(const bench *b, ch_stepper *s, const ch_group *const *batch, outcome *x,
                            ch_err *e)
{
    double *took = ch_new((size_t)b->updates, sizeof *took);
    ch_code c = CH_OK;
    for (int64_t u = -1; c == CH_OK && u < b->updates; u++) {
        ch_step_report p;
        double start = ch_now_s();
        memcpy(s->batch, batch + (u < 0 ? 0 : u) * s->o->batch,
               (size_t)s->o->batch * sizeof *s->batch);
        c = ch_stepper_update(s, 1, &p, e);
        if (u < 0) {
            x->first_loss = p.loss;
            continue;
        }
        took[u] = ch_now_s() - start;
        x->seconds += took[u];
        x->tokens += p.tokens - members_of(s->batch, s->o->batch);
        x->rows += p.rows;
        x->ops += ops_of(b, batch + u * s->o->batch, s->o->batch, &p);
    }
    x->update_s = ch_median(took, b->updates);
    free(took);
    return c;
}

static json_t *report(const bench *b, const outcome *x, const ch_train_opts *o)
{
    double n = (double)(b->updates * o->batch);
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:f,s:s,s:f,s:f,s:f,s:I,s:I,s:f,s:f}", "peer", "chorus",
                     "config", ch_device_text(b->s.device), "work", b->name, "updates",
                     (json_int_t)b->updates, "batch", (json_int_t)o->batch, "per_s", n / x->seconds,
                     "unit", "groups/s", "update_s", x->update_s, "tokens_per_s",
                     (double)x->tokens / x->seconds, "loss", x->first_loss, "tokens",
                     (json_int_t)x->tokens, "rows", (json_int_t)x->rows, "gflops",
                     x->ops / x->seconds / 1e9, "peak_gb", (double)ch_peak_rss_bytes() / 1e9);
}

static ch_code train(bench *b, json_t **out, ch_err *e)
{
    const ch_objective *obj = ch_objective_find(b->answers > 1 ? "cat" : "sft");
    ch_train_opts o = b->r.train;
    ch_groups g = {0};
    ch_stepper s = {0};
    outcome x = {0};
    const ch_group **batch = NULL;
    o.lr = 1e-9;
    o.batch = b->plain_n ? b->plain_n : o.batch;
    ch_code c = make_groups(b, &o, &g, &batch, e);
    if (c == CH_OK && b->tokens)
        c = ch_work_write(b->tokens, b->name, b->s.base, batch, b->updates, o.batch, e);
    if (c == CH_OK && !b->only_write) {
        c = ch_stepper_init(&s, b->s.base, obj, &g, NULL, &o, e);
        if (c == CH_OK)
            c = time_updates(b, &s, batch, &x, e);
        if (c == CH_OK)
            *out = report(b, &x, &o);
        ch_stepper_release(&s);
    }
    free(batch);
    ch_groups_release(&g);
    return c;
}

static ch_code time_answers(bench *b, const ch_request *req, int64_t n, ch_answer *a, json_t **out,
                            ch_err *e)
{
    ch_gen_opts how = {.batch = b->r.generate.batch, .max_rows = b->r.generate.max_rows};
    ch_gen_stats st = {0};
    double start = ch_now_s();
    CH_TRY(ch_generate(b->s.base, req, n, &how, a, &st, e));
    double took = ch_now_s() - start;
    size_t peak = ch_peak_rss_bytes();
    ch_roof *roof = ch_roof_new(b->s.base, 512);
    double all = (double)ch_roof_weights(b->s.base, 1),
           trunk = (double)ch_roof_weights(b->s.base, 0);
    double gemm = ch_roof_gemm(roof);
    /* A prompt needs the head once; a written token is one row of everything, but each answer's
     * first comes out of its prompt. */
    double ops = 2 * (trunk * (double)(st.prompt_rows + st.new_tokens - n) +
                      (all - trunk) * (double)st.new_tokens);
    ch_roof_free(roof);
    *out =
        json_pack("{s:s,s:s,s:s,s:f,s:s,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f}", "peer", "chorus",
                  "config", ch_device_text(b->s.device), "work", b->name, "per_s", (double)n / took,
                  "unit", "answers/s", "prompts", (json_int_t)n, "prompt_tokens",
                  (json_int_t)st.prompt_tokens, "prompt_rows", (json_int_t)st.prompt_rows,
                  "new_tokens", (json_int_t)st.new_tokens, "prompt_s", st.prompt_s, "decode_s",
                  st.decode_s, "roof_per_s", (double)n * gemm / ops, "peak_gb", (double)peak / 1e9);
    return CH_OK;
}

/* The prompts as groups of one member, and chorus's own answers behind them when there are some:
 * whoever reads the file can say how many of its own are the same. */
static ch_code write_prompts(const bench *b, const ch_seq *p, const ch_answer *a, int64_t n,
                             ch_err *e)
{
    ch_member *m = ch_new((size_t)n, sizeof *m);
    ch_group *g = ch_new((size_t)n, sizeof *g);
    const ch_group **batch = ch_new((size_t)n, sizeof *batch);
    for (int64_t i = 0; i < n; i++) {
        int64_t more = a ? a[i].n : 0;
        m[i].seq =
            (ch_seq){ch_new((size_t)(p[i].n + more), sizeof(int32_t)), p[i].n + more, p[i].n};
        memcpy(m[i].seq.ids, p[i].ids, (size_t)p[i].n * sizeof(int32_t));
        if (more)
            memcpy(m[i].seq.ids + p[i].n, a[i].ids, (size_t)more * sizeof(int32_t));
        g[i] = (ch_group){m + i, 1, NULL, 0};
        batch[i] = g + i;
    }
    ch_code c = ch_work_write(b->tokens, b->name, b->s.base, batch, 1, n, e);
    for (int64_t i = 0; i < n; i++)
        free(m[i].seq.ids);
    free(m);
    free(g);
    free(batch);
    return c;
}

static ch_code measure(bench *b, json_t **out, ch_err *e)
{
    ch_seq *p;
    int64_t n;
    CH_TRY(ch_work_prompts(&p, &n, b->s.base, &b->s.split, e));
    ch_request *req = ch_new((size_t)n, sizeof *req);
    ch_answer *a = ch_new((size_t)n, sizeof *a);
    for (int64_t i = 0; i < n; i++)
        req[i] = (ch_request){p[i].ids, p[i].n, {.top_p = 1, .max_new = b->r.generate.max_new}};
    ch_code c = CH_OK;
    if (!b->only_write)
        c = time_answers(b, req, n, a, out, e);
    if (c == CH_OK && b->tokens)
        c = write_prompts(b, p, b->only_write ? NULL : a, n, e);
    for (int64_t i = 0; i < n; i++) {
        ch_answer_release(a + i);
        ch_seq_release(p + i);
    }
    free(req);
    free(a);
    free(p);
    return c;
}

int main(int argc, char **argv)
{
    char recipe[] = "examples/demo/demo.yaml", work[] = "sft";
    char *usual[] = {argv[0], recipe, work, NULL};
    if (argc < 2)
        argc = 3, argv = usual;
    if (argc < 3) {
        fputs("usage: bench_forest [RECIPE WORK [updates] [tokens.json or -] [key=value ...]]\n",
              stderr);
        return 2;
    }
    ch_log_level(CH_WARN);
    ch_err e = {0};
    bench b = {.s = {.lock = -1}};
    json_t *out = NULL;
    ch_code c = set_up(&b, argc, argv, &e);
    if (c == CH_OK)
        c = strcmp(b.name, "measure") ? train(&b, &out, &e) : measure(&b, &out, &e);
    if (out) {
        json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        puts("");
    }
    if (c != CH_OK)
        fprintf(stderr, "bench_forest: %s\n", e.msg);
    json_decref(out);
    ch_state_release(&b.s);
    ch_recipe_release(&b.r);
    return c != CH_OK;
}
