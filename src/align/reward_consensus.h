/* The majority of the greedy answers under the other wordings [+]; needs no gold. */
#ifndef CH_ALIGN_REWARD_CONSENSUS_H
#define CH_ALIGN_REWARD_CONSENSUS_H

#include "align/candidates.h"

ch_reward_fn ch_reward_consensus;
extern const char *const ch_reward_consensus_whys[];

#endif
