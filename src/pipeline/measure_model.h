/* Measuring one model: its greedy answer to every (test wording, test input), which answers mean
 * the same, and the measures made of both. Used by a run and by `chorus measure`. */
#ifndef CH_PIPELINE_MEASURE_MODEL_H
#define CH_PIPELINE_MEASURE_MODEL_H

#include "data/split.h"
#include "measure/measure.h"
#include "model/model.h"
#include "pipeline/recipe.h"
#include "report/report.h"

/* One answer. Every text is owned, so that replies read from a file stand alone. */
typedef struct {
    char *task, *id, *wording, *input, *answer;
    char **gold;
    int64_t n_gold, wording_index;
    int closed;   /* the task's kind */
    int labelled; /* chosen among the task's labels, not written freely */
    int exact, stopped, n_tokens;
} ch_reply;

/* Ordered by task, input, wording: case c is replies c * n_wordings .. (c + 1) * n_wordings - 1. */
typedef struct {
    ch_reply *list;
    int64_t n, n_wordings;
    int64_t n_dropped; /* inputs left out under overlong: drop */
} ch_replies;

typedef struct {
    int64_t max_new, batch, max_rows;
    int decode;       /* ch_decode; LABELS: of tasks with ch_task_has_set, the others are free */
    int overlong;     /* ch_overlong: of a prompt that does not fit into the model's context */
    const char *what; /* progress label */
} ch_answer_how;

/* Every task has the same number of wordings here: the smallest number of test wordings among the
 * tasks. Error: fewer than 2 wordings, or a prompt longer than the context (names its row). */
ch_code ch_replies_make(ch_replies *r, ch_model *m, const ch_split *s, const ch_answer_how *how,
                        ch_err *e) CH_CHECK_RESULT;
/* rows: tokens left when shared prefixes count once; bytes: what answering takes. Of them labelled
 * ones, whose answers are chosen among labels, which have so many tokens to be scored. */
typedef struct {
    int64_t n, tokens, rows, bytes;
    int64_t labelled, scored, labelled_tasks, tasks;
} ch_prompt_load;
/* Only the check: every test prompt is made and measured, nothing is answered. */
ch_code ch_prompts_check(ch_model *m, const ch_split *s, const ch_answer_how *how,
                         ch_prompt_load *l, ch_err *e) CH_CHECK_RESULT;
/* answers.jsonl: task, id, wording_index, wording, input, answer, gold, closed, exact, stopped,
 * n_tokens; and decode: "labels" where it was chosen among labels. */
ch_code ch_replies_write(const ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
ch_code ch_replies_read(ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
void ch_replies_release(ch_replies *r);
/* Tasks whose answers were chosen among labels; *tasks (may be NULL): of how many. */
int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks);
/* That as a sentence for a report; NULL when all was written freely. New string. */
char *ch_decode_note(const ch_replies *r);

/* Cases as src/measure wants them; they borrow from the replies. */
typedef struct {
    ch_case *list;
    int64_t n, n_tasks;
    const char **task; /* n_tasks names */
    int *judged;       /* n_tasks: 1 when a judge said what is the same */
    unsigned char *same;
    const char **texts;
    int *numbers;
} ch_cases;

/* judge NULL: exact throughout (sim must not need one, see ch_sim_needs_judge). */
ch_code ch_cases_make(ch_cases *c, const ch_replies *r, ch_sim sim, ch_model *judge,
                      ch_err *e) CH_CHECK_RESULT;
/* The same from a file that ch_same_write wrote for these replies. */
ch_code ch_cases_read(ch_cases *c, const ch_replies *r, const char *same_path,
                      ch_err *e) CH_CHECK_RESULT;
/* same.jsonl: task, id, sim, and the pairs (1,2), (1,3) .. (n-1,n) as a text of 0 and 1. */
ch_code ch_same_write(const ch_cases *c, const ch_replies *r, const char *path,
                      ch_err *e) CH_CHECK_RESULT;
void ch_cases_release(ch_cases *c);

int ch_sim_needs_judge(ch_sim sim, const ch_replies *r);
/* On pairs of different answers to closed tasks (at most `most`, evenly taken): *n asked,
 * *agreement the share in which the judge, too, calls them different. */
ch_code ch_judge_check(const ch_replies *r, ch_model *judge, int64_t most, int64_t *n,
                       double *agreement, ch_err *e) CH_CHECK_RESULT;

/* One model measured on every input and wording of r->data.tasks, as a report of one arm: r needs
 * model, tasks and what stands in its sections data, generate and measure. answers_path: also
 * written there; NULL: not. */
typedef struct ch_measured ch_measured;
ch_code ch_measure_model(ch_measured **out, const ch_recipe *r, ch_device *d, ch_model *m,
                         const char *answers_path, ch_err *e) CH_CHECK_RESULT;
const ch_report_data *ch_measured_data(const ch_measured *x);
void ch_measured_free(ch_measured *x);

/* A split that tests everything: every input under every wording, the instruction among them. */
void ch_split_all(ch_split *s, const ch_tasks *t);

/* Rows of n sequences when shared prefixes count once. */
int64_t ch_shared_rows(const ch_seq *seqs, int64_t n);

#endif
