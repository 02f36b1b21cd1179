/* Paired comparison of answers to the same questions: two answers.jsonl, two arms of runs, or two
 * whole runs (arm by arm). */
#ifndef CH_REPORT_COMPARE_H
#define CH_REPORT_COMPARE_H

#include "measure/measure.h"

typedef struct {
    char *a, *b;     /* what is compared: paths of answers.jsonl */
    const char *sim; /* "as in their runs" or "exact" */
    char *note;      /* why it is not as in their runs, or NULL */
    int64_t n_tasks, n_inputs;
    int64_t n_wordings, most_wordings; /* the fewest and the most that a task has */
    int64_t labelled_a, labelled_b;    /* tasks whose answers were chosen among labels */
    ch_stat left[CH_M_COUNT], right[CH_M_COUNT], diff[CH_M_COUNT]; /* diff = right - left, paired */
} ch_comparison;

/* a and b: a run directory, a directory with answers.jsonl, or such a file. Errors: no answers
 * there, answers to other questions, or a run's answers that do not belong to its recipe. */
ch_code ch_compare(ch_comparison **list, int64_t *n, const char *a, const char *b,
                   int64_t resamples, uint64_t seed, ch_err *e) CH_CHECK_RESULT;
void ch_comparisons_free(ch_comparison *list, int64_t n);

#endif
