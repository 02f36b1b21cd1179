/* Signs and intervals of differences, and kappa: worked out by hand. */
#include "support/hand_cases.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "measure/kappa.h"

/* Before and after of one task: what rises and what falls is known. */
static void differences_are_after_less_before_in_every_metric(void **state CH_UNUSED)
{
    cases *a = cases_new(), *b = cases_new();
    ch_stat up[CH_M_COUNT], down[CH_M_COUNT];
    ch_err e = {0};
    add(a, 0, "x", "x", "x", "z", "");  /* right 1 1 0 0, CR 1/6, MCR 2/4 */
    add(a, 0, "y", "y", "y", "z", "z"); /* right 1 1 0 0, CR 2/6, MCR 2/4 */
    add(b, 0, "x", "x", "x", "x", "z"); /* right 1 1 1 0, CR 3/6, MCR 3/4 */
    add(b, 0, "y", "y", "y", "y", "y"); /* right 1 1 1 1, CR 1,   MCR 1 */
    CHECK_OK(ch_measure_diff(up, a->list, b->list, 2, 1, 200, 3, &e), &e);
    CHECK_OK(ch_measure_diff(down, b->list, a->list, 2, 1, 200, 3, &e), &e);
    const double want[CH_M_COUNT] = {
        [CH_M_CR] = (3 / 6.0 + 1) / 2 - (1 / 6.0 + 2 / 6.0) / 2,
        [CH_M_MCR] = (3 / 4.0 + 1) / 2 - 2 / 4.0,
        [CH_M_ACC] = 7 / 8.0 - 4 / 8.0,
        [CH_M_WORST] = 1 / 2.0 - 0,
        [CH_M_BEST] = 1 - 1,
        [CH_M_SPREAD] = 1 / 2.0 - 1,
        [CH_M_ALL_CORRECT] = 1 / 2.0 - 0,
        [CH_M_CR_CORRECT] = (3 / 6.0 + 1) / 2 - 1 / 6.0,
        [CH_M_ROUGE1] = 7 / 8.0 - 4 / 8.0,
        [CH_M_ROUGEL] = 7 / 8.0 - 4 / 8.0,
        [CH_M_TOP] = 4 / 8.0 - 3 / 8.0,
        [CH_M_EMPTY] = 0 - 1 / 8.0,
    };
    for (int k = 0; k < CH_M_COUNT; k++) {
        CHECK_NEAR(up[k].value, want[k], 1e-12);
        CHECK_NEAR(down[k].value, -want[k], 1e-12);
        CHECK_NEAR(down[k].low, -up[k].high, 1e-9);
        CHECK_NEAR(down[k].high, -up[k].low, 1e-9);
        assert_true(up[k].low <= up[k].value && up[k].value <= up[k].high);
    }
    free(a);
    free(b);
}

/* Of 16 inputs each wording answers another four right. Hardly any draw is as even, so that the
 * worst wording comes out worse and the best better: the intervals are widened. */
static void an_interval_is_widened_where_drawing_is_biased(void **state CH_UNUSED)
{
    cases *c = cases_new();
    for (int i = 0; i < 16; i++)
        add(c, 0, "y", i % 4 == 0 ? "y" : "n", i % 4 == 1 ? "y" : "n", i % 4 == 2 ? "y" : "n",
            i % 4 == 3 ? "y" : "n");
    ch_measure m = measured(c, 1, 1000, 1);
    CHECK_NEAR(m.all[CH_M_WORST].value, 0.25, 1e-12);
    CHECK_NEAR(m.all[CH_M_WORST].high, 0.25, 1e-12);
    CHECK_NEAR(m.all[CH_M_BEST].low, 0.25, 1e-12);
    assert_true(m.all[CH_M_WORST].low < 0.2 && m.all[CH_M_BEST].high > 0.3);
    ch_measure_release(&m);
    free(c);
}

static void every_interval_holds_its_value(void **state CH_UNUSED)
{
    static const char *const say[] = {"yes", "no", "maybe", ""};
    ch_rng r = {.seed = 8};
    for (int round = 0; round < 200; round++) {
        cases *c = cases_new(), *o = cases_new();
        ch_stat diff[CH_M_COUNT];
        ch_err e = {0};
        int64_t n_tasks = 1 + ch_random_below(&r, 3);
        for (int64_t i = 0; i < n_tasks * 2; i++)
            for (int k = 0; k < 2; k++)
                add(k ? o : c, i % n_tasks, say[i % 2], say[ch_random_below(&r, 4)],
                    say[ch_random_below(&r, 4)], say[ch_random_below(&r, 4)],
                    say[ch_random_below(&r, 4)]);
        ch_measure m = measured(c, n_tasks, 60, 2);
        CHECK_OK(ch_measure_diff(diff, c->list, o->list, c->n, n_tasks, 60, 2, &e), &e);
        for (int k = 0; k < CH_M_COUNT; k++) {
            assert_true(m.all[k].low <= m.all[k].value && m.all[k].value <= m.all[k].high);
            assert_true(diff[k].low <= diff[k].value && diff[k].value <= diff[k].high);
        }
        ch_measure_release(&m);
        free(c);
        free(o);
    }
}

/* The same answers in another order: sums round differently, and that is no difference. */
static void rounding_is_neither_better_nor_worse(void **state CH_UNUSED)
{
    cases *a = cases_new(), *b = cases_new();
    ch_stat diff[CH_M_COUNT];
    ch_err e = {0};
    const char *gold = "one two three four five six seven";
    add(a, 0, gold, "one two", "one", "one two three four five", "six seven one");
    add(b, 0, gold, "six seven one", "one two three four five", "one", "one two");
    CHECK_OK(ch_measure_diff(diff, a->list, b->list, 1, 1, 50, 3, &e), &e);
    for (int k = 0; k < CH_M_COUNT; k++)
        assert_true(diff[k].low == 0 && diff[k].value == 0 && diff[k].high == 0);
    free(a);
    free(b);
}

static void kappa_is_that_of_a_table_worked_out_by_hand(void **state CH_UNUSED)
{
    const ch_verdicts hand = {20, 15, 30, 27}, no = {50, 0, 50, 50}, yes = {50, 50, 50, 0},
                      all = {10, 10, 40, 40}, wrong = {50, 0, 50, 0}, one = {0, 0, 50, 50};
    /* says same 15 + 3 of 50: chance 18/50 * 20/50 + 32/50 * 30/50 = 0.528; observed 42/50 */
    CHECK_NEAR(ch_kappa(&hand), (0.84 - 0.528) / (1 - 0.528), 1e-12);
    CHECK_NEAR(ch_balanced(&hand), (0.75 + 0.9) / 2, 1e-12);
    CHECK_NEAR(ch_kappa(&no), 0, 1e-12);
    CHECK_NEAR(ch_balanced(&no), 0.5, 1e-12);
    CHECK_NEAR(ch_kappa(&yes), 0, 1e-12);
    CHECK_NEAR(ch_balanced(&yes), 0.5, 1e-12);
    CHECK_NEAR(ch_kappa(&all), 1, 1e-12);
    CHECK_NEAR(ch_kappa(&wrong), -1, 1e-12);
    assert_true(isnan(ch_kappa(&one)) && isnan(ch_balanced(&one)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_after_less_before_in_every_metric),
        cmocka_unit_test(an_interval_is_widened_where_drawing_is_biased),
        cmocka_unit_test(every_interval_holds_its_value),
        cmocka_unit_test(rounding_is_neither_better_nor_worse),
        cmocka_unit_test(kappa_is_that_of_a_table_worked_out_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
