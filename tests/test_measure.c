#include "support/hand_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define VALUE(metric, want) CHECK_NEAR(m.all[metric].value, (want), 1e-12)

/* ------------------------------------------------------------------ agreement */

static void answers_agree_when_they_are_equal_after_normalising(void **state CH_UNUSED)
{
    const char *a[] = {"Spam.", " spam", "ham", "?", "!", " ? ", "", "", " \n"};
    unsigned char same[81];
    memset(same, 7, sizeof same);
    ch_same_exact(a, 9, same);
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 9; j++) {
            int want = i == j || i + j == 1 || (i + j == 8 && (i == 3 || i == 5));
            if (same[i * 9 + j] != want)
                fail_msg("\"%s\" and \"%s\": %d", a[i], a[j], same[i * 9 + j]);
        }
}

/* Each is a cluster of its own: a model that says nothing is not consistent. */
static void empty_answers_agree_with_nothing_and_are_counted(void **state CH_UNUSED)
{
    cases *c = cases_new();
    add(c, 0, "a", "", "", " ", "");
    add(c, 0, "a", "a", "", "a", "\xC2\xA0");
    ch_measure m = measured(c, 1, 20, 1);
    VALUE(CH_M_CR, (0 + 1 / 6.0) / 2);
    VALUE(CH_M_MCR, (1 / 4.0 + 2 / 4.0) / 2);
    VALUE(CH_M_ACC, (0 + 2 / 4.0) / 2);
    VALUE(CH_M_EMPTY, 6 / 8.0);
    VALUE(CH_M_TOP, 6 / 8.0); /* saying nothing is what it says most often */
    ch_measure_release(&m);
    free(c);
}

static void cr_counts_each_pair_once(void **state CH_UNUSED)
{
    const char *a[] = {"x", "x", "x", "y"};
    unsigned char same[16];
    ch_same_exact(a, 4, same);
    CHECK_NEAR(ch_cr(same, 4), 3 / 6.0, 1e-12);
    CHECK_NEAR(ch_mcr(same, 4), 3 / 4.0, 1e-12);
    const char *b[] = {"x", "y"};
    ch_same_exact(b, 2, same);
    CHECK_NEAR(ch_cr(same, 2), 0, 1e-12);
    CHECK_NEAR(ch_mcr(same, 2), 1 / 2.0, 1e-12);
}

/* A judge's sim need not be transitive: 1 agrees with 0 and 2, 0 and 2 do not agree, 3 agrees
 * with 2. */
static void mcr_compares_with_the_first_member_of_a_cluster_only(void **state CH_UNUSED)
{
    const unsigned char same[] = {1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1};
    CHECK_NEAR(ch_cr(same, 4), 3 / 6.0, 1e-12);
    CHECK_NEAR(ch_mcr(same, 4), 2 / 4.0, 1e-12); /* {0, 1}, {2, 3}; by any member it were 4/4 */
}

static void an_empty_answer_is_never_right(void **state CH_UNUSED)
{
    const char *gold[] = {"?", "Blue box"};
    assert_int_equal(ch_exact("blue  BOX.", gold, 2), 1);
    assert_int_equal(ch_exact("?", gold, 2), 1);
    assert_int_equal(ch_exact("!", gold, 2), 0);
    assert_int_equal(ch_exact("blue", gold, 2), 0);
    const char *nothing[] = {""};
    assert_int_equal(ch_exact("", nothing, 1), 0);
    assert_int_equal(ch_exact("  ", nothing, 1), 0);
    assert_int_equal(ch_exact("blue", NULL, 0), 0);
}

/* ------------------------------------------------------------------ figures */

