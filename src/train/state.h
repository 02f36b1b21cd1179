/* What is written to go on from: state.ckpt with weights, moments and position; best.w and last.w
 * with weights alone. A file is there whole or not at all, and a digest over all its bytes says
 * whether it still is what was written. */
#ifndef CH_TRAIN_STATE_H
#define CH_TRAIN_STATE_H

#include "train/step.h"

/* Where a training stands; plain data, one fixed layout without gaps. */
typedef struct {
    int64_t step, best_step, tokens, rows;
    double best_dev, first_loss, last_loss, last_dev, seconds;
    int64_t keep;        /* ch_keep */
    int64_t row_due;     /* 1: the dev loss and the log's row of update `step` are still to come */
    ch_step_report last; /* of update `step` */
} ch_position;

/* CH_EUSER, with the file to delete: not such a file, of another model, hash, way to keep or
 * version, cut short, damaged, or with a position that s->o cannot lead to. s->m and the moments
 * are then undefined. CH_EIO when the system refuses. */
ch_code ch_state_write(const char *path, const ch_stepper *s, const ch_position *p,
                       const char *hash, ch_err *e) CH_CHECK_RESULT;
ch_code ch_state_read(const char *path, ch_stepper *s, ch_position *p, const char *hash,
                      ch_err *e) CH_CHECK_RESULT;
/* step: the update that the weights are from. Errors as above, also for those of another update. */
ch_code ch_weights_write(const char *path, ch_model *m, int64_t step, const char *hash,
                         ch_err *e) CH_CHECK_RESULT;
ch_code ch_weights_read(const char *path, ch_model *m, int64_t step, const char *hash,
                        ch_err *e) CH_CHECK_RESULT;
/* The file is sound, whatever update it is from. Overwrites the gradients. */
ch_code ch_weights_check(const char *path, const ch_stepper *s, const char *hash,
                         ch_err *e) CH_CHECK_RESULT;

#endif
