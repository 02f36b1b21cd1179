/* What only the files of the model room see: the model's fields, and how its GGUF is read.
 * libllama and ggml are included here and in llama_guard.cpp, and nowhere outside this room. */
#ifndef CH_MODEL_MODEL_INTERNAL_H
#define CH_MODEL_MODEL_INTERNAL_H

#include "base/mem.h"
#include "model/llama_guard.h"
#include "model/model.h"
#include "model/weights.h"

#include "gguf.h"
#include "llama.h"

/* The tensor of the Llama 3 frequency factors. */
#define CH_ROPE_FREQS "rope_freqs.weight"

struct ch_model {
    ch_dims dims;
    ch_layout layout;
    ch_arena arena;
    float *weights;      /* layout.total, in arena */
    float *rope_factors; /* n_rot/2, in arena */
    int has_rope_factors;
    int64_t version;
    ch_device *device; /* borrowed */

    char *path, *name;
    ch_hash hash;
    struct gguf_context *meta; /* all keys of the file; no tensor data */

    struct llama_model *llama;       /* vocabulary only; NULL when the file has no tokenizer */
    const struct llama_vocab *vocab; /* inside llama */
    int64_t longest_word;            /* bytes of the longest token */
    char *template;                  /* NULL: the file has none */
    char *before_answer;  /* what the template puts between the prompt's end and the answer */
    char *after_answer;   /* what follows an answer, up to and including the stop token */
    int32_t *end_of_turn; /* the same as ids */
    int64_t n_end_of_turn;
};

/* -- gguf_check.c -- */

/* Reads the header of path and refuses what is not one of a GGUF: counts, names, types, lengths,
 * shapes and offsets, all within bounds and within the file. *bytes is the file's size. */
ch_code ch_gguf_check(const char *path, int64_t *bytes, ch_err *e) CH_CHECK_RESULT;

/* -- gguf_meta.c -- */

/* Opens path as GGUF, metadata only, and checks that every tensor lies inside the file. Free with
 * gguf_free. */
ch_code ch_meta_open(struct gguf_context **g, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Sizes of a Llama, all checked to be positive, to fit each other and to be small enough to
 * multiply. V comes from the embedding; tied is set when there is no output.weight. */
ch_code ch_meta_dims(ch_dims *d, const struct gguf_context *g, const char *path,
                     ch_err *e) CH_CHECK_RESULT;
/* A string key, NULL when absent or not a string. */
const char *ch_meta_str(const struct gguf_context *g, const char *key);

/* -- vocab_check.c -- */

/* The tokenizer is of a kind that libllama can do here, its lists are of the right type and length,
 * its words neither too long nor there twice; *present: there is one. */
ch_code ch_meta_check_tokenizer(const struct gguf_context *g, const char *path, int64_t V,
                                int *present, ch_err *e) CH_CHECK_RESULT;

/* -- vocab.c, chat.c -- */

ch_code ch_vocab_load(ch_model *m, ch_err *e) CH_CHECK_RESULT;
/* ch_tokenize for what `row` names in the sentence. */
ch_code ch_row_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                   ch_err *e) CH_CHECK_RESULT;
/* The same without a BOS in front. */
ch_code ch_text_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                    ch_err *e) CH_CHECK_RESULT;
/* s[0..n) as well-formed UTF-8 without a NUL: a character cut off at the end is left out, what can
 * never become one turns into U+FFFD. New string. */
char *ch_clean_utf8(const char *s, size_t n);
/* Learns before_answer, after_answer and end_of_turn from the template. */
ch_code ch_chat_learn(ch_model *m, ch_err *e) CH_CHECK_RESULT;

#endif
