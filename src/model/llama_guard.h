/* The one door to libllama and ggml: both are C++ inside, throw, and abort where they cannot go on.
 * A C file can catch neither, so whatever may do so is called through here. */
#ifndef CH_MODEL_LLAMA_GUARD_H
#define CH_MODEL_LLAMA_GUARD_H

#include <stddef.h>

#include "base/err.h"

/* fn(ctx), which calls libllama and holds nothing that must be given back when it does not return:
 * what it allocates belongs to ctx. An exception, and an assertion of ggml's on this thread, become
 * CH_EUSER with `what` and its text, lack of memory CH_EMEM. */
ch_code ch_llama_call(void (*fn)(void *ctx), void *ctx, const char *what,
                      ch_err *e) CH_CHECK_RESULT;
/* The same for a call that works through `bytes` of text: libllama splits it with std::regex, which
 * goes some hundred bytes deeper for every letter of a run, so a long text gets a stack of its own.
 * CH_EMEM when there is no room for it. */
ch_code ch_llama_call_text(void (*fn)(void *ctx), void *ctx, size_t bytes, const char *what,
                           ch_err *e) CH_CHECK_RESULT;

/* From now on nothing of libllama or ggml reaches stderr but through ch_log at CH_DEBUG. */
void ch_llama_quiet(void);
/* Where the last ch_llama_call gave nothing and threw nothing: lack of memory (CH_EMEM) and a failure
 * of reading (CH_EIO) are told as such; anything else is CH_EUSER with `what` ("is damaged"), what
 * libllama logged, and hint, which may be "". */
ch_code ch_llama_refused(const char *path, const char *what, const char *hint, ch_err *e);

/* s as one line that a terminal takes as it is: every byte that is not printable ASCII becomes '?',
 * and it ends after cap - 1 bytes. Returns out. */
const char *ch_llama_shown(char *out, size_t cap, const char *s);

#endif
