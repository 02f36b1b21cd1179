/* Candidates and groups as JSONL that a person can read: one row a candidate with votes and
 * reward; one row a group. */
#ifndef CH_ALIGN_ALIGN_FILES_H
#define CH_ALIGN_ALIGN_FILES_H

#include "align/candidates.h"
#include "train/objective.h"

ch_code ch_candidates_write(const ch_candidates *c, const ch_split *s, const char *path, ch_err *e);
ch_code ch_candidates_read(ch_candidates *c, const ch_split *s, const char *path, ch_err *e);
ch_code ch_pairs_write(const ch_groups *g, const ch_model *m, const char *path, ch_err *e);

#endif
