/* Training rows: what stage 1 learns from, and what rows are called. */
#ifndef CH_ALIGN_SFT_H
#define CH_ALIGN_SFT_H

#include "data/split.h"
#include "train/objective.h"

/* SFT data: every (wording, input) of the training side with the first gold answer; augment 0: the
 * original instruction only (SFT), 1: instruction and wordings (SFT(IA)). side 0: training inputs,
 * 1: dev inputs under the same wordings. No training row: CH_EEMPTY; no dev row: g->n = 0.
 * n_dropped may be NULL. */
ch_code ch_sft_groups(ch_groups *g, const ch_model *m, const ch_split *s, int augment, int side,
                      int64_t max_len, int drop_overlong, int64_t *n_dropped,
                      ch_err *e) CH_CHECK_RESULT;

/* What ch_group.instruction holds: a number for a wording of a task. */
int64_t ch_instruction_id(int64_t task, int64_t wording);

/* "task, input id, wording k". New string. */
char *ch_row_name(const ch_split *s, int64_t task, int64_t item, int64_t wording);

#endif
