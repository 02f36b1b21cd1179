/* Inside the model room (and the trainer): where each weight stands in one contiguous f32 block. */
#ifndef CH_MODEL_WEIGHTS_H
#define CH_MODEL_WEIGHTS_H

#include "model/model.h"

/* One GGUF tensor inside the block. Matrices are (rows, cols) row-major, rows = outputs; norms have
 * rows = 1. */
typedef struct {
    char name[64]; /* "blk.3.attn_q.weight" */
    int64_t at;    /* first element in the block */
    int64_t rows, cols;
    int decay; /* weight decay applies: matrices yes, norms no */
} ch_param;

/* Element offsets of one layer. q, k, v follow each other (one product of (H+2G)D rows), so do gate
 * and up. */
typedef struct {
    int64_t attn_norm, qkv, wo, ffn_norm, gate_up, down;
} ch_layer_at;

/* The order of the block: embedding, layers, final norm, head if it is not tied. */
typedef struct {
    ch_param *list;
    int64_t n;
    int64_t total; /* elements, each tensor starting on a multiple of 16 (64 bytes) */
    int64_t embed, out_norm, head; /* head == embed when tied */
    ch_layer_at *layer;            /* L */
} ch_layout;

ch_layout ch_layout_make(const ch_dims *d);
void ch_layout_release(ch_layout *l);

const ch_layout *ch_model_layout(const ch_model *m);
float *ch_model_weights(ch_model *m); /* layout->total floats: the masters */
/* Call after the masters changed: copies made from them (bf16, packed) are made again before their
 * next use. */
void ch_model_touch(ch_model *m);
/* Grows by one with every ch_model_touch. */
int64_t ch_model_version(const ch_model *m);
/* n_rot/2 factors that divide the rotary frequencies, all 1 when the GGUF has no rope_freqs. */
const float *ch_model_rope_factors(const ch_model *m);

#endif
