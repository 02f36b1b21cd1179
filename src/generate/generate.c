#define _GNU_SOURCE
#include "generate/generate.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "generate/sample.h"
#include "model/net.h"
#include "tensor/ops.h"

enum { BATCH = 64, MAX_ROWS = 8192, PIECE = 512 };
enum { MOST_REQUESTS = 1 << 30, MOST_CACHE_ROWS = 100000000 };
static const double MOST_TEMPERATURE = 1e6;

/* A sequence being decoded: its answer's token i stands in key slot base + i. */
typedef struct {
    int64_t req; /* index into the sorted requests */
    int32_t base;
} lane;

/* A request whose next token is chosen from a row of logits. */
typedef struct {
    int64_t req;
    int32_t row;
    int32_t token;
} pick;

typedef struct {
    ch_model *m;
    const ch_dims *z;
    const ch_request *req;
    ch_answer *out;
    int32_t *order; /* sorted request -> request */
    int64_t n, done;
    ch_net *net;
    ch_forest forest;
    ch_seq *seqs;
    const ch_seq **sorted;
    int64_t batch, longest; /* lanes, and slots of one */
    ch_plan plan;
    lane *lanes;
    int64_t n_lanes;
    int32_t *free_base;
    int64_t n_free;
    int32_t ids[CH_LOGIT_ROWS], pos[CH_LOGIT_ROWS], slot[PIECE], lrows[CH_LOGIT_ROWS];
    float lse[CH_LOGIT_ROWS];
    pick *picks; /* n */
    float *p;    /* of every thread, V each, as are the options */
    ch_option *options;
    ch_gen_stats stats;
    ch_progress bar;
    int shows;
} gen;

static ch_answer *answer_of(gen *g, int64_t sorted)
{
    return g->out + g->order[sorted];
}

static const ch_request *request_of(const gen *g, int64_t sorted)
{
    return g->req + g->order[sorted];
}

static void finish(gen *g, int64_t sorted, int stopped)
{
    ch_answer *a = answer_of(g, sorted);
    a->stopped = stopped;
    char *raw = ch_detokenize(g->m, a->ids, a->n - stopped, 0);
    a->text = ch_trim(raw);
    free(raw);
    g->done++;
}

/* Takes token t for a request; 1 when its answer is complete. */
static int take(gen *g, int64_t sorted, int32_t t, double logp)
{
    ch_answer *a = answer_of(g, sorted);
    const ch_request *r = request_of(g, sorted);
    if (!a->ids)
        a->ids = ch_new((size_t)r->how.max_new, sizeof *a->ids);
    a->ids[a->n++] = t;
    a->logp += logp;
    g->stats.new_tokens++;
    int stop = ch_is_stop(g->m, t);
    if (!stop && a->n < r->how.max_new)
        return 0;
    finish(g, sorted, stop);
    return 1;
}

/* The first of n picks whose row has a logit that is not a number, n when there is none. */
static int64_t first_bad(const gen *g, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(g->lse[g->picks[i].row]))
            return i;
    return n;
}

static ch_code not_interrupted(ch_err *e)
{
    return ch_interrupted() ? ch_fail(e, CH_ESTOP, "interrupted while generating") : CH_OK;
}

static ch_code choose_all(gen *g, const float *logits, int64_t n, int64_t n_rows, ch_err *e)
{
    pick *p = g->picks;
    int64_t V = g->z->V;
    ch_device *d = ch_model_device(g->m);
    CH_TRY(not_interrupted(e));
    ch_device_ops(d)->logsumexp(d, g->lse, logits, n_rows, V);
    int64_t bad = first_bad(g, n);
    if (bad < n)
        return ch_fail(e, CH_ENUMBER,
                       "%s: prompt %lld of %lld, token %lld of its answer: a logit is not a finite "
                       "number; the model's weights are damaged or its training went astray",
                       ch_model_path(g->m), (long long)g->order[p[bad].req] + 1, (long long)g->n,
                       (long long)answer_of(g, p[bad].req)->n + 1);
#pragma omp parallel for schedule(dynamic, 1) num_threads(ch_device_team(d))
    for (int64_t i = 0; i < n; i++) {
        if (ch_interrupted()) /* thousands of requests may have one prompt */
            continue;
        int64_t row = p[i].row, at = omp_get_thread_num() * V;
        ch_choosing c = {g->p + at, g->options + at};
        p[i].token = ch_choose(logits + row * V, V, &request_of(g, p[i].req)->how,
                               answer_of(g, p[i].req)->n, &c);
    }
    return not_interrupted(e);
}

/* Reads forest rows [a, b) and chooses the first token of the requests [r0, r1), whose prompts end
 * there. */
