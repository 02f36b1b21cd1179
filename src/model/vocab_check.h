/* The tokenizer of a GGUF, before libllama sees it. */
#ifndef CH_MODEL_VOCAB_CHECK_H
#define CH_MODEL_VOCAB_CHECK_H

#include "base/err.h"

#include "gguf.h"

/* The tokenizer is of a kind that libllama can do here, its lists are of the right type and length,
 * its words neither too long nor there twice; *present: there is one. */
ch_code ch_meta_check_tokenizer(const struct gguf_context *g, const char *path, int64_t V,
                                int *present, ch_err *e) CH_CHECK_RESULT;

#endif
