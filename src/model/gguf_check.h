/* A GGUF's header, before libllama and ggml see it. */
#ifndef CH_MODEL_GGUF_CHECK_H
#define CH_MODEL_GGUF_CHECK_H

#include <stdint.h>

#include "base/err.h"

/* Reads the header of path and refuses what is not one of a GGUF: counts, names, types, lengths,
 * shapes and offsets, all within bounds and within the file. *bytes is the file's size. */
ch_code ch_gguf_check(const char *path, int64_t *bytes, ch_err *e) CH_CHECK_RESULT;

#endif
