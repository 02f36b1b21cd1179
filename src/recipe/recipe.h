/* A recipe: everything that decides what a run does. Written as YAML, read strictly: an unknown
 * key, a number out of range or a word that is not one of the choices is refused with a sentence.
 * The table of its keys is in recipe/fields.h. */
#ifndef CH_RECIPE_RECIPE_H
#define CH_RECIPE_RECIPE_H

#include "align/candidates.h"
#include "base/file.h"
#include "data/split.h"
#include "survey/cases.h"
#include "survey/survey.h"
#include "tensor/device.h"
#include "train/train.h"

/* One line of the report: a model and how it came about. */
typedef struct {
    char *name;          /* letters, digits, _ and -; names its directory */
    char *title;         /* for people */
    char *objective;     /* a row of ch_objectives, or "none": the model as it is */
    char *from;          /* an arm before this one; "base" is the recipe's model */
    char *model;         /* objective none: GGUF that is measured as it is; else "" */
    int augment;         /* train under every training wording, not only the instruction */
    ch_train_opts train; /* the recipe's, with this arm's own values */
    ch_align_opts align;
    char **keys, **values; /* this arm's own values as they were written, n_own of each */
    int64_t n_own;
} ch_arm;

typedef struct {
    char *model, *run;
    int64_t seed, threads;
    int precision, isa, save; /* ch_precision, ch_isa, ch_save_type */
    struct {
        char *tasks, *test_tasks;
        char *wordings; /* "" the tasks' own; a side file; or "paraphrase" */
        int64_t max_items, max_len;
        int overlong; /* ch_overlong */
    } data;
    struct {
        int64_t n, max_new;
        char *prompt; /* file with the prompt, "" the paper's */
    } paraphrase;
    ch_split_opts split;
    struct {
        int64_t max_new, batch, max_rows;
        int decode; /* ch_decode */
    } generate;
    ch_train_opts train;
    int64_t dev_rows;
    ch_align_opts align;
    char *judge_prompt; /* file with the self-reward's questions, "" the built-in ones */
    struct {
        int sim;     /* ch_sim */
        char *judge; /* "base" or a GGUF */
        int64_t resamples;
    } measure;
    ch_arm *arms; /* arms[0] is always "base", objective none, and the recipe's model */
    int64_t n_arms;
} ch_recipe;

/* Defaults, no model and no tasks. */
void ch_recipe_init(ch_recipe *r);
/* Reads a YAML file. Arms may be absent: ch_recipe_finish adds the default ones. Paths in it are
 * relative to the current directory. */
ch_code ch_recipe_read(ch_recipe *r, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Sets one key ("train.lr", "0.0001"), before ch_recipe_finish. where begins
 * the error's sentence. */
ch_code ch_recipe_set(ch_recipe *r, const char *key, const char *value, const char *where,
                      ch_err *e) CH_CHECK_RESULT;
/* Appends an arm. */
ch_arm *ch_recipe_add_arm(ch_recipe *r, const char *name, const char *title, const char *objective,
                          const char *from, int augment);
/* Adds default arms and the base arm, resolves each arm's options, and checks the whole. where as
 * above. */
ch_code ch_recipe_finish(ch_recipe *r, const char *where, ch_err *e) CH_CHECK_RESULT;
/* The recipe of one training and nothing else: split.by none, and the arm `objective` on the base,
 * under every wording when augment. Then ch_recipe_finish. Error: a key that only a test has
 * (data.test_tasks, and those of split but dev_inputs) is set. */
ch_code ch_recipe_train_only(ch_recipe *r, const char *objective, int augment, const char *where,
                             ch_err *e) CH_CHECK_RESULT;
/* The whole recipe as YAML, every key with its value and meaning; new string. A run keeps it as
 * recipe.yaml. */
char *ch_recipe_text(const ch_recipe *r);
/* What may not change in a run directory (model, data, split, seed, paraphrase) as text; new
 * string. */
char *ch_recipe_identity(const ch_recipe *r);
void ch_recipe_release(ch_recipe *r);

int64_t ch_recipe_arm(const ch_recipe *r, const char *name); /* index, -1 when there is none */

#endif
