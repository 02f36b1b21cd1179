/* Tasks by number and what a split of them holds, for the tests of splits. */
#ifndef CH_TESTS_SPLIT_TASKS_H
#define CH_TESTS_SPLIT_TASKS_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/intern.h"
#include "data/split.h"
#include "support/support.h"

/* A task of n inputs and w wordings; formats take the number. first is where the numbers begin. */
static CH_UNUSED ch_task task_new(const char *name, const char *input, int64_t n,
                                  const char *wording, int64_t w, int first)
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

static CH_UNUSED ch_tasks tasks_new(int64_t n)
{
    return (ch_tasks){.list = ch_new((size_t)n, sizeof(ch_task)), .n = n};
}

static CH_UNUSED void set_input(ch_task *t, int64_t i, const char *text)
{
    free(t->items[i].input);
    t->items[i].input = ch_dup(text);
}

static CH_UNUSED ch_split made(const ch_tasks *t, const ch_tasks *test, ch_split_opts o)
{
    ch_split s;
    ch_err e = {0};
    CHECK_OK(ch_split_make(&s, t, test, &o, &e), &e);
    CHECK_OK(ch_split_check(&s, o.by, &e), &e);
    return s;
}

/* Independent of the code under test: the texts of two lists that are equal after normalising. */
static CH_UNUSED int64_t shared(const ch_split *s, int wordings, int dev_too)
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

static CH_UNUSED int twice(const int64_t *list, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (list[i] == list[j])
                return 1;
    return 0;
}

/* What a split holds, as one text. */
static CH_UNUSED char *written(const ch_split *s)
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

#endif
