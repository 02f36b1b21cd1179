/* Candidates [P]: answers of the stage-1 model under every wording, greedy and sampled. Here and in
 * all of the room: [P] the paper, Zhao et al. 2024 (arXiv 2403.14221); [C] the author's scripts;
 * [I] our reading; [+] ours. */
#ifndef CH_ALIGN_CANDIDATES_H
#define CH_ALIGN_CANDIDATES_H

#include "data/split.h"
#include "model/model.h"

enum { CH_DISCARD = -1 };

/* One answer of the stage-1 model to (task, item, wording). */
typedef struct {
    int64_t task, item, wording; /* indices into the split's task, its items and wordings */
    int64_t sample;              /* 0 greedy, 1..k sampled */
    char *text;
    int stopped;
    double logp;
    int reward;                     /* 2, 1, 0 or CH_DISCARD */
    double vote_type, vote_correct; /* log P(yes word) - log P(no word) of the two questions; NAN
                                       when not asked */
    const char *why;                /* a static sentence: how the reward came about */
} ch_candidate;
typedef struct {
    ch_candidate *list;
    int64_t n;
} ch_candidates;

typedef struct {
    int64_t samples; /* k sampled answers beside the greedy one */
    double temperature, top_p;
    int64_t top_k, max_new;
    int64_t items; /* (task, input) combinations drawn from the training inputs; 0: all */
    int reward;    /* ch_reward_mode, a row of align/rewards.c */
    const char *judge_template; /* NULL: the built-in; else a text: the type question, a line "---",
                                   and the correctness question, see docs/method.md */
    int pool;        /* [+] a good answer found under one wording is the target under all */
    int gold_target; /* the gold joins the candidates as an answer with reward 2 */
    int64_t max_bad; /* bad answers a group at most; 0: all */
    uint64_t seed;
    int64_t batch, max_len;
    int drop_overlong; /* a prompt that does not fit is left out, not refused */
} ch_align_opts;

/* Fills reward, votes and why of every candidate; all are CH_DISCARD, NAN and "not rewarded yet"
 * before. m: the model that gave the answers. */
typedef ch_code ch_reward_fn(ch_candidates *c, ch_model *m, const ch_split *s,
                             const ch_align_opts *o, ch_err *e);

extern const char ch_why_not_yet[]; /* what why says before any reward */

/* Answers of m under every training wording, in the order task, item, wording, sample. An answer
 * depends on the seed and its own place only. A prompt that leaves no room for max_new tokens in
 * max_len or in the context is an error that names its row, or (drop_overlong) left out. */
ch_code ch_candidates_make(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                           ch_err *e) CH_CHECK_RESULT;
/* Only the check: *n candidates would be made, *n_dropped prompts left out. */
ch_code ch_candidates_check(int64_t *n, int64_t *n_dropped, const ch_model *m, const ch_split *s,
                            const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;
void ch_candidates_release(ch_candidates *c);

#endif
