/* Loading the models of a run. */
#ifndef CH_RUN_MODELS_H
#define CH_RUN_MODELS_H

#include "run/setup.h"

/* Loads a model whose file's hash is known. Error: it is another file by now. */
ch_code ch_know_load(ch_model **m, const ch_state *s, const char *path, const ch_hash *want,
                     ch_err *e) CH_CHECK_RESULT;
/* The base model, loaded if it is not. Error: its file is another than at first. */
ch_code ch_run_base(ch_state *s, ch_model **m, ch_err *e) CH_CHECK_RESULT;
void ch_run_drop_base(ch_state *s);

#endif
