/* Candidates [P]: the stage-1 model answers every (wording, input) of the training side; one greedy
 * answer and k sampled ones [I: the paper leaves the number open]. */
#include "align/candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/sft.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "generate/generate.h"

const char ch_why_not_yet[] = "not rewarded yet";

typedef struct {
    int64_t task, item;
} combo;

static int by_combo(const void *a, const void *b)
{
    const combo *x = a, *y = b;
    int d = (x->task > y->task) - (x->task < y->task);
    return d ? d : (x->item > y->item) - (x->item < y->item);
}

/* The (task, input) combinations asked about: all training inputs, or o->items drawn from them. */
static combo *draw_combos(const ch_split *s, const ch_align_opts *o, int64_t *n)
{
    int64_t total = 0, k = 0;
    for (int64_t t = 0; t < s->n; t++)
        total += s->list[t].n_train;
    combo *all = ch_new((size_t)total + 1, sizeof *all);
    for (int64_t t = 0; t < s->n; t++) {
        for (int64_t i = 0; i < s->list[t].n_train; i++)
            all[k++] = (combo){t, s->list[t].train[i]};
    }
    *n = total;
    if (o->items <= 0 || o->items >= total)
        return all;
    int64_t *index = ch_new((size_t)total, sizeof *index);
    for (int64_t i = 0; i < total; i++)
        index[i] = i;
    ch_rng r = ch_rng_of(o->seed, CH_USE_CANDIDATE_INPUTS, 0);
    ch_shuffle(&r, index, total);
    combo *some = ch_new((size_t)o->items, sizeof *some);
    for (int64_t i = 0; i < o->items; i++)
        some[i] = all[index[i]];
    /* Back in task order, so that prompts that share a prefix are neighbours. */
    qsort(some, (size_t)o->items, sizeof *some, by_combo);
    free(index);
    free(all);
    *n = o->items;
    return some;
}

typedef struct {
    ch_seq *prompts; /* one a (combo, wording) */
    int64_t n_prompts, cap_prompts;
    ch_candidate *cand; /* 1 + samples a prompt, in prompt order */
    int64_t n, cap;
    int64_t n_dropped; /* prompts that do not fit */
} plan;

/* The prompt, when it fits together with the longest answer into both the context and max_len: what
 * is longer could not be trained on. *fits 0: left out. */
static ch_code make_prompt(ch_seq *seq, int *fits, const ch_model *m, const char *user,
                           const ch_align_opts *o, const char *row, ch_err *e)
{
    int64_t ctx = ch_model_dims(m)->n_ctx,
            most = o->max_len > 0 && o->max_len < ctx ? o->max_len : ctx;
    ch_err why = {0};
    ch_code c = ch_seq_make(seq, m, user, NULL, 0, row, &why);
    *fits = c == CH_OK && seq->n + o->max_new <= most;
    if (*fits)
        return CH_OK;
    if (c != CH_OK)
        return c == CH_ELONG && o->drop_overlong ? CH_OK : ch_fail(e, c, "%s", why.msg);
    if (!o->drop_overlong)
        c = ch_fail(
            e, CH_ELONG,
            "%s: the prompt has %lld tokens and a candidate may have %lld, at most %lld fit (%s); "
            "shorten it, lower align.max_new%s, or set data.overlong to drop",
            row, (long long)seq->n, (long long)o->max_new, (long long)most,
            most < ctx ? "data.max_len" : "the model's context",
            most < ctx ? ", raise data.max_len" : "");
    ch_seq_release(seq);
    return c;
}

static ch_code plan_prompt(plan *p, const ch_model *m, const ch_split *s, combo at, int64_t wording,
                           const ch_align_opts *o, ch_err *e)
{
    const ch_task *t = s->list[at.task].task;
    char *user = ch_prompt_text(ch_task_wording(t, wording), t->items[at.item].input);
    char *row = ch_row_name(s, at.task, at.item, wording);
    ch_seq seq = {0};
    int fits;
    ch_code c = make_prompt(&seq, &fits, m, user, o, row, e);
    free(user);
    free(row);
    CH_TRY(c);
    if (!fits) {
        p->n_dropped++;
        return CH_OK;
    }
    *CH_PUSH(p->prompts, p->n_prompts, p->cap_prompts) = seq;
    for (int64_t k = 0; k <= o->samples; k++)
        *CH_PUSH(p->cand, p->n, p->cap) = (ch_candidate){.task = at.task,
                                                         .item = at.item,
                                                         .wording = wording,
                                                         .sample = k,
                                                         .reward = CH_DISCARD,
                                                         .vote_type = NAN,
                                                         .vote_correct = NAN,
                                                         .why = ch_why_not_yet};
    return CH_OK;
}

