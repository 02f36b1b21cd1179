/* What only the files of the model room see: the model's fields.
 * libllama and ggml are included here and in llama_guard.cpp, and nowhere outside this room. */
#ifndef CH_MODEL_MODEL_STATE_H
#define CH_MODEL_MODEL_STATE_H

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

#endif
