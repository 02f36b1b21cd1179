/* Choosing a token: the same as from a sort of the whole vocabulary, on rows of every shape and for
 * every limit, and what has no draw in it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "generate/sample.h"
#include "support/support.h"

enum { MOST_V = 6000 };

typedef struct {
    float p, logit;
    int32_t id;
} option;

static int by_logit(const void *a, const void *b)
{
    const option *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* All options sorted, then top_k of them, then the fewest that hold top_p, then the first behind
 * whose sum the random number falls. */
static int32_t from_a_full_sort(const float *x, int64_t V, const ch_sampling *how, int64_t step)
{
    option *list = ch_new((size_t)V, sizeof *list);
    float top = x[0], inv = (float)(1 / how->temperature);
    int64_t n = 0, m = 0;
    for (int64_t i = 1; i < V; i++)
        top = fmaxf(top, x[i]);
    for (int64_t i = 0; i < V; i++)
        if ((x[i] - top) * inv > -30.f)
            list[n++] = (option){expf((x[i] - top) * inv), x[i], (int32_t)i};
    qsort(list, (size_t)n, sizeof *list, by_logit);
    if (how->top_k > 0 && how->top_k < n)
        n = how->top_k;
    long double total = 0, kept = 0, sum = 0;
    for (int64_t i = 0; i < n; i++)
        total += (long double)list[i].p;
    while (m < n && (m == 0 || (double)kept < how->top_p * (double)total))
        kept += (long double)list[m++].p;
    uint64_t bits = ch_random_at(how->seed, how->stream, (uint64_t)step);
    double u = (double)(bits >> 11) * 0x1p-53 * (double)kept;
    int64_t i = 0;
    for (; i < m - 1; i++)
        if ((sum += (long double)list[i].p) > (long double)u)
            break;
    int32_t id = list[i].id;
    free(list);
    return id;
}

static ch_choosing room(void)
{
    return (ch_choosing){ch_new(MOST_V, sizeof(float)), ch_new(MOST_V, sizeof(ch_option))};
}

static void leave(ch_choosing *c)
{
    free(c->p);
    free(c->list);
}

/* A row as models have them, wide or narrow, with ties, all equal, of few values, or extreme. */
static void fill(float *x, int64_t V, int shape, ch_rng *r)
{
    for (int64_t i = 0; i < V; i++) {
        double z = ch_random_normal(r);
        x[i] = (float)(shape == 0   ? 3 * z
                       : shape == 1 ? 30 * z
                       : shape == 2 ? 0.01 * z
                       : shape == 3 ? floor(2 * z)
                       : shape == 4 ? 7.25
                       : shape == 5 ? (ch_random_below(r, 40) ? -1e30 : 1e30 + 1e24 * z)
                                    : 1e-30 * z);
    }
    if (shape == 5)
        x[ch_random_below(r, V)] = FLT_MAX;
}

static ch_sampling any_limits(ch_rng *r, uint64_t trial)
{
    static const double temperatures[] = {1, 0.7, 0.1, 2, 100, 1e-3, 1e6};
    static const double shares[] = {1, 1, 0.9, 0.5, 0.999999, 1e-6, 0, 0.05};
    static const int64_t counts[] = {0, 0, 1, 2, 5, 40, 1000, MOST_V, 1000000};
    return (ch_sampling){.temperature = temperatures[ch_random_below(r, 7)],
                         .top_p = shares[ch_random_below(r, 8)],
                         .top_k = counts[ch_random_below(r, 9)],
                         .seed = trial,
                         .stream = ch_stream(CH_USE_ANSWERS, trial)};
}

static void a_draw_is_what_a_full_sort_gives(void **state)
{
    (void)state;
    ch_choosing c = room();
    float *x = ch_new(MOST_V, sizeof *x);
    ch_rng r = {.seed = 3};
    int64_t not_top = 0, n = 0;
    for (uint64_t trial = 0; trial < 2000; trial++) {
        int64_t V = trial % 5 ? 1 + ch_random_below(&r, 300) : 1 + ch_random_below(&r, MOST_V);
        fill(x, V, (int)(trial % 7), &r);
        for (int64_t step = 0; step < 6; step++, n++) {
            ch_sampling how = any_limits(&r, trial);
            int32_t got = ch_choose(x, V, &how, step, &c);
            if (got != from_a_full_sort(x, V, &how, step))
                fail_msg("trial %d, step %d: %d, not %d", (int)trial, (int)step, got,
                         from_a_full_sort(x, V, &how, step));
            not_top += got != ch_choose(x, V, &(ch_sampling){0}, 0, &c);
        }
    }
    CHECK_(not_top > n / 4 && not_top < n);
    leave(&c);
    free(x);
}

/* Down to the smallest number there is, and with ties. */
static void a_temperature_too_small_to_leave_a_second_token_is_greedy(void **state)
{
    (void)state;
    static const double cold[] = {0, 1e-7, 1e-20, 1e-38, 1e-39, 1e-45, 1e-300, 4.9e-324};
    ch_choosing c = room();
    float x[50];
    ch_rng r = {.seed = 4};
    for (int trial = 0; trial < 70; trial++) {
        fill(x, 50, trial % 7, &r);
        int32_t want = 0;
        for (int32_t i = 1; i < 50; i++)
            want = x[i] > x[want] ? i : want;
        for (size_t k = 0; k < sizeof cold / sizeof *cold; k++) {
            ch_sampling how = {.temperature = cold[k], .top_p = k % 2 ? 1 : 0.5, .seed = 1};
            CHECK_(ch_choose(x, 50, &how, trial, &c) == want);
        }
    }
    leave(&c);
}

static void one_likeliest_and_the_least_share_are_greedy(void **state)
{
    (void)state;
    ch_choosing c = room();
    float x[64];
    ch_rng r = {.seed = 5};
    for (int trial = 0; trial < 300; trial++) {
        fill(x, 64, trial % 7, &r);
        int32_t want = ch_choose(x, 64, &(ch_sampling){0}, 0, &c);
        ch_sampling one = {.temperature = 100, .top_k = 1, .top_p = 1, .seed = (uint64_t)trial};
        ch_sampling least = {.temperature = 0.5, .top_p = 1e-300, .seed = (uint64_t)trial};
        CHECK_(ch_choose(x, 64, &one, 0, &c) == want);
        CHECK_(ch_choose(x, 64, &least, 0, &c) == want);
    }
    leave(&c);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draw_is_what_a_full_sort_gives),
        cmocka_unit_test(a_temperature_too_small_to_leave_a_second_token_is_greedy),
        cmocka_unit_test(one_likeliest_and_the_least_share_are_greedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
