/* How a run has inputs answered. */
#ifndef CH_RUN_ANSWER_HOW_H
#define CH_RUN_ANSWER_HOW_H

#include "recipe/recipe.h"
#include "survey/survey.h"

ch_answer_how ch_answer_how_of(const ch_recipe *r, const char *what);

#endif