static void figures_of_two_small_tasks_are_those_worked_out_by_hand(void **state CH_UNUSED)
{
    cases *c = cases_new();
    add(c, 0, "a", "a", "A", "a.", "b"); /* CR 3/6, right 1 1 1 0 */
    add(c, 0, "b", "b", "a", "a", "b");  /* CR 2/6, right 1 0 0 1 */
    add(c, 1, "c", "c", "c", "c", "c");  /* CR 1,   right 1 1 1 1 */
    ch_measure m = measured(c, 2, 50, 1);
    VALUE(CH_M_CR, (3 / 6.0 + 2 / 6.0 + 1) / 3);
    VALUE(CH_M_MCR, (3 / 4.0 + 2 / 4.0 + 1) / 3);
    VALUE(CH_M_ACC, (3 / 4.0 + 2 / 4.0 + 1) / 3);
    VALUE(CH_M_WORST, (1 / 2.0 + 1) / 2); /* by wording in task 0: 2/2 1/2 1/2 1/2 */
    VALUE(CH_M_BEST, 1);
    VALUE(CH_M_SPREAD, (1 / 2.0 + 0) / 2);
    VALUE(CH_M_ALL_CORRECT, 1 / 3.0);
    VALUE(CH_M_CR_CORRECT, (3 / 6.0 + 1 / 6.0 + 1) / 3);
    VALUE(CH_M_ROUGE1, (3 / 4.0 + 2 / 4.0 + 1) / 3);
    VALUE(CH_M_LENGTH, 2.5);
    VALUE(CH_M_STOP, 0.75);
    VALUE(CH_M_TOP, (5 / 8.0 + 1) / 2);
    VALUE(CH_M_TOP_GOLD, (1 / 2.0 + 1) / 2);
    CHECK_NEAR(m.by_task[0][CH_M_CR], 5 / 12.0, 1e-12);
    CHECK_NEAR(m.by_task[0][CH_M_WORST], 0.5, 1e-12);
    CHECK_NEAR(m.by_task[1][CH_M_CR], 1, 1e-12);
    assert_int_equal(m.n_tasks, 2);
    assert_int_equal(m.n_measured, 2);
    assert_int_equal(m.n_cases, 3);
    assert_int_equal(m.n_wordings, W);
    ch_measure_release(&m);
    free(c);
}

/* A judge may call a wrong answer the same as a right one. */
static void cr_of_right_answers_wants_both_sides_right(void **state CH_UNUSED)
{
    cases *c = cases_new();
    add(c, 0, "a", "a", "a", "b", "b");
    memset(c->same[0], 1, sizeof c->same[0]);
    ch_measure m = measured(c, 1, 20, 1);
    VALUE(CH_M_CR, 1);
    VALUE(CH_M_CR_CORRECT, 1 / 6.0);
    ch_measure_release(&m);
    free(c);
}

static void a_task_without_cases_is_left_out_of_the_means(void **state CH_UNUSED)
{
    cases *c = cases_new();
    add(c, 2, "a", "a", "a", "b", "b");
    ch_measure m = measured(c, 4, 20, 1);
    VALUE(CH_M_WORST, 0);
    VALUE(CH_M_BEST, 1);
    VALUE(CH_M_TOP, 0.5);
    assert_int_equal(m.n_measured, 1);
    assert_true(isnan(m.by_task[0][CH_M_CR]));
    assert_true(isfinite(m.by_task[2][CH_M_CR]));
    ch_measure_release(&m);
    free(c);
}

static void every_metric_has_a_key_of_its_own(void **state CH_UNUSED)
{
    for (int i = 0; i < CH_M_COUNT; i++) {
        assert_non_null(ch_metrics[i].key);
        assert_non_null(ch_metrics[i].title);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ch_metrics[i].key, ch_metrics[j].key);
    }
}

/* ------------------------------------------------------------------ intervals */

/* n cases of one task, right under all wordings with chance p. */
static cases *coin_flips(int64_t tasks, int64_t n, double p)
{
    cases *c = cases_new();
    ch_rng r = {.seed = 5};
    for (int64_t t = 0; t < tasks; t++)
        for (int64_t i = 0; i < n; i++) {
            const char *a = ch_random_unit(&r) < p ? "yes" : "no";
            add(c, t, "yes", a, a, a, a);
        }
    return c;
}

static void the_interval_of_one_task_is_as_wide_as_theory_says(void **state CH_UNUSED)
{
    cases *c = coin_flips(1, 200, 0.3);
    ch_measure m = measured(c, 1, 4000, 9);
    ch_stat s = m.all[CH_M_ACC];
    double wide = 2 * 1.96 * sqrt(s.value * (1 - s.value) / 200);
    assert_true(s.low < s.value && s.value < s.high);
    if (!(fabs((s.high - s.low) / wide - 1) < 0.1))
        fail_msg("interval %g wide, theory says %g", s.high - s.low, wide);
    ch_measure_release(&m);
    free(c);
}

