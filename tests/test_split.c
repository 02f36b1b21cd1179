#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/intern.h"
#include "data/split.h"

/* A task of n inputs and w wordings; formats take the number. first is where the numbers begin. */
static ch_task task_new(const char *name, const char *input, int64_t n, const char *wording,
                        int64_t w, int first)
{
    ch_task t = {.name = ch_dup(name), .path = ch_fmt("%s.json", name), .n_items = n};
    t.instruction = ch_fmt("The instruction of %s.", name);
    t.items = ch_new((size_t)n + 1, sizeof *t.items);
    t.wordings = ch_new((size_t)w + 1, sizeof *t.wordings);
    t.n_wordings = w;
    for (int i = 0; i < n; i++)
        t.items[i].input = ch_fmt("%s %d", input, first + i);
    for (int i = 0; i < w; i++)
        t.wordings[i] = ch_fmt("%s %d", wording, first + i);
    return t;
}

static ch_tasks tasks_new(int64_t n)
{
    return (ch_tasks){.list = ch_new((size_t)n, sizeof(ch_task)), .n = n};
}

static void set_input(ch_task *t, int64_t i, const char *text)
{
    free(t->items[i].input);
    t->items[i].input = ch_dup(text);
}

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

static ch_split made(const ch_tasks *t, const ch_tasks *test, ch_split_opts o)
{
    ch_split s;
    ch_err e = {0};
    CHECK_OK(ch_split_make(&s, t, test, &o, &e), &e);
    CHECK_OK(ch_split_check(&s, o.by, &e), &e);
    return s;
}

#define NO_SPLIT(tasks, more, word, ...)                                                           \
    do {                                                                                           \
        ch_split s_;                                                                               \
        ch_err e_ = {0};                                                                           \
        CHECK_FAILS(ch_split_make(&s_, (tasks), (more), &(ch_split_opts){__VA_ARGS__}, &e_),       \
                    CH_EUSER, &e_, (word));                                                        \
        assert_null(s_.list);                                                                      \
    } while (0)

/* Independent of the code under test: the texts of two lists that are equal after normalising. */
static int64_t shared(const ch_split *s, int wordings, int dev_too)
{
    ch_intern seen = {0};
    int64_t n = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t k = 0; wordings && k < h->n_train_w; k++)
            ch_intern_key(&seen, ch_task_wording(h->task, h->train_w[k]));
        for (int64_t k = 0; !wordings && k < h->n_train; k++)
            ch_intern_key(&seen, h->task->items[h->train[k]].input);
        for (int64_t k = 0; !wordings && dev_too && k < h->n_dev; k++)
            ch_intern_key(&seen, h->task->items[h->dev[k]].input);
    }
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t k = 0; k < (wordings ? h->n_test_w : h->n_test); k++) {
            char *key = ch_text_key(wordings ? ch_task_wording(h->task, h->test_w[k])
                                             : h->task->items[h->test[k]].input);
            n += ch_intern_find(&seen, key) >= 0;
            free(key);
        }
    }
    ch_intern_free(&seen);
    return n;
}

static int twice(const int64_t *list, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (list[i] == list[j])
                return 1;
    return 0;
}

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

/* What a split holds, as one text. */
static char *written(const ch_split *s)
{
    char *out = ch_dup("");
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        const int64_t *const lists[] = {h->train, h->dev, h->test, h->train_w, h->test_w};
        const int64_t n[] = {h->n_train, h->n_dev, h->n_test, h->n_train_w, h->n_test_w};
        for (int k = 0; k < 5; k++)
            for (int64_t j = 0; j < n[k]; j++) {
                char *more = ch_fmt("%s %lld%c", out, (long long)lists[k][j], 'a' + k);
                free(out);
                out = more;
            }
    }
    return out;
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

/* ------------------------------------------------------------------ any tasks */

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
