/* What a run directory says of its run: recipe.yaml, run.json and split.json. */
#ifndef CH_RUN_DESCRIBE_H
#define CH_RUN_DESCRIBE_H

#include "run/setup.h"

ch_code ch_describe_recipe(const ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* run.json: the facts that keys are made of (run/keys.h), and what reports tell. s->base is loaded.
 * dropped: wordings that the model wrote and the filter dropped. */
ch_code ch_describe_run(const ch_state *s, int64_t dropped, ch_err *e) CH_CHECK_RESULT;
/* Who is trained on, watched and tested, for people. */
ch_code ch_describe_split(const ch_state *s, ch_err *e) CH_CHECK_RESULT;

#endif
