/* The judge of free-form answers [C]: Same or Contradicted; in both orders, by log-probabilities
 * [+]. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

static char *same_question(const ch_judge_pair *p, int swap)
{
    char *head = p->question ? ch_fmt("Question:\n%s\n\n", p->question) : ch_dup("");
    const ch_slot slots[] = {
        {"{question}", head}, {"{a}", swap ? p->b : p->a}, {"{b}", swap ? p->a : p->b}};
    char *q = ch_fill(ch_prompt_same, slots, 3);
    free(head);
    return q;
}

/* 1 same, 0 not (an empty answer), -1: ask. */
static int without_asking(const ch_judge_pair *p)
{
    char *a = ch_text_key(p->a), *b = ch_text_key(p->b);
    int r = !*a || !*b ? 0 : strcmp(a, b) == 0 ? 1 : -1;
    free(a);
    free(b);
    return r;
}

ch_code ch_judge_same(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                      double *margin, ch_err *e)
{
    char **q = ch_new((size_t)(2 * n) + 1, sizeof *q);
    int64_t *who = ch_new((size_t)n + 1, sizeof *who);
    double *vote = ch_new((size_t)(2 * n) + 1, sizeof *vote);
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        int known = without_asking(&p[i]);
        same[i] = known == 1;
        if (margin)
            margin[i] = NAN;
        if (known >= 0)
            continue;
        q[2 * k] = same_question(&p[i], 0);
        q[2 * k + 1] = same_question(&p[i], 1);
        who[k++] = i;
    }
    ch_gen_opts g = {.what = "judge"};
    ch_code c = CH_OK;
    if (k)
        c = ch_ask(judge, (const char *const *)q, 2 * k, "Same", "Contradicted", &g, vote, e);
    for (int64_t i = 0; i < k && c == CH_OK; i++) {
        double mean = (vote[2 * i] + vote[2 * i + 1]) / 2;
        same[who[i]] = mean > 0; /* NAN, a pair longer than the context: not the same */
        if (margin)
            margin[who[i]] = mean;
    }
    for (int64_t i = 0; i < 2 * k; i++)
        free(q[i]);
    free(q);
    free(who);
    free(vote);
    return c;
}
