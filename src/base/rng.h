/* Counter-based random numbers: the i-th number of any stream can be recomputed alone.
 * Philox-4x32-10 (Salmon et al. 2011); key = seed, counter = (stream, index). */
#ifndef CH_BASE_RNG_H
#define CH_BASE_RNG_H

#include <stdint.h>

typedef struct {
    uint64_t seed, stream, index; /* plain: copy to save, assign to restore */
} ch_rng;

/* 64 random bits, a pure function of its arguments. */
uint64_t ch_random_at(uint64_t seed, uint64_t stream, uint64_t index);
/* The next number of a stream. */
uint64_t ch_random(ch_rng *r);
/* Uniform in [0, 1), 53 bits. */
double ch_random_unit(ch_rng *r);
/* Uniform in 0..n-1; n >= 1. */
int64_t ch_random_below(ch_rng *r, int64_t n);
/* Standard normal (Box-Muller). */
double ch_random_normal(ch_rng *r);
/* Fisher-Yates shuffle of n indices in place. */
void ch_shuffle(ch_rng *r, int64_t *index, int64_t n);

#endif
