/* chorus as a library: measure, train and answer with a language model on a CPU.
 *
 * Every function returns CH_OK or a code of chorus_err.h, and then puts one finished sentence into
 * e->msg (e may be NULL; otherwise set *e = {0} before each call). Nothing prints to stdout or
 * exits; progress goes to stderr unless chorus_quiet was called. Options: pass NULL for the
 * defaults, or start from chorus_..._defaults and change what you need. Texts are UTF-8. A handle
 * is used by one thread at a time; computing itself uses many.
 *
 * CH_EMEM: memory ran out and the call was given up. Its models, files, locks and large buffers have
 * been released and its unfinished outputs removed, some small blocks stay lost; outputs of the call
 * hold nothing, a handle given to it can be used again, and a training goes on as after a stop.
 *
 * The program's locale may be any: inside a call numbers have C's own form, in files too. The
 * locale is set for the calling thread alone and put back before the call returns. */
#ifndef CHORUS_H
#define CHORUS_H

#include <stdint.h>

#include "chorus_err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Only warnings on stderr from now on (1), or progress too (0, the default). */
void chorus_quiet(int on);

/* -- a model -- */

typedef struct chorus_model chorus_model;

typedef struct {
    int threads;           /* 0: one a core */
    const char *precision; /* "auto", "f32" or "bf16" */
    const char *isa;       /* "auto", "portable", "avx2" or "avx512" */
} chorus_device_opts;
void chorus_device_defaults(chorus_device_opts *o);

/* Loads a GGUF of the Llama family. Close with chorus_close. */
ch_code chorus_open(chorus_model **m, const char *gguf, const chorus_device_opts *o, ch_err *e);
void chorus_close(chorus_model *m);             /* NULL: nothing */
const char *chorus_name(const chorus_model *m); /* borrowed */
int64_t chorus_n_params(const chorus_model *m);

/* -- answers -- */

typedef struct {
    double temperature; /* 0: greedy */
    int64_t top_k;      /* 0: off */
    double top_p;       /* 1: off */
    uint64_t seed;      /* answer i draws from stream i of it */
    int64_t max_new;    /* tokens an answer may have */
    int64_t batch;      /* answers written at once at most; 0: the library's own number */
} chorus_generate_opts;
void chorus_generate_defaults(chorus_generate_opts *o);

typedef struct {
    char *text;
    int stopped;      /* 1: ended by itself, 0: at max_new */
    int64_t n_tokens; /* the end-of-turn token included */
    double logp;      /* natural log of the answer's probability at temperature 1 */
} chorus_answer;

/* Answers to n prompts, each one user turn in the model's chat template; out has room for n. The
 * same prompt gives the same greedy answer whatever else is asked with it. Release with
 * chorus_answers_release. */
ch_code chorus_generate(chorus_model *m, const char *const *prompts, int64_t n,
                        const chorus_generate_opts *o, chorus_answer *out, ch_err *e);
void chorus_answers_release(chorus_answer *a, int64_t n);

/* -- measuring -- */

typedef struct {
    double value, low, high; /* low, high: 95 % bootstrap interval by task and input */
} chorus_stat;

/* Shares are 0..1. */
typedef struct {
    chorus_stat cr;          /* pairs of wordings that got the same answer */
    chorus_stat mcr;         /* size of the largest group of equal answers */
    chorus_stat accuracy;    /* exact match */
    chorus_stat worst, best; /* accuracy of the worst and the best wording */
    chorus_stat all_correct; /* inputs answered right under every wording */
    chorus_stat rouge1, rougeL;
    int64_t n_tasks, n_inputs;
    int64_t n_wordings;    /* an input: the fewest that a task has */
    int collapsed;         /* one answer is far more frequent than it is right, over all tasks */
    char alarm[640];       /* tasks in which it is, by name; "" when in none. May be set alone */
    chorus_stat empty;     /* empty answers: never right, and equal to nothing */
    int64_t most_wordings; /* the most that a task has; each is measured under all of its own */
} chorus_measures;

typedef struct {
    const char *wordings; /* side file, NULL: the tasks' own */
    int64_t max_items;    /* first inputs of each task; 0: all */
    int64_t max_new, batch;
    const char *sim;   /* "auto", "exact" or "judge" */
    const char *judge; /* GGUF; NULL: m judges itself */
    int64_t resamples;
    uint64_t seed;
    const char *answers; /* write every answer to this JSONL file; NULL: do not */
    const char *decode;  /* "free", or "labels": the most probable label as a whole, for tasks
                            whose answers are a closed set */
} chorus_measure_opts;
void chorus_measure_defaults(chorus_measure_opts *o);

/* Asks m every input of a task file, or of a directory of them, under every wording. */
ch_code chorus_measure(chorus_model *m, const char *tasks, const chorus_measure_opts *o,
                       chorus_measures *out, ch_err *e);

/* -- training -- */

typedef struct {
    const char *objective; /* "sft", "cat" or another of the recipe's objectives */
    int plain;             /* sft: under the instruction alone, not under its wordings */
    const char *wordings;  /* as above */
    int64_t steps, batch;  /* updates; rows, or groups of answers, an update */
    double lr;
    const char *save; /* "f32", "f16" or "bf16" */
    uint64_t seed;
    chorus_device_opts device;
    const char *sampling; /* "independent", or "grouped": wordings first, several inputs for each */
} chorus_train_opts;
void chorus_train_defaults(chorus_train_opts *o);

/* Trains the model of a GGUF on tasks, on all inputs under all wordings, and writes
 * <out>/<objective>/model.gguf; *path is its name,
 * free it with free() (path may be NULL). The file gguf is not changed. A training that was stopped
 * goes on when called again with the same arguments; CH_ESTOP says that it was stopped by a signal
 * (see chorus_handle_signals). */
ch_code chorus_train(const char *gguf, const char *tasks, const char *out,
                     const chorus_train_opts *o, char **path, ch_err *e);

/* The whole run of a recipe file: everything that `chorus run RECIPE` does but print. */
ch_code chorus_run(const char *recipe, ch_err *e);

/* From now on a first SIGINT or SIGTERM makes the calls that are under way stop at the next safe
 * point, with CH_ESTOP; a second one ends the process at once. The next call works as ever, and while
 * none is under way the handlers that were there before have these signals. Off unless called. */
void chorus_handle_signals(void);
/* Puts those handlers back. */
void chorus_restore_signals(void);

#ifdef __cplusplus
}
#endif
#endif
