#include "survey/judge_check.h"

#include <stdlib.h>

#include "align/align.h"
#include "base/mem.h"
#include "measure/measure.h"

ch_code ch_judge_check(const ch_replies *r, ch_model *judge, int64_t most, int64_t *n,
                       double *agreement, ch_err *e)
{
    int64_t n_w = r->n_wordings, n_all = 0, cap = 0;
    ch_judge_pair *all = NULL;
    int64_t *of = ch_new((size_t)(r->n / n_w * n_w * n_w) + 1, sizeof *of);
    for (int64_t i = 0; i < r->n; i++)
        for (int64_t j = i + 1; r->list[i].closed && j < (i / n_w + 1) * n_w; j++) {
            unsigned char same[4];
            const char *two[2] = {r->list[i].answer, r->list[j].answer};
            ch_same_exact(two, 2, same);
            if (same[1])
                continue;
            of[n_all] = i / n_w * n_w;
            *CH_PUSH(all, n_all, cap) = (ch_judge_pair){NULL, two[0], two[1]};
        }
    *n = n_all < most ? n_all : most;
    int64_t differ = 0;
    char **question = ch_new((size_t)*n + 1, sizeof *question);
    ch_judge_pair *pick = ch_new((size_t)*n + 1, sizeof *pick);
    unsigned char *same = ch_new((size_t)*n + 1, 1);
    double *margin = ch_new((size_t)*n + 1, sizeof *margin);
    for (int64_t i = 0; i < *n; i++) {
        int64_t at = i * n_all / *n;
        pick[i] = all[at];
        pick[i].question = question[i] =
            ch_prompt_text(r->list[of[at]].wording, r->list[of[at]].input);
    }
    ch_code code = *n ? ch_judge_same(judge, pick, *n, same, margin, e) : CH_OK;
    for (int64_t i = 0; i < *n; i++) {
        differ += !same[i];
        free(question[i]);
    }
    *agreement = *n ? (double)differ / (double)*n : 0;
    free(question);
    free(pick);
    free(same);
    free(margin);
    free(all);
    free(of);
    return code;
}
