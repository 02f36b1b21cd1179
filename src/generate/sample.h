/* Choosing a token from a row of logits. */
#ifndef CH_GENERATE_SAMPLE_H
#define CH_GENERATE_SAMPLE_H

#include "generate/generate.h"

/* Room to choose in: V of each. */
typedef struct {
    float p, logit; /* p: against the likeliest */
    int32_t id;
} ch_option;
typedef struct {
    float *p;
    ch_option *list;
} ch_choosing;

/* One choice from a row of V finite logits: greedy takes the lowest id among equals; a draw takes
 * what follows from the order by falling logit, then rising id. */
int32_t ch_choose(const float *logits, int64_t V, const ch_sampling *how, int64_t step,
                  ch_choosing *scratch);

#endif
