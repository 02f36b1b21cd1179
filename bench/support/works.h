/* The token work of a recipe, made as a run makes it, for a benchmark and for its peers: the same
 * ids go to both, written as one JSON file. */
#ifndef BENCH_SUPPORT_WORKS_H
#define BENCH_SUPPORT_WORKS_H

#include "run/setup.h"

/* Groups for CAT of `answers` texts under the prompts of stage 1's rows at[n]: the first right
 * answer, and bad ones. Those are synthetic, since a model's own differ from machine to machine:
 * every other right answer of the task (a wrong label, mostly one to four tokens) for half of them
 * at most, then, as a model that rambles would, the beginnings of the task's wordings, three to
 * twelve words long. No text stands in a group twice. */
ch_code ch_work_cat(ch_groups *g, const ch_model *m, const ch_recipe *r, const ch_split *s,
                    const int64_t *at, int64_t n, int64_t answers, ch_err *e) CH_CHECK_RESULT;
/* n groups of one random text of `tokens` ids after the first, the last `learned` of them learned;
 * the ids are those of bench_train. */
void ch_work_plain(ch_groups *g, const ch_model *m, int64_t n, int64_t tokens, int64_t learned);
/* Prompts of the test side: every test input under every test wording. */
ch_code ch_work_prompts(ch_seq **list, int64_t *n, const ch_model *m, const ch_split *s,
                        ch_err *e) CH_CHECK_RESULT;

/* {"work", "model", "stops": ids, "updates": [{"groups": [{"members": [{"ids", "n_prompt"}]}]}]},
 * the good answer first; batch[u * n + i] is group i of update u. */
ch_code ch_work_write(const char *path, const char *work, const ch_model *m,
                      const ch_group *const *batch, int64_t updates, int64_t n,
                      ch_err *e) CH_CHECK_RESULT;

#endif
