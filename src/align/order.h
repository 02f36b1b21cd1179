/* Candidates in order, and equal texts among them. */
#ifndef CH_ALIGN_ORDER_H
#define CH_ALIGN_ORDER_H

#include "align/candidates.h"

/* Candidate indices sorted by task, item, wording, sample. New array. */
int64_t *ch_candidates_order(const ch_candidates *c);
/* First position behind `from` in order whose candidate is of another (task, item). */
int64_t ch_item_end(const ch_candidates *c, const int64_t *order, int64_t from);
/* id[i] numbers the distinct (task, item, text) triples 0..; returns how many there are. */
int64_t ch_candidates_distinct(const ch_candidates *c, int64_t *id);

#endif
