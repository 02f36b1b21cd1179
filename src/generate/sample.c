/* Choosing a token from a row of logits. A draw is what a full sort of the vocabulary would give,
 * likeliest first, but only the bins that a limit falls into are sorted: options are counted and
 * weighed in bins of nearly equal probability. Sums are of integers, exact in any order. */
#include "generate/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* A bin is an exponent of a probability and the first BIN_BITS bits of its mantissa. e^-30 of the
 * likeliest is above 2^-44. */
enum { MANTISSA = 23, BIN_BITS = 5, BIN_SHIFT = MANTISSA - BIN_BITS };
enum { EXPONENTS = 44, LOWEST = 127 - EXPONENTS, BINS = (EXPONENTS + 1) << BIN_BITS };
/* Weights are whole multiples of 2^-UNIT. */
enum { UNIT = EXPONENTS + MANTISSA };
/* Below this, tokens that a float can tell apart at all differ by more than is ever drawn. */
static const double COLDEST = 1e-6;

typedef unsigned __int128 weight;

/* The options that are left: all of the bins above `last`, the first n_last of that one. */
typedef struct {
    ch_choosing *c;
    const float *x;
    int64_t V;
    int last;
    int64_t n_last;
    uint64_t mantissas[BINS]; /* of a bin's options, summed */
    int32_t count[BINS];
} table;

/* The first of the largest. */
static int32_t greedy(const float *x, int64_t V)
{
    float top = x[0];
#pragma omp simd reduction(max : top)
    for (int64_t i = 1; i < V; i++)
        top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < V; i++)
        if (x[i] == top)
            return (int32_t)i;
    return 0;
}

static uint32_t bits_of(float p)
{
    uint32_t b;
    memcpy(&b, &p, sizeof b);
    return b;
}

static int bin_of(float p)
{
    return (int)(bits_of(p) >> BIN_SHIFT) - (LOWEST << BIN_BITS);
}

static uint64_t mantissa_of(float p)
{
    return (bits_of(p) & ((1u << MANTISSA) - 1)) | 1u << MANTISSA;
}

static weight scaled(uint64_t mantissas, int bin)
{
    return (weight)mantissas << (bin >> BIN_BITS);
}

static double real(weight w)
{
    return ldexp((double)w, -UNIT);
}

/* The greatest whole weight that is not above v. */
static weight whole(double v)
{
    return (weight)ldexp(v, UNIT);
}

static int64_t fill(table *t, int32_t top, double temperature)
{
    float inv = (float)(1 / temperature), *p = t->c->p;
    int64_t n = 0;
    for (int64_t i = 0; i < t->V; i++) {
        float d = (t->x[i] - t->x[top]) * inv;
        p[i] = 0;
        if (!(d > -30.f)) /* e^-30 of the top: never drawn in practice */
            continue;
        p[i] = expf(d);
        int b = bin_of(p[i]);
        t->mantissas[b] += mantissa_of(p[i]);
        t->count[b]++;
        n++;
    }
    for (t->last = 0; !t->count[t->last];)
        t->last++;
    t->n_last = t->count[t->last];
    return n;
}

static int by_likely(const void *a, const void *b)
{
    const ch_option *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The options of a bin, likeliest first; returns how many of them are left. */
static int64_t open_bin(const table *t, int bin)
{
    const float *p = t->c->p;
    ch_option *list = t->c->list;
    int64_t n = 0;
    for (int64_t i = 0; i < t->V; i++)
        if (p[i] > 0 && bin_of(p[i]) == bin)
            list[n++] = (ch_option){p[i], t->x[i], (int32_t)i};
    qsort(list, (size_t)n, sizeof *list, by_likely);
    return bin == t->last ? t->n_last : n;
}

/* Nothing is left behind the first n options of a bin. */
static void end_at(table *t, int bin, int64_t n)
{
    t->last = bin;
    t->n_last = n;
    t->mantissas[bin] = 0;
    for (int64_t i = 0; i < n; i++)
        t->mantissas[bin] += mantissa_of(t->c->list[i].p);
}

static void keep_likeliest(table *t, int64_t k)
{
    int bin = BINS - 1;
    for (; k > t->count[bin]; bin--)
        k -= t->count[bin];
    open_bin(t, bin);
    end_at(t, bin, k);
}

static weight sum(const table *t)
{
    weight w = 0;
    for (int b = t->last; b < BINS; b++)
        w += scaled(t->mantissas[b], b);
    return w;
}

/* The first option up to which, itself included, more than w stands; *bin and its place there. The
 * last one if there is none. */
static int64_t reach(const table *t, weight w, int *bin)
{
    weight before = 0;
    int b = BINS - 1;
    for (; b > t->last && before + scaled(t->mantissas[b], b) <= w; b--)
        before += scaled(t->mantissas[b], b);
    int64_t n = open_bin(t, b), i = 0;
    for (; i < n - 1; i++) {
        before += scaled(mantissa_of(t->c->list[i].p), b);
        if (before > w)
            break;
    }
    *bin = b;
    return i;
}

/* The fewest that hold top_p of what is left, one at least. */
static void keep_share(table *t, double top_p)
{
    int bin;
    double share = top_p * real(sum(t));
    weight w = whole(share);
    if (w && real(w) >= share)
        w--; /* as much as the share is enough */
    int64_t i = reach(t, w, &bin);
    end_at(t, bin, i + 1);
}

/* Nothing is drawn: no temperature, or one too small to leave a second token. */
static int is_greedy(const ch_sampling *how)
{
    return how->temperature < COLDEST;
}

int32_t ch_choose(const float *x, int64_t V, const ch_sampling *how, int64_t step,
                  ch_choosing *scratch)
{
    int32_t top = greedy(x, V);
    if (is_greedy(how))
        return top;
    table t = {.c = scratch, .x = x, .V = V};
    int64_t n = fill(&t, top, how->temperature);
    if (how->top_k > 0 && how->top_k < n)
        keep_likeliest(&t, how->top_k);
    if (how->top_p < 1)
        keep_share(&t, how->top_p);
    uint64_t bits = ch_random_at(how->seed, how->stream, (uint64_t)step);
    double u = (double)(bits >> 11) * 0x1p-53 * real(sum(&t));
    int bin;
    int64_t i = reach(&t, whole(u), &bin);
    return scratch->list[i].id;
}
