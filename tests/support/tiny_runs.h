/* A fresh tiny model with training options and whole runs of ch_train on it. */
#ifndef CH_TESTS_TINY_RUNS_H
#define CH_TESTS_TINY_RUNS_H

#include "support/support.h"
#include "train/sampler.h"
#include "train/state.h"

/* The hash that every run here is made under. */
extern const char BENCH_HASH[];

/* A model and the sequences of its fixture as groups of one good member each. */
typedef struct {
    tiny t;
    ch_device *d;
    ch_model *m;
    ch_member member[16];
    ch_group group[16];
    ch_groups all;
    char row[16][8]; /* "row-0" ... */
} bench;

void set_up(bench *b, ch_precision p, int threads);
void tear_down(bench *b);
/* The same model as it stands in its file again. */
void reload(bench *b);
/* Those of the PyTorch run. */
ch_train_opts plain_options(const bench *b);

typedef struct {
    ch_code code;
    ch_train_result r;
    ch_err e;
    float *weights; /* as the run left them */
    char *log;      /* log.jsonl */
    size_t n_log;
} outcome;

/* Trains on all groups from the file's weights in dir, or from the state that stands there. */
outcome train(bench *b, const ch_objective *obj, const ch_groups *dev, const ch_train_opts *o,
              const char *dir);
void outcome_release(outcome *out);
/* Both ended well, with the same bits in weights, log and result. */
void check_same(const bench *b, const outcome *got, const outcome *want);

/* SFT that at its calls-th call adds something to its loss or raises SIGINT. */
typedef struct {
    int calls, interrupt;
    double add;
} trip_wire;
extern trip_wire trip;
extern const ch_objective tripping;

#endif
