/* Inside the pipeline: what the stages of a run share. */
#ifndef CH_PIPELINE_RUN_INTERNAL_H
#define CH_PIPELINE_RUN_INTERNAL_H

#include "pipeline/measure_model.h"
#include "pipeline/run.h"
#include "pipeline/stage.h"

typedef struct {
    const ch_recipe *r;
    const char *dir;
    ch_device *device;
    ch_model *base; /* loaded while `base` is what is needed, else NULL: see ch_run_base */
    ch_hash base_hash;
    ch_tasks tasks, test_tasks;
    ch_split split;
    ch_hash train_side, test_side; /* of the texts on either side of the split */
    ch_hash *made;                 /* one an arm: of its model */
    int64_t dropped_rows;
    int lock; /* file descriptor, -1 none */
} ch_state;

/* setup.c: device, model, tasks, split, checks. Writes nothing. */
ch_code ch_state_load(ch_state *s, const ch_recipe *r, ch_err *e) CH_CHECK_RESULT;
/* Splits s->tasks and makes sure that every row fits; s->base is loaded. */
ch_code ch_state_split(ch_state *s, ch_err *e) CH_CHECK_RESULT;
void ch_state_release(ch_state *s);
/* The base model, loaded if it is not. */
ch_code ch_run_base(ch_state *s, ch_model **m, ch_err *e) CH_CHECK_RESULT;
void ch_run_drop_base(ch_state *s);
ch_answer_how ch_answer_how_of(const ch_recipe *r, const char *what);
ch_code ch_run_stopped(const ch_state *s, ch_err *e); /* CH_ESTOP when interrupted */

/* train_arm.c: candidates and pairs when the objective needs them, then the training. s->made[arm]
 * is set. */
ch_code ch_run_train(ch_state *s, int64_t arm, ch_err *e) CH_CHECK_RESULT;
/* RUN/<arm>/model.gguf, or the recipe's model for the base. New string. */
char *ch_run_model_path(const ch_state *s, int64_t arm);
/* Training rows of an arm that needs no pairs, and the dev rows; either may be NULL. */
ch_code ch_run_rows(const ch_state *s, const ch_model *m, const ch_arm *a, ch_groups *train,
                    ch_groups *dev, int64_t *dropped, ch_err *e) CH_CHECK_RESULT;

/* depends.c: "key: value" lines for hashes. Every value of a section that an arm resolved to, but
 * those named in `but` (NULL-terminated). */
void ch_depends_on_arm(ch_str *b, const ch_state *s, const ch_arm *a, const char *section,
                       const char *const *but);
void ch_depends_on_device(ch_str *b, const ch_state *s);
/* The log-probabilities that objectives with a reference need, by the model training starts from.
 */
ch_code ch_run_reference(ch_groups *g, ch_model *from, const ch_recipe *r,
                         ch_err *e) CH_CHECK_RESULT;

/* pairs.c: RUN/align/<from>-<hash>/ for an objective that uses bad answers. *hash: of the pairs. */
ch_code ch_run_pairs(ch_state *s, int64_t arm, ch_groups *g, ch_model *from, ch_hash *hash,
                     ch_err *e) CH_CHECK_RESULT;
/* The hash alone, without making anything. */
ch_code ch_run_pairs_hash(const ch_state *s, int64_t arm, ch_hash *hash, ch_err *e) CH_CHECK_RESULT;

/* measure_arm.c: answers.jsonl and same.jsonl of an arm. */
ch_code ch_run_measure(ch_state *s, int64_t arm, ch_err *e) CH_CHECK_RESULT;

#endif
