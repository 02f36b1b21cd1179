/* Which tasks, inputs and wordings are trained on, watched (dev) and tested. */
#ifndef CH_DATA_SPLIT_H
#define CH_DATA_SPLIT_H

#include "data/task.h"

typedef enum {
    CH_SPLIT_BOTH,    /* by input and by wording at once: the default */
    CH_SPLIT_INPUT,   /* by input; every wording is trained and tested, the instruction too */
    CH_SPLIT_WORDING, /* by wording; the same inputs are trained and tested (dev is kept apart) */
    CH_SPLIT_TASK,    /* by task, as the paper: test tasks are never trained on */
    CH_SPLIT_FILES,   /* test tasks come from their own files */
    CH_SPLIT_NONE     /* everything is trained on, but dev_inputs where they are asked for */
} ch_split_by;

typedef struct {
    ch_split_by by;
    /* Inputs a task; 0: what there is, shared 60/10/30 among the sides that the task has; below 0:
     * none. */
    int64_t train_inputs, dev_inputs, test_inputs;
    int64_t train_wordings,
        test_wordings;  /* a task; 0: half and half. The instruction itself counts
                           as a training wording and comes on top of these. */
    int64_t test_tasks; /* by task: how many; 0: one in eight, at least one */
    uint64_t seed;      /* picks inputs, wordings and tasks */
} ch_split_opts;

/* One task's share: indices into items and wordings (0 = the instruction). */
typedef struct {
    const ch_task *task;
    int64_t *train, *dev, *test; /* inputs */
    int64_t n_train, n_dev, n_test;
    int64_t *train_w, *test_w; /* wordings; train_w[0] is 0, the instruction, when the task is
                                  trained on */
    int64_t n_train_w, n_test_w;
} ch_share;

typedef struct {
    ch_share *list; /* one a task; a task of the other side has n = 0 there */
    int64_t n;
    int64_t n_left_out; /* inputs and wordings that a side lacks and cannot have, because an equal
                           one is on another side */
} ch_split;

/* Borrows the tasks. test_tasks is used by CH_SPLIT_FILES only (else NULL); its tasks follow the
 * others in list. Inputs, and wordings, that are equal after normalising stay on one side, across
 * all tasks: where two sides want the same one, the test keeps it and n_left_out counts the rest
 * (FILES: the files are taken as they are, ch_split_check refuses). A task's shuffle depends on its
 * name and the seed alone. Errors: too few inputs, wordings (a tested task needs two) or tasks for
 * what is asked (names the task, found and wanted). */
ch_code ch_split_make(ch_split *s, const ch_tasks *tasks, const ch_tasks *test_tasks,
                      const ch_split_opts *o, ch_err *e) CH_CHECK_RESULT;
/* Refuses when a test input or wording is, after normalising, also one trained on or watched (for
 * the sides that `by` separates: inputs unless by wording, wordings unless by input), in whatever
 * task; names both. */
ch_code ch_split_check(const ch_split *s, ch_split_by by, ch_err *e) CH_CHECK_RESULT;
void ch_split_release(ch_split *s);
/* A split that tests everything: every input under every wording, the instruction among them. */
void ch_split_all(ch_split *s, const ch_tasks *t);
/* "unseen wordings and unseen inputs of the same tasks" */
const char *ch_split_text(ch_split_by by);

#endif
