/* Which of the answers to an input mean the same, and same.jsonl, which keeps that. */
#ifndef CH_SURVEY_CASES_H
#define CH_SURVEY_CASES_H

#include "measure/measure.h"
#include "model/model.h"
#include "survey/replies.h"

typedef enum { CH_SIM_AUTO, CH_SIM_EXACT, CH_SIM_JUDGE } ch_sim;

/* Of a task's cases. */
typedef struct {
    const char *name;
    int64_t first;                /* the number of its first case */
    int64_t n_inputs, n_wordings; /* wordings an input */
    int judged;                   /* 1 when a judge said what is the same */
} ch_case_task;

/* Cases as the room measure wants them; they borrow from the replies. */
typedef struct {
    ch_case *list;
    int64_t n, n_tasks;
    ch_case_task *task; /* n_tasks, in the order of their first cases */
    const char **names; /* n_tasks: theirs */
    unsigned char *same;
    size_t *at; /* n: where a case's matrix begins in same */
    const char **texts;
    int *numbers;
} ch_cases;

/* judge NULL: exact throughout (sim must not need one, see ch_sim_needs_judge). */
ch_code ch_cases_make(ch_cases *c, const ch_replies *r, ch_sim sim, ch_model *judge,
                      ch_err *e) CH_CHECK_RESULT;
/* The same from a file that ch_same_write wrote for these replies. Its pairs are taken where a judge
 * made them; exact ones follow from the answers and are computed. */
ch_code ch_cases_read(ch_cases *c, const ch_replies *r, const char *same_path,
                      ch_err *e) CH_CHECK_RESULT;
/* same.jsonl: task, id, case, sim, and the pairs (1,2), (1,3) .. (n-1,n) as a text of 0 and 1. */
ch_code ch_same_write(const ch_cases *c, const ch_replies *r, const char *path,
                      ch_err *e) CH_CHECK_RESULT;
void ch_cases_release(ch_cases *c);

int ch_sim_needs_judge(ch_sim sim, const ch_replies *r);

#endif
