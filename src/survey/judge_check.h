/* How far a judge is to be believed: it is asked where exact match knows. */
#ifndef CH_SURVEY_JUDGE_CHECK_H
#define CH_SURVEY_JUDGE_CHECK_H

#include "measure/kappa.h"
#include "model/model.h"
#include "survey/replies.h"

/* Asks the judge about pairs of closed tasks, also about equal ones, at most `most` in all and as
 * many that are the same as that differ (where one side has none, the other alone). An input gives
 * up to two of each side:
 *   the same: its right answer spelt in two ways; the first two of its answers that are equal;
 *   differing: its right answer and that of another input of the task; the first two of its answers
 *   that are different right answers of the task, not both right here.
 * What is wrong in a way of its own ("It is Paris") has no known verdict and is not asked about.
 * Each kind is taken evenly over the inputs. A pair longer than the judge's context is left out. */
ch_code ch_judge_check(const ch_replies *r, ch_model *judge, int64_t most, ch_verdicts *v,
                       ch_err *e) CH_CHECK_RESULT;

#endif
