#include "support/split_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Five tasks with inputs and wordings of their own, but for some that are equal after normalising,
 * within a task and between tasks. */
static ch_tasks tangled(void)
{
    ch_tasks t = tasks_new(5);
    for (int k = 0; k < 5; k++) {
        char name[16], in[32], say[32];
        snprintf(name, sizeof name, "t%d", k);
        snprintf(in, sizeof in, "in %d", k);
        snprintf(say, sizeof say, "say %d", k);
        t.list[k] = task_new(name, in, 40, say, 8, 0);
        for (int i = 0; i < 6; i++)
            set_input(&t.list[k], 10 + i, i % 2 ? "Shared by  ALL." : "shared by all");
        set_input(&t.list[k], 30, "Thing!");
        set_input(&t.list[k], 31, "thing");
        free(t.list[k].wordings[3]);
        t.list[k].wordings[3] = ch_dup(k % 2 ? "Shared Wording" : "shared wording.");
    }
    /* What one task says by itself, another has as one wording among others. */
    free(t.list[1].wordings[5]);
    t.list[1].wordings[5] = ch_dup("the instruction of t0");
    return t;
}

#define NO_SPLIT(tasks, more, word, ...)                                                           \
    do {                                                                                           \
        ch_split s_;                                                                               \
        ch_err e_ = {0};                                                                           \
        CHECK_FAILS(ch_split_make(&s_, (tasks), (more), &(ch_split_opts){__VA_ARGS__}, &e_),       \
                    CH_EUSER, &e_, (word));                                                        \
        assert_null(s_.list);                                                                      \
    } while (0)

/* ------------------------------------------------------------------ tests */

static void equal_texts_stay_on_one_side_across_tasks(void **state CH_UNUSED)
{
    ch_tasks t = tangled();
    for (uint64_t seed = 0; seed < 40; seed++)
        for (int by = CH_SPLIT_BOTH; by <= CH_SPLIT_TASK; by++) {
            ch_split s = made(&t, NULL, (ch_split_opts){.by = (ch_split_by)by, .seed = seed});
            if (by != CH_SPLIT_WORDING)
                assert_int_equal(shared(&s, 0, 1), 0);
            if (by != CH_SPLIT_INPUT)
                assert_int_equal(shared(&s, 1, 1), 0);
            int64_t trained = 0, tested = 0;
            for (int64_t i = 0; i < s.n; i++) {
                const ch_share *h = &s.list[i];
                trained += h->n_train;
                tested += h->n_test;
                assert_false(twice(h->train, h->n_train) || twice(h->dev, h->n_dev) ||
                             twice(h->test, h->n_test) || twice(h->train_w, h->n_train_w) ||
                             twice(h->test_w, h->n_test_w));
                assert_true(!h->n_train == !h->n_train_w && !h->n_test == !h->n_test_w);
                if (h->n_train)
                    assert_int_equal(h->train_w[0], 0);
                if (h->n_test)
                    assert_true(h->n_test_w >= 2);
            }
            assert_true(trained > 50 && tested >= 30);
            ch_split_release(&s);
        }
    ch_tasks_release(&t);
}

static void by_default_inputs_are_shared_60_10_30_and_wordings_halved(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 50, "say", 9, 0);
    ch_split s = made(&t, NULL, (ch_split_opts){.seed = 1});
    assert_int_equal(s.list[0].n_train, 30);
    assert_int_equal(s.list[0].n_dev, 5);
    assert_int_equal(s.list[0].n_test, 15);
    assert_int_equal(s.list[0].n_train_w, 1 + 4);
    assert_int_equal(s.list[0].n_test_w, 5);
    assert_int_equal(s.n_left_out, 0);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

