/* Candidates, rewards and pairs of an arm whose objective uses bad answers. */
#ifndef CH_RUN_ALIGN_ARM_H
#define CH_RUN_ALIGN_ARM_H

#include "run/setup.h"

/* RUN/align/<from>-<hash>/ for an objective that uses bad answers. *hash: of the pairs. */
ch_code ch_run_pairs(ch_state *s, int64_t arm, ch_groups *g, ch_model *from, ch_hash *hash,
                     ch_err *e) CH_CHECK_RESULT;
/* The hash alone, without making anything. */
ch_code ch_run_pairs_hash(const ch_state *s, int64_t arm, ch_hash *hash, ch_err *e) CH_CHECK_RESULT;

#endif
