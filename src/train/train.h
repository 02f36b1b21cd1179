/* Training: AdamW on groups of sequences under one objective, with checkpoints. */
#ifndef CH_TRAIN_TRAIN_H
#define CH_TRAIN_TRAIN_H

#include "train/objective.h"

/* How an update's groups are drawn. An epoch holds every group once, in either way. INDEPENDENT: in
 * an order that knows nothing of them. GROUPED: instructions first and several groups for each. */
typedef enum { CH_DRAW_INDEPENDENT, CH_DRAW_GROUPED } ch_draw;

/* Which update's model a training ends with: the last, or the one of least dev loss, which is a
 * supervised loss whatever the objective. */
typedef enum { CH_KEEP_LAST, CH_KEEP_BEST } ch_keep;

typedef struct {
    int64_t steps, batch;           /* updates; groups an update */
    int sampling;                   /* ch_draw */
    int64_t inputs_per_instruction; /* GROUPED: drawn for an instruction at once, batch at most */
    double lr, warmup_ratio;
    double min_lr_ratio; /* a cosine from lr to lr * min_lr_ratio after the warm-up */
    double beta1, beta2, eps, weight_decay, clip; /* clip 0: off */
    ch_constants constants;
    int64_t eval_every; /* dev loss each so many updates and at the end; 0: only at the end */
    int keep;           /* ch_keep */
    int64_t save_every; /* checkpoint each so many updates; 0: each few minutes */
    int64_t max_rows;   /* rows a forward pass may have; a larger batch is cut at subtrees */
    uint64_t seed;
    const char *what; /* names it in progress and messages; NULL: the objective's name */
} ch_train_opts;

typedef struct {
    int64_t steps_done;
    double first_loss, last_loss, best_dev, last_dev;
    int64_t best_step;    /* of least dev loss; 0: there is no dev data */
    int64_t kept_step;    /* that the model is from */
    int64_t tokens, rows; /* trained as if nothing were shared, and rows computed */
    double seconds;
} ch_train_result;

/* Trains m in place. CH_KEEP_BEST with dev data: the best by dev loss is put back into m at the end,
 * and dir/last.w keeps the last when that is another. dir holds state.ckpt (weights, optimiser,
 * position, hash, digest) and log.jsonl; a state with the same hash is gone on from, another hash
 * or a damaged state is an error, after which m is undefined. dev may be NULL or empty. CH_EUSER
 * for an option out of range; CH_ENUMBER names the step and rows of a NaN; CH_EIO when the state or
 * the log cannot be written; CH_ESTOP after an interrupt, with the state of the last whole update
 * written. */
ch_code ch_train(ch_model *m, const ch_objective *obj, const ch_groups *data, const ch_groups *dev,
                 const ch_train_opts *o, const char *dir, const char *hash, ch_train_result *r,
                 ch_err *e) CH_CHECK_RESULT;
/* Indices into data of the o->batch groups that update `step` (0-based) takes. */
void ch_train_drawn(const ch_groups *data, const ch_train_opts *o, int64_t step, int64_t *groups);
/* Removes what only an interrupted training needs; call it once the trained model is safe. */
void ch_train_clean(const char *dir);
/* Mean -log P a good token. CH_ENUMBER and CH_ESTOP as above. */
ch_code ch_dev_loss(ch_model *m, const ch_groups *dev, int64_t max_rows, double *loss,
                    ch_err *e) CH_CHECK_RESULT;

/* What a training would compute, from its draws alone, unless an interrupt ends it early: rows of all its updates, of all its dev
 * losses, and of its largest forest; what the updates would be if nothing were shared; and their
 * instructions, counted once an update. */
typedef struct {
    int64_t rows, dev_rows, largest, tokens, instructions;
} ch_train_load;
ch_train_load ch_train_look(const ch_groups *data, const ch_groups *dev, const ch_train_opts *o);

/* Seconds of one update, of so many groups that they have `rows` rows if that many are in a batch,
 * and what it computed. Leaves the weights as they are. */
ch_code ch_train_time(ch_model *m, const ch_objective *obj, const ch_groups *data,
                      const ch_train_opts *o, int64_t rows, double *seconds, ch_train_load *l,
                      ch_err *e) CH_CHECK_RESULT;
/* Bytes that it holds beside the weights: gradients, optimiser states, activations. */
int64_t ch_train_bytes(const ch_model *m, const ch_train_load *l);

#endif
