/* Random numbers: two uses never draw the same, the trained models' and the split's own streams
 * stay what they were, and the inputs that get candidates are not the first update's. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/support.h"
#include "train/train.h"

enum { ROWS = 96, BATCH = 8, NUMBERS = 64, SEEDS = 20 };

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The first numbers of several streams of every use, under one seed: no two are equal. */
static void no_two_uses_draw_an_equal_number(void **state)
{
    (void)state;
    enum { INDICES = 6, ALL = CH_N_USES * INDICES * NUMBERS };
    const uint64_t index[INDICES] = {0, 1, 2, 77, 1ull << 32, (1ull << 48) - 1};
    uint64_t *x = ch_new(ALL, sizeof *x);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        int64_t n = 0;
        for (int use = 0; use < CH_N_USES; use++)
            for (int i = 0; i < INDICES; i++) {
                ch_rng r = ch_rng_of(seed, (ch_use)use, index[i]);
                for (int k = 0; k < NUMBERS; k++)
                    x[n++] = ch_random(&r);
            }
        qsort(x, ALL, sizeof *x, by_value);
        for (int64_t i = 1; i < ALL; i++)
            CHECK_(x[i] != x[i - 1]);
    }
    free(x);
}

/* Whatever the index, also one that has more bits than a stream has room for. */
static void the_streams_of_two_uses_never_meet(void **state)
{
    (void)state;
    ch_rng r = {.seed = 8};
    for (int i = 0; i < 20000; i++) {
        uint64_t a = ch_random(&r) >> ch_random_below(&r, 64);
        uint64_t b = i % 3 ? ch_random(&r) >> ch_random_below(&r, 64) : a;
        for (int use = 0; use < CH_N_USES; use++)
            for (int other = 0; other < use; other++)
                CHECK_(ch_stream((ch_use)use, a) != ch_stream((ch_use)other, b));
    }
}

static void epochs_and_splits_have_the_streams_they_always_had(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_(ch_stream(CH_USE_EPOCHS, i) == i);
    CHECK_(ch_stream(CH_USE_SPLIT, 0x123456789abcdef0) == 0x123456789abcdef0);
    CHECK_(ch_stream(CH_USE_SPLIT, 5) == (5 | 1ull << 63));
}

static void no_use_shuffles_like_another_and_none_like_the_first_update(void **state)
{
    (void)state;
    ch_group list[ROWS] = {{0}};
    ch_groups data = {list, ROWS};
    ch_train_opts o = {.batch = BATCH, .steps = 1};
    for (o.seed = 1; o.seed <= SEEDS; o.seed++) {
        int64_t order[CH_N_USES][ROWS], drawn[BATCH];
        ch_train_drawn(&data, &o, 0, drawn);
        for (int use = 0; use < CH_N_USES; use++) {
            ch_rng r = ch_rng_of(o.seed, (ch_use)use, 0);
            for (int64_t i = 0; i < ROWS; i++)
                order[use][i] = i;
            ch_shuffle(&r, order[use], ROWS);
            int64_t as_drawn = 0;
            for (int64_t i = 0; i < BATCH; i++)
                as_drawn += order[use][i] == drawn[i];
            CHECK_(use == CH_USE_EPOCHS ? as_drawn == BATCH : as_drawn < 3);
            for (int other = 0; other < use; other++) {
                int64_t same = 0;
                for (int64_t i = 0; i < ROWS; i++)
                    same += order[use][i] == order[other][i];
                CHECK_(same < 12);
            }
        }
    }
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_uses_draw_an_equal_number),
        cmocka_unit_test(the_streams_of_two_uses_never_meet),
        cmocka_unit_test(epochs_and_splits_have_the_streams_they_always_had),
        cmocka_unit_test(no_use_shuffles_like_another_and_none_like_the_first_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
