/* The heart: candidates under every wording, rewards, pairs, and the objectives they are trained
 * with. Source of the method: Zhao et al. 2024 (arXiv 2403.14221); [P] the paper, [C] the author's
 * scripts, [I] our reading, [+] ours. */
#ifndef CH_ALIGN_ALIGN_H
#define CH_ALIGN_ALIGN_H

#include "align/objectives.h"
#include "data/split.h"
#include "generate/generate.h"
#include "train/train.h"

typedef enum { CH_REWARD_SELF, CH_REWARD_REFERENCE, CH_REWARD_CONSENSUS } ch_reward_mode;

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
    ch_reward_mode reward;
    const char *judge_template; /* NULL: the built-in; else a text: the type question, a line "---",
                                   and the correctness question, see docs/method.md */
    int pool;        /* [+] a good answer found under one wording is the target under all */
    int gold_target; /* the gold joins the candidates as an answer with reward 2 */
    int64_t max_bad; /* bad answers a group at most; 0: all */
    uint64_t seed;
    int64_t batch, max_len;
} ch_align_opts;

/* Answers of m under every training wording, in the order task, item, wording, sample. An answer
 * depends on the seed and its own place only. A prompt longer than max_len is an error that names
 * its row. */
ch_code ch_candidates_make(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                           ch_err *e) CH_CHECK_RESULT;
/* Fills reward, votes and why. m is used by CH_REWARD_SELF only. */
ch_code ch_rewards(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                   ch_err *e) CH_CHECK_RESULT;
/* Groups of one good answer (r = 2) and its bad ones (r < 2) of the same (task, input), both scored
 * under the same wording [I]. Equal texts count once. The good one: the gold if gold_target, else a
 * finished greedy answer, else the most probable finished sample; the wording's own before (pool)
 * another's. An answer longer than max_len is left out. CH_EEMPTY when there is no pair at all: the
 * sentence says why. */
ch_code ch_pairs(ch_groups *g, const ch_candidates *c, const ch_model *m, const ch_split *s,
                 const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;
/* JSONL that a person can read: one row a candidate with votes and reward; one row a group. */
ch_code ch_candidates_write(const ch_candidates *c, const ch_split *s, const char *path, ch_err *e);
ch_code ch_candidates_read(ch_candidates *c, const ch_split *s, const char *path, ch_err *e);
ch_code ch_pairs_write(const ch_groups *g, const ch_model *m, const char *path, ch_err *e);
void ch_candidates_release(ch_candidates *c);

/* SFT data: every (wording, input) of the training side with the first gold answer; augment 0: the
 * original instruction only (SFT), 1: instruction and wordings (SFT(IA)). side 0: training inputs,
 * 1: dev inputs under the same wordings. No training row: CH_EEMPTY; no dev row: g->n = 0.
 * n_dropped may be NULL. */
ch_code ch_sft_groups(ch_groups *g, const ch_model *m, const ch_split *s, int augment, int side,
                      int64_t max_len, int drop_overlong, int64_t *n_dropped,
                      ch_err *e) CH_CHECK_RESULT;

/* Judge [C, +]: are two answers to a prompt the Same or Contradicted? Asked in both orders by
 * comparing the log-probabilities of the two words; same[i] = 1 when the mean margin favours Same.
 * Equal normalised texts are the same without asking; an empty answer agrees with nothing. margin
 * (may be NULL) is NAN where nothing was asked. */
typedef struct {
    const char *question; /* the prompt shown, may be NULL */
    const char *a, *b;
} ch_judge_pair;
ch_code ch_judge_same(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                      double *margin, ch_err *e) CH_CHECK_RESULT;
/* The same, but every pair is asked about, equal ones too: to check the judge. margin: n, NAN where
 * a question was longer than the context. */
ch_code ch_judge_ask(ch_model *judge, const ch_judge_pair *p, int64_t n, unsigned char *same,
                     double *margin, ch_err *e) CH_CHECK_RESULT;

/* Wordings by a local model (greedy): one prompt with the list asked for, parsed and filtered. */
typedef struct {
    char *text;
    const char *dropped; /* NULL when kept, else why */
} ch_wording;
typedef struct {
    ch_wording *list;
    int64_t n, n_kept;
    char *raw; /* what the model wrote */
} ch_wordings;
/* template_text NULL: the paper's one-shot numbered list [C], and, when it leaves fewer than n that
 * can be kept, single rewordings sampled from a fixed seed [+]: a small model copies the example
 * instead. {n}, {instruction}, and the example's {example_instruction} and {example} (its numbered
 * list) are replaced. max_new 0: enough for n lines. Also dropped: "cut off by the length limit",
 * "more than asked for". */
ch_code ch_paraphrase(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n,
                      const char *template_text, int64_t max_new, ch_err *e) CH_CHECK_RESULT;
/* The filter alone: reasons are "the same as another", "nearly the same as another", "lost a
 * number", "lost a placeholder", "lost a label word", "too short", "too long". Entries dropped
 * before stay so. */
void ch_wordings_filter(ch_wordings *w, const ch_task *task);
void ch_wordings_release(ch_wordings *w);

#endif
