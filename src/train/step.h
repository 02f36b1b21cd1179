/* One update: the forest of its groups, the objective's derivative, AdamW. */
#ifndef CH_TRAIN_STEP_H
#define CH_TRAIN_STEP_H

#include "base/mem.h"
#include "model/net.h"
#include "model/weights.h"
#include "train/train.h"

/* Everything an update needs, allocated once. */
typedef struct {
    ch_model *m;
    const ch_objective *obj;
    const ch_train_opts *o;
    ch_net *net;
    ch_forest forest;
    ch_arena arena;
    float *grads, *m1, *m2; /* gradients and AdamW's two moments, laid out as the weights */
    const ch_group **batch; /* o->batch of an update, then sorted for cutting */
    const ch_seq **seqs;    /* members of the piece at hand */
    int32_t *member_at;     /* first member of each group of the piece */
    float *logp, *dlogp;    /* by target */
    double *sum, *w;        /* by member */
    int64_t *count;
} ch_stepper;

typedef struct {
    double loss, norm, lr;
    int64_t tokens, rows;
} ch_step_report;

/* Sizes for data: the longest group decides when it is larger than max_rows. */
ch_code ch_stepper_init(ch_stepper *s, ch_model *m, const ch_objective *obj, const ch_groups *data,
                        const ch_groups *dev, const ch_train_opts *o, ch_err *e) CH_CHECK_RESULT;
void ch_stepper_release(ch_stepper *s);
/* Update number step (0-based) on s->batch. CH_ENUMBER, which names rows, when a log P, the loss or
 * the gradient is not finite, CH_ESTOP after an interrupt: weights and moments are then as they
 * were. */
ch_code ch_stepper_update(ch_stepper *s, int64_t step, ch_step_report *r,
                          ch_err *e) CH_CHECK_RESULT;
/* Mean -log P a good token over groups. Errors as above. */
ch_code ch_stepper_dev(ch_stepper *s, const ch_groups *dev, double *loss,
                       ch_err *e) CH_CHECK_RESULT;
/* CH_ENUMBER when a weight is not finite. */
ch_code ch_stepper_weights(const ch_stepper *s, int64_t step, ch_err *e) CH_CHECK_RESULT;
/* Groups of [from, n) of list, sorted, that fit into max_rows together (at least one); returns the
 * end. *rows, unless NULL: the rows they have, copies counted as one. */
int64_t ch_cut(const ch_group *const *list, int64_t from, int64_t n, int64_t max_rows,
               int64_t *rows);
void ch_groups_sort(const ch_group **list, int64_t n);

double ch_learning_rate(const ch_train_opts *o, int64_t step);

#endif
