/* What a run would do, told before it is done. */
#ifndef CH_RUN_DRY_RUN_H
#define CH_RUN_DRY_RUN_H

#include <stdio.h>

#include "recipe/recipe.h"

/* Loads and tokenises everything, times a few rows, and writes rows, tokens, memory and time
 * (estimates) to out. */
ch_code ch_dry_run(const ch_recipe *r, FILE *out, int json, ch_err *e) CH_CHECK_RESULT;

#endif
