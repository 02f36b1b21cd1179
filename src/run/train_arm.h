/* Training an arm of a run. */
#ifndef CH_RUN_TRAIN_ARM_H
#define CH_RUN_TRAIN_ARM_H

#include "base/str.h"
#include "run/setup.h"

/* Candidates and pairs when the objective needs them, then the training; nothing for a model that
 * is only measured. s->made[arm] is set. */
ch_code ch_run_train(ch_state *s, int64_t arm, ch_err *e) CH_CHECK_RESULT;
/* RUN/<arm>/model.gguf, or the file of a model that is not trained here. New string. */
char *ch_run_model_path(const ch_state *s, int64_t arm);
/* Training rows of an arm that needs no pairs, and the dev rows; either may be NULL. */
ch_code ch_run_rows(const ch_state *s, const ch_model *m, const ch_arm *a, ch_groups *train,
                    ch_groups *dev, int64_t *dropped, ch_err *e) CH_CHECK_RESULT;

/* The log-probabilities that objectives with a reference need, by the model
 * training starts from. */
ch_code ch_run_reference(ch_groups *g, ch_model *from, const ch_recipe *r,
                         ch_err *e) CH_CHECK_RESULT;

#endif
