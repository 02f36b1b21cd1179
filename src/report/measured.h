/* One model measured on every input and wording of a recipe's tasks, as a report of one arm. */
#ifndef CH_REPORT_MEASURED_H
#define CH_REPORT_MEASURED_H

#include "model/model.h"
#include "recipe/recipe.h"
#include "report/report.h"

/* r needs model, tasks and what stands in its sections data, generate and measure. answers_path:
 * the answers are also written there; NULL: not. */
typedef struct ch_measured ch_measured;
ch_code ch_measure_model(ch_measured **out, const ch_recipe *r, ch_device *d, ch_model *m,
                         const char *answers_path, ch_err *e) CH_CHECK_RESULT;
const ch_report_data *ch_measured_data(const ch_measured *x);
void ch_measured_free(ch_measured *x);

#endif
