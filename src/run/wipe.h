/* Deleting what runs wrote: names of a list, plain files only, never through a link, never a file
 * that the recipe reads. */
#ifndef CH_RUN_WIPE_H
#define CH_RUN_WIPE_H

#include "recipe/recipe.h"

/* dir: of a run, open. arms: names, NULL-terminated, whose directories it may have. Keeps the
 * run's mark, so that a deletion that was cut short can be repeated. *left: what is still there, as
 * words for people, or NULL. */
ch_code ch_wipe_run(int dir, const char *path, const char *const *arms, const ch_recipe *r,
                    char **left, ch_err *e) CH_CHECK_RESULT;
/* Only the temporary files of writes that a kill cut short. */
ch_code ch_wipe_tmp(int dir, const char *path, const char *const *arms, const ch_recipe *r,
                    ch_err *e) CH_CHECK_RESULT;
/* RUN/<arm>/train. */
ch_code ch_wipe_train(const char *path, ch_err *e) CH_CHECK_RESULT;
/* Its files' names are the program's own (ch_out_own). */
void ch_wipe_own_train(const char *path);
/* 1 for the temporary name of a file that stands in a run directory itself. */
int ch_wipe_knows_tmp(const char *name);

#endif
