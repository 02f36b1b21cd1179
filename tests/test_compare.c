/* Two files of answers compared: which side is which, and what better means. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/compare.h"
#include "report/report.h"

enum { TASKS = 2, INPUTS = 3 };

/* Task 0 has 2 wordings, task 1 has 3. right[t][w] of the INPUTS are answered right under wording w,
 * the others with a word that no other wording gives, or with nothing. */
typedef struct {
    int right[TASKS][3];
    int empty; /* wrong answers are empty */
} script;

static void write_side(const char *path, const script *s)
{
    ch_str b = {0};
    ch_err e = {0};
    for (int t = 0, c = 0; t < TASKS; t++)
        for (int i = 0; i < INPUTS; i++, c++)
            for (int w = 0; w < 2 + t; w++) {
                char *answer = i < s->right[t][w] ? ch_fmt("gold %d", i)
                               : s->empty         ? ch_dup("")
                                                  : ch_fmt("odd %d", w);
                ch_str_addf(
                    &b,
                    "{\"task\":\"t%d\",\"id\":\"1\",\"case\":%d,\"w\":%d,\"wording\":\"w%d\","
                    "\"input\":\"i\",\"answer\":\"%s\",\"gold\":[\"gold %d\"],\"closed\":true,"
                    "\"stopped\":true,\"n_tokens\":2}\n",
                    t, c, w, w, answer, i);
                free(answer);
            }
    CHECK_OK(ch_file_write(path, ch_str_get(&b), b.n, &e), &e);
    ch_str_free(&b);
}

typedef struct {
    char *dir, *a, *b;
} files;

static files written(const script *a, const script *b)
{
    files f = {.dir = scratch_dir()};
    f.a = ch_path(f.dir, "a.jsonl");
    f.b = ch_path(f.dir, "b.jsonl");
    write_side(f.a, a);
    write_side(f.b, b);
    return f;
}

static void forget(files *f)
{
    scratch_remove(f->dir);
    free(f->a);
    free(f->b);
}

/* The worse side; the better one is right throughout in task 0. */
static const script low = {{{3, 1}, {2, 2, 2}}, 1}, high = {{{3, 3}, {2, 2, 2}}, 0};

static ch_comparison compared(const char *a, const char *b)
{
    ch_comparison *list, c;
    int64_t n;
    ch_err e = {0};
    CHECK_OK(ch_compare(&list, &n, a, b, 300, 5, &e), &e);
    assert_int_equal(n, 1);
    c = list[0];
    c.a = c.b = NULL;
    ch_comparisons_free(list, n);
    return c;
}

static void the_difference_is_b_less_a(void **state CH_UNUSED)
{
    files f = written(&low, &high);
    ch_comparison c = compared(f.a, f.b);
    assert_int_equal(c.n_tasks, TASKS);
    assert_int_equal(c.n_inputs, TASKS * INPUTS);
    assert_int_equal(c.n_wordings, 2);
    assert_int_equal(c.most_wordings, 3);
    /* A: task 0 right 1, 1/2, 1/2; task 1 right 1, 1, 0. B: all of task 0. */
    const struct {
        int metric;
        double a, b;
    } want[] = {
        {CH_M_CR, (1 + 0 + 0 + 1 + 1 + 0) / 6.0, (1 + 1 + 1 + 1 + 1 + 0) / 6.0},
        {CH_M_MCR, (1 + 1 / 2.0 + 1 / 2.0 + 1 + 1 + 1 / 3.0) / 6,
         (1 + 1 + 1 + 1 + 1 + 1 / 3.0) / 6},
        {CH_M_ACC, (1 + 1 / 2.0 + 1 / 2.0 + 1 + 1 + 0) / 6, 5 / 6.0},
        {CH_M_WORST, (1 / 3.0 + 2 / 3.0) / 2, (1 + 2 / 3.0) / 2},
        {CH_M_BEST, (1 + 2 / 3.0) / 2, (1 + 2 / 3.0) / 2},
        {CH_M_SPREAD, (2 / 3.0 + 0) / 2, 0},
        {CH_M_ALL_CORRECT, 3 / 6.0, 5 / 6.0},
        {CH_M_EMPTY, (0 + 1 / 2.0 + 1 / 2.0 + 0 + 0 + 1) / 6, 0},
        {CH_M_LENGTH, 2, 2},
        {CH_M_STOP, 1, 1},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        int k = want[i].metric;
        CHECK_NEAR(c.left[k].value, want[i].a, 1e-12);
        CHECK_NEAR(c.right[k].value, want[i].b, 1e-12);
        CHECK_NEAR(c.diff[k].value, want[i].b - want[i].a, 1e-12);
    }
    forget(&f);
}

