/* A Llama-family model: dimensions, f32 master weights, tokenizer and chat template, all as its
 * GGUF describes them. */
#ifndef CH_MODEL_MODEL_H
#define CH_MODEL_MODEL_H

#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "tensor/device.h"

typedef struct ch_model ch_model;

/* Sizes: L layers, C channels, H query heads, G key/value heads, D head size, F feed-forward, V
 * vocabulary. */
typedef struct {
    int64_t L, C, H, G, D, F, V;
    int64_t n_ctx;               /* context the model was made for */
    int64_t n_rot;               /* rotated part of a head, <= D */
    float rope_base, rope_scale; /* angle = pos * rope_scale * base^(-2i/n_rot) / factor_i */
    float norm_eps;
    int tied; /* the head is the embedding */
} ch_dims;

/* d is borrowed and only handed on (ch_model_device). The file is not believed: every count, name,
 * type, shape and offset is bounded before anything is sized by it or libllama sees it. Errors
 * (CH_EUSER): no such file, not GGUF, damaged or cut short, another architecture, a mixture of
 * experts, rope scaling other than linear, heads larger than the kernels have room for, tensors that
 * are missing, do not fit or have no place in a plain Llama (biases), a tokenizer of a kind other
 * than gpt2 and llama. CH_ENUMBER: a weight that is not finite. CH_EMEM: weights that do not fit
 * into the memory that is free. */
ch_code ch_model_load(ch_model **m, const char *path, ch_device *d, ch_err *e) CH_CHECK_RESULT;
void ch_model_free(ch_model *m);

const ch_dims *ch_model_dims(const ch_model *m);
ch_device *ch_model_device(const ch_model *m);
const char *ch_model_path(const ch_model *m);
const char *ch_model_name(const ch_model *m); /* general.name, or the file's name */
ch_hash ch_model_hash(const ch_model *m);     /* of the file it was loaded from */
int64_t ch_model_n_params(const ch_model *m);

/* Weight types of a written GGUF. Norms stay f32. */
typedef enum { CH_SAVE_F32, CH_SAVE_F16, CH_SAVE_BF16 } ch_save_type;
/* Where a model comes from, written as chorus.* keys; NULL fields are left out. */
typedef struct {
    const char *base_hash, *recipe_hash, *stage;
} ch_origin;
/* Original metadata, tokenizer and template, and the weights as they are now. Atomic; the same
 * weights and origin give the same bytes. Errors: CH_EIO, or CH_ENUMBER for a weight that is not
 * finite or too large for f16; path keeps what it held. */
ch_code ch_model_save(const ch_model *m, const char *path, ch_save_type t, const ch_origin *o,
                      ch_err *e) CH_CHECK_RESULT;

/* -- tokenizer and chat template (libllama's, from the GGUF) -- */

/* Token ids of text, which must be UTF-8 (CH_EUSER) of at most 16 MB (CH_ELONG); BOS added if the model asks for it and the text does not start with it
 * already. Special tokens are recognised wherever they are spelt out, in a user's own text too: a
 * row that holds "<|im_end|>" ends its turn there. New array; *n its length. */
ch_code ch_tokenize(const ch_model *m, const char *text, int32_t **ids, int64_t *n,
                    ch_err *e) CH_CHECK_RESULT;
/* Text of ids; special tokens are left out unless special. New string, always well-formed UTF-8: a
 * character cut off at the end is left out, any other bad byte becomes U+FFFD. */
char *ch_detokenize(const ch_model *m, const int32_t *ids, int64_t n, int special);
/* The chat template applied to one user turn, ending where the assistant's answer begins. New
 * string. A model without a template: the plain text and a newline (logged once). libllama does not
 * run the template but recognises it among the known ones, so a system message that the template
 * would add when none is given (SmolLM2: "You are a helpful AI assistant named SmolLM ...") is not
 * there; training and measuring see the same prompt. Error: a template that libllama does not
 * recognise. */
ch_code ch_chat(const ch_model *m, const char *user, char **text, ch_err *e) CH_CHECK_RESULT;
/* What the template puts behind an answer, as ids up to and including the end-of-turn token (at
 * least one). */
const int32_t *ch_end_of_turn(const ch_model *m, int64_t *n);
/* 1 when id ends an answer (end of turn, end of text). */
int ch_is_stop(const ch_model *m, int32_t id);

/* One whole training or scoring sequence: chat(user) + answer + end of turn, with what the template
 * puts between the first two (mostly nothing), tokenised as one string. ids[0..n_prompt) is the
 * prompt, ids[n_prompt..n) what is learned. answer NULL: prompt only (n == n_prompt). n_prompt is
 * the length of the longest common prefix with the prompt alone, and below n when there is an
 * answer. Errors: CH_ELONG when it is longer than max_len (0: the model's context), and for nothing
 * else, so that a caller may drop such rows; CH_EUSER when a text is not UTF-8 or gives no token.
 * `row` names the row in the sentence. */
typedef struct {
    int32_t *ids;
    int64_t n, n_prompt;
} ch_seq;
ch_code ch_seq_make(ch_seq *s, const ch_model *m, const char *user, const char *answer,
                    int64_t max_len, const char *row, ch_err *e) CH_CHECK_RESULT;
void ch_seq_release(ch_seq *s);

#endif