/* Within a task nothing varies, so that all of the width comes from drawing tasks. */
static void tasks_are_drawn_before_cases(void **state CH_UNUSED)
{
    cases *c = cases_new();
    for (int64_t t = 0; t < 20; t++)
        for (int i = 0; i < 20; i++) {
            const char *a = t % 2 ? "yes" : "no";
            add(c, t, "yes", a, a, a, a);
        }
    ch_measure m = measured(c, 20, 4000, 9);
    ch_stat s = m.all[CH_M_ACC];
    double by_task = 2 * 1.96 * sqrt(0.25 / 20), by_case = 2 * 1.96 * sqrt(0.25 / 400);
    CHECK_NEAR(s.value, 0.5, 1e-12);
    if (!(fabs((s.high - s.low) / by_task - 1) < 0.1))
        fail_msg("interval %g wide, by task it is %g, by case %g", s.high - s.low, by_task,
                 by_case);
    CHECK_NEAR(m.all[CH_M_CR].low, 1, 1e-12);
    CHECK_NEAR(m.all[CH_M_CR].high, 1, 1e-12);
    ch_measure_release(&m);
    free(c);
}

static void the_seed_settles_every_bit(void **state CH_UNUSED)
{
    cases *c = coin_flips(3, 30, 0.5);
    ch_measure a = measured(c, 3, 0, 9), b = measured(c, 3, 1000, 9), d = measured(c, 3, 0, 10);
    CHECK_SAME_BYTES(a.all, b.all, sizeof a.all);
    assert_true(memcmp(a.all, d.all, sizeof a.all) != 0);
    ch_measure_release(&a);
    ch_measure_release(&b);
    ch_measure_release(&d);
    free(c);
}

static void a_difference_is_resampled_in_pairs(void **state CH_UNUSED)
{
    cases *before = cases_new(), *after = cases_new();
    ch_rng r = {.seed = 6};
    for (int64_t i = 0; i < 200; i++) {
        /* One wording in four becomes right in each case, whatever the others were. */
        const char *a = ch_random_unit(&r) < 0.5 ? "yes" : "no";
        add(before, i / 100, "yes", a, a, a, "no");
        add(after, i / 100, "yes", a, a, a, "yes");
    }
    ch_stat diff[CH_M_COUNT];
    ch_err e = {0};
    CHECK_OK(ch_measure_diff(diff, before->list, after->list, 200, 2, 500, 3, &e), &e);
    CHECK_NEAR(diff[CH_M_ACC].value, 0.25, 1e-12);
    CHECK_NEAR(diff[CH_M_ACC].low, 0.25, 1e-12); /* unpaired it would be some 0.2 wide */
    CHECK_NEAR(diff[CH_M_ACC].high, 0.25, 1e-12);
    assert_true(diff[CH_M_CR].low < diff[CH_M_CR].high);
    CHECK_OK(ch_measure_diff(diff, after->list, before->list, 200, 2, 500, 3, &e), &e);
    CHECK_NEAR(diff[CH_M_ACC].value, -0.25, 1e-12);
    after->gold[7][0] = "maybe";
    CHECK_FAILS(ch_measure_diff(diff, before->list, after->list, 200, 2, 500, 3, &e), CH_EUSER, &e,
                "case 7");
    free(before);
    free(after);
}

/* ------------------------------------------------------------------ alarm and refusals */

static void one_word_to_everything_sounds_the_alarm(void **state CH_UNUSED)
{
    cases *c = cases_new();
    for (int i = 0; i < 20; i++)
        add(c, 0, i % 2 ? "spam" : "ham", "ham", "Ham", "ham.", "ham");
    ch_measure m = measured(c, 1, 20, 1);
    VALUE(CH_M_CR, 1);
    assert_int_equal(m.collapsed, 1);
    assert_int_equal(m.n_collapsed, 1);
    assert_non_null(strstr(m.alarm, "\"ham\" is 100 %"));
    assert_non_null(strstr(m.alarm, "50 %"));
    ch_measure_release(&m);
    free(c);
}

static void one_collapsed_task_of_many_is_said_and_does_not_condemn_all(void **state CH_UNUSED)
{
    cases *c = cases_new();
    for (int64_t t = 0; t < 4; t++)
        for (int i = 0; i < 10; i++) {
            const char *gold = i % 2 ? "spam" : "ham", *a = t == 2 ? "spam" : gold;
            add(c, t, gold, a, a, a, a);
        }
    ch_measure m = measured(c, 4, 20, 1);
    assert_int_equal(m.collapsed, 0);
    assert_int_equal(m.n_collapsed, 1);
    assert_non_null(strstr(m.alarm, "in 1 of 4 tasks"));
    assert_non_null(strstr(m.alarm, "spam"));
    ch_measure_release(&m);
    free(c);
}

