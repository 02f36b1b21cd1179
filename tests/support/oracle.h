/* libllama's own inference, as exact as it can be made (f32 cache, no flash attention, no repacked
 * weights): what the tests and the selftest compare the network with. Nothing else uses it. */
#ifndef CH_TESTS_ORACLE_H
#define CH_TESTS_ORACLE_H

#include <stdint.h>

#include "base/err.h"

typedef struct ch_oracle ch_oracle;

/* Sequences of up to n_ctx tokens. Use an f32 GGUF to compare numbers: with quantised or 16-bit
 * weights libllama rounds the activations too. Error: libllama cannot open the file. */
ch_code ch_oracle_open(ch_oracle **o, const char *path, int64_t n_ctx, int threads,
                       ch_err *e) CH_CHECK_RESULT;
void ch_oracle_close(ch_oracle *o);
int64_t ch_oracle_n_vocab(const ch_oracle *o);

/* ids (n), 1 <= n <= n_ctx, each 0..V-1, without a past. logits (n, V) with all, else (V) of the
 * last position: written. */
ch_code ch_oracle_logits(ch_oracle *o, const int32_t *ids, int64_t n, int all, float *logits,
                         ch_err *e) CH_CHECK_RESULT;
/* Continues ids by the likeliest token (the lowest id of equals) up to and including a stop token,
 * or for max_new tokens. out (max_new), *n_out of it written. n + max_new <= n_ctx. */
ch_code ch_oracle_greedy(ch_oracle *o, const int32_t *ids, int64_t n, int64_t max_new, int32_t *out,
                         int64_t *n_out, ch_err *e) CH_CHECK_RESULT;

#endif
