/* Which groups an update draws. */
#ifndef CH_TRAIN_SAMPLER_H
#define CH_TRAIN_SAMPLER_H

#include "train/train.h"

/* The i-th group of the run: epochs are orders of all n groups, each from its own stream of the
 * seed, so that any update can be drawn again without those before it. */
typedef struct {
    int64_t n, epoch;
    uint64_t seed;
    int64_t *order;
    const ch_group *list;   /* NULL: independent */
    int64_t batch, at_once; /* grouped: groups an update, and of one instruction in a row */
} ch_sampler;
ch_sampler ch_sampler_of(const ch_groups *data, const ch_train_opts *o);
int64_t ch_sampler_at(ch_sampler *s, int64_t i);
void ch_sampler_release(ch_sampler *s);

#endif
