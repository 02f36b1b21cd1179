/* Inside the generate room. */
#ifndef CH_GENERATE_INTERNAL_H
#define CH_GENERATE_INTERNAL_H

#include "generate/generate.h"
#include "model/net.h"

/* One choice from a row of logits: greedy takes the lowest id among equals. scratch: V entries. */
typedef struct {
    float p;
    int32_t id;
} ch_option;
int32_t ch_choose(const float *logits, int64_t V, const ch_sampling *how, int64_t step,
                  ch_option *scratch);

#endif
