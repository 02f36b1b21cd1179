#include "align/rewards.h"

#include <math.h>
#include <string.h>

#include "align/gold.h"
#include "align/reward_consensus.h"
#include "align/reward_reference.h"
#include "align/reward_self.h"

const ch_reward ch_reward_table[CH_N_REWARDS] = {
    [CH_REWARD_SELF] = {.what = "two questions to the model itself [P]",
                        .questions = 2,
                        .needs_gold = 1,
                        .whys = ch_reward_self_whys,
                        .fill = ch_reward_self},
    [CH_REWARD_REFERENCE] = {.what = "exact match with the gold [+]",
                             .needs_gold = 1,
                             .whys = ch_reward_reference_whys,
                             .fill = ch_reward_reference},
    [CH_REWARD_CONSENSUS] = {.what = "the majority under the other wordings [+]",
                             .whys = ch_reward_consensus_whys,
                             .fill = ch_reward_consensus},
};

const char *ch_why_named(const char *text)
{
    static const char *const common[] = {ch_why_exact, ch_why_empty, ch_why_not_yet};
    if (!*text)
        return ch_why_not_yet;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        if (strcmp(text, common[i]) == 0)
            return common[i];
    }
    for (int k = 0; k < CH_N_REWARDS; k++) {
        for (const char *const *why = ch_reward_table[k].whys; *why; why++) {
            if (strcmp(text, *why) == 0)
                return *why;
        }
    }
    return "read from a file";
}

ch_code ch_rewards(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                   ch_err *e)
{
    CH_MUST(o->reward >= 0 && o->reward < CH_N_REWARDS);
    const ch_reward *r = &ch_reward_table[o->reward];
    CH_MUST(m || !r->questions);
    for (int64_t i = 0; i < c->n; i++) {
        c->list[i].reward = CH_DISCARD;
        c->list[i].vote_type = c->list[i].vote_correct = NAN;
        c->list[i].why = ch_why_not_yet;
    }
    return r->fill(c, m, s, o, e);
}
