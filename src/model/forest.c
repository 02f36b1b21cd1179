#define _GNU_SOURCE
#include "model/forest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int by_tokens(const void *a, const void *b, void *ctx)
{
    const ch_seq *const *seqs = ctx;
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    const ch_seq *x = seqs[i], *y = seqs[j];
    int64_t n = x->n < y->n ? x->n : y->n;
    for (int64_t k = 0; k < n; k++)
        if (x->ids[k] != y->ids[k])
            return x->ids[k] < y->ids[k] ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return (i > j) - (i < j);
}

void ch_seq_sort(int32_t *order, const ch_seq *const *seqs, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    union {
        const ch_seq *const *in;
        void *ctx;
    } u = {.in = seqs};
    qsort_r(order, (size_t)n, sizeof *order, by_tokens, u.ctx);
}

int64_t ch_seq_common(const ch_seq *a, const ch_seq *b)
{
    int64_t n = 0;
    while (n < a->n && n < b->n && a->ids[n] == b->ids[n])
        n++;
    return n;
}

int64_t ch_seq_fit(const ch_seq *const *sorted, int64_t from, int64_t n, int64_t max_rows,
                   int64_t *rows)
{
    int64_t sum = 0, i = from;
    for (; i < n; i++) {
        int64_t shared = i > from ? ch_seq_common(sorted[i - 1], sorted[i]) : 0;
        int64_t more = sorted[i]->n - shared;
        if (i > from && sum + more > max_rows)
            break;
        sum += more;
    }
    if (rows)
        *rows = sum;
    return i;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void room(void *list, int64_t *cap, int64_t want, size_t elem)
{
    void **p = list;
    if (want <= *cap)
        return;
    *cap = want + want / 2 + 64;
    *p = ch_grow(*p, (size_t)*cap, elem);
}

static void reserve(ch_forest *f, const ch_seq *const *seqs, int64_t n)
{
    int64_t rows = 32, targets = 1, longest = 1;
    f->n_tokens = 0;
    for (int64_t i = 0; i < n; i++) {
        CH_MUST(seqs[i]->n_prompt >= 1 && seqs[i]->n_prompt <= seqs[i]->n);
        rows += seqs[i]->n;
        targets += seqs[i]->n - seqs[i]->n_prompt;
        longest = seqs[i]->n > longest ? seqs[i]->n : longest;
        f->n_tokens += seqs[i]->n;
    }
    int64_t a = f->cap_rows, b = f->cap_rows, c = f->cap_rows, d = f->cap_targets,
            g = f->cap_targets;
    int64_t h = f->cap_lrows;
    room(&f->ids, &a, rows, sizeof *f->ids);
    room(&f->pos, &b, rows, sizeof *f->pos);
    room(&f->parent, &c, rows, sizeof *f->parent);
    f->cap_rows = a;
    room(&f->token, &d, targets, sizeof *f->token);
    room(&f->seq, &g, targets, sizeof *f->seq);
    f->cap_targets = d;
    room(&f->lrows, &h, targets, sizeof *f->lrows);
    h = f->cap_lrows;
    room(&f->first, &h, targets + 1, sizeof *f->first);
    f->cap_lrows = h;
    room(&f->path, &f->cap_path, longest, sizeof *f->path);
    room(&f->order, &f->cap_order, n, sizeof *f->order);
    room(&f->leaf, &f->cap_leaf, n, sizeof *f->leaf);
}

typedef struct {
    int32_t row, token, seq;
} target;

static int by_row(const void *a, const void *b)
{
    const target *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Rows of one sequence behind the `shared` first tokens that it has in common with the one before
 * it. */
static void add_rows(ch_forest *f, const ch_seq *s, int64_t shared)
{
    for (int64_t d = shared; d + 1 < s->n || (d < s->n && d < s->n_prompt); d++) {
        int32_t r = (int32_t)f->n_rows++;
        f->ids[r] = s->ids[d];
        f->pos[r] = (int32_t)d;
        f->parent[r] = d ? f->path[d - 1] : -1;
        f->path[d] = r;
    }
}

/* Rows that the sequence before left on the path: all but its last token, unless it is only a
 * prompt. */
static int64_t n_on_path(const ch_seq *s)
{
    return s->n_prompt == s->n ? s->n : s->n - 1;
}

static void take_targets(ch_forest *f, target *t, int64_t n)
{
    qsort(t, (size_t)n, sizeof *t, by_row);
    f->n_lrows = 0;
    f->n_targets = n;
    for (int64_t i = 0; i < n; i++) {
        if (!i || t[i].row != t[i - 1].row) {
            f->first[f->n_lrows] = (int32_t)i;
            f->lrows[f->n_lrows++] = t[i].row;
        }
        f->token[i] = t[i].token;
        f->seq[i] = t[i].seq;
    }
    f->first[f->n_lrows] = (int32_t)n;
}

void ch_forest_chain(const ch_forest *f, int32_t row, ch_plan *p)
{
    int32_t first = f->seg[row], up = f->parent[first];
    if (up >= 0)
        ch_forest_chain(f, up, p);
    ch_plan_chain(p, first, row + 1);
}

/* seg[r] is the first row of r's run: rows each the only continuation laid right behind the one
 * before. */
static void find_runs(ch_forest *f)
{
    room(&f->seg, &f->cap_seg, f->n_rows, sizeof *f->seg);
    for (int64_t r = 0; r < f->n_rows; r++)
        f->seg[r] = r && f->parent[r] == r - 1 ? f->seg[r - 1] : (int32_t)r;
}

void ch_forest_plan(ch_forest *f, int64_t a, int64_t b, ch_plan *p, int64_t tile_rows)
{
    ch_plan_clear(p);
    for (int64_t r = a, end; r < b; r = end) {
        for (end = r + 1; end < b && f->seg[end] == f->seg[r]; end++)
            ;
        if (f->parent[r] >= 0)
            ch_forest_chain(f, f->parent[r], p);
        ch_plan_piece(p, (int32_t)(r - a), (int32_t)(end - a), (int32_t)r);
    }
    ch_plan_tiles(p, tile_rows);
}

void ch_forest_build(ch_forest *f, const ch_seq *const *seqs, int64_t n, int64_t H, int64_t G)
{
    reserve(f, seqs, n);
    f->n_rows = 0;
    ch_seq_sort(f->order, seqs, n);
    target *t = ch_new((size_t)f->cap_targets, sizeof *t);
    int64_t n_targets = 0, shared = 0;
    for (int64_t i = 0; i < n; i++) {
        const ch_seq *s = seqs[f->order[i]];
        if (i)
            shared = min64(shared, ch_seq_common(seqs[f->order[i - 1]], s));
        add_rows(f, s, shared);
        /* the path may be longer than this sequence's own rows when it ends inside the last one */
        int64_t own = n_on_path(s);
        shared = own > shared ? own : shared;
        f->leaf[f->order[i]] = f->path[own - 1];
        for (int64_t k = s->n_prompt; k < s->n; k++)
            t[n_targets++] = (target){f->path[k - 1], s->ids[k], f->order[i]};
    }
    take_targets(f, t, n_targets);
    free(t);
    find_runs(f);
    ch_forest_plan(f, 0, f->n_rows, &f->plan, ch_tile_rows(H, G));
    f->n_pad = (f->n_rows + 31) / 32 * 32;
    for (int64_t r = f->n_rows; r < f->n_pad; r++) {
        f->ids[r] = f->parent[r] = -1;
        f->pos[r] = 0;
    }
}

void ch_forest_sum(const ch_forest *f, const float *per_target, int64_t n_seqs, double *sum,
                   int64_t *count)
{
    memset(sum, 0, (size_t)n_seqs * sizeof *sum);
    if (count)
        memset(count, 0, (size_t)n_seqs * sizeof *count);
    for (int64_t i = 0; i < f->n_targets; i++) {
        sum[f->seq[i]] += (double)per_target[i];
        if (count)
            count[f->seq[i]]++;
    }
}

void ch_forest_release(ch_forest *f)
{
    free(f->ids);
    free(f->pos);
    free(f->parent);
    free(f->lrows);
    free(f->first);
    free(f->token);
    free(f->seq);
    free(f->path);
    free(f->order);
    free(f->seg);
    free(f->leaf);
    ch_plan_release(&f->plan);
    *f = (ch_forest){0};
}

int64_t ch_seq_shared_rows(const ch_seq *seqs, int64_t n)
{
    const ch_seq **list = ch_new((size_t)n + 1, sizeof *list);
    int32_t *order = ch_new((size_t)n + 1, sizeof *order);
    for (int64_t i = 0; i < n; i++)
        list[i] = seqs + i;
    ch_seq_sort(order, list, n);
    int64_t rows = 0;
    for (int64_t i = 0; i < n; i++) {
        const ch_seq *s = list[order[i]];
        rows += s->n - (i ? ch_seq_common(list[order[i - 1]], s) : 0);
    }
    free(list);
    free(order);
    return rows;
}
