#include "data/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/intern.h"

enum { TEST, DEV, TRAIN, N_SIDES, FREE = -1, MIN_TEST_WORDINGS = 2, TASKS_A_TEST_TASK = 8 };
enum { SHARE_TEST = 30, SHARE_DEV = 10, SHARE_TRAIN = 60 };
/* Added to a task's hash, so that inputs and wordings of a task are shuffled apart. */
enum { STREAM_INPUTS = 1, STREAM_WORDINGS = 2, STREAM_TASKS = 3 };

/* Which side every text belongs to, over all tasks. */
typedef struct {
    ch_intern keys;
    int *side;
    int64_t cap;
} sides;

static int *side_of(sides *s, const char *text)
{
    int64_t before = s->keys.n, id = ch_intern_key(&s->keys, text);
    if (id >= s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->side = ch_grow(s->side, (size_t)s->cap, sizeof *s->side);
    }
    if (s->keys.n > before)
        s->side[id] = FREE;
    return &s->side[id];
}

static void sides_free(sides *s)
{
    ch_intern_free(&s->keys);
    free(s->side);
}

typedef struct {
    ch_split *s;
    const ch_split_opts *o;
    sides inputs, wordings;
    ch_err *e;
} maker;

/* first..first+n-1 in an order that depends on the seed, the task and what is shuffled. */
static int64_t *shuffled(const maker *m, const char *name, uint64_t what, int64_t first, int64_t n)
{
    int64_t *order = ch_new((size_t)n + 1, sizeof *order);
    ch_rng r = ch_rng_of(m->o->seed, CH_USE_SPLIT, ch_name_hash(name) + what);
    for (int64_t i = 0; i < n; i++)
        order[i] = first + i;
    ch_shuffle(&r, order, n);
    return order;
}

/* ------------------------------------------------------------------ how many */

/* Settles want[]: a positive number stands, below 0 is none, 0 takes its part of what is left of n.
 * The last side that shares takes the rest, so that nothing is lost to rounding; each gets at least
 * one if it can, whatever rounding would give to those before it. */
static void share_out(int64_t n, const int *weight, int64_t *want)
{
    int64_t left = n, weights = 0, sharing = 0;
    for (int k = 0; k < N_SIDES; k++) {
        if (want[k] > 0)
            left = want[k] < left ? left - want[k] : 0;
        weights += want[k] == 0 ? weight[k] : 0;
        sharing += want[k] == 0 && weight[k];
    }
    for (int k = 0; k < N_SIDES; k++) {
        if (want[k] != 0 || !weight[k]) {
            want[k] = want[k] < 0 ? 0 : want[k];
            continue;
        }
        int64_t part = left > 0 ? (left * weight[k] + weights / 2) / weights : 0;
        sharing--;
        part = part < left - sharing ? part : left - sharing;
        want[k] = part > 0 ? part : 1;
        left -= want[k];
        weights -= weight[k];
    }
}

/* ------------------------------------------------------------------ inputs */

static int64_t **side_list(ch_share *h, int side, int64_t **n)
{
    *n = side == TEST ? &h->n_test : side == DEV ? &h->n_dev : &h->n_train;
    return side == TEST ? &h->test : side == DEV ? &h->dev : &h->train;
}

/* 1 when a text that was not used, of that side, is one that another side still lacks. */
static int is_missed(const int64_t lacks[N_SIDES], int side)
{
    int missed = 0;
    for (int k = TEST; k < N_SIDES; k++)
        missed |= side != FREE && k != side && lacks[k] > 0;
    return missed;
}

/* Gives the task's inputs out, test first; an input whose text already has a side (from a duplicate
 * or another task) can go nowhere else. Two passes, so that those with a side are placed before
 * free ones fill it. */
