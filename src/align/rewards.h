/* The table of rewards: 2, 1, 0 or CH_DISCARD for every candidate. To add one: its function and its
 * sentences in a file of its own, reward_x.c, a line of CH_REWARDS and a row in rewards.c. The
 * recipe's choices, its help, the forecast and what is read back follow. */
#ifndef CH_ALIGN_REWARDS_H
#define CH_ALIGN_REWARDS_H

#include "align/candidates.h"

/* Place in the table, name in a recipe. */
#define CH_REWARDS(X)                                                                              \
    X(SELF, "self")                                                                                \
    X(REFERENCE, "reference")                                                                      \
    X(CONSENSUS, "consensus")
#define CH_REWARD(place, name) CH_REWARD_##place,
typedef enum { CH_REWARDS(CH_REWARD) CH_N_REWARDS } ch_reward_mode;
#undef CH_REWARD

typedef struct {
    const char *what;
    int questions;           /* asked the model about each candidate at most */
    int needs_gold;          /* reads the right answers of the inputs */
    const char *const *whys; /* sentences of its own, NULL-terminated */
    ch_reward_fn *fill;
} ch_reward;
extern const ch_reward ch_reward_table[CH_N_REWARDS];

/* Rewards by the row o->reward. m may be NULL for a row without questions. */
ch_code ch_rewards(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                   ch_err *e) CH_CHECK_RESULT;
/* The static sentence equal to text, or the one that says "read from a file". */
const char *ch_why_named(const char *text);

#endif
