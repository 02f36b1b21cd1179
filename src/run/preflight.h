/* What a run can know before its first update is known before it: every file, the run directory,
 * and every length. */
#ifndef CH_RUN_PREFLIGHT_H
#define CH_RUN_PREFLIGHT_H

#include <jansson.h>

#include "run/setup.h"

/* Without a model: the files that r names can be read and hold what they must, and the run directory
 * can be made and written into. Leaves nothing behind. train_only: r is that of a training alone. */
ch_code ch_preflight_files(const ch_recipe *r, int train_only, ch_err *e) CH_CHECK_RESULT;
/* Of the file in r->paraphrase.prompt alone; *text (may be NULL) is what it holds, NULL without a
 * file. */
ch_code ch_preflight_prompt(const ch_recipe *r, char **text, ch_err *e) CH_CHECK_RESULT;
/* Every length of every stage, with s->base loaded and the tasks split: training and dev rows, test
 * prompts and their answers, candidates, the self-reward's and the judge's questions. What does not
 * fit is refused by name, or under data.overlong: drop counted in s->dropped; test inputs about
 * which the judge could not be asked leave the split. */
ch_code ch_preflight_lengths(ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* The last of these alone, for r's measure.sim and generate.max_new. *n: inputs that left. */
ch_code ch_preflight_judge(ch_split *s, const ch_recipe *r, const ch_model *judge, int64_t *n,
                           ch_err *e) CH_CHECK_RESULT;
/* Whether some tested task's answers are compared by a judge. */
int ch_preflight_judged(const ch_split *s, const ch_recipe *r);
/* The counts by kind. New reference. */
json_t *ch_dropped_json(const ch_dropped *d);
/* Those that are not 0 in words, "" for none. New string. */
char *ch_dropped_text(const ch_dropped *d);

#endif
