/* Does with a GGUF of unknown worth what a run would do first. */
#ifndef CH_TESTS_USE_MODEL_H
#define CH_TESTS_USE_MODEL_H

#include "base/err.h"

/* Loads path and, when it loads, tokenises, scores an answer and writes one greedy token on one
 * thread. Aborts when a failure has no sentence or one of more than a line, or is a model all the
 * same. Returns what the load said. */
ch_code use_model(const char *path, ch_err *e);

#endif
