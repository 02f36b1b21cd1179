/* Cases boiled down to numbers, so that a resample only adds; for this room only. */
#ifndef CH_MEASURE_ROWS_H
#define CH_MEASURE_ROWS_H

#include "data/intern.h"
#include "measure/measure.h"

typedef struct {
    double mean[CH_M_COUNT]; /* the metrics that are means over cases; the others 0 */
    unsigned char *right;    /* n wordings */
    int64_t *answer;         /* n: numbers of the answers' texts within the task */
    int64_t gold;            /* number of the first gold answer within the task */
} ch_row;

typedef struct {
    int64_t *rows; /* its cases */
    int64_t n, cap;
    int64_t n_wordings;
    ch_intern answers, golds;
} ch_task_rows;

typedef struct {
    ch_row *row;
    ch_task_rows *task;
    int64_t n, n_tasks;
    int64_t *measured, n_measured; /* tasks that have cases */
    int64_t most_wordings, fewest_wordings;
    int64_t *count; /* scratch: room for the wordings, answers or golds of any task */
} ch_rows;

ch_code ch_rows_make(ch_rows *p, const ch_case *cases, int64_t n, int64_t n_tasks,
                     ch_err *e) CH_CHECK_RESULT;
void ch_rows_release(ch_rows *p);
/* The metrics of one task over some of its cases, repeats allowed; pick: n
 * numbers into its rows. */
void ch_rows_task(ch_rows *p, int64_t task, const int64_t *pick, int64_t n, double out[CH_M_COUNT]);

#endif
