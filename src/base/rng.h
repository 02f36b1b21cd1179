/* Counter-based random numbers: the i-th number of any stream can be recomputed alone.
 * Philox-4x32-10 (Salmon et al. 2011); key = seed, counter = (stream, index). */
#ifndef CH_BASE_RNG_H
#define CH_BASE_RNG_H

#include <stdint.h>

/* What random numbers are for. Each use has streams of its own under a seed: a stream is made by
 * ch_stream alone, so that two uses never draw the same numbers. New ones go to the end: a code is
 * part of what a seed means. */
typedef enum {
    CH_USE_EPOCHS,           /* orders of the training rows; index: the epoch */
    CH_USE_SPLIT,            /* who is trained on and who tested; index: 64 bits of a hash */
    CH_USE_CANDIDATE_INPUTS, /* which inputs get candidates; index: 0 */
    CH_USE_CANDIDATE_SEEDS,  /* the seed of an input's candidates; index: the task */
    CH_USE_CANDIDATES,       /* sampled candidates; index: wording and sample */
    CH_USE_ANSWERS,          /* sampled answers to prompts; index: the answer */
    CH_USE_REWORDINGS,       /* single rewordings of an instruction; index: the try */
    CH_USE_RESAMPLES,        /* of the bootstrap; index: the resample */
    CH_N_USES
} ch_use;

/* The stream of a use with this index: its low 48 bits, but all of them for the split, whose
 * streams are kept out of the others' range. */
uint64_t ch_stream(ch_use use, uint64_t index);

typedef struct {
    uint64_t seed, stream, index; /* plain: copy to save, assign to restore */
} ch_rng;

/* 64 random bits, a pure function of its arguments. */
uint64_t ch_random_at(uint64_t seed, uint64_t stream, uint64_t index);
/* The beginning of the use's stream. */
ch_rng ch_rng_of(uint64_t seed, ch_use use, uint64_t index);
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
