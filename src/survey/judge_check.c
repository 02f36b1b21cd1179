#include "survey/judge_check.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/judge.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "data/task.h"
#include "measure/measure.h"

/* Pairs of one kind, one or none a case. */
typedef struct {
    char *a, *b;
    int64_t c; /* the case whose question is shown */
} pair;
typedef struct {
    pair *list;
    int64_t n, cap;
} pairs;
enum { GOLD_TWICE, ANSWER_TWICE, OTHER_GOLD, OTHER_LABEL, N_KINDS };

static void add(pairs *p, int64_t c, char *a, char *b)
{
    *CH_PUSH(p->list, p->n, p->cap) = (pair){a, b, c};
}

/* The task and the first right answer of every case as numbers, and all right answers of a task as
 * "<task number> <text>". */
typedef struct {
    const ch_replies *r;
    ch_intern tasks, keys;
    int64_t *task, *gold;
} closed;

static int64_t number_of(closed *k, int64_t task, const char *text, int add_it)
{
    char *key = ch_text_key(text), *name = ch_fmt("%lld %s", (long long)task, key);
    int64_t id = add_it ? ch_intern_add(&k->keys, name) : ch_intern_find(&k->keys, name);
    free(key);
    free(name);
    return id;
}

static void know(closed *k, const ch_replies *r)
{
    *k = (closed){.r = r};
    k->task = ch_new((size_t)r->n_cases, sizeof *k->task);
    k->gold = ch_new((size_t)r->n_cases, sizeof *k->gold);
    for (int64_t c = 0; c < r->n_cases; c++) {
        const ch_reply *y = ch_replies_case(r, c);
        k->task[c] = ch_intern_add(&k->tasks, y->task);
        k->gold[c] = number_of(k, k->task[c], y->gold[0], 1);
        for (int64_t g = 1; g < y->n_gold; g++)
            number_of(k, k->task[c], y->gold[g], 1);
    }
}

static void forget(closed *k)
{
    ch_intern_free(&k->tasks);
    ch_intern_free(&k->keys);
    free(k->task);
    free(k->gold);
}

static int is_right(const ch_reply *y, const char *text)
{
    return ch_exact(text, (const char *const *)y->gold, y->n_gold);
}

/* The other way to begin, and a full stop more or less. */
static char *respelt(const char *text)
{
    size_t n = strlen(text);
    char *s = n && text[n - 1] == '.' ? ch_dupn(text, n - 1) : ch_fmt("%s.", text);
    unsigned char first = (unsigned char)s[0];
    if (first < 128)
        s[0] = (char)(islower(first) ? toupper(first) : tolower(first));
    return s;
}

static void gold_twice(const closed *k, int64_t c, pairs *p)
{
    const char *gold = ch_replies_case(k->r, c)->gold[0];
    char *again = respelt(gold);
    if (ch_text_agree(gold, again))
        add(p, c, ch_dup(gold), again);
    else
        free(again);
}

/* The next case of the task with another right answer. */
static void other_gold(const closed *k, int64_t c, pairs *p)
{
    const ch_reply *y = ch_replies_case(k->r, c);
    for (int64_t i = 1; i < k->r->n_cases; i++) {
        int64_t o = (c + i) % k->r->n_cases;
        const ch_reply *z = ch_replies_case(k->r, o);
        if (k->task[o] != k->task[c] || k->gold[o] == k->gold[c] || is_right(y, z->gold[0]) ||
            is_right(z, y->gold[0]))
            continue;
        add(p, c, ch_dup(y->gold[0]), ch_dup(z->gold[0]));
        return;
    }
}

/* Whether the answers i and j of a case are known to be the same, or to differ. text: numbers of
 * their texts; gold: those of the task's right answers, -1 for other texts. */
static int known(const ch_reply *y, const int64_t *text, const int64_t *gold, int64_t i, int64_t j,
                 int same)
{
    if (same || text[i] == text[j])
        return same && text[i] == text[j] && !ch_text_empty(y[i].answer);
    return gold[i] >= 0 && gold[j] >= 0 && !(y[i].exact && y[j].exact);
}