static void deal_inputs(maker *m, ch_share *h, const int64_t *want)
{
    const ch_task *t = h->task;
    int64_t *order = shuffled(m, t->name, STREAM_INPUTS, 0, t->n_items), *n;
    unsigned char *used = ch_new((size_t)t->n_items + 1, 1);
    for (int side = TEST; side < N_SIDES; side++)
        *side_list(h, side, &n) = ch_new((size_t)t->n_items + 1, sizeof(int64_t));
    for (int k = 0; k < 2 * N_SIDES; k++) {
        int pass = k / N_SIDES, side = k % N_SIDES;
        int64_t *list = *side_list(h, side, &n);
        for (int64_t i = 0; i < t->n_items && *n < want[side]; i++) {
            int *of = used[order[i]] ? NULL : side_of(&m->inputs, t->items[order[i]].input);
            if (!of || (*of != side && (pass == 0 || *of != FREE)))
                continue;
            *of = side;
            used[order[i]] = 1;
            list[(*n)++] = order[i];
        }
    }
    int64_t lacks[N_SIDES];
    for (int side = TEST; side < N_SIDES; side++) {
        side_list(h, side, &n);
        lacks[side] = want[side] - *n;
    }
    for (int64_t i = 0; i < t->n_items; i++)
        m->s->n_left_out += !used[i] && is_missed(lacks, *side_of(&m->inputs, t->items[i].input));
    free(order);
    free(used);
}

/* A number that was asked for must be met; a shared-out one may come out smaller, where equal
 * inputs had to stay together, but not as none. */
static ch_code inputs_dealt(const maker *m, const ch_share *h, const int64_t *asked,
                            const int64_t *want)
{
    const int64_t got[N_SIDES] = {h->n_test, h->n_dev, h->n_train};
    int fine = 1;
    for (int k = 0; k < N_SIDES; k++)
        fine &= asked[k] > 0 ? got[k] == want[k] : got[k] > 0 || want[k] == 0;
    if (fine)
        return CH_OK;
    return ch_fail(m->e, CH_EUSER,
                   "%s: has %lld inputs of which %lld train, %lld dev and %lld test could be "
                   "dealt, wanted are %lld, %lld and %lld; ask for fewer, or add inputs (equal "
                   "ones stay on one side)",
                   h->task->path, (long long)h->task->n_items, (long long)h->n_train,
                   (long long)h->n_dev, (long long)h->n_test, (long long)want[TRAIN],
                   (long long)want[DEV], (long long)want[TEST]);
}

/* trained, tested: which sides the task is on. */
static ch_code split_inputs(maker *m, ch_share *h, int trained, int tested)
{
    const ch_split_opts *o = m->o;
    int weight[N_SIDES] = {tested ? SHARE_TEST : 0, trained ? SHARE_DEV : 0,
                           trained ? SHARE_TRAIN : 0};
    if (o->by == CH_SPLIT_NONE)
        weight[TRAIN] += SHARE_TEST;
    const int64_t asked[N_SIDES] = {tested ? o->test_inputs : -1, trained ? o->dev_inputs : -1,
                                    trained ? o->train_inputs : -1};
    int64_t want[N_SIDES];
    memcpy(want, asked, sizeof want);
    share_out(h->task->n_items, weight, want);
    deal_inputs(m, h, want);
    return inputs_dealt(m, h, asked, want);
}

/* By wording: dev is set apart, the rest trained, and the test asks about the trained inputs. */
static ch_code same_inputs(maker *m, ch_share *h)
{
    const ch_split_opts *o = m->o;
    int weight[N_SIDES] = {0, SHARE_DEV, 100 - SHARE_DEV};
    const int64_t asked[N_SIDES] = {-1, o->dev_inputs, o->train_inputs};
    int64_t want[N_SIDES], test = o->test_inputs;
    memcpy(want, asked, sizeof want);
    share_out(h->task->n_items, weight, want);
    deal_inputs(m, h, want);
    CH_TRY(inputs_dealt(m, h, asked, want));
    test = test == 0 ? h->n_train : test < 0 ? 0 : test;
    if (test > h->n_train)
        return ch_fail(m->e, CH_EUSER,
                       "%s: %lld test inputs are wanted of the %lld trained on; a split by "
                       "wording tests the inputs that it trains; ask for fewer",
                       h->task->path, (long long)test, (long long)h->n_train);
    free(h->test);
    h->test = ch_new((size_t)test + 1, sizeof *h->test);
    h->n_test = test;
    memcpy(h->test, h->train, (size_t)test * sizeof *h->test);
    return CH_OK;
}

/* ------------------------------------------------------------------ wordings */

