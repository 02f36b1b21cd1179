/* The judge of free-form answers [C]: Same or Contradicted; in both orders, by log-probabilities
 * [+]. */
#include "align/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/ask.h"
#include "align/prompts.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

char *ch_question_same(const ch_judge_pair *p, int swap)
{
    char *head = p->question ? ch_fmt("Question:\n%s\n\n", p->question) : ch_dup("");
    const ch_slot slots[] = {
        {"{question}", head}, {"{a}", swap ? p->b : p->a}, {"{b}", swap ? p->a : p->b}};
    char *q = ch_fill(ch_prompt_same, slots, 3);
    free(head);
    return q;
}

ch_code ch_judge_ask(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                     double *margin, ch_err *e)
{
    char **q = ch_new((size_t)(2 * n) + 1, sizeof *q);
    double *vote = ch_new((size_t)(2 * n) + 1, sizeof *vote);
    for (int64_t i = 0; i < 2 * n; i++)
        q[i] = ch_question_same(&p[i / 2], (int)(i % 2));
    ch_gen_opts g = {.what = "judge"};
    ch_code c = CH_OK;
    if (n)
        c = ch_ask(judge, (const char *const *)q, 2 * n, "Same", "Contradicted", &g, vote, e);
    for (int64_t i = 0; i < n && c == CH_OK; i++) {
        margin[i] = (vote[2 * i] + vote[2 * i + 1]) / 2;
        same[i] = margin[i] > 0; /* NAN, a pair longer than the context: not the same */
    }
    for (int64_t i = 0; i < 2 * n; i++)
        free(q[i]);
    free(q);
    free(vote);
    return c;
}

ch_code ch_judge_same(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                      double *margin, ch_err *e)
{
    int64_t *who = ch_new((size_t)n + 1, sizeof *who), k = 0;
    ch_judge_pair *open = ch_new((size_t)n + 1, sizeof *open);
    unsigned char *said = ch_new((size_t)n + 1, 1);
    double *mean = ch_new((size_t)n + 1, sizeof *mean);
    for (int64_t i = 0; i < n; i++) {
        same[i] = (unsigned char)ch_text_agree(p[i].a, p[i].b);
        if (margin)
            margin[i] = NAN;
        if (same[i] || ch_text_empty(p[i].a) || ch_text_empty(p[i].b))
            continue;
        open[k] = p[i];
        who[k++] = i;
    }
    ch_code c = ch_judge_ask(judge, open, k, said, mean, e);
    for (int64_t i = 0; i < k && c == CH_OK; i++) {
        same[who[i]] = said[i];
        if (margin)
            margin[who[i]] = mean[i];
    }
    free(who);
    free(open);
    free(said);
    free(mean);
    return c;
}