static ch_code read_piece(gen *g, int64_t wave, int64_t a, int64_t b, const int32_t *by_leaf,
                          int64_t r0, int64_t r1, ch_err *e)
{
    ch_forest *f = &g->forest;
    int64_t n = b - a, n_l = 0;
    pick *p = g->picks;
    ch_forest_plan(f, a, b, &g->plan, ch_tile_rows(g->z->H, g->z->G));
    for (int64_t i = 0; i < n; i++)
        g->slot[i] = (int32_t)(a + i);
    for (int64_t i = r0; i < r1; i++) {
        int32_t row = (int32_t)(f->leaf[by_leaf[i]] - a);
        if (!n_l || g->lrows[n_l - 1] != row)
            g->lrows[n_l++] = row;
        p[i - r0] = (pick){.req = wave + by_leaf[i], .row = (int32_t)n_l - 1};
    }
    ch_rows rows = {n, n, f->ids + a, f->pos + a, g->slot, &g->plan, g->lrows, n_l};
    const float *logits = ch_net_decode(g->net, &rows);
    if (!n_l)
        return CH_OK;
    CH_TRY(choose_all(g, logits, r1 - r0, n_l, e));
    for (int64_t i = 0; i < r1 - r0; i++) {
        int32_t t = p[i].token;
        take(g, p[i].req, t, (double)(logits[p[i].row * g->z->V + t] - g->lse[p[i].row]));
    }
    return CH_OK;
}

static int by_leaf_row(const void *a, const void *b, void *ctx)
{
    const int32_t *leaf = ctx, i = *(const int32_t *)a, j = *(const int32_t *)b;
    if (leaf[i] != leaf[j])
        return leaf[i] < leaf[j] ? -1 : 1;
    return (i > j) - (i < j);
}

/* The prompts of a wave, in pieces in which at most CH_LOGIT_ROWS different rows end a prompt. */
static ch_code read_prompts(gen *g, int64_t wave, int64_t n, ch_err *e)
{
    ch_forest *f = &g->forest;
    int32_t *by_leaf = ch_new((size_t)n, sizeof *by_leaf);
    for (int64_t i = 0; i < n; i++)
        by_leaf[i] = (int32_t)i;
    qsort_r(by_leaf, (size_t)n, sizeof *by_leaf, by_leaf_row, f->leaf);
    double start = ch_now_s();
    int64_t r = 0;
    ch_code c = CH_OK;
    for (int64_t a = 0, b; c == CH_OK && a < f->n_rows; a = b) {
        int64_t r0 = r, ends = 0;
        b = a + PIECE < f->n_rows ? a + PIECE : f->n_rows;
        for (; r < n && f->leaf[by_leaf[r]] < b; r++) {
            ends += r == r0 || f->leaf[by_leaf[r]] != f->leaf[by_leaf[r - 1]];
            if (ends > CH_LOGIT_ROWS) {
                b = f->leaf[by_leaf[r - 1]] + 1;
                break;
            }
        }
        c = read_piece(g, wave, a, b, by_leaf, r0, r, e);
        if (c == CH_OK)
            c = not_interrupted(e);
        if (g->shows)
            ch_progress_at(&g->bar, g->done, NULL);
    }
    g->stats.prompt_s += ch_now_s() - start;
    free(by_leaf);
    return c;
}

/* One token for every lane. Lanes are in the order of their prompts, so that
 * neighbours share keys. */
static ch_code decode_step(gen *g, int64_t wave, ch_err *e)
{
    int64_t n = g->n_lanes;
    pick *p = g->picks;
    ch_plan_clear(&g->plan);
    for (int64_t i = 0; i < n; i++) {
        const lane *l = g->lanes + i;
        const ch_answer *a = answer_of(g, l->req);
        int32_t own = l->base + (int32_t)a->n - 1;
        ch_forest_chain(&g->forest, g->forest.leaf[l->req - wave], &g->plan);
        ch_plan_chain(&g->plan, l->base, own);
        ch_plan_piece(&g->plan, (int32_t)i, (int32_t)i + 1, own);
        g->ids[i] = a->ids[a->n - 1];
        g->pos[i] = (int32_t)(request_of(g, l->req)->n + a->n - 1);
        g->slot[i] = own;
        g->lrows[i] = (int32_t)i;
        p[i] = (pick){.req = l->req, .row = (int32_t)i};
    }
    int64_t rows_of_tile = ch_tile_rows(g->z->H, g->z->G);
    if (rows_of_tile > (n + 3) / 4)
        rows_of_tile = (n + 3) / 4; /* tiles enough for all threads */
    ch_plan_tiles(&g->plan, rows_of_tile);
    ch_rows rows = {n, n, g->ids, g->pos, g->slot, &g->plan, g->lrows, n};
    const float *logits = ch_net_decode(g->net, &rows);
    CH_TRY(choose_all(g, logits, n, n, e));
    int64_t keep = 0;
    for (int64_t i = 0; i < n; i++) {
        lane l = g->lanes[i];
        int32_t t = p[i].token;
        if (take(g, l.req, t, (double)(logits[i * g->z->V + t] - g->lse[i])))
            g->free_base[g->n_free++] = l.base;
        else
            g->lanes[keep++] = l;
    }
    g->n_lanes = keep;
    return CH_OK;
}