static void two_answers(closed *k, int64_t c, int same, pairs *p)
{
    const ch_reply *y = ch_replies_case(k->r, c);
    int64_t n = ch_replies_width(k->r, c), at = p->n;
    int64_t *text = ch_new((size_t)n, sizeof *text), *gold = ch_new((size_t)n, sizeof *gold);
    ch_intern texts = {0};
    for (int64_t i = 0; i < n; i++) {
        text[i] = ch_intern_key(&texts, y[i].answer);
        gold[i] = number_of(k, k->task[c], y[i].answer, 0);
    }
    for (int64_t i = 0; i < n && p->n == at; i++)
        for (int64_t j = i + 1; j < n && p->n == at; j++)
            if (known(y, text, gold, i, j, same))
                add(p, c, ch_dup(y[i].answer), ch_dup(y[j].answer));
    ch_intern_free(&texts);
    free(text);
    free(gold);
}

/* ------------------------------------------------------------------ which are asked */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* n of the pairs, evenly. */
static int64_t take(const pairs *from, int64_t n, ch_judge_pair *to, char **question,
                    const ch_replies *r)
{
    for (int64_t i = 0; i < n; i++) {
        const pair *p = &from->list[i * from->n / n];
        const ch_reply *y = ch_replies_case(r, p->c);
        question[i] = ch_prompt_text(y->wording, y->input);
        to[i] = (ch_judge_pair){question[i], p->a, p->b};
    }
    return n;
}

/* n of both kinds of a side: half of each where there are as many. */
static void take_side(const pairs *kinds, int64_t n, ch_judge_pair *to, char **question,
                      const ch_replies *r)
{
    int64_t second = least(kinds[1].n, n / 2), first = least(kinds[0].n, n - second);
    second = n - first;
    take(&kinds[0], first, to, question, r);
    take(&kinds[1], second, to + first, question + first, r);
}

static ch_code ask(const pairs *kinds, const ch_replies *r, ch_model *judge, int64_t n_same,
                   int64_t n_differ, ch_verdicts *v, ch_err *e)
{
    int64_t n = n_same + n_differ;
    char **question = ch_new((size_t)n + 1, sizeof *question);
    ch_judge_pair *p = ch_new((size_t)n + 1, sizeof *p);
    unsigned char *same = ch_new((size_t)n + 1, 1);
    double *margin = ch_new((size_t)n + 1, sizeof *margin);
    take_side(&kinds[GOLD_TWICE], n_same, p, question, r);
    take_side(&kinds[OTHER_GOLD], n_differ, p + n_same, question + n_same, r);
    ch_code code = ch_judge_ask(judge, p, n, same, margin, e);
    for (int64_t i = 0; i < n && code == CH_OK; i++) {
        int read = isfinite(margin[i]);
        v->n_same += read && i < n_same;
        v->n_differ += read && i >= n_same;
        v->right_same += read && i < n_same && same[i];
        v->right_differ += read && i >= n_same && !same[i];
    }
    for (int64_t i = 0; i < n; i++)
        free(question[i]);
    free(question);
    free(p);
    free(same);
    free(margin);
    return code;
}

ch_code ch_judge_check(const ch_replies *r, ch_model *judge, int64_t most, ch_verdicts *v,
                       ch_err *e)
{
    closed k;
    pairs kinds[N_KINDS] = {{0}};
    *v = (ch_verdicts){0};
    know(&k, r);
    for (int64_t c = 0; c < r->n_cases; c++) {
        if (!ch_replies_case(r, c)->closed)
            continue;
        gold_twice(&k, c, &kinds[GOLD_TWICE]);
        two_answers(&k, c, 1, &kinds[ANSWER_TWICE]);
        other_gold(&k, c, &kinds[OTHER_GOLD]);
        two_answers(&k, c, 0, &kinds[OTHER_LABEL]);
    }
    int64_t n_same = least(kinds[GOLD_TWICE].n + kinds[ANSWER_TWICE].n, most / 2);
    int64_t n_differ = least(kinds[OTHER_GOLD].n + kinds[OTHER_LABEL].n, most / 2);
    if (n_same && n_differ)
        n_same = n_differ = least(n_same, n_differ);
    ch_code code = ask(kinds, r, judge, n_same, n_differ, v, e);
    for (int i = 0; i < N_KINDS; i++) {
        for (int64_t j = 0; j < kinds[i].n; j++) {
            free(kinds[i].list[j].a);
            free(kinds[i].list[j].b);
        }
        free(kinds[i].list);
    }
    forget(&k);
    return code;
}
