/* Candidates, rewards and pairs of an arm whose objective uses bad answers. */
#ifndef CH_RUN_ALIGN_ARM_H
#define CH_RUN_ALIGN_ARM_H

#include "run/setup.h"

/* RUN/align/<from>-<hash>/ for an objective that uses bad answers; m is the model that the arm
 * starts from. */
ch_code ch_run_pairs(ch_groups *g, ch_state *s, int64_t arm, ch_model *m,
                     ch_err *e) CH_CHECK_RESULT;

#endif