/* Decodes the requests of a wave; a finished one leaves and the next takes its place. */
static ch_code decode(gen *g, int64_t wave, int64_t n, ch_err *e)
{
    double start = ch_now_s();
    int64_t next = wave;
    g->n_lanes = g->n_free = 0;
    for (int64_t i = g->batch - 1; i >= 0; i--)
        g->free_base[g->n_free++] = (int32_t)(ch_round_up16(g->forest.n_rows) + i * g->longest);
    for (;;) {
        for (; next < wave + n && g->n_free; next++)
            if (!answer_of(g, next)->text)
                g->lanes[g->n_lanes++] = (lane){next, g->free_base[--g->n_free]};
        if (!g->n_lanes)
            break;
        CH_TRY(decode_step(g, wave, e));
        if (g->shows)
            ch_progress_at(&g->bar, g->done, NULL);
    }
    g->stats.decode_s += ch_now_s() - start;
    return CH_OK;
}

static void sort_requests(gen *g)
{
    const ch_seq **list = ch_new((size_t)g->n, sizeof *list);
    for (int64_t i = 0; i < g->n; i++) {
        union {
            const int32_t *in;
            int32_t *io;
        } u = {.in = g->req[i].ids}; /* only read */
        g->seqs[i] = (ch_seq){u.io, g->req[i].n, g->req[i].n};
        list[i] = g->seqs + i;
        g->longest = g->req[i].how.max_new > g->longest ? g->req[i].how.max_new : g->longest;
        g->stats.prompt_tokens += g->req[i].n;
    }
    ch_seq_sort(g->order, list, g->n);
    for (int64_t i = 0; i < g->n; i++)
        g->sorted[i] = g->seqs + g->order[i];
    free(list);
}

/* Everything but the network. *max_rows: of a wave; *n_slots: of the key/value store. */
static void prepare(gen *g, const ch_gen_opts *o, int64_t *max_rows, int64_t *n_slots)
{
    size_t n = (size_t)g->n;
    g->order = ch_new(n, sizeof *g->order);
    g->seqs = ch_new(n, sizeof *g->seqs);
    g->sorted = ch_new(n, sizeof *g->sorted);
    sort_requests(g);
    g->batch = o && o->batch ? o->batch : BATCH;
    if (g->batch > CH_LOGIT_ROWS)
        g->batch = CH_LOGIT_ROWS;
    if (g->batch > g->n)
        g->batch = g->n;
    *max_rows = o && o->max_rows ? o->max_rows : MAX_ROWS;
    int64_t most = 0;
    for (int64_t i = 0, rows; i < g->n;) {
        i = ch_seq_fit(g->sorted, i, g->n, *max_rows, &rows);
        most = rows > most ? rows : most;
    }
    g->lanes = ch_new((size_t)g->batch, sizeof *g->lanes);
    g->free_base = ch_new((size_t)g->batch, sizeof *g->free_base);
    g->picks = ch_new(n, sizeof *g->picks);
    int64_t threads = ch_device_threads(ch_model_device(g->m));
    g->p = ch_new((size_t)(threads * g->z->V), sizeof *g->p);
    g->options = ch_new((size_t)(threads * g->z->V), sizeof *g->options);
    g->longest = ch_round_up16(g->longest);
    *n_slots = ch_round_up16(most) + g->batch * g->longest;
}

static ch_code check_sampling(const ch_sampling *how, int64_t i, ch_err *e)
{
    if (!(how->temperature >= 0 && how->temperature <= MOST_TEMPERATURE))
        return ch_fail(e, CH_EUSER, "prompt %lld: temperature %g, wanted 0 to %g", (long long)i + 1,
                       how->temperature, MOST_TEMPERATURE);
    if (how->top_k < 0 || !(how->top_p >= 0 && how->top_p <= 1))
        return ch_fail(e, CH_EUSER,
                       "prompt %lld: top_k %lld and top_p %g; wanted top_k 0 or more and top_p 0 "
                       "to 1",
                       (long long)i + 1, (long long)how->top_k, how->top_p);
    return CH_OK;
}