static void numbers_that_are_asked_for_are_met(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 50, "say", 9, 0);
    ch_split_opts o = {.train_inputs = 7,
                       .dev_inputs = -1,
                       .test_inputs = 11,
                       .train_wordings = 2,
                       .test_wordings = 3,
                       .seed = 1};
    ch_split s = made(&t, NULL, o);
    assert_int_equal(s.list[0].n_train, 7);
    assert_int_equal(s.list[0].n_dev, 0);
    assert_int_equal(s.list[0].n_test, 11);
    assert_int_equal(s.list[0].n_train_w, 3);
    assert_int_equal(s.list[0].n_test_w, 3);
    ch_split_release(&s);
    s = made(&t, NULL, (ch_split_opts){.train_inputs = 20, .test_wordings = 7});
    assert_int_equal(s.list[0].n_train, 20);
    assert_int_equal(s.list[0].n_dev + s.list[0].n_test, 30);
    assert_int_equal(s.list[0].n_train_w, 1 + 2);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

static void the_other_ways_to_split_do_what_they_say(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 50, "say", 9, 0);
    ch_split s = made(&t, NULL, (ch_split_opts){.by = CH_SPLIT_INPUT});
    assert_int_equal(s.list[0].n_train_w, 10);
    assert_int_equal(s.list[0].n_test_w, 10);
    ch_split_release(&s);
    s = made(&t, NULL, (ch_split_opts){.by = CH_SPLIT_WORDING});
    assert_int_equal(s.list[0].n_train, 45);
    assert_int_equal(s.list[0].n_dev, 5);
    assert_int_equal(s.list[0].n_test, 45);
    assert_int_equal(shared(&s, 0, 0), 45);
    ch_split_release(&s);
    ch_tasks_release(&t);
    t = tangled();
    s = made(&t, NULL, (ch_split_opts){.by = CH_SPLIT_TASK, .test_tasks = 2});
    int64_t tested = 0;
    for (int64_t i = 0; i < s.n; i++) {
        tested += s.list[i].n_test > 0;
        assert_true(!s.list[i].n_test != !(s.list[i].n_train && s.list[i].n_dev));
    }
    assert_int_equal(tested, 2);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

static void the_seed_and_the_task_s_name_settle_the_split(void **state CH_UNUSED)
{
    ch_tasks two = tasks_new(2), one = tasks_new(1);
    two.list[0] = task_new("a", "x", 30, "p", 6, 0);
    two.list[1] = task_new("b", "y", 30, "q", 6, 0);
    one.list[0] = task_new("b", "y", 30, "q", 6, 0);
    ch_split s = made(&two, NULL, (ch_split_opts){.seed = 4});
    ch_split again = made(&two, NULL, (ch_split_opts){.seed = 4});
    ch_split other = made(&two, NULL, (ch_split_opts){.seed = 5});
    ch_split alone = made(&one, NULL, (ch_split_opts){.seed = 4});
    char *a = written(&s), *b = written(&again), *c = written(&other), *d = written(&alone);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_non_null(strstr(a, d)); /* b's share does not change when a joins */
    assert_true(strlen(d) < strlen(a));
    free(a);
    free(b);
    free(c);
    free(d);
    ch_split_release(&s);
    ch_split_release(&again);
    ch_split_release(&other);
    ch_split_release(&alone);
    ch_tasks_release(&two);
    ch_tasks_release(&one);
}

static void test_files_are_taken_whole_and_refused_when_they_overlap(void **state CH_UNUSED)
{
    ch_tasks train = tasks_new(1), test = tasks_new(1);
    train.list[0] = task_new("a", "in", 20, "say", 5, 0);
    test.list[0] = task_new("b", "in", 20, "say", 5, 100);
    ch_split_opts o = {.by = CH_SPLIT_FILES};
    ch_split s = made(&train, &test, o);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.list[0].n_train + s.list[0].n_dev, 20);
    assert_int_equal(s.list[0].n_train_w, 6);
    assert_int_equal(s.list[0].n_test, 0);
    assert_int_equal(s.list[1].n_test, 20);
    assert_int_equal(s.list[1].n_test_w, 5);
    assert_int_equal(s.list[1].n_train, 0);
    ch_split_release(&s);
    ch_err e = {0};
    set_input(&test.list[0], 3, "IN 7!");
    CHECK_OK(ch_split_make(&s, &train, &test, &o, &e), &e);
    CHECK_FAILS(ch_split_check(&s, o.by, &e), CH_EUSER, &e, "IN 7!");
    assert_non_null(strstr(e.msg, "a.json"));
    assert_non_null(strstr(e.msg, "b.json"));
    ch_split_release(&s);
    set_input(&test.list[0], 3, "another");
    free(test.list[0].wordings[0]);
    test.list[0].wordings[0] = ch_dup("the instruction of A");
    e = (ch_err){0};
    CHECK_OK(ch_split_make(&s, &train, &test, &o, &e), &e);
    CHECK_FAILS(ch_split_check(&s, o.by, &e), CH_EUSER, &e, "test wording");
    ch_split_release(&s);
    ch_tasks_release(&train);
    ch_tasks_release(&test);
}

