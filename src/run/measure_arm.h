/* Measuring an arm of a run. */
#ifndef CH_RUN_MEASURE_ARM_H
#define CH_RUN_MEASURE_ARM_H

#include "run/setup.h"

/* answers.jsonl and same.jsonl of an arm. */
ch_code ch_run_measure(ch_state *s, int64_t arm, ch_err *e) CH_CHECK_RESULT;

#endif