ch_code ch_gen_check(const ch_gen_opts *o, int64_t n, ch_err *e)
{
    if (n < 0 || n > MOST_REQUESTS)
        return ch_fail(e, CH_EUSER, "%lld sequences at once, wanted 0 to %lld", (long long)n,
                       (long long)MOST_REQUESTS);
    if (o && (o->batch < 0 || o->max_rows < 0 || o->max_rows > MOST_CACHE_ROWS))
        return ch_fail(
            e, CH_EUSER,
            "batch %lld and max_rows %lld; wanted batch 0 or more and max_rows 0 to %lld",
            (long long)o->batch, (long long)o->max_rows, (long long)MOST_CACHE_ROWS);
    return CH_OK;
}

static ch_code check(const ch_model *m, const ch_request *req, int64_t n, const ch_gen_opts *o,
                     ch_err *e)
{
    int64_t ctx = ch_model_dims(m)->n_ctx;
    CH_TRY(ch_gen_check(o, n, e));
    for (int64_t i = 0; i < n; i++) {
        if (req[i].n < 1 || req[i].how.max_new < 1)
            return ch_fail(e, CH_EUSER,
                           "prompt %lld: %lld tokens, %lld new ones wanted; both must be at "
                           "least 1",
                           (long long)i + 1, (long long)req[i].n, (long long)req[i].how.max_new);
        if (req[i].n > ctx || req[i].how.max_new > ctx - req[i].n)
            return ch_fail(
                e, CH_EUSER,
                "prompt %lld: %lld tokens and up to %lld new ones, the model's context is %lld; "
                "shorten the prompt or lower max_new",
                (long long)i + 1, (long long)req[i].n, (long long)req[i].how.max_new,
                (long long)ctx);
        CH_TRY(check_sampling(&req[i].how, i, e));
    }
    return CH_OK;
}

static void release(gen *g)
{
    ch_net_free(g->net);
    ch_forest_release(&g->forest);
    ch_plan_release(&g->plan);
    free(g->order);
    free(g->seqs);
    free(g->sorted);
    free(g->lanes);
    free(g->free_base);
    free(g->picks);
    free(g->p);
    free(g->options);
    free(g);
}

ch_code ch_generate(ch_model *m, const ch_request *req, int64_t n, const ch_gen_opts *o,
                    ch_answer *out, ch_gen_stats *stats, ch_err *e)
{
    CH_TRY(check(m, req, n, o, e));
    if (!n)
        return CH_OK;
    memset(out, 0, (size_t)n * sizeof *out);
    gen *g = ch_new(1, sizeof *g);
    *g = (gen){.m = m, .z = ch_model_dims(m), .req = req, .out = out, .n = n};
    int64_t max_rows, n_slots;
    prepare(g, o, &max_rows, &n_slots);
    ch_code c = ch_net_new(&g->net, m, CH_NET_GENERATE, PIECE, n_slots, e);
    if (o && o->what) {
        g->shows = 1;
        ch_progress_start(&g->bar, o->what, "answers", n);
    }
    for (int64_t a = 0, b; c == CH_OK && a < n; a = b) {
        b = ch_seq_fit(g->sorted, a, n, max_rows, NULL);
        ch_forest_build(&g->forest, g->sorted + a, b - a, g->z->H, g->z->G);
        g->stats.prompt_rows += g->forest.n_rows;
        c = read_prompts(g, a, b - a, e);
        if (c == CH_OK)
            c = decode(g, a, b - a, e);
    }
    if (g->shows && c == CH_OK) {
        g->bar.done = g->done;
        ch_progress_end(&g->bar);
    }
    if (stats)
        *stats = g->stats;
    release(g);
    for (int64_t i = 0; c != CH_OK && i < n; i++)
        ch_answer_release(out + i);
    return c;
}

int64_t ch_generate_bytes(ch_model *m, const ch_request *req, int64_t n, const ch_gen_opts *o)
{
    if (!n || check(m, req, n, o, NULL) != CH_OK)
        return 0;
    gen *g = ch_new(1, sizeof *g);
    *g = (gen){.m = m, .z = ch_model_dims(m), .req = req, .n = n};
    int64_t max_rows, n_slots;
    prepare(g, o, &max_rows, &n_slots);
    release(g);
    return ch_net_bytes(m, CH_NET_GENERATE, PIECE, n_slots);
}

void ch_answer_release(ch_answer *a)
{
    free(a->text);
    free(a->ids);
    *a = (ch_answer){0};
}
