/* One wording at a time. */
#ifndef CH_ALIGN_REWORD_H
#define CH_ALIGN_REWORD_H

#include "align/filter.h"
#include "model/model.h"

/* Asks for one wording at a time, sampled, until n are kept or the tries are
 * used up; appends to w. */
ch_code ch_reword(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n,
                  ch_err *e) CH_CHECK_RESULT;
/* Error: its prompts and answers would not fit into the context. */
ch_code ch_reword_check(const ch_model *m, const ch_task *task, ch_err *e) CH_CHECK_RESULT;
/* The wording inside a reply: without a lead-in line that ends in a colon, up to the first blank
 * line, without quotes round it. New string, "" when nothing is left. */
char *ch_reword_clean(const char *reply);

#endif