static ch_code too_few_wordings(const maker *m, const ch_share *h, int64_t train, int64_t test)
{
    return ch_fail(m->e, CH_EUSER,
                   "%s: has %lld wordings beside its instruction, of which %lld can be trained "
                   "and %lld tested; wanted are %lld and %lld; add wordings or ask for fewer",
                   h->task->path, (long long)h->task->n_wordings, (long long)h->n_train_w,
                   (long long)h->n_test_w, (long long)train, (long long)test);
}

/* Up to want wordings of the order whose text has that side or none yet. */
static int64_t deal_wordings(maker *m, const ch_task *t, const int64_t *order, unsigned char *used,
                             int side, int64_t want, int64_t *list)
{
    int64_t n = 0;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < t->n_wordings && n < want; i++) {
            int *of = used[order[i]] ? NULL : side_of(&m->wordings, t->wordings[order[i] - 1]);
            if (!of || (*of != side && (k == 0 || *of != FREE)))
                continue;
            *of = side;
            used[order[i]] = 1;
            list[n++] = order[i];
        }
    return n;
}

/* How many of n wordings go to each side, see ch_split_opts. */
static void count_wordings(const ch_split_opts *o, int64_t n, int trained, int tested,
                           int64_t *train, int64_t *test)
{
    int64_t ask_train = o->train_wordings < 0 ? 0 : o->train_wordings;
    *test = o->test_wordings;
    if (*test <= 0)
        *test = !trained ? n : o->train_wordings ? n - ask_train : n - n / 2;
    if (*test < MIN_TEST_WORDINGS)
        *test = MIN_TEST_WORDINGS;
    *test = tested ? *test : 0;
    *train = o->train_wordings ? ask_train : n > *test ? n - *test : 0;
    *train = trained ? *train : 0;
}

static ch_code split_wordings(maker *m, ch_share *h, int trained, int tested)
{
    const ch_task *t = h->task;
    int64_t n = t->n_wordings, train, test;
    count_wordings(m->o, n, trained, tested, &train, &test);
    int64_t *order = shuffled(m, t->name, STREAM_WORDINGS, 1, n);
    unsigned char *used = ch_new((size_t)n + 1, 1);
    h->test_w = ch_new((size_t)n + 1, sizeof *h->test_w);
    h->n_test_w = deal_wordings(m, t, order, used, TEST, test, h->test_w);
    h->train_w = ch_new((size_t)n + 2, sizeof *h->train_w);
    h->n_train_w = deal_wordings(m, t, order, used, TRAIN, train, h->train_w + 1);
    const int64_t lacks[N_SIDES] = {[TEST] = test - h->n_test_w, [TRAIN] = train - h->n_train_w};
    for (int64_t k = 1; k <= n; k++)
        m->s->n_left_out +=
            !used[k] && is_missed(lacks, *side_of(&m->wordings, t->wordings[k - 1]));
    free(order);
    free(used);
    int short_test = h->n_test_w < (m->o->test_wordings > 0 ? test : MIN_TEST_WORDINGS);
    int short_train = m->o->train_wordings > 0 && h->n_train_w < train;
    if ((tested && short_test) || (trained && short_train))
        return too_few_wordings(m, h, train, test);
    h->n_train_w += trained; /* the instruction, whose place train_w[0] holds 0 */
    return CH_OK;
}

/* By input: one list for both sides, the instruction first. */
static ch_code same_wordings(maker *m, ch_share *h)
{
    int64_t n = h->task->n_wordings, train = m->o->train_wordings, test = m->o->test_wordings;
    train = train ? train : n;
    test = test ? test : n + 1;
    if (train < 0 || train > n || test < MIN_TEST_WORDINGS || test > n + 1) {
        h->n_train_w = n;
        h->n_test_w = n + 1;
        return too_few_wordings(m, h, train, test < MIN_TEST_WORDINGS ? MIN_TEST_WORDINGS : test);
    }
    int64_t *order = shuffled(m, h->task->name, STREAM_WORDINGS, 1, n);
    h->train_w = ch_new((size_t)n + 2, sizeof *h->train_w);
    h->test_w = ch_new((size_t)n + 2, sizeof *h->test_w);
    h->n_train_w = train + 1;
    h->n_test_w = test;
    memcpy(h->train_w + 1, order, (size_t)train * sizeof *order);
    memcpy(h->test_w + 1, order, (size_t)(test - 1) * sizeof *order);
    free(order);
    return CH_OK;
}

