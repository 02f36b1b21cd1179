/* What holds of every split, over tasks drawn at random. */
#include "support/split_tasks.h"

#include <stdio.h>

#include "base/rng.h"

static int64_t below(ch_rng *r, int64_t n)
{
    return (int64_t)(ch_random_unit(r) * (double)n);
}

/* Up to five tasks of 1 to 30 inputs and 0 to 9 wordings; where `equal`, some are equal after
 * normalising, within and between tasks. */
static ch_tasks any_tasks(ch_rng *r, int equal, int enough)
{
    ch_tasks t = tasks_new(2 + below(r, 4));
    for (int k = 0; k < (int)t.n; k++) {
        char name[16], in[32], say[32];
        snprintf(name, sizeof name, "t%d", k);
        snprintf(in, sizeof in, "in %d of", k);
        snprintf(say, sizeof say, "say %d of", k);
        int64_t least = enough ? 4 : 0;
        t.list[k] =
            task_new(name, in, 1 + least + below(r, 30 - least), say, least + below(r, 6), 0);
        for (int64_t i = 0; equal && i < t.list[k].n_items; i++)
            if (below(r, 4) == 0)
                set_input(&t.list[k], i, below(r, 2) ? "Shared." : "in 0 of 3");
        for (int64_t i = 0; equal && i < t.list[k].n_wordings; i++)
            if (below(r, 6) == 0) {
                free(t.list[k].wordings[i]);
                t.list[k].wordings[i] = ch_fmt("shared %d", (int)below(r, 4));
            }
    }
    return t;
}

static int64_t any_count(ch_rng *r, int64_t most)
{
    return below(r, 2) ? 0 : below(r, 5) ? 1 + below(r, most) : -1;
}

static int holds(int64_t asked, int64_t got)
{
    return asked > 0 ? got == asked : asked == 0 || got == 0;
}

static void check_share(const ch_share *h, const ch_split_opts *o)
{
    const ch_task *t = h->task;
    int both = o->by != CH_SPLIT_TASK;
    assert_false(twice(h->train, h->n_train) || twice(h->dev, h->n_dev) ||
                 twice(h->test, h->n_test) || twice(h->train_w, h->n_train_w) ||
                 twice(h->test_w, h->n_test_w));
    assert_true(h->n_train + h->n_dev + (o->by == CH_SPLIT_WORDING ? 0 : h->n_test) <= t->n_items);
    if (both || h->n_train)
        assert_true(holds(o->train_inputs, h->n_train) && holds(o->dev_inputs, h->n_dev));
    if (both || h->n_test)
        assert_true(holds(o->test_inputs, h->n_test));
    if (h->n_test)
        assert_true(h->n_test_w >= 2 && (o->test_wordings < 1 || h->n_test_w == o->test_wordings));
    if (h->n_train)
        assert_true(h->train_w[0] == 0 &&
                    (o->train_wordings < 1 || h->n_train_w == 1 + o->train_wordings));
}

/* Independent of the code under test: texts trained on that are also watched. */
static int64_t watched(const ch_split *s)
{
    ch_split dev = {.list = ch_new((size_t)s->n, sizeof *dev.list), .n = s->n};
    for (int64_t i = 0; i < s->n; i++) {
        dev.list[i] = s->list[i];
        dev.list[i].test = s->list[i].dev;
        dev.list[i].n_test = s->list[i].n_dev;
    }
    int64_t n = shared(&dev, 0, 0);
    free(dev.list);
    return n;
}

