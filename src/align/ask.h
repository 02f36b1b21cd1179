/* Questions answered by comparing two label words. */
#ifndef CH_ALIGN_ASK_H
#define CH_ALIGN_ASK_H

#include "generate/generate.h"

/* margin[i] = log P(yes) - log P(no), each as the assistant's whole answer to questions[i]: the
 * word and the end of turn, so that "valid" is not also the head of a longer word. Words of
 * different token counts are compared by their mean log P a token. Equal questions are asked once.
 * NAN: longer than the context. */
ch_code ch_ask(ch_model *m, const char *const *questions, int64_t n, const char *yes,
               const char *no, const ch_gen_opts *o, double *margin, ch_err *e) CH_CHECK_RESULT;

#endif
