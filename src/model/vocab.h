/* Inside the model room: token ids of text, for what a sentence names. */
#ifndef CH_MODEL_VOCAB_H
#define CH_MODEL_VOCAB_H

#include "model/model.h"

ch_code ch_vocab_load(ch_model *m, ch_err *e) CH_CHECK_RESULT;
/* ch_tokenize for what `row` names in the sentence. */
ch_code ch_row_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                   ch_err *e) CH_CHECK_RESULT;
/* The same without a BOS in front. */
ch_code ch_text_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                    ch_err *e) CH_CHECK_RESULT;
/* s[0..n) as well-formed UTF-8 without a NUL: a character cut off at the end is left out, what can
 * never become one turns into U+FFFD. New string. */
char *ch_clean_utf8(const char *s, size_t n);

#endif
