#include <stdlib.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "generate/internal.h"

enum { MAX_ROWS = 1024 };

typedef struct {
    ch_net *net;
    ch_forest forest;
    float *per_target;
    double *sum;
    const ch_seq **sorted;
    int32_t *order;
} scorer;

static void score_piece(scorer *s, const ch_model *m, int64_t a, int64_t b, double *logp)
{
    const ch_dims *z = ch_model_dims(m);
    ch_forest_build(&s->forest, s->sorted + a, b - a, z->H, z->G);
    s->per_target = ch_grow(s->per_target, (size_t)s->forest.cap_targets, sizeof *s->per_target);
    ch_net_forward(s->net, &s->forest, s->per_target);
    ch_forest_sum(&s->forest, s->per_target, b - a, s->sum, NULL);
    for (int64_t i = a; i < b; i++)
        logp[s->order[i]] = s->sum[i - a];
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
        score_piece(&s, m, a, b, logp);
        if (o && o->what)
            ch_progress_at(&bar, b, NULL);
        if (ch_interrupted())
            c = ch_fail(e, CH_ESTOP, "interrupted while scoring");
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
