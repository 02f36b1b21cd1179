/* What the stages of a run depend on. Keys are made here and nowhere else: a run and whoever reads
 * one back call the same functions with the recipe and the facts that run.json keeps. */
#ifndef CH_RUN_KEYS_H
#define CH_RUN_KEYS_H

#include "base/json.h"
#include "recipe/recipe.h"

/* The program's version; part of every key. */
extern const char ch_version[];
/* Part of every key too. Raise it by hand whenever a stage that is done under some key would now
 * come out with other bytes, or a key is put together in another way. */
enum { CH_KEY_FORMAT = 2 };

/* What a run knows beyond its recipe. An empty hash: there is no such thing in this run. */
typedef struct {
    char version[32];
    char computes[96];                    /* "f32, avx512, 2 threads": the bits depend on each */
    ch_hash base;                         /* file of the recipe's model */
    ch_hash train_side, test_side;        /* texts on either side of the split */
    ch_hash labels;                       /* of the tested tasks that choose among labels */
    ch_hash judge;                        /* file of the judge, when one is asked */
    ch_hash instructions;                 /* of all tasks, when the model writes the wordings */
    ch_hash paraphrase_prompt, questions; /* files' texts, where the recipe names one */
    ch_hash *models;                      /* one an arm: file of an arm that is only measured */
    int64_t n_models;
} ch_facts;

void ch_facts_release(ch_facts *f);
/* Puts them into v. */
void ch_facts_write(const ch_facts *f, const ch_recipe *r, json_t *v);
/* From a run.json, for the recipe.yaml beside it. Error: another version of chorus wrote it, it is
 * not what was written, or of another recipe; path is for the sentence. */
ch_code ch_facts_read(ch_facts *f, const ch_recipe *r, const json_t *v, const char *path,
                      ch_err *e) CH_CHECK_RESULT;

/* The model of an arm: the key of the training that it is from (that of a model which is not
 * trained here is its file's hash), and its file's hash. */
typedef struct {
    ch_hash key, file;
} ch_made;

/* New strings of "name: value" lines, for ch_stage_of. from: the model an arm starts from. */
char *ch_key_wordings(const ch_recipe *r, const ch_facts *f);
char *ch_key_candidates(const ch_recipe *r, const ch_facts *f, const ch_arm *a,
                        const ch_made *from);
char *ch_key_pairs(const ch_recipe *r, const ch_facts *f, const ch_arm *a, const ch_made *from);
char *ch_key_train(const ch_recipe *r, const ch_facts *f, const ch_arm *a, const ch_made *from);
char *ch_key_answers(const ch_recipe *r, const ch_facts *f, const ch_made *model);
/* answers: hash of the answers' key, and of their file. */
char *ch_key_same(const ch_recipe *r, const ch_facts *f, const ch_hash *answers,
                  const ch_hash *file);
/* same: hash of that key; pairs: that the judge is asked for. */
char *ch_key_judge(const ch_hash *same, int64_t pairs);

/* Where the candidates or pairs of such a key are, below the run directory. New string. */
char *ch_align_sub(const ch_arm *a, const char *key);

#endif
