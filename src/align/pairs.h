/* Pairs of good and bad answers, from candidates that have their rewards. */
#ifndef CH_ALIGN_PAIRS_H
#define CH_ALIGN_PAIRS_H

#include "align/candidates.h"
#include "train/objective.h"

/* Groups of one good answer (r = 2) and its bad ones (r < 2) of the same (task, input), both scored
 * under the same wording [I]. Equal texts count once. The good one: the gold if gold_target, else a
 * finished greedy answer, else the most probable finished sample; the wording's own before (pool)
 * another's. An answer longer than max_len is left out. CH_EEMPTY when there is no pair at all: the
 * sentence says why. */
ch_code ch_pairs(ch_groups *g, const ch_candidates *c, const ch_model *m, const ch_split *s,
                 const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;

/* One group before it is tokenised. */
typedef struct {
    int64_t task, item, wording;
    const char *good; /* borrowed from a candidate or from the task */
    int64_t *bad;     /* candidate indices */
    int64_t n_bad;
} ch_pick;
typedef struct {
    ch_pick *list;
    int64_t n;
} ch_picks;
ch_code ch_pairs_pick(ch_picks *p, const ch_candidates *c, const ch_split *s,
                      const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;
void ch_picks_release(ch_picks *p);

#endif
