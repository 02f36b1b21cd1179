#include "run/forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "align/objectives.h"
#include "align/rewards.h"
#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
#include "model/forest.h"
#include "model/weights.h"
#include "run/answer_how.h"
#include "run/train_arm.h"
#include "tensor/ops.h"

/* Rows timed, and how many more are when those would take less than MOST_SECONDS. */
enum { FEW = 32, MANY = 256, NEW_TOKENS = 4 };
static const double MOST_SECONDS = 2;

/* Training and dev rows by [augment], and what a row costs. */
typedef struct {
    ch_groups train[2], dev[2];
    /* seconds: a token read; a token written; a row of an update; AdamW on all weights */
    double score_s, write_s, train_s, step_s;
    int64_t now; /* resident bytes with a model and all of these loaded */
} basis;

static int64_t resident_bytes(void)
{
    long long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%lld %lld", &all, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static ch_load load_of(const ch_groups *g)
{
    ch_load l = {.rows = g->n};
    ch_seq *seqs = ch_new((size_t)g->n + 1, sizeof *seqs);
    for (int64_t i = 0; i < g->n; i++) {
        seqs[i] = g->list[i].list[0].seq;
        l.tokens += seqs[i].n;
        l.longest = seqs[i].n > l.longest ? seqs[i].n : l.longest;
    }
    l.shared = ch_seq_shared_rows(seqs, g->n);
    free(seqs);
    return l;
}

/* -- time -- */

/* Seconds a token of a forward pass, and of a token written, from n rows. */
static ch_code time_rows(basis *b, ch_state *s, int64_t n, ch_err *e)
{
    const ch_groups *g = &b->train[1];
    ch_seq *seqs = ch_new((size_t)n, sizeof *seqs);
    ch_request *q = ch_new((size_t)n, sizeof *q);
    ch_answer *a = ch_new((size_t)n, sizeof *a);
    double *logp = ch_new((size_t)n, sizeof *logp);
    for (int64_t i = 0; i < n; i++) {
        seqs[i] = g->list[i * g->n / n].list[0].seq;
        q[i] = (ch_request){
            .ids = seqs[i].ids, .n = seqs[i].n_prompt, .how = {.top_p = 1, .max_new = NEW_TOKENS}};
    }
    int64_t tokens = ch_seq_shared_rows(seqs, n);
    ch_gen_opts how = {.batch = s->r->generate.batch, .max_rows = s->r->generate.max_rows};
    ch_gen_stats st = {0};
    double t0 = ch_now_s();
    ch_code c = ch_score(s->base, seqs, n, &how, logp, e);
    b->score_s = (ch_now_s() - t0) / (double)(tokens ? tokens : 1);
    if (c == CH_OK)
        c = ch_generate(s->base, q, n, &how, a, &st, e);
    b->write_s = st.decode_s / (double)(st.new_tokens ? st.new_tokens : 1);
    for (int64_t i = 0; c == CH_OK && i < n; i++)
        ch_answer_release(&a[i]);
    free(seqs);
    free(q);
    free(a);
    free(logp);
    return c;
}

/* AdamW, the gradient's norm and its zeroing move about nine times the bytes that one sum over the
 * weights reads. */
static double time_step(ch_model *m)
{
    enum { PASSES = 9 };
    double t0 = ch_now_s();
    ch_device *d = ch_model_device(m);
    volatile double sum =
        ch_device_ops(d)->sum_squares(d, ch_model_weights(m), ch_model_layout(m)->total);
    (void)sum;
    return PASSES * (ch_now_s() - t0);
}

/* One small update, where there is memory for it; else what a backward pass costs by its products
 * alone: two forward ones. */
static ch_code time_update(basis *b, ch_state *s, ch_err *e)
{
    enum { ROWS = 256 };
    ch_train_load l;
    double seconds;
    const ch_train_opts *o = &s->r->train;
    b->step_s = time_step(s->base);
    b->train_s = 3 * b->score_s;
    if (!b->train[1].n || s->r->n_arms < 2)
        return CH_OK;
    l = (ch_train_load){.largest = 2 * ROWS};
    if ((double)ch_train_bytes(s->base, &l) > 0.8 * (double)ch_available_bytes())
        return CH_OK;
    CH_TRY(
        ch_train_time(s->base, ch_objective_find("sft"), &b->train[1], o, ROWS, &seconds, &l, e));
    seconds = seconds > b->step_s ? seconds - b->step_s : seconds;
    b->train_s = seconds / (double)l.rows;
    return CH_OK;
}

static ch_code time_all(basis *b, ch_state *s, int64_t *timed, ch_err *e)
{
    int64_t n = b->train[1].n, few = n < FEW ? n : FEW, many = n < MANY ? n : MANY;
    CH_TRY(time_rows(b, s, few, e)); /* once to warm up */
    CH_TRY(time_rows(b, s, few, e));
    *timed = few;
    double row = (double)load_of(&b->train[1]).tokens / (double)n;
    if ((double)many * (row * b->score_s * 2 + NEW_TOKENS * b->write_s) < MOST_SECONDS) {
        CH_TRY(time_rows(b, s, many, e));
        *timed = many;
    }
    return time_update(b, s, e);
}

/* -- the groups of an objective on pairs, before there are any -- */

/* Each training row and as many bad answers, of the greatest length, as a wording can get. Borrows
 * the rows; free with release_pairs. */
static ch_groups pairs_like(const ch_groups *rows, const ch_align_opts *o)
{
    int64_t bad = 1 + o->samples;
    bad = o->max_bad && o->max_bad < bad ? o->max_bad : bad;
    ch_groups g = {ch_new((size_t)rows->n, sizeof *g.list), rows->n};
    for (int64_t i = 0; i < rows->n; i++) {
        const ch_seq *good = &rows->list[i].list[0].seq;
        ch_member *m = ch_new((size_t)bad + 1, sizeof *m);
        m[0].seq = *good;
        for (int64_t k = 1; k <= bad; k++) {
            ch_seq s = {.n = good->n_prompt + o->max_new, .n_prompt = good->n_prompt};
            s.ids = ch_new((size_t)s.n, sizeof *s.ids);
            memcpy(s.ids, good->ids, (size_t)s.n_prompt * sizeof *s.ids);
            for (int64_t t = s.n_prompt; t < s.n; t++)
                s.ids[t] = -(int32_t)k; /* shared with no other */
            m[k] = (ch_member){.seq = s, .role = CH_ROLE_BAD};
        }
        g.list[i] = (ch_group){m, bad + 1, rows->list[i].row, rows->list[i].instruction};
    }
    return g;
}

static void release_pairs(ch_groups *g)
{
    for (int64_t i = 0; i < g->n; i++) {
        for (int64_t k = 1; k < g->list[i].n; k++)
            ch_seq_release(&g->list[i].list[k].seq);
        free(g->list[i].list);
    }
    free(g->list);
}

/* -- arms -- */

static int64_t more(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void add_training(ch_forecast *x, const basis *b, const ch_state *s, int64_t arm)
{
    const ch_arm *a = &s->r->arms[arm];
    const ch_group_maker *groups = ch_objective_groups(ch_objective_find(a->objective));
    int ia = a->augment || groups->every_wording;
    ch_groups pairs = {0};
    if (groups->own_answers)
        pairs = pairs_like(&b->train[1], &a->align);
    ch_train_load l = ch_train_look(groups->own_answers ? &pairs : &b->train[a->augment != 0],
                                    &b->dev[ia], &a->train);
    x->arms[arm] = l;
    release_pairs(&pairs);
    x->train_s += b->train_s * (double)l.rows + b->score_s * (double)l.dev_rows +
                  b->step_s * (double)a->train.steps;
    x->peak.train = more(x->peak.train, b->now + ch_train_bytes(s->base, &l));
}

/* The prompts of candidates, each for the greedy answer and the samples. */
static ch_request *candidate_requests(const basis *b, const ch_arm *a, int64_t items, int64_t *n)
{
    const ch_groups *g = &b->train[1];
    int64_t each = 1 + a->align.samples, total = more(1, b->train[0].n);
    int64_t asked = a->align.items && a->align.items < items ? a->align.items : items;
    int64_t prompts = g->n * asked / total;
    ch_request *q = ch_new((size_t)(prompts * each) + 1, sizeof *q);
    for (int64_t i = 0; i < prompts * each; i++) {
        const ch_seq *p = &g->list[i / each].list[0].seq;
        q[i] = (ch_request){p->ids, p->n_prompt, {.top_p = 1, .max_new = a->align.max_new}};
    }
    *n = prompts * each;
    return q;
}

static void add_candidates(ch_forecast *x, const basis *b, const ch_state *s, const ch_arm *a)
{
    int64_t n;
    ch_request *q = candidate_requests(b, a, x->sft.rows, &n);
    ch_gen_opts how = {.batch = a->align.batch};
    double prompt = (double)x->sft_ia.shared / (double)more(1, x->sft_ia.rows);
    int64_t row = x->sft_ia.tokens / more(1, x->sft_ia.rows);
    x->candidates += n;
    x->train_s += (double)(n * a->align.max_new) * b->write_s +
                  (double)(n / (1 + a->align.samples)) * prompt * b->score_s;
    /* Each question is read with its own words. */
    int questions = ch_reward_table[a->align.reward].questions;
    x->train_s += questions * (double)(n * row) * b->score_s;
    ch_seq longest = {.n = x->sft_ia.longest};
    int64_t bytes =
        more(ch_generate_bytes(s->base, q, n, &how), ch_score_bytes(s->base, &longest, 1));
    x->peak.align = more(x->peak.align, b->now + bytes);
    free(q);
}

static void add_arms(ch_forecast *x, const basis *b, const ch_state *s)
{
    const ch_recipe *r = s->r;
    x->arms = ch_new((size_t)r->n_arms, sizeof *x->arms);
    x->peak.measure = b->now + x->test.bytes;
    x->measure_s = (double)(x->test.rows + x->test.scored) * b->score_s +
                   (double)((x->test.n - x->test.labelled) * r->generate.max_new) * b->write_s;
    x->measure_s *= (double)r->n_arms;
    for (int64_t i = 1; i < r->n_arms; i++) {
        const ch_objective *o = ch_objective_find(r->arms[i].objective);
        if (!o) /* only measured */
            continue;
        add_training(x, b, s, i);
        if (ch_objective_groups(o)->own_answers)
            add_candidates(x, b, s, &r->arms[i]);
    }
}

static ch_code fill(basis *b, ch_forecast *x, ch_state *s, ch_err *e)
{
    ch_answer_how how = ch_answer_how_of(s->r, NULL);
    CH_TRY(ch_prompts_check(s->base, &s->split, &how, &x->test, e));
    for (int k = 0; k < 2; k++) {
        char sft[] = "sft";
        const ch_arm a = {.objective = sft, .augment = k};
        CH_TRY(ch_run_rows(s, s->base, &a, &b->train[k], &b->dev[k], NULL, e));
    }
    x->sft = load_of(&b->train[0]);
    x->sft_ia = load_of(&b->train[1]);
    CH_TRY(time_all(b, s, &x->timed, e));
    b->now = resident_bytes();
    add_arms(x, b, s);
    return CH_OK;
}

ch_code ch_forecast_make(ch_forecast *x, ch_state *s, ch_err *e)
{
    basis b = {0};
    *x = (ch_forecast){0};
    ch_code c = fill(&b, x, s, e);
    for (int k = 0; k < 2; k++) {
        ch_groups_release(&b.train[k]);
        ch_groups_release(&b.dev[k]);
    }
    return c;
}

void ch_forecast_release(ch_forecast *x)
{
    free(x->arms);
    *x = (ch_forecast){0};
}
