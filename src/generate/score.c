#include <math.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
#include "model/net.h"

enum { MAX_ROWS = 1024 };

typedef struct {
    ch_net *net;
    ch_forest forest;
    float *per_target;
    double *sum;
    const ch_seq **sorted;
    int32_t *order;
} scorer;

static ch_code score_piece(scorer *s, const ch_model *m, int64_t a, int64_t b, double *logp,
                           ch_err *e)
{
    const ch_dims *z = ch_model_dims(m);
    ch_forest_build(&s->forest, s->sorted + a, b - a, z->H, z->G);
    s->per_target = ch_grow(s->per_target, (size_t)s->forest.cap_targets, sizeof *s->per_target);
    ch_net_forward(s->net, &s->forest, s->per_target);
    if (ch_interrupted())
        return ch_fail(e, CH_ESTOP, "interrupted while scoring");
    ch_forest_sum(&s->forest, s->per_target, b - a, s->sum, NULL);
    for (int64_t i = a; i < b; i++) {
        logp[s->order[i]] = NAN;
        if (!isfinite(s->sum[i - a]))
            return ch_fail(e, CH_ENUMBER,
                           "%s: the log P of sequence %lld is not a finite number; the model's "
                           "weights are damaged or its training went astray",
                           ch_model_path(m), (long long)s->order[i] + 1);
        logp[s->order[i]] = s->sum[i - a];
    }
    return CH_OK;
}

static ch_code check(const ch_seq *seqs, int64_t n, const ch_gen_opts *o, ch_err *e)
{
    CH_TRY(ch_gen_check(o, n, e));
    for (int64_t i = 0; i < n; i++)
        if (seqs[i].n_prompt < 1 || seqs[i].n < seqs[i].n_prompt)
            return ch_fail(e, CH_EUSER,
                           "sequence %lld: a prompt of %lld tokens out of %lld, wanted 1 or more",
                           (long long)i + 1, (long long)seqs[i].n_prompt, (long long)seqs[i].n);
    return CH_OK;
}

static int64_t rows_for(const ch_seq *seqs, int64_t n)
{
    int64_t rows = MAX_ROWS;
    for (int64_t i = 0; i < n; i++)
        rows = seqs[i].n > rows ? seqs[i].n : rows;
    return rows;
}

int64_t ch_score_bytes(const ch_model *m, const ch_seq *seqs, int64_t n)
{
    return ch_net_bytes(m, CH_NET_SCORE, rows_for(seqs, n), 0);
}

ch_code ch_score(ch_model *m, const ch_seq *seqs, int64_t n, const ch_gen_opts *o, double *logp,
                 ch_err *e)
{
    CH_TRY(check(seqs, n, o, e));
    if (!n)
        return CH_OK;
    scorer s = {.sorted = ch_new((size_t)n, sizeof *s.sorted),
                .order = ch_new((size_t)n, sizeof *s.order)};
    int64_t max_rows = rows_for(seqs, n);
    const ch_seq **list = ch_new((size_t)n, sizeof *list);
    for (int64_t i = 0; i < n; i++)
        list[i] = seqs + i;
    ch_seq_sort(s.order, list, n);
    for (int64_t i = 0; i < n; i++)
        s.sorted[i] = seqs + s.order[i];
    free(list);
    s.sum = ch_new((size_t)n, sizeof *s.sum);
    ch_code c = ch_net_new(&s.net, m, CH_NET_SCORE, max_rows, 0, e);
    ch_progress bar;
    if (o && o->what)
        ch_progress_start(&bar, o->what, "scores", n);
    for (int64_t a = 0, b; c == CH_OK && a < n; a = b) {
        b = ch_seq_fit(s.sorted, a, n, max_rows, NULL);
        c = score_piece(&s, m, a, b, logp, e);
        if (o && o->what)
            ch_progress_at(&bar, b, NULL);
    }
    if (o && o->what && c == CH_OK)
        ch_progress_end(&bar);
    ch_net_free(s.net);
    ch_forest_release(&s.forest);
    free(s.per_target);
    free(s.sum);
    free(s.sorted);
    free(s.order);
    return c;
}
