#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/sampler.h"

enum { LOOK_AHEAD = 64 };

ch_sampler ch_sampler_of(const ch_groups *data, const ch_train_opts *o)
{
    ch_sampler s = {.n = data->n, .seed = o->seed, .batch = o->batch};
    if (o->sampling == CH_DRAW_GROUPED)
        s.list = data->list;
    s.at_once = o->inputs_per_instruction < o->batch ? o->inputs_per_instruction : o->batch;
    s.at_once = s.at_once < 1 ? 1 : s.at_once;
    return s;
}

void ch_sampler_release(ch_sampler *s)
{
    free(s->order);
    s->order = NULL;
}

/* Groups of one instruction that are drawn in a row: sorted[at .. at + n). */
typedef struct {
    int64_t at, n;
} bunch;

static int by_instruction(const void *a, const void *b, void *list)
{
    const ch_group *g = list;
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    if (g[i].instruction != g[j].instruction)
        return g[i].instruction < g[j].instruction ? -1 : 1;
    return (i > j) - (i < j);
}

/* sorted becomes all groups by instruction, those of one shuffled; returns the number of bunches:
 * of each instruction as many full ones as there are, and what is left. */
static int64_t make_bunches(const ch_sampler *s, ch_rng *r, int64_t *sorted, bunch *out)
{
    int64_t n_out = 0, b;
    union {
        const ch_group *in;
        void *io;
    } u = {.in = s->list}; /* only read */
    for (int64_t i = 0; i < s->n; i++)
        sorted[i] = i;
    qsort_r(sorted, (size_t)s->n, sizeof *sorted, by_instruction, u.io);
    for (int64_t a = 0; a < s->n; a = b) {
        int64_t id = s->list[sorted[a]].instruction;
        for (b = a + 1; b < s->n && s->list[sorted[b]].instruction == id;)
            b++;
        ch_shuffle(r, sorted + a, b - a);
        for (int64_t k = a; k < b; k += s->at_once)
            out[n_out++] = (bunch){k, b - k < s->at_once ? b - k : s->at_once};
    }
    return n_out;
}

/* Bunches in a random order, but that one which an update has no room for is put off while one
 * that fits stands not far behind it: a bunch cut in two is shared less. Where none fits, it is
 * cut. */
static void shuffle_grouped(ch_sampler *s, ch_rng *r)
{
    int64_t *sorted = ch_new((size_t)s->n, sizeof *sorted), *turn;
    bunch *list = ch_new((size_t)s->n, sizeof *list);
    int64_t n = make_bunches(s, r, sorted, list), at = 0;
    int64_t start = s->epoch % s->batch * (s->n % s->batch) % s->batch; /* in its first update */
    turn = ch_new((size_t)n, sizeof *turn);
    for (int64_t i = 0; i < n; i++)
        turn[i] = i;
    ch_shuffle(r, turn, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t room = s->batch - (start + at) % s->batch, k = i;
        while (k < n && k < i + LOOK_AHEAD && list[turn[k]].n > room)
            k++;
        k = k < n && k < i + LOOK_AHEAD ? k : i;
        int64_t next = turn[k];
        memmove(turn + i + 1, turn + i, (size_t)(k - i) * sizeof *turn);
        memcpy(s->order + at, sorted + list[next].at, (size_t)list[next].n * sizeof *sorted);
        at += list[next].n;
    }
    free(sorted);
    free(list);
    free(turn);
}

int64_t ch_sampler_at(ch_sampler *s, int64_t i)
{
    int64_t epoch = i / s->n;
    if (!s->order || epoch != s->epoch) {
        s->order = ch_grow(s->order, (size_t)s->n, sizeof *s->order);
        s->epoch = epoch;
        ch_rng r = ch_rng_of(s->seed, CH_USE_EPOCHS, (uint64_t)epoch);
        for (int64_t k = 0; k < s->n; k++)
            s->order[k] = k;
        if (s->list)
            shuffle_grouped(s, &r);
        else
            ch_shuffle(&r, s->order, s->n);
    }
    return s->order[i % s->n];
}

void ch_train_drawn(const ch_groups *data, const ch_train_opts *o, int64_t step, int64_t *groups)
{
    ch_sampler s = ch_sampler_of(data, o);
    for (int64_t j = 0; j < o->batch; j++)
        groups[j] = ch_sampler_at(&s, step * o->batch + j);
    ch_sampler_release(&s);
}
