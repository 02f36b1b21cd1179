/* Consistency, accuracy and overlap of answers, with intervals. */
#ifndef CH_MEASURE_MEASURE_H
#define CH_MEASURE_MEASURE_H

#include <stdint.h>

#include "base/err.h"

/* Answers of one (task, input) under n wordings. same is n x n, symmetric, 1 on the diagonal. */
typedef struct {
    int64_t task;           /* index, for resampling by task */
    int64_t n;              /* wordings */
    const char *const *answers; /* n texts */
    const char *const *gold;    /* n_gold right answers */
    int64_t n_gold;
    const unsigned char *same; /* sim(y_i, y_j), see ch_same_exact */
    const int *stopped;        /* n: 0 when the length limit cut the answer */
    const int *n_tokens;       /* n */
} ch_case;

/* sim by normalised exact match; an answer that is empty after normalising agrees with nothing but an equal
 * raw text. out: n x n. */
void ch_same_exact(const char *const *answers, int64_t n, unsigned char *out);

/* CR [P]: pairs that agree / all pairs. n >= 2. */
double ch_cr(const unsigned char *same, int64_t n);
/* MCR [P, algorithm C]: one pass, each answer joins the first cluster whose FIRST member it agrees with. */
double ch_mcr(const unsigned char *same, int64_t n);
/* 1 when the normalised answer equals a normalised gold. */
int ch_exact(const char *answer, const char *const *gold, int64_t n_gold);

/* ROUGE F-measures equal to Google's rouge_score 0.1.2 with use_stemmer=True: lower case, [^a-z0-9]+ split,
 * words longer than 3 stemmed (Porter, nltk's variant as rouge_score uses it). Best over references. */
double ch_rouge1(const char *answer, const char *const *gold, int64_t n_gold);
double ch_rougeL(const char *answer, const char *const *gold, int64_t n_gold);

typedef struct {
    double value, low, high; /* 95 % bootstrap interval, resampled by task and then input */
} ch_stat;

enum {
    CH_M_CR,
    CH_M_MCR,
    CH_M_ACC,         /* exact match, mean over wordings and inputs */
    CH_M_WORST,       /* accuracy of the worst wording, mean over tasks */
    CH_M_BEST,
    CH_M_SPREAD,      /* best - worst */
    CH_M_ALL_CORRECT, /* inputs right under every wording */
    CH_M_CR_CORRECT,  /* CR counting only pairs of right answers */
    CH_M_ROUGE1,
    CH_M_ROUGEL,
    CH_M_LENGTH, /* tokens an answer */
    CH_M_STOP,   /* answers that ended by themselves */
    CH_M_TOP,    /* share of the most frequent answer, mean over tasks */
    CH_M_TOP_GOLD, /* the same of the gold answers */
    CH_M_COUNT
};
typedef struct {
    const char *key, *title; /* "cr", "CR" */
    int percent;             /* shown x 100 */
    int higher_is_better;    /* 1, 0, or -1 when it is neither */
} ch_metric;
extern const ch_metric ch_metrics[CH_M_COUNT];

typedef struct {
    ch_stat all[CH_M_COUNT];
    int64_t n_tasks, n_cases, n_wordings;
    double (*by_task)[CH_M_COUNT]; /* n_tasks rows */
    int collapsed;                 /* the alarm: one answer far more frequent than gold warrants */
    char alarm[256];               /* in words, "" when none */
} ch_measure;

/* resamples: 1000 when 0. */
ch_code ch_measure_make(ch_measure *m, const ch_case *cases, int64_t n, int64_t n_tasks,
                        int64_t resamples, uint64_t seed, ch_err *e) CH_CHECK_RESULT;
void ch_measure_release(ch_measure *m);

/* b - a on the same cases, resampled in pairs by task and then input; for every metric. */
ch_code ch_measure_diff(ch_stat diff[CH_M_COUNT], const ch_case *a, const ch_case *b, int64_t n,
                        int64_t n_tasks, int64_t resamples, uint64_t seed, ch_err *e)
    CH_CHECK_RESULT;

#endif