static ch_code plan_all(plan *p, const ch_model *m, const ch_split *s, const ch_align_opts *o,
                        ch_err *e)
{
    int64_t n = 0;
    combo *at = draw_combos(s, o, &n);
    ch_code c = CH_OK;
    for (int64_t i = 0; i < n && c == CH_OK; i++) {
        if (ch_interrupted())
            c = ch_fail(e, CH_ESTOP, "interrupted before candidates were asked for");
        const ch_share *share = &s->list[at[i].task];
        for (int64_t k = 0; k < share->n_train_w && c == CH_OK; k++)
            c = plan_prompt(p, m, s, at[i], share->train_w[k], o, e);
    }
    free(at);
    return c;
}

static ch_code answer_all(plan *p, ch_model *m, const ch_align_opts *o, ch_err *e)
{
    ch_request *req = ch_new((size_t)p->n, sizeof *req);
    ch_answer *out = ch_new((size_t)p->n, sizeof *out);
    for (int64_t i = 0; i < p->n; i++) {
        const ch_candidate *c = &p->cand[i];
        const ch_seq *prompt = &p->prompts[i / (1 + o->samples)];
        ch_sampling how = {.top_p = 1, .max_new = o->max_new};
        if (c->sample > 0) {
            how.temperature = o->temperature;
            how.top_k = o->top_k;
            how.top_p = o->top_p;
        }
        /* A function of the place alone: other inputs or wordings do not change this answer. */
        how.seed = ch_random_at(o->seed, ch_stream(CH_USE_CANDIDATE_SEEDS, (uint64_t)c->task),
                                (uint64_t)c->item);
        how.stream = ch_stream(CH_USE_CANDIDATES, (uint64_t)(c->wording << 16 | c->sample));
        req[i] = (ch_request){prompt->ids, prompt->n, how};
    }
    ch_gen_opts g = {.batch = o->batch, .what = "candidates"};
    ch_code c = ch_generate(m, req, p->n, &g, out, NULL, e);
    for (int64_t i = 0; i < p->n; i++) {
        if (c == CH_OK) {
            p->cand[i].text = ch_dup(out[i].text);
            p->cand[i].stopped = out[i].stopped;
            p->cand[i].logp = out[i].logp;
        }
        ch_answer_release(&out[i]);
    }
    free(req);
    free(out);
    return c;
}

static ch_code check_opts(const ch_align_opts *o, ch_err *e)
{
    if (o->samples < 0 || o->max_new < 1 || (o->samples > 0 && !(o->temperature > 0)))
        return ch_fail(e, CH_EUSER,
                       "candidates: samples %lld, temperature %g, max_new %lld; wanted samples >= "
                       "0, max_new >= 1, and a temperature above 0 when answers are sampled",
                       (long long)o->samples, o->temperature, (long long)o->max_new);
    return CH_OK;
}

static ch_code plan_some(plan *p, const ch_model *m, const ch_split *s, const ch_align_opts *o,
                         ch_err *e)
{
    CH_TRY(check_opts(o, e));
    CH_TRY(plan_all(p, m, s, o, e));
    if (p->n)
        return CH_OK;
    return p->n_dropped
               ? ch_fail(e, CH_EEMPTY,
                         "candidates: none of %lld prompts fits with its answer; shorten them, or "
                         "lower align.max_new",
                         (long long)p->n_dropped)
               : ch_fail(e, CH_EEMPTY,
                         "candidates: no task has both training inputs and training wordings; "
                         "there is nothing to answer");
}

static void release_prompts(plan *p)
{
    for (int64_t i = 0; i < p->n_prompts; i++)
        ch_seq_release(&p->prompts[i]);
    free(p->prompts);
}

ch_code ch_candidates_check(int64_t *n, int64_t *n_dropped, const ch_model *m, const ch_split *s,
                            const ch_align_opts *o, ch_err *e)
{
    plan p = {0};
    ch_code c = plan_some(&p, m, s, o, e);
    *n = p.n;
    *n_dropped = p.n_dropped;
    release_prompts(&p);
    free(p.cand);
    return c;
}

ch_code ch_candidates_make(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                           ch_err *e)
{
    *c = (ch_candidates){0};
    plan p = {0};
    ch_code code = plan_some(&p, m, s, o, e);
    if (code == CH_OK && p.n_dropped)
        ch_log(CH_WARN, "candidates: %lld prompts do not fit with their answers and are left out",
               (long long)p.n_dropped);
    if (code == CH_OK)
        code = answer_all(&p, m, o, e);
    release_prompts(&p);
    *c = (ch_candidates){p.cand, p.n};
    if (code != CH_OK)
        ch_candidates_release(c);
    return code;
}

void ch_candidates_release(ch_candidates *c)
{
    for (int64_t i = 0; i < c->n; i++)
        free(c->list[i].text);
    free(c->list);
    *c = (ch_candidates){0};
}