static void the_check_sees_an_overlap_that_someone_puts_in(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 20, "say", 6, 0);
    ch_err e = {0};
    ch_split s = made(&t, NULL, (ch_split_opts){.seed = 1});
    int64_t keep = s.list[0].test[1];
    s.list[0].test[1] = s.list[0].train[2];
    CHECK_FAILS(ch_split_check(&s, CH_SPLIT_BOTH, &e), CH_EUSER, &e, "test input");
    e = (ch_err){0};
    s.list[0].test[1] = s.list[0].dev[0];
    CHECK_FAILS(ch_split_check(&s, CH_SPLIT_BOTH, &e), CH_EUSER, &e, "test input");
    e = (ch_err){0};
    CHECK_OK(ch_split_check(&s, CH_SPLIT_WORDING, &e), &e);
    s.list[0].test[1] = keep;
    s.list[0].test_w[0] = 0;
    CHECK_FAILS(ch_split_check(&s, CH_SPLIT_BOTH, &e), CH_EUSER, &e, "test wording");
    e = (ch_err){0};
    CHECK_OK(ch_split_check(&s, CH_SPLIT_INPUT, &e), &e);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

static void what_there_is_too_little_of_is_named(void **state CH_UNUSED)
{
    const int64_t vast = INT64_MAX;
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("small", "in", 10, "say", 4, 0);
    NO_SPLIT(&t, NULL, "small.json", .train_inputs = 11);
    NO_SPLIT(&t, NULL, "10 inputs", .train_inputs = 8, .test_inputs = 3);
    NO_SPLIT(&t, NULL, "4 wordings", .test_wordings = 5);
    NO_SPLIT(&t, NULL, "4 wordings", .train_wordings = 3);
    NO_SPLIT(&t, NULL, "4 wordings", .by = CH_SPLIT_INPUT, .test_wordings = 6);
    NO_SPLIT(&t, NULL, "9 trained", .by = CH_SPLIT_WORDING, .test_inputs = 10);
    NO_SPLIT(&t, NULL, "small.json", .train_inputs = vast, .dev_inputs = vast, .test_inputs = vast);
    NO_SPLIT(&t, NULL, "small.json", .train_wordings = vast, .test_wordings = vast);
    NO_SPLIT(&t, NULL, "1 tasks", .by = CH_SPLIT_TASK);
    NO_SPLIT(&t, NULL, "no tasks", .by = CH_SPLIT_FILES);
    ch_tasks none = {0};
    NO_SPLIT(&none, NULL, "no tasks", .seed = 1);
    for (int64_t i = 1; i < 10; i++)
        set_input(&t.list[0], i, "IN 0");
    NO_SPLIT(&t, NULL, "equal", .seed = 1);
    ch_tasks_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_stay_on_one_side_across_tasks),
        cmocka_unit_test(by_default_inputs_are_shared_60_10_30_and_wordings_halved),
        cmocka_unit_test(numbers_that_are_asked_for_are_met),
        cmocka_unit_test(the_other_ways_to_split_do_what_they_say),
        cmocka_unit_test(the_seed_and_the_task_s_name_settle_the_split),
        cmocka_unit_test(test_files_are_taken_whole_and_refused_when_they_overlap),
        cmocka_unit_test(the_check_sees_an_overlap_that_someone_puts_in),
        cmocka_unit_test(what_there_is_too_little_of_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
