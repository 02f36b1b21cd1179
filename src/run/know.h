/* What a run finds out beside its recipe, once, before anything is made: s->facts. */
#ifndef CH_RUN_KNOW_H
#define CH_RUN_KNOW_H

#include "run/setup.h"

/* The program, the device and the base model. */
void ch_know_start(ch_state *s, const ch_model *base);
/* Files that the recipe names and keys depend on: prompts, which stay in s as they are now, and the
 * models of arms that are only measured. */
ch_code ch_know_files(ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* Both sides of the split, and the judge when the tested tasks need one. */
ch_code ch_know_split(ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* That every test prompt fits into every model that is only measured; leaves the base model loaded. */
ch_code ch_know_measured(ch_state *s, ch_err *e) CH_CHECK_RESULT;

#endif
