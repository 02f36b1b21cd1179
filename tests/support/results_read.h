/* Reads results.json back: no product code does. */
#ifndef TESTS_SUPPORT_RESULTS_READ_H
#define TESTS_SUPPORT_RESULTS_READ_H

#include "report/report.h"

/* Reads what ch_report_json wrote and checks it. On failure (CH_EUSER names file and key) *d is
 * empty. */
ch_code ch_report_read_json(ch_report_data *d, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Frees what ch_report_read_json allocated; does nothing to one filled by hand. */
void ch_report_release(ch_report_data *d);

#endif
