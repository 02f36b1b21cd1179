/* What an objective is: groups of sequences, and a loss over their log P. The rows are in
 * align/objectives.c. A new constant is one row of CH_CONSTANTS: the recipe's key, its bounds and
 * help, ch_constants and the stage keys follow; the objectives that use it say so in their rows. */
#ifndef CH_TRAIN_OBJECTIVE_H
#define CH_TRAIN_OBJECTIVE_H

#include "model/model.h"

/* A group is the smallest thing an objective looks at: SFT has one sequence, CAT one good answer
 * and its bad ones under the same prompt. */
enum { CH_ROLE_GOOD = 0, CH_ROLE_BAD = 1 };
typedef struct {
    ch_seq seq;
    int role;
    double ref_logp; /* log P by a frozen model, for DPO and kin; 0 when unused */
} ch_member;
typedef struct {
    ch_member *list;
    int64_t n;
    char *row;           /* names the group in messages */
    int64_t instruction; /* equal for groups whose prompts begin with the same wording */
} ch_group;
typedef struct {
    ch_group *list;
    int64_t n;
} ch_groups;
void ch_groups_release(ch_groups *g);

/* Constants of losses: key under train in a recipe, default, lowest, highest, meaning. */
/* clang-format off */
#define CH_CONSTANTS(X)                                                            \
    X(lambda, "1",   0,    1e6, "weight of the bad answers' part [P ablates it]")  \
    X(margin, "0",   -1e6, 1e6, "the hinge opens at this difference [P: 0]")       \
    X(beta,   "0.1", 0,    1e6, "temperature [+]")
/* clang-format on */
#define CH_CONSTANT(name, def, low, high, what) double name;
typedef struct {
    CH_CONSTANTS(CH_CONSTANT)
} ch_constants;
#undef CH_CONSTANT
#define CH_CONSTANT(name, def, low, high, what) CH_BIT_##name,
enum { CH_CONSTANTS(CH_CONSTANT) CH_N_CONSTANTS };
#undef CH_CONSTANT
#define CH_READS(name) (1u << CH_BIT_##name)
extern const char *const ch_constant_names[]; /* bit i belongs to name i; ends with NULL */

/* What an update as a whole is divided by, so that no cut of the batch changes it. */
typedef struct {
    int64_t n_groups, n_good_tokens;
    ch_constants k; /* from the recipe */
} ch_update;

/* logp[i]: sum of log P over the n_tok[i] answer tokens of member i. Writes w[i] = d loss / d
 * logp[i] and returns this group's part of the update's loss. */
typedef double ch_loss_fn(const ch_group *g, const double *logp, const int64_t *n_tok,
                          const ch_update *u, double *w);

/* Who makes the groups that an objective looks at. */
typedef enum {
    CH_GROUPS_ROWS, /* training rows, one right answer each */
    CH_GROUPS_PAIRS /* good and bad answers of the model that the arm starts from */
} ch_groups_of;

typedef struct {
    const char *name, *what;
    ch_groups_of groups;
    unsigned reads;      /* CH_READS of each constant that the loss reads */
    int needs_reference; /* needs ref_logp */
    int linear;          /* w does not depend on logp */
    ch_loss_fn *loss;
} ch_objective;

/* -1/N sum log P over good members, N the answer tokens of the update. */
ch_loss_fn ch_loss_sft;

#endif
