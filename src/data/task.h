/* Tasks as people have them: an instruction, other wordings of it, inputs with right answers.
 * Read from Super-NaturalInstructions JSON (Definition string or list, of which any further entry
 * is a wording; Instances[].input/output[]; optional "Paraphrases": [..] and "Kind"), or from JSONL
 * rows {"input": text, "output": text or list, "id" optional} beside a <stem>.yaml, .yml or .json
 * with the keys `instruction`, `wordings` and optionally `kind` (closed, free, auto) and no others.
 * Instructions, wordings and answers lose the white space at their ends;
 * inputs stay as they are. */
#ifndef CH_DATA_TASK_H
#define CH_DATA_TASK_H

#include <stdint.h>

#include "base/err.h"

typedef struct {
    char *id;
    char *input;
    char **outputs; /* n_outputs >= 1 right answers, the first is the one trained on */
    int64_t n_outputs;
} ch_instance;

/* How answers are compared: closed tasks by normalised exact match, free-form ones by a judge. */
typedef enum { CH_KIND_AUTO, CH_KIND_CLOSED, CH_KIND_FREE } ch_kind;

typedef struct {
    char *name; /* the file's name without directory and ending */
    char *path;
    char *instruction; /* the definition: wording 0 */
    char **wordings;   /* n_wordings others; identical ones (after normalising) were dropped */
    int64_t n_wordings;
    int64_t n_dropped_wordings; /* dropped as identical to another or to the instruction */
    ch_instance *items;
    int64_t n_items;
    ch_kind kind;  /* CLOSED or FREE once loaded, see ch_task_kind */
    char **labels; /* closed tasks: the distinct answers (ch_text_key), sorted; else NULL, 0 */
    int64_t n_labels;
    char **spelled; /* of a closed set: labels[k] as the answers write it most often (the first of
                       equals); NULL when there is no such set, see ch_task_has_set */
} ch_task;

typedef struct {
    ch_task *list;
    int64_t n;
} ch_tasks;

/* Loads one file, or every *.json and *.jsonl of a directory in the order of their names.
 * wordings: a side file (JSON or YAML mapping "<file name>" or "<task name>" to a list), or NULL;
 * what it lists for a task is added to the task's own. max_items > 0 keeps the first that many
 * instances a task. Errors (CH_EUSER): no such file, not JSON, no instances, an empty input or
 * output, a wrong type: each names file and row. Having no wordings is the caller's to refuse
 * (ch_tasks_need_wordings). Kind and labels are settled on all instances, before max_items cuts. */
ch_code ch_tasks_load(ch_tasks *t, const char *path, const char *wordings, int64_t max_items,
                      ch_err *e) CH_CHECK_RESULT;
ch_code ch_tasks_need_wordings(const ch_tasks *t, int64_t at_least, ch_err *e) CH_CHECK_RESULT;
void ch_tasks_release(ch_tasks *t);

/* Wording k of a task: 0 the instruction, 1..n_wordings the others. */
const char *ch_task_wording(const ch_task *t, int64_t k);

/* The kind when a recipe says auto: closed when there are at most 64 distinct normalised first
 * answers, at least 3 instances a distinct answer on average, none longer than 5 words, or when
 * every answer is one of the input's own words or at most 2 words long; else free. */
ch_kind ch_task_kind(const ch_task *t);

/* 1 when every answer is one of a few labels that come again and again, so that a new input's can
 * be looked for among them: closed, at most 64 labels, at least 3 instances a label on average. An
 * extraction task is closed and has no such set. Settled on all instances, as the labels are. */
int ch_task_has_set(const ch_task *t);

/* The prompt of [P]: instruction, newline, input. New string. */
char *ch_prompt_text(const char *instruction, const char *input);

#endif
