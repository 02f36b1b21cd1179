/* Exact match with the gold [+]; an answer that is no label of a closed task is of a wrong type. */
#ifndef CH_ALIGN_REWARD_REFERENCE_H
#define CH_ALIGN_REWARD_REFERENCE_H

#include "align/candidates.h"

ch_reward_fn ch_reward_reference;
extern const char *const ch_reward_reference_whys[];

#endif
