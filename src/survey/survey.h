/* Asks a model every test input under every test wording. */
#ifndef CH_SURVEY_SURVEY_H
#define CH_SURVEY_SURVEY_H

#include "data/split.h"
#include "model/model.h"
#include "survey/replies.h"

typedef enum { CH_DECODE_FREE, CH_DECODE_LABELS } ch_decode;
typedef enum { CH_OVERLONG_REFUSE, CH_OVERLONG_DROP } ch_overlong;

typedef struct {
    int64_t max_new, batch, max_rows;
    int decode;       /* ch_decode; LABELS: of tasks with ch_task_has_set, the others are free */
    int overlong;     /* ch_overlong: of a prompt that does not fit into the model's context */
    const char *what; /* progress label */
} ch_answer_how;

/* Every task is asked under all of its test wordings, as many as it has. Error: a tested task with
 * fewer than 2 or more than CH_WORDINGS_MOST wordings, two tested tasks of one name, or a prompt
 * longer than the context (names task or row). */
ch_code ch_replies_make(ch_replies *r, ch_model *m, const ch_split *s, const ch_answer_how *how,
                        ch_err *e) CH_CHECK_RESULT;
/* rows: tokens left when shared prefixes count once; bytes: what answering takes. Of them labelled
 * ones, whose answers are chosen among labels, which have so many tokens to be scored. */
typedef struct {
    int64_t n, tokens, rows, bytes;
    int64_t labelled, scored, labelled_tasks, tasks;
    int64_t dropped; /* inputs left out under overlong: drop */
} ch_prompt_load;
/* Only the check: every test prompt is made and measured, nothing is answered. */
ch_code ch_prompts_check(ch_model *m, const ch_split *s, const ch_answer_how *how,
                         ch_prompt_load *l, ch_err *e) CH_CHECK_RESULT;

#endif
