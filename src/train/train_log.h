/* log.jsonl: a row for every update. */
#ifndef CH_TRAIN_TRAIN_LOG_H
#define CH_TRAIN_TRAIN_LOG_H

#include <stdio.h>

#include "base/str.h"
#include "train/state.h"

/* The rows of text[0..n) that are of updates 1 to `last`, each once and in order: whole lines that
 * hold what a row holds and nothing else. *n_lost: the updates without one. */
void ch_train_log_keep(ch_str *keep, const char *text, size_t n, int64_t last, int64_t *n_lost);
/* Opens the log to go on behind update `last`: rows of a life that was lost are dropped. */
ch_code ch_train_log_open(FILE **f, const char *path, int64_t last, ch_err *e) CH_CHECK_RESULT;
/* The row of update p->step. CH_EIO when it cannot be written. */
ch_code ch_train_log_row(FILE *f, const char *path, const ch_position *p, int with_dev,
                         ch_err *e) CH_CHECK_RESULT;
ch_code ch_train_log_close(FILE *f, const char *path, ch_err *e) CH_CHECK_RESULT;

#endif
