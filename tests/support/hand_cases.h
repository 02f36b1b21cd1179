/* Cases written by hand, for the tests of figures. */
#ifndef CH_TESTS_HAND_CASES_H
#define CH_TESTS_HAND_CASES_H

#include <string.h>

#include "base/mem.h"
#include "measure/measure.h"
#include "support/support.h"

enum { W = 4, MOST = 400 }; /* wordings; cases */

/* Cases whose answers are written as one text a wording; everything else is filled in. */
typedef struct {
    ch_case list[MOST];
    const char *answers[MOST][W], *gold[MOST][1];
    unsigned char same[MOST][W * W];
    int stopped[W], n_tokens[W];
    int64_t n;
} cases;

static CH_UNUSED cases *cases_new(void)
{
    cases *c = ch_new(1, sizeof *c);
    for (int k = 0; k < W; k++) {
        c->stopped[k] = k != 0;
        c->n_tokens[k] = k + 1;
    }
    return c;
}

static CH_UNUSED void add(cases *c, int64_t task, const char *gold, const char *a0, const char *a1,
                          const char *a2, const char *a3)
{
    int64_t i = c->n++;
    assert_true(i < MOST);
    const char *const given[W] = {a0, a1, a2, a3};
    memcpy(c->answers[i], given, sizeof given);
    c->gold[i][0] = gold;
    ch_same_exact(c->answers[i], W, c->same[i]);
    c->list[i] = (ch_case){.task = task,
                           .n = W,
                           .answers = c->answers[i],
                           .gold = c->gold[i],
                           .n_gold = 1,
                           .same = c->same[i],
                           .stopped = c->stopped,
                           .n_tokens = c->n_tokens};
}

static CH_UNUSED ch_measure measured(const cases *c, int64_t n_tasks, int64_t resamples,
                                     uint64_t seed)
{
    ch_measure m;
    ch_err e = {0};
    CHECK_OK(ch_measure_make(&m, c->list, c->n, n_tasks, NULL, resamples, seed, &e), &e);
    return m;
}

#endif
