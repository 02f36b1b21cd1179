/* How far a judge is to be believed: it is asked where exact match knows. */
#ifndef CH_SURVEY_JUDGE_CHECK_H
#define CH_SURVEY_JUDGE_CHECK_H

#include "model/model.h"
#include "survey/replies.h"

/* On pairs of different answers to closed tasks (at most `most`, evenly taken): *n asked,
 * *agreement the share in which the judge, too, calls them different. */
ch_code ch_judge_check(const ch_replies *r, ch_model *judge, int64_t most, int64_t *n,
                       double *agreement, ch_err *e) CH_CHECK_RESULT;

#endif