static void swapped_sides_turn_every_sign(void **state CH_UNUSED)
{
    files f = written(&low, &high);
    ch_comparison there = compared(f.a, f.b), back = compared(f.b, f.a);
    for (int k = 0; k < CH_M_COUNT; k++) {
        assert_memory_equal(&there.left[k], &back.right[k], sizeof(ch_stat));
        CHECK_NEAR(there.diff[k].value, -back.diff[k].value, 1e-12);
        CHECK_NEAR(there.diff[k].low, -back.diff[k].high, 1e-9);
        CHECK_NEAR(there.diff[k].high, -back.diff[k].low, 1e-9);
        assert_true(there.diff[k].low <= there.diff[k].value &&
                    there.diff[k].value <= there.diff[k].high);
    }
    forget(&f);
}

/* Of metrics where less is better, less is better. */
static void the_verdict_knows_which_way_is_better(void **state CH_UNUSED)
{
    static const int more[] = {CH_M_CR,   CH_M_MCR,         CH_M_ACC,    CH_M_WORST,
                               CH_M_BEST, CH_M_ALL_CORRECT, CH_M_ROUGE1, CH_M_ROUGEL,
                               CH_M_STOP, CH_M_CR_CORRECT},
                     less[] = {CH_M_SPREAD, CH_M_EMPTY},
                     neither[] = {CH_M_LENGTH, CH_M_TOP, CH_M_TOP_GOLD};
    const ch_stat up = {0.2, 0.1, 0.3}, down = {-0.2, -0.3, -0.1}, on = {0.1, 0, 0.2},
                  under = {-0.1, -0.2, 0}, across = {0.1, -0.1, 0.2}, none = {0, 0, 0};
    int seen = 0;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++, seen++) {
        assert_int_equal(ch_diff_verdict(more[i], up), CH_V_BETTER);
        assert_int_equal(ch_diff_verdict(more[i], down), CH_V_WORSE);
    }
    for (size_t i = 0; i < sizeof less / sizeof *less; i++, seen++) {
        assert_int_equal(ch_diff_verdict(less[i], up), CH_V_WORSE);
        assert_int_equal(ch_diff_verdict(less[i], down), CH_V_BETTER);
    }
    for (size_t i = 0; i < sizeof neither / sizeof *neither; i++, seen++) {
        assert_int_equal(ch_diff_verdict(neither[i], up), CH_V_CHANGED);
        assert_int_equal(ch_diff_verdict(neither[i], down), CH_V_CHANGED);
    }
    assert_int_equal(seen, CH_M_COUNT);
    const ch_stat unclear[] = {on, under, across, none};
    for (size_t i = 0; i < 4; i++)
        for (int k = 0; k < CH_M_COUNT; k++)
            assert_int_equal(ch_diff_verdict(k, unclear[i]), CH_V_UNCLEAR);
}

static void other_questions_are_not_compared(void **state CH_UNUSED)
{
    files f = written(&low, &high);
    ch_comparison *list;
    int64_t n;
    ch_err e = {0};
    char *text;
    CHECK_OK(ch_file_read(f.b, &text, NULL, &e), &e);
    char *at = strstr(text, "\"w1\"");
    at[2] = '7';
    for (char *p = at + 1; (p = strstr(p, "\"w1\"")); p++)
        p[2] = '7';
    CHECK_OK(ch_file_write(f.b, text, strlen(text), &e), &e);
    CHECK_FAILS(ch_compare(&list, &n, f.a, f.b, 50, 1, &e), CH_EUSER, &e, "different questions");
    free(text);
    forget(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_is_b_less_a),
        cmocka_unit_test(swapped_sides_turn_every_sign),
        cmocka_unit_test(the_verdict_knows_which_way_is_better),
        cmocka_unit_test(other_questions_are_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
