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
/* The last error that libllama logged on this thread since the last call, "" if none. */
const char *ch_llama_last_error(void);

/* s as one line that a terminal takes as it is: every byte that is not printable ASCII becomes '?',
 * and it ends after cap - 1 bytes. Returns out. */
const char *ch_llama_shown(char *out, size_t cap, const char *s);

#endif