/* ------------------------------------------------------------------ whole splits */

static ch_code one_share(maker *m, ch_share *h, int trained, int tested)
{
    if (m->o->by == CH_SPLIT_WORDING)
        CH_TRY(same_inputs(m, h));
    else
        CH_TRY(split_inputs(m, h, trained, tested));
    return m->o->by == CH_SPLIT_INPUT ? same_wordings(m, h) : split_wordings(m, h, trained, tested);
}

static void claim_instruction(maker *m, const ch_task *t)
{
    *side_of(&m->wordings, t->instruction) = TRAIN;
}

static ch_code split_mixed(maker *m)
{
    for (int64_t i = 0; i < m->s->n; i++)
        claim_instruction(m, m->s->list[i].task);
    for (int64_t i = 0; i < m->s->n; i++)
        CH_TRY(one_share(m, &m->s->list[i], 1, m->o->by != CH_SPLIT_NONE));
    return CH_OK;
}

/* Test tasks are dealt first: what they hold is then out of reach for the trained ones. */
static ch_code split_by_task(maker *m)
{
    int64_t n = m->s->n, test = m->o->test_tasks;
    if (test <= 0)
        test = n / TASKS_A_TEST_TASK ? n / TASKS_A_TEST_TASK : 1;
    if (test >= n)
        return ch_fail(m->e, CH_EUSER,
                       "split by task: there are %lld tasks, wanted are %lld to test and at least "
                       "one to train on; add tasks or split by input and wording",
                       (long long)n, (long long)test);
    int64_t *order = shuffled(m, "", STREAM_TASKS, 0, n);
    for (int64_t i = test; i < n; i++)
        claim_instruction(m, m->s->list[order[i]].task);
    ch_code c = CH_OK;
    for (int64_t i = 0; i < n && c == CH_OK; i++)
        c = one_share(m, &m->s->list[order[i]], i >= test, i < test);
    free(order);
    return c;
}

/* Each set by itself, whole: what they share is for ch_split_check to refuse. */
static ch_code split_by_files(maker *m, int64_t n_train)
{
    for (int64_t i = 0; i < m->s->n; i++) {
        if (i == n_train) {
            sides_free(&m->inputs);
            sides_free(&m->wordings);
            m->inputs = m->wordings = (sides){0};
        }
        CH_TRY(one_share(m, &m->s->list[i], i < n_train, i >= n_train));
    }
    return CH_OK;
}

ch_code ch_split_make(ch_split *s, const ch_tasks *tasks, const ch_tasks *test_tasks,
                      const ch_split_opts *o, ch_err *e)
{
    int64_t more = o->by == CH_SPLIT_FILES && test_tasks ? test_tasks->n : 0;
    maker m = {.s = s, .o = o, .e = e};
    *s = (ch_split){.n = tasks->n + more};
    if (!tasks->n || (o->by == CH_SPLIT_FILES && !more))
        return ch_fail(e, CH_EUSER, "split: there are no tasks to %s",
                       tasks->n ? "test; name their files" : "train on");
    s->list = ch_new((size_t)s->n, sizeof *s->list);
    for (int64_t i = 0; i < s->n; i++)
        s->list[i].task = i < tasks->n ? &tasks->list[i] : &test_tasks->list[i - tasks->n];
    ch_code c = o->by == CH_SPLIT_TASK    ? split_by_task(&m)
                : o->by == CH_SPLIT_FILES ? split_by_files(&m, tasks->n)
                                          : split_mixed(&m);
    sides_free(&m.inputs);
    sides_free(&m.wordings);
    if (c != CH_OK)
        ch_split_release(s);
    return c;
}

void ch_split_release(ch_split *s)
{
    for (int64_t i = 0; s->list && i < s->n; i++) {
        ch_share *h = &s->list[i];
        free(h->train);
        free(h->dev);
        free(h->test);
        free(h->train_w);
        free(h->test_w);
    }
    free(s->list);
    *s = (ch_split){0};
}

