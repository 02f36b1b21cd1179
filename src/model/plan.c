#include "model/plan.h"

#include <stdlib.h>

#include "base/mem.h"

void ch_plan_clear(ch_plan *p)
{
    p->n_ranges = p->n_pieces = p->n_tiles = p->n_blocks = 0;
}

void ch_plan_release(ch_plan *p)
{
    free(p->ranges);
    free(p->pieces);
    free(p->tiles);
    free(p->blocks);
    *p = (ch_plan){0};
}

void ch_plan_chain(ch_plan *p, int32_t a, int32_t b)
{
    if (a < b)
        *CH_PUSH(p->ranges, p->n_ranges, p->cap_ranges) = (ch_range){a, b};
}

void ch_plan_piece(ch_plan *p, int32_t q0, int32_t q1, int32_t slot0)
{
    int32_t from = 0;
    if (p->n_pieces) {
        const ch_piece *last = p->pieces + p->n_pieces - 1;
        from = last->chain + last->n_chain;
    }
    ch_piece piece = {q0, q1, slot0, from, (int32_t)p->n_ranges - from};
    *CH_PUSH(p->pieces, p->n_pieces, p->cap_pieces) = piece;
}

/* A part of a piece inside one tile. Its keys in order: chain, own slots before the part, own slots
 * (causal). */
typedef struct {
    const ch_piece *of;
    int32_t q0, q1;
} part;

/* Range number i of a part's ancestors, the piece's earlier own rows being the last; {0,0} past the
 * end. */
static ch_range ancestor(const ch_plan *p, const part *x, int32_t i)
{
    if (i < x->of->n_chain)
        return p->ranges[x->of->chain + i];
    if (i == x->of->n_chain)
        return (ch_range){x->of->slot0, x->of->slot0 + (x->q0 - x->of->q0)};
    return (ch_range){0, 0};
}

/* How many leading keys two neighbours have in common. */
static int32_t common(const ch_plan *p, const part *x, const part *y)
{
    int32_t n = 0;
    for (int32_t i = 0;; i++) {
        ch_range a = ancestor(p, x, i), b = ancestor(p, y, i);
        if (a.a >= a.b || b.a >= b.b || a.a != b.a)
            return n;
        int32_t end = a.b < b.b ? a.b : b.b;
        n += end - a.a;
        if (a.b != b.b)
            return n;
    }
}

static void add_block(ch_plan *p, int32_t qa, int32_t qb, int32_t k0, int32_t k1, int32_t causal)
{
    ch_block *last = p->n_blocks ? p->blocks + p->n_blocks - 1 : NULL;
    int in_tile = p->tiles[p->n_tiles - 1].n_blocks > 0;
    if (in_tile && last->qa == qa && last->qb == qb && last->k1 == k0 && !last->causal && !causal) {
        last->k1 = k1; /* neighbouring slots: one block */
        return;
    }
    *CH_PUSH(p->blocks, p->n_blocks, p->cap_blocks) = (ch_block){qa, qb, k0, k1, causal};
    p->tiles[p->n_tiles - 1].n_blocks++;
}

/* Keys number [from, to) of a part's ancestors for the rows [qa, qb). */
static void add_keys(ch_plan *p, const part *x, int32_t from, int32_t to, int32_t qa, int32_t qb)
{
    for (int32_t i = 0, at = 0; at < to; i++) {
        ch_range r = ancestor(p, x, i);
        if (r.a >= r.b)
            return;
        int32_t n = r.b - r.a, lo = from > at ? from - at : 0, hi = to - at < n ? to - at : n;
        if (lo < hi)
            add_block(p, qa, qb, r.a + lo, r.a + hi, 0);
        at += n;
    }
}

/* Parts [lo, hi) have their first `from` keys done; lcp[i] is common(i, i + 1). */
static void split(ch_plan *p, const part *x, const int32_t *lcp, int32_t lo, int32_t hi,
                  int32_t from)
{
    if (hi - lo == 1) {
        add_keys(p, x + lo, from, INT32_MAX, x[lo].q0, x[lo].q1);
        int32_t slot = x[lo].of->slot0 + (x[lo].q0 - x[lo].of->q0), n = x[lo].q1 - x[lo].q0;
        add_block(p, x[lo].q0, x[lo].q1, slot, slot + n, n > 1);
        return;
    }
    int32_t shared = INT32_MAX;
    for (int32_t i = lo; i + 1 < hi; i++)
        shared = lcp[i] < shared ? lcp[i] : shared;
    add_keys(p, x + lo, from, shared, x[lo].q0, x[hi - 1].q1);
    int32_t begin = lo;
    for (int32_t i = lo; i < hi; i++)
        if (i + 1 == hi || lcp[i] == shared) {
            split(p, x, lcp, begin, i + 1, shared);
            begin = i + 1;
        }
}

void ch_plan_tiles(ch_plan *p, int64_t tile_rows)
{
    enum { MOST = 64 };
    CH_MUST(tile_rows >= 1 && tile_rows <= MOST);
    part x[MOST];
    int32_t lcp[MOST];
    int64_t i = 0;
    int32_t row = p->n_pieces ? p->pieces[0].q0 : 0;
    while (i < p->n_pieces) {
        int32_t n = 0, start = row, end = row + (int32_t)tile_rows;
        while (i < p->n_pieces && row < end) {
            const ch_piece *of = p->pieces + i;
            int32_t stop = of->q1 < end ? of->q1 : end;
            x[n++] = (part){of, row, stop};
            row = stop;
            if (stop == of->q1)
                i++;
        }
        for (int32_t k = 0; k + 1 < n; k++)
            lcp[k] = common(p, x + k, x + k + 1);
        ch_tile t = {start, row, (int32_t)p->n_blocks, 0};
        *CH_PUSH(p->tiles, p->n_tiles, p->cap_tiles) = t;
        split(p, x, lcp, 0, n, 0);
    }
}
