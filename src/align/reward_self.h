/* The paper's reward [P, C]: two questions to the stage-1 model, which is shown the gold. */
#ifndef CH_ALIGN_REWARD_SELF_H
#define CH_ALIGN_REWARD_SELF_H

#include "align/candidates.h"

ch_reward_fn ch_reward_self;
extern const char *const ch_reward_self_whys[];
/* The paper's rule on two readable or unreadable votes; *why says how. */
int ch_reward_of_votes(double type, double correct, const char **why);
/* A question about a candidate's text, of which task and item are read too. New string. */
char *ch_question_about(const ch_candidate *c, const ch_split *s, const char *template_text);

#endif