/* ------------------------------------------------------------------ check */

/* Texts that are trained on or watched, each with the task where it was first met. */
typedef struct {
    ch_intern keys;
    const ch_task **task;
    int64_t cap;
} known;

static void know(known *k, const char *text, const ch_task *t)
{
    int64_t before = k->keys.n, id = ch_intern_key(&k->keys, text);
    if (k->keys.n == before)
        return;
    if (id >= k->cap) {
        k->cap = k->cap ? 2 * k->cap : 256;
        k->task = ch_grow(k->task, (size_t)k->cap, sizeof *k->task);
    }
    k->task[id] = t;
}

static ch_code refuse_known(const known *k, const char *what, const char *text, const ch_task *t,
                            ch_err *e)
{
    char *key = ch_text_key(text);
    int64_t id = ch_intern_find(&k->keys, key);
    free(key);
    if (id < 0)
        return CH_OK;
    return ch_fail(e, CH_EUSER,
                   "%s: the test %s \"%.100s\" is also trained on, in %s; test %ss must be "
                   "unseen, take it out of one of them",
                   t->path, what, text, k->task[id]->path, what);
}

static ch_code check_inputs(const ch_split *s, known *k, ch_err *e)
{
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t j = 0; j < h->n_train; j++)
            know(k, h->task->items[h->train[j]].input, h->task);
        for (int64_t j = 0; j < h->n_dev; j++)
            know(k, h->task->items[h->dev[j]].input, h->task);
    }
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t j = 0; j < h->n_test; j++)
            CH_TRY(refuse_known(k, "input", h->task->items[h->test[j]].input, h->task, e));
    }
    return CH_OK;
}

static ch_code check_wordings(const ch_split *s, known *k, ch_err *e)
{
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t j = 0; j < h->n_train_w; j++)
            know(k, ch_task_wording(h->task, h->train_w[j]), h->task);
    }
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *h = &s->list[i];
        for (int64_t j = 0; j < h->n_test_w; j++)
            CH_TRY(refuse_known(k, "wording", ch_task_wording(h->task, h->test_w[j]), h->task, e));
    }
    return CH_OK;
}

static void known_free(known *k)
{
    ch_intern_free(&k->keys);
    free(k->task);
}

ch_code ch_split_check(const ch_split *s, ch_split_by by, ch_err *e)
{
    known inputs = {0}, wordings = {0};
    ch_code c = by == CH_SPLIT_WORDING ? CH_OK : check_inputs(s, &inputs, e);
    if (c == CH_OK && by != CH_SPLIT_INPUT)
        c = check_wordings(s, &wordings, e);
    known_free(&inputs);
    known_free(&wordings);
    return c;
}

void ch_split_all(ch_split *s, const ch_tasks *t)
{
    *s = (ch_split){.list = ch_new((size_t)t->n, sizeof *s->list), .n = t->n};
    for (int64_t i = 0; i < t->n; i++) {
        ch_share *sh = &s->list[i];
        sh->task = &t->list[i];
        sh->n_test = sh->task->n_items;
        sh->n_test_w = sh->task->n_wordings + 1;
        sh->test = ch_new((size_t)sh->n_test, sizeof *sh->test);
        sh->test_w = ch_new((size_t)sh->n_test_w, sizeof *sh->test_w);
        for (int64_t k = 0; k < sh->n_test; k++)
            sh->test[k] = k;
        for (int64_t k = 0; k < sh->n_test_w; k++)
            sh->test_w[k] = k;
    }
}

const char *ch_split_text(ch_split_by by)
{
    static const char *const text[] = {
        [CH_SPLIT_BOTH] = "unseen wordings and unseen inputs of the same tasks",
        [CH_SPLIT_INPUT] = "unseen inputs under the wordings trained on",
        [CH_SPLIT_WORDING] = "unseen wordings of the inputs trained on",
        [CH_SPLIT_TASK] = "unseen tasks",
        [CH_SPLIT_FILES] = "unseen tasks from files of their own",
        [CH_SPLIT_NONE] = "nothing: everything is trained on"};
    return text[by];
}
