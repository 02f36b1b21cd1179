/* What a run found, for people and programs: a terminal table, results.json and one HTML page.
 * A caller fills ch_report_data with borrowed pointers (NULL or "" where a text is absent) and
 * gives it to any of the three writers.
 * Every text may hold any bytes (answers of a model do): broken UTF-8 and control characters are
 * shown as replacement characters, markup is escaped. */
#ifndef CH_REPORT_REPORT_H
#define CH_REPORT_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "measure/kappa.h"
#include "measure/measure.h"

typedef struct {
    const char *name;             /* unique within a report */
    const char *sim;              /* how answers were compared: "exact" or "judge" */
    int64_t n_inputs, n_wordings; /* wordings an input */
} ch_report_task;

/* Losses by update; train and dev have their own steps, each rising. Every loss is finite. */
typedef struct {
    int64_t n_train, n_dev;
    const int64_t *train_step; /* n_train */
    const double *train;       /* n_train */
    const int64_t *dev_step;   /* n_dev */
    const double *dev;         /* n_dev */
} ch_report_curve;

typedef struct {
    const char *name;         /* "SFT(IA) + CAT", unique within a report */
    const char *description;  /* "from SFT(IA), 60 updates of 8" */
    const char *hash;         /* SHA-256 of the arm's model file */
    ch_measure measure;       /* by_task has n_tasks rows in the order of the report's tasks */
    int has_diff;             /* diff is set; never for arm 0 */
    ch_stat diff[CH_M_COUNT]; /* this arm - arm 0, paired on the same items */
    const char *versus; /* name of another arm, such as the control; absent: versus_diff is unset */
    ch_stat versus_diff[CH_M_COUNT]; /* this arm - versus, paired */
    ch_report_curve curve;           /* n_train and n_dev 0: not trained */
    ch_verdicts judge; /* pairs with a known verdict, of this arm's answers; all 0: not asked */
} ch_report_arm;

/* One answer under one wording. Answers of one model to one input that mean the same have equal
 * group. */
typedef struct {
    const char *text;
    int right;     /* 1: equals a right answer */
    int64_t group; /* 0..n_wordings-1, from 0 in order of appearance */
} ch_report_answer;

typedef struct {
    const char *task, *input, *gold;
    int64_t n; /* wordings >= 1 */
    const char *const *wordings;
    const ch_report_answer *before; /* n answers of arm 0 */
    const ch_report_answer *after;  /* n answers of main_arm, or NULL when there is one arm only */
} ch_report_example;

typedef struct {
    const char *title;
    const char *model;     /* name of the base model */
    const char *base_hash; /* SHA-256 of its file */
    const char *recipe;    /* the whole text */
    const char *recipe_hash;
    const uint64_t *seeds; /* n_seeds seeds of the run */
    int64_t n_seeds;
    uint64_t bootstrap_seed;
    int64_t resamples;
    const char *split;      /* "unseen wordings and unseen inputs of the same tasks" */
    const char *sim_closed; /* "exact match after normalising"; absent when no task is closed */
    const char *sim_free;   /* "judge SmolLM2.gguf, Same or Contradicted, both orders" */

    int64_t n_tasks, n_inputs;         /* inputs: over all tasks */
    int64_t n_wordings, most_wordings; /* an input: the fewest and the most that a task has */
    const ch_report_task *tasks;

    const ch_report_arm *arms; /* n_arms >= 1, the first is what the others are compared to */
    int64_t n_arms;
    int64_t main_arm; /* the "after" of headline, pictures and examples; 0: the last arm */

    const ch_report_example *examples;
    int64_t n_examples;

    const char *const *warnings; /* n_warnings sentences beside the arms' own alarms */
    int64_t n_warnings;
    const char *const *notes; /* n_notes sentences: what was done in another way than is usual */
    int64_t n_notes;
    int64_t dropped_wordings, dropped_rows;

    void *owned; /* of a report read back: its reader's */
} ch_report_data;

/* Refuses what no report may say: no arm, a NaN or an infinity (CH_ENUMBER, names arm, metric,
 * task), an interval whose low is above its high or that does not hold its value, an unnamed or doubled arm or task, a versus that
 * names no arm, counts that contradict each other. Every writer calls it first and writes nothing
 * when it fails. */
ch_code ch_report_check(const ch_report_data *d, ch_err *e) CH_CHECK_RESULT;

/* The finding in plain words, computed from the numbers. New string of lines: the first says before
 * and after (and that a model collapsed, if it did), the others what the paired differences show,
 * to the first arm and to the named other arm, and whether their intervals hold 0. d has passed
 * ch_report_check. */
char *ch_report_headline(const ch_report_data *d);

/* What a paired difference says. */
typedef enum { CH_V_UNCLEAR, CH_V_BETTER, CH_V_WORSE, CH_V_CHANGED } ch_verdict;
/* UNCLEAR when the interval holds 0; CHANGED when the metric is neither good nor bad. */
ch_verdict ch_diff_verdict(int metric, ch_stat s);

/* "8 wordings", "4 to 16 wordings". New string. */
char *ch_wordings_text(int64_t fewest, int64_t most);
/* What intervals from so few tasks are worth, as a sentence; NULL from 10 tasks on. New string. */
char *ch_interval_note(int64_t n_tasks);

/* The arm that pictures and headline call "after". */
int64_t ch_report_main_arm(const ch_report_data *d);

/* One row an arm, and the paired differences below. colour: use ANSI colours. columns: width of the
 * terminal, a table too wide for it is printed in parts; 0: no limit. Write errors show in
 * ferror(f). */
ch_code ch_report_terminal(FILE *f, const ch_report_data *d, int colour, int64_t columns,
                           ch_err *e) CH_CHECK_RESULT;

/* results.json: keys in a fixed order, numbers with all their digits; replaced
 * whole or not at all. */
ch_code ch_report_json(const char *path, const ch_report_data *d, ch_err *e) CH_CHECK_RESULT;
/* The same text as a new string, for --json. */
ch_code ch_report_json_text(char **text, const ch_report_data *d, ch_err *e) CH_CHECK_RESULT;

/* One page with everything in it: no network, no script. Replaced whole or not at all. */
ch_code ch_report_html(const char *path, const ch_report_data *d, ch_err *e) CH_CHECK_RESULT;

#endif