static void whatever_the_tasks_nothing_tested_is_trained_on(void **state CH_UNUSED)
{
    ch_rng r = {.seed = 11};
    int64_t made_ones = 0;
    for (int round = 0; round < 1500; round++) {
        ch_tasks t = any_tasks(&r, 1, 0);
        const ch_split_opts o = {.by = (ch_split_by)below(&r, 4),
                                 .train_inputs = any_count(&r, 9),
                                 .dev_inputs = any_count(&r, 3),
                                 .test_inputs = any_count(&r, 6),
                                 .train_wordings = below(&r, 2) ? 0 : 1 + below(&r, 2),
                                 .test_wordings = below(&r, 2) ? 0 : 2 + below(&r, 2),
                                 .seed = (uint64_t)round};
        ch_split s, again;
        ch_err e = {0};
        if (ch_split_make(&s, &t, NULL, &o, &e) != CH_OK) {
            assert_true(e.code == CH_EUSER && strlen(e.msg) > 40 && !s.list);
            ch_tasks_release(&t);
            continue;
        }
        made_ones++;
        CHECK_OK(ch_split_check(&s, o.by, &e), &e);
        if (o.by != CH_SPLIT_WORDING)
            assert_int_equal(shared(&s, 0, 1), 0);
        if (o.by != CH_SPLIT_INPUT)
            assert_int_equal(shared(&s, 1, 1), 0);
        assert_int_equal(watched(&s), 0);
        for (int64_t i = 0; i < s.n; i++)
            check_share(&s.list[i], &o);
        CHECK_OK(ch_split_make(&again, &t, NULL, &o, &e), &e);
        char *a = written(&s), *b = written(&again);
        assert_string_equal(a, b);
        assert_int_equal(s.n_left_out, again.n_left_out);
        free(a);
        free(b);
        ch_split_release(&s);
        ch_split_release(&again);
        ch_tasks_release(&t);
    }
    assert_in_range(made_ones, 200, 1400);
}

/* Where tasks share nothing, a share is a matter of the task's name and the seed: tasks may come in
 * any order, and enough of everything is never refused. */
static void tasks_that_share_nothing_do_not_change_each_other(void **state CH_UNUSED)
{
    ch_rng r = {.seed = 12};
    for (int round = 0; round < 300; round++) {
        ch_tasks t = any_tasks(&r, 0, 1),
                 turned = {.list = ch_new((size_t)t.n, sizeof(ch_task)), t.n};
        for (int64_t i = 0; i < t.n; i++)
            turned.list[i] = t.list[t.n - 1 - i];
        const ch_split_opts o = {.by = (ch_split_by)below(&r, 3), .seed = (uint64_t)round};
        ch_split a = made(&t, NULL, o), b = made(&turned, NULL, o);
        assert_int_equal(a.n_left_out, 0);
        for (int64_t i = 0; i < a.n; i++) {
            const ch_split x = {.list = &a.list[i], .n = 1},
                           y = {.list = &b.list[a.n - 1 - i], .n = 1};
            char *p = written(&x), *q = written(&y);
            assert_string_equal(p, q);
            free(p);
            free(q);
        }
        ch_split_release(&a);
        ch_split_release(&b);
        free(turned.list);
        ch_tasks_release(&t);
    }
}

/* Rounding must not take a side's last input: of 2 inputs that are left, test would round to both. */
static void each_side_gets_one_where_there_is_one(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 10, "say", 4, 0);
    ch_split s = made(&t, NULL, (ch_split_opts){.train_inputs = 8, .seed = 1});
    assert_int_equal(s.list[0].n_train, 8);
    assert_int_equal(s.list[0].n_dev, 1);
    assert_int_equal(s.list[0].n_test, 1);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

/* Twins of what is used are lost only where some side wanted them. */
static void what_nobody_wanted_is_not_left_out(void **state CH_UNUSED)
{
    ch_tasks t = tasks_new(1);
    t.list[0] = task_new("a", "in", 20, "say", 4, 0);
    for (int64_t i = 1; i < 10; i++)
        set_input(&t.list[0], i, "In 0.");
    ch_split s =
        made(&t, NULL, (ch_split_opts){.train_inputs = 2, .dev_inputs = -1, .test_inputs = 2});
    assert_int_equal(s.n_left_out, 0);
    ch_split_release(&s);
    s = made(&t, NULL, (ch_split_opts){.dev_inputs = -1, .test_inputs = 2, .seed = 3});
    int64_t used = s.list[0].n_train + s.list[0].n_test;
    assert_true(s.n_left_out > 0 || used == 20);
    assert_int_equal(s.n_left_out, 20 - used);
    ch_split_release(&s);
    ch_tasks_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_tasks_nothing_tested_is_trained_on),
        cmocka_unit_test(tasks_that_share_nothing_do_not_change_each_other),
        cmocka_unit_test(each_side_gets_one_where_there_is_one),
        cmocka_unit_test(what_nobody_wanted_is_not_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