/* The worst first, three of them by name. */
static void collapsed_tasks_are_named(void **state CH_UNUSED)
{
    static const char *const names[] = {"alpha", "beta", "gamma", "delta", "fine"};
    cases *c = cases_new();
    ch_measure m;
    ch_err e = {0};
    for (int64_t t = 0; t < 5; t++)
        for (int i = 0; i < 10; i++) {
            const char *gold = i % 2 ? "spam" : "ham", *a = t == 4 ? gold : i < 7 + t ? "spam" : "";
            add(c, t, gold, a, a, a, a);
        }
    CHECK_OK(ch_measure_make(&m, c->list, c->n, 5, names, 20, 1, &e), &e);
    assert_int_equal(m.n_collapsed, 3); /* alpha: 7 of 10 against 5 of 10 is not too far */
    assert_int_equal(m.collapse[0].task, 3);
    assert_int_equal(m.collapse[2].task, 1);
    assert_string_equal(m.collapse[0].answer, "spam");
    assert_non_null(strstr(m.alarm, "in 3 of 5 tasks"));
    assert_non_null(strstr(m.alarm, "in delta \"spam\" is 100 %"));
    assert_true(strstr(m.alarm, "in delta") < strstr(m.alarm, "in gamma"));
    assert_true(strstr(m.alarm, "in gamma") < strstr(m.alarm, "in beta"));
    assert_null(strstr(m.alarm, "alpha"));
    ch_measure_release(&m);
    free(c);
}

static void right_answers_that_are_all_the_same_are_no_collapse(void **state CH_UNUSED)
{
    cases *c = cases_new();
    for (int i = 0; i < 20; i++)
        add(c, 0, "ham", "ham", "ham", "ham", "ham");
    ch_measure m = measured(c, 1, 20, 1);
    assert_int_equal(m.collapsed, 0);
    assert_string_equal(m.alarm, "");
    ch_measure_release(&m);
    free(c);
}

static void what_cannot_be_measured_is_refused(void **state CH_UNUSED)
{
    ch_measure m;
    ch_err e = {0};
    cases *c = cases_new();
    CHECK_FAILS(ch_measure_make(&m, c->list, 0, 1, NULL, 10, 1, &e), CH_EEMPTY, &e, "no answers");
    add(c, 0, "a", "a", "a", "a", "a");
    add(c, 0, "a", "a", "a", "a", "a");
    c->list[1].n = 3;
    e = (ch_err){0};
    CHECK_FAILS(ch_measure_make(&m, c->list, 2, 1, NULL, 10, 1, &e), CH_EUSER, &e, "3 answers");
    c->list[1].n = 1;
    e = (ch_err){0};
    CHECK_FAILS(ch_measure_make(&m, c->list, 2, 1, NULL, 10, 1, &e), CH_EUSER, &e, "at least 2");
    c->list[1].n = W;
    c->list[1].task = 1;
    e = (ch_err){0};
    CHECK_FAILS(ch_measure_make(&m, c->list, 2, 1, NULL, 10, 1, &e), CH_EUSER, &e, "task 1");
    c->list[1].task = 0;
    c->list[1].n_gold = 0;
    e = (ch_err){0};
    CHECK_FAILS(ch_measure_make(&m, c->list, 2, 1, NULL, 10, 1, &e), CH_EUSER, &e, "right answer");
    c->list[1].n_gold = 1;
    e = (ch_err){0};
    CHECK_FAILS(ch_measure_make(&m, c->list, 2, 1, NULL, -1, 1, &e), CH_EUSER, &e, "resamples");
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_agree_when_they_are_equal_after_normalising),
        cmocka_unit_test(empty_answers_agree_with_nothing_and_are_counted),
        cmocka_unit_test(collapsed_tasks_are_named),
        cmocka_unit_test(cr_counts_each_pair_once),
        cmocka_unit_test(mcr_compares_with_the_first_member_of_a_cluster_only),
        cmocka_unit_test(an_empty_answer_is_never_right),
        cmocka_unit_test(figures_of_two_small_tasks_are_those_worked_out_by_hand),
        cmocka_unit_test(cr_of_right_answers_wants_both_sides_right),
        cmocka_unit_test(a_task_without_cases_is_left_out_of_the_means),
        cmocka_unit_test(every_metric_has_a_key_of_its_own),
        cmocka_unit_test(the_interval_of_one_task_is_as_wide_as_theory_says),
        cmocka_unit_test(tasks_are_drawn_before_cases),
        cmocka_unit_test(the_seed_settles_every_bit),
        cmocka_unit_test(a_difference_is_resampled_in_pairs),
        cmocka_unit_test(one_word_to_everything_sounds_the_alarm),
        cmocka_unit_test(one_collapsed_task_of_many_is_said_and_does_not_condemn_all),
        cmocka_unit_test(right_answers_that_are_all_the_same_are_no_collapse),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
