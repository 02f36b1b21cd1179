#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "generate/internal.h"

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

static int by_p(const void *a, const void *b)
{
    const ch_option *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

int32_t ch_choose(const float *x, int64_t V, const ch_sampling *how, int64_t step, ch_option *list)
{
    int32_t top = greedy(x, V);
    if (how->temperature <= 0)
        return top;
    float inv = (float)(1 / how->temperature);
    int64_t n = 0;
    for (int64_t i = 0; i < V; i++) {
        float d = (x[i] - x[top]) * inv;
        if (d > -30.f) /* e^-30 of the top: never drawn in practice */
            list[n++] = (ch_option){expf(d), (int32_t)i};
    }
    qsort(list, (size_t)n, sizeof *list, by_p);
    if (how->top_k > 0 && how->top_k < n)
        n = how->top_k;
    double total = 0, kept = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)list[i].p;
    int64_t m = 0;
    while (m < n && (m == 0 || kept < how->top_p * total))
        kept += (double)list[m++].p;
    uint64_t bits = ch_random_at(how->seed, how->stream, (uint64_t)step);
    double u = (double)(bits >> 11) * 0x1p-53 * kept;
    for (int64_t i = 0; i < m; i++) {
        u -= (double)list[i].p;
        if (u < 0)
            return list[i].id;
    }
    return list[m - 1].id;
}
