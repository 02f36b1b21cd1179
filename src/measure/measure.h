/* Consistency, accuracy and overlap of answers, with intervals. */
#ifndef CH_MEASURE_MEASURE_H
#define CH_MEASURE_MEASURE_H

#include <stdint.h>

#include "base/err.h"

/* Answers of one (task, input) under n wordings. same is n x n, symmetric, 1 on the diagonal. */
typedef struct {
    int64_t task;               /* index, for resampling by task */
    int64_t n;                  /* wordings */
    const char *const *answers; /* n texts */
    const char *const *gold;    /* n_gold right answers */
    int64_t n_gold;
    const unsigned char *same; /* sim(y_i, y_j), see ch_same_exact */
    const int *stopped;        /* n: 0 when the length limit cut the answer */
    const int *n_tokens;       /* n */
} ch_case;

/* What holds of every kind of task, closed or free, written or chosen, and of rewards too: an empty
 * answer (ch_text_empty) is never right and agrees with no other answer, not with an empty one
 * either; each is a cluster of its own. CH_M_EMPTY counts them. */

/* sim by normalised exact match; an answer of which normalising leaves nothing ("?") is compared as
 * it is, white space at its ends aside. out: n x n, 1 on the diagonal. */
void ch_same_exact(const char *const *answers, int64_t n, unsigned char *out);

/* CR [P]: pairs that agree / all pairs. n >= 2. */
double ch_cr(const unsigned char *same, int64_t n);
/* MCR [P, algorithm C]: one pass, each answer joins the first cluster whose FIRST member it agrees
 * with. */
double ch_mcr(const unsigned char *same, int64_t n);
/* 1 when the answer equals a gold one, compared as in ch_same_exact. */
int ch_exact(const char *answer, const char *const *gold, int64_t n_gold);

/* ROUGE F-measures equal to Google's rouge_score 0.1.2 with use_stemmer=True: lower case,
 * [^a-z0-9]+ split, words longer than 3 stemmed (see measure/stem.h). Best over references, 0
 * without any. */
double ch_rouge1(const char *answer, const char *const *gold, int64_t n_gold);
double ch_rougeL(const char *answer, const char *const *gold, int64_t n_gold);

typedef struct {
    double value, low, high; /* 95 % bootstrap interval, resampled by task and then input */
} ch_stat;

enum {
    CH_M_CR,
    CH_M_MCR,
    CH_M_ACC,   /* exact match, mean over wordings and inputs */
    CH_M_WORST, /* accuracy of the worst wording, mean over tasks */
    CH_M_BEST,
    CH_M_SPREAD,      /* best - worst */
    CH_M_ALL_CORRECT, /* inputs right under every wording */
    CH_M_CR_CORRECT,  /* pairs that agree and are both right / all pairs */
    CH_M_ROUGE1,
    CH_M_ROUGEL,
    CH_M_LENGTH,   /* tokens an answer */
    CH_M_STOP,     /* answers that ended by themselves */
    CH_M_TOP,      /* share of a task's most frequent answer, mean over tasks */
    CH_M_TOP_GOLD, /* the same of the first gold answers */
    CH_M_EMPTY,    /* answers that are empty */
    CH_M_COUNT
};
typedef struct {
    const char *key, *title; /* "cr", "CR" */
    int percent;             /* shown x 100 */
    int higher_is_better;    /* 1, 0, or -1 when it is neither */
} ch_metric;
extern const ch_metric ch_metrics[CH_M_COUNT];

/* A task is called collapsed when its most frequent answer's share exceeds that
 * of gold's by more. */
#define CH_COLLAPSE_EXCESS 0.25
enum { CH_ALARM_BYTES = 640 };
/* of_task: a row of by_task. */
int ch_is_collapsed(const double of_task[CH_M_COUNT]);

typedef struct {
    int64_t task;
    double share, gold; /* of its most frequent answer, and of the most frequent right one */
    char answer[48];    /* that answer, or its beginning; "" when it is empty */
} ch_collapse;

typedef struct {
    ch_stat all[CH_M_COUNT];
    int64_t n_tasks;    /* rows of by_task: the n_tasks given */
    int64_t n_measured; /* tasks that have cases; means over tasks are over these */
    int64_t n_cases;
    int64_t n_wordings; /* the fewest that a task has; most_wordings the most */
    int64_t most_wordings;
    double (*by_task)[CH_M_COUNT]; /* a row of NaN for a task without cases */
    /* The collapse alarm: a model that says one word to everything has CR 1 and is worthless. */
    int collapsed;         /* 1: the excess is above that in the mean over tasks */
    ch_collapse *collapse; /* n_collapsed tasks in which it is, the worst first */
    int64_t n_collapsed;
    char alarm[CH_ALARM_BYTES]; /* in words, naming tasks and answers; "" when n_collapsed is 0 */
} ch_measure;

/* Means are over cases unless the list above says over tasks; a case counts once, under however
 * many wordings it was asked. All cases of a task have the same wordings in the same order, tasks
 * may differ in number. resamples: 1000 when 0. Intervals: tasks are drawn with replacement, then
 * cases within each drawn task; with one task its cases alone; 2.5 and 97.5 percentiles, widened to
 * hold the value where resampling is biased (a worst wording of few inputs). Resample r uses stream
 * r of the seed. names: n_tasks for the alarm, NULL: they are called by number. Errors: no cases
 * (CH_EEMPTY); fewer than two wordings, wordings that differ within a task, a task out of range, no
 * gold (CH_EUSER); CH_ESTOP after an interrupt. */
ch_code ch_measure_make(ch_measure *m, const ch_case *cases, int64_t n, int64_t n_tasks,
                        const char *const *names, int64_t resamples, uint64_t seed,
                        ch_err *e) CH_CHECK_RESULT;
void ch_measure_release(ch_measure *m);

/* b - a on the same cases (same tasks, wordings and gold in the same order, else CH_EUSER),
 * resampled in pairs by task and then input; for every metric. A distance that only the rounding of
 * sums makes (below 1e-12) is 0, so that it is neither better nor worse. CH_ESTOP after an interrupt. */
ch_code ch_measure_diff(ch_stat diff[CH_M_COUNT], const ch_case *a, const ch_case *b, int64_t n,
                        int64_t n_tasks, int64_t resamples, uint64_t seed,
                        ch_err *e) CH_CHECK_RESULT;

#endif
