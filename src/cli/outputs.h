/* Where a command writes, checked before it works. */
#ifndef CH_CLI_OUTPUTS_H
#define CH_CLI_OUTPUTS_H

#include "recipe/recipe.h"

/* Each of outs (NULL entries are skipped) can be written, is none of the files that r names and none
 * of the others. Leaves nothing behind. */
ch_code ch_outputs_check(const ch_recipe *r, const char *const *outs, int n,
                         ch_err *e) CH_CHECK_RESULT;

#endif
