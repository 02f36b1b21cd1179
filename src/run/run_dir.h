/* A run's directory: when it is one, whose it is, how it is entered. A file with a mark of ours
 * makes a directory a run, or a run.json as runs write it; a recipe.yaml alone does not. */
#ifndef CH_RUN_RUN_DIR_H
#define CH_RUN_RUN_DIR_H

#include "run/setup.h"

/* The mark's name. It lists the arms that were ever made here. */
#define CH_RUN_MARK "chorus.run"

int ch_dir_is_run(const char *dir);
/* A recipe.yaml that lies in a run directory means that one, wherever it was copied or moved to:
 * sets r->run, and says so when the recipe names another. To be called behind ch_recipe_read, so
 * that the command line may still choose otherwise. */
ch_code ch_dir_of_recipe(ch_recipe *r, const char *recipe_path, ch_err *e) CH_CHECK_RESULT;
/* The directory may be new, empty, or hold a run of the same data, split and seed. */
ch_code ch_dir_check(const ch_recipe *r, int fresh, ch_err *e) CH_CHECK_RESULT;
/* That the run there, if any, is of the same base model, by its file's hash. */
ch_code ch_dir_check_model(const ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* Makes it, locks it (the lock ends with the process, however that ends), checks it again, empties
 * it when fresh, and marks it. */
ch_code ch_dir_enter(ch_state *s, int fresh, ch_err *e) CH_CHECK_RESULT;

#endif
