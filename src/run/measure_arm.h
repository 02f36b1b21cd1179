/* Measuring an arm of a run. */
#ifndef CH_RUN_MEASURE_ARM_H
#define CH_RUN_MEASURE_ARM_H

#include "run/setup.h"

/* Pairs of answers that a judge is checked on. */
enum { CH_JUDGE_PAIRS = 200 };

/* answers.jsonl and same.jsonl of an arm. */
ch_code ch_run_measure(ch_state *s, int64_t arm, ch_err *e) CH_CHECK_RESULT;

#endif
