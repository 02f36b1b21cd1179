/* The judge of free-form answers [C, +]. */
#ifndef CH_ALIGN_JUDGE_H
#define CH_ALIGN_JUDGE_H

#include "model/model.h"

/* Are two answers to a prompt the Same or Contradicted? Asked in both orders by
 * comparing the log-probabilities of the two words; same[i] = 1 when the mean margin favours Same.
 * Equal normalised texts are the same without asking; an empty answer agrees with nothing. margin
 * (may be NULL) is NAN where nothing was asked. */
typedef struct {
    const char *question; /* the prompt shown, may be NULL */
    const char *a, *b;
} ch_judge_pair;
ch_code ch_judge_same(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                      double *margin, ch_err *e) CH_CHECK_RESULT;
/* The same, but every pair is asked about, equal ones too: to check the judge. margin: n, NAN where
 * a question was longer than the context. */
ch_code ch_judge_ask(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                     double *margin, ch_err *e) CH_CHECK_RESULT;
/* The question as it is asked, with swap the other way round. New string. */
char *ch_question_same(const ch_judge_pair *p, int swap);

#endif
