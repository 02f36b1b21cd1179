/* Answers and scores over the prefix forest: a prompt prefix shared by many is computed once. */
#ifndef CH_GENERATE_GENERATE_H
#define CH_GENERATE_GENERATE_H

#include "model/model.h"

typedef struct {
    double temperature; /* 0 to 1e6; 0 and whatever is too small to leave a second token: greedy */
    int64_t top_k;      /* 0: off */
    double top_p;       /* 0 to 1; 1: off. The likeliest always stays. */
    uint64_t seed; /* with stream: the answer's own random numbers, whatever else is in the batch */
    uint64_t stream; /* of ch_stream */
    int64_t max_new; /* new tokens at most */
} ch_sampling;

typedef struct {
    const int32_t *ids; /* the prompt, borrowed */
    int64_t n;
    ch_sampling how;
} ch_request;

typedef struct {
    char *text;   /* decoded, trimmed, without the stop token */
    int32_t *ids; /* with the stop token if there was one */
    int64_t n;
    int stopped; /* 0: the length limit ended it */
    double logp; /* sum of log P of ids at temperature 1 */
} ch_answer;

typedef struct {
    int64_t batch;    /* sequences decoded at once (default 64 when 0) */
    int64_t max_rows; /* key/value rows held at once (default 8192 when 0) */
    const char *what; /* progress label; NULL: silent */
} ch_gen_opts;

typedef struct {
    int64_t prompt_tokens, prompt_rows; /* asked for, and computed after sharing */
    int64_t new_tokens;
    double prompt_s, decode_s;
} ch_gen_stats;

/* out[n] is filled in request order. stats may be NULL. Errors: CH_EUSER for an option out of range
 * or a prompt too long; CH_ENUMBER for a logit that is not finite; CH_ESTOP when interrupted. */
ch_code ch_generate(ch_model *m, const ch_request *req, int64_t n, const ch_gen_opts *o,
                    ch_answer *out, ch_gen_stats *stats, ch_err *e) CH_CHECK_RESULT;
void ch_answer_release(ch_answer *a);
/* CH_EUSER when an option is out of range, or n sequences are too many. o may be NULL. */
ch_code ch_gen_check(const ch_gen_opts *o, int64_t n, ch_err *e) CH_CHECK_RESULT;
/* Bytes that ch_generate would allocate beside the answers; 0 for what it would refuse. */
int64_t ch_generate_bytes(ch_model *m, const ch_request *req, int64_t n, const ch_gen_opts *o);

/* logp[i] = sum of log P of seqs[i].ids[n_prompt..n). Everything shared is computed once. Errors as
 * above; after CH_ENUMBER the logp at fault, which is the last that was filled, is NAN. */
ch_code ch_score(ch_model *m, const ch_seq *seqs, int64_t n, const ch_gen_opts *o, double *logp,
                 ch_err *e) CH_CHECK_RESULT;
/* Bytes that it would allocate. */
int64_t ch_score_bytes(const ch_model *m, const ch_seq *seqs, int64_t n);

/* One of a closed set of answers to a prompt. */
typedef struct {
    const char *user;          /* the prompt: one user turn */
    const char *const *labels; /* n_labels >= 1, none empty */
    int64_t n_labels;
    const char *row; /* names the prompt in messages */
} ch_choice;
typedef struct {
    int64_t label;    /* the chosen one */
    int64_t n_tokens; /* its tokens, the end of turn included */
    double logp;      /* the sum of their log P */
} ch_chosen;

/* out[i].label is the label whose whole text and end of turn have the highest sum of log P behind
 * the prompt; the length is not made up for. The lowest among equals. Prompts, and what labels
 * begin with in common, are computed once. Errors: a label that does not fit into the context;
 * CH_ENUMBER for a log P that is no number; CH_ESTOP when interrupted. */
ch_code ch_choose_labels(ch_model *m, const ch_choice *c, int64_t n, const ch_gen_opts *o,
                         ch_chosen *out, ch_err *e) CH_CHECK_RESULT;

#endif
