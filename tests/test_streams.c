/* Random numbers: two uses never draw the same, the trained models' and the split's own streams
 * stay what they were, and the inputs that get candidates are not the first update's. */
#include <stdio.h>
#include <stdlib.h>

#include "align/candidates.h"
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

/* As the candidates' own code draws them, on a task whose training rows are its inputs. */
static void the_inputs_that_get_candidates_are_not_the_first_updates(void **state)
{
    (void)state;
    enum { INPUTS = 40 };
    ch_device *d;
    ch_model *m;
    char word[INPUTS][4], instruction[] = "i", name[] = "t";
    ch_instance item[INPUTS] = {{0}};
    int64_t train[INPUTS], first = 0, equal = 0;
    tiny_open(&d, &m);
    for (int i = 0; i < INPUTS; i++) {
        snprintf(word[i], sizeof word[i], "%d", i);
        item[i] = (ch_instance){.id = word[i], .input = word[i]};
        train[i] = i;
    }
    ch_task task = {.name = name, .instruction = instruction, .items = item, .n_items = INPUTS};
    ch_share share = {
        .task = &task, .train = train, .n_train = INPUTS, .train_w = &first, .n_train_w = 1};
    ch_split split = {.list = &share, .n = 1};
    ch_group list[INPUTS] = {{0}};
    ch_train_opts o = {.batch = BATCH, .steps = 1};
    for (o.seed = 1; o.seed <= SEEDS; o.seed++) {
        int64_t drawn[BATCH], common = 0;
        ch_candidates c;
        ch_err e = {0};
        ch_align_opts how = {.max_new = 1, .items = BATCH, .seed = o.seed, .top_p = 1};
        ch_train_drawn(&(ch_groups){list, INPUTS}, &o, 0, drawn);
        CHECK_OK(ch_candidates_make(&c, m, &split, &how, &e), &e);
        assert_int_equal(c.n, BATCH);
        for (int i = 0; i < BATCH; i++)
            for (int k = 0; k < BATCH; k++)
                common += c.list[i].item == drawn[k];
        CHECK_(common < BATCH - 2);
        equal += common;
        ch_candidates_release(&c);
    }
    CHECK_(equal > 0 && equal < SEEDS * BATCH / 2); /* 8 of 40 against 8 of 40: 1.6 are common */
    ch_model_free(m);
    ch_device_close(d);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_uses_draw_an_equal_number),
        cmocka_unit_test(the_streams_of_two_uses_never_meet),
        cmocka_unit_test(epochs_and_splits_have_the_streams_they_always_had),
        cmocka_unit_test(the_inputs_that_get_candidates_are_not_the_first_updates),
        cmocka_unit_test(no_use_shuffles_like_another_and_none_like_the_first_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
