/* Inside the train room. */
#ifndef CH_TRAIN_INTERNAL_H
#define CH_TRAIN_INTERNAL_H

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

/* What is written beside the weights; plain data, one fixed layout. */
typedef struct {
    int64_t step, best_step, tokens, rows;
    double best_dev, first_loss, last_loss, last_dev, seconds;
} ch_position;

typedef struct {
    double loss, norm, lr;
    int64_t tokens, rows;
} ch_step_report;

/* Sizes for data: the longest group decides when it is larger than max_rows. */
ch_code ch_stepper_init(ch_stepper *s, ch_model *m, const ch_objective *obj, const ch_groups *data,
                        const ch_groups *dev, const ch_train_opts *o, ch_err *e) CH_CHECK_RESULT;
void ch_stepper_release(ch_stepper *s);
/* Update number step (0-based) on s->batch. CH_ENUMBER when loss or gradient is not a number: the
 * weights are then as they were. */
ch_code ch_stepper_update(ch_stepper *s, int64_t step, ch_step_report *r,
                          ch_err *e) CH_CHECK_RESULT;
/* Mean -log P a good token over groups. */
double ch_stepper_dev(ch_stepper *s, const ch_groups *dev);
/* Groups of [from, n) of list, sorted, that fit into max_rows together (at least one); returns the
 * end. *rows, unless NULL: the rows they have, copies counted as one. */
int64_t ch_cut(const ch_group *const *list, int64_t from, int64_t n, int64_t max_rows,
               int64_t *rows);
void ch_groups_sort(const ch_group **list, int64_t n);

double ch_learning_rate(const ch_train_opts *o, int64_t step);

/* The i-th group of the run: epochs are orders of all n groups, each from its own stream of the
 * seed, so that any update can be drawn again without those before it. */
typedef struct {
    int64_t n, epoch;
    uint64_t seed;
    int64_t *order;
    const ch_group *list;   /* NULL: independent */
    int64_t batch, at_once; /* grouped: groups an update, and of one instruction in a row */
} ch_sampler;
ch_sampler ch_sampler_of(const ch_groups *data, const ch_train_opts *o);
int64_t ch_sampler_at(ch_sampler *s, int64_t i);
void ch_sampler_release(ch_sampler *s);

/* state.ckpt: weights, moments, position and hash; complete or absent. */
ch_code ch_state_write(const char *path, const ch_stepper *s, const ch_position *p,
                       const char *hash, ch_err *e) CH_CHECK_RESULT;
ch_code ch_state_read(const char *path, ch_stepper *s, ch_position *p, const char *hash,
                      ch_err *e) CH_CHECK_RESULT;
/* Weights alone: best.w, last.w. */
ch_code ch_weights_write(const char *path, ch_model *m, const char *hash,
                         ch_err *e) CH_CHECK_RESULT;
ch_code ch_weights_read(const char *path, ch_model *m, const char *hash, ch_err *e) CH_CHECK_RESULT;

#endif
