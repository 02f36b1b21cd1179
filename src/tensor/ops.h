/* The one seam to a device: a table of operations. Everything above calls only these.
 *
 * Types: "act" buffers hold activations in the device's precision (f32, or bf16 as uint16_t) and
 * are void *. All matrices are dense and row-major. N counts rows (tokens of the forest); rows
 * beyond the real ones ("ghosts", id -1) are zeros and stay zeros. In a backward every parameter
 * gradient (dw) is ADDED to and every activation gradient is written, unless said otherwise.
 * Nothing here allocates, but for the matrix products of a shape seen for the first time. Results
 * depend on ch_device_team but not on scheduling. */
#ifndef CH_TENSOR_OPS_H
#define CH_TENSOR_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/device.h"
#include "tensor/layouts.h"

/* A tile of neighbouring query rows, with the keys they read: blocks in order from the root. */
typedef struct {
    int32_t q0, q1;
    int32_t block, n_blocks;
} ch_tile;
/* Rows [qa, qb) read keys [k0, k1): all of them, or, when causal, row qa + i reads k0 .. k0 + i. */
typedef struct {
    int32_t qa, qb, k0, k1, causal;
} ch_block;

/* The largest head, and the most query heads that may share a key head. */
enum { CH_MOST_HEAD = 256, CH_MOST_GROUP = 128 };

/* One attention call. A key row is a slot of the key/value store; in training slot = row.
 * Key store, per layer and key head: chunks of 16 keys, (D, 16) each, in bf16 (D/2, 16, 2); value
 * store: (n_slots, Dp), in bf16 (n_slots/2, Dp, 2), Dp = D rounded up to 16. n_slots is a multiple
 * of 16; an odd D is rounded up among keys. */
typedef struct {
    int64_t N, H, G, D, n_slots;
    const ch_tile *tiles;
    const ch_block *blocks;
    int64_t n_tiles;
    int64_t n_real; /* rows that tiles cover: [0, n_real); the ghosts' outputs are zeroed */
} ch_attn;

typedef struct {
    float lr, beta1, beta2, eps, decay;
    float scale;              /* gradient multiplier from clipping */
    float correct1, correct2; /* 1 - beta^t */
} ch_adam;

/* How the right side of a product is stored: (K,N), (N,K), or as `pack` lays it out. */
enum { CH_PLAIN = 0, CH_TURNED = 1, CH_PACKED = 2 };
/* Rows of a left side that a core's cache holds beside a panel of a packed right side. */
enum { CH_FEW = 512 };

typedef struct ch_ops {
    /* c (M,N) = op(a) op(b), or += when add. a, b act; c f32 when c_f32, else act. ta: a is stored
     * (K,M); tb: CH_PLAIN, CH_TURNED or CH_PACKED. */
    void (*gemm)(ch_device *d, void *c, int c_f32, const void *a, int ta, const void *b, int tb,
                 int64_t M, int64_t N, int64_t K, int add);

    /* Bytes of a (K,N) right side as this device likes it best, 0: plain is best. */
    size_t (*packed_bytes)(ch_device *d, int64_t N, int64_t K);
    /* out = w f32, (K,N) or turned, rounded to act and packed. */
    void (*pack)(ch_device *d, void *out, const float *w, int tb, int64_t N, int64_t K);
    /* gemm's way for M <= CH_FEW with b packed and an even K: c = a b, reading b once. */
    void (*gemm_few)(ch_device *d, void *c, int c_f32, const void *a, const void *b, int64_t M,
                     int64_t N, int64_t K);

    /* x (N,C) f32 = table[id]; table f32. */
    void (*embed)(ch_device *d, float *x, const float *table, const int32_t *ids, int64_t N,
                  int64_t C);
    void (*embed_backward)(ch_device *d, float *dtable, const float *dx, const int32_t *ids,
                           int64_t N, int64_t C);

    /* RMSNorm (Zhang & Sennrich 2019): xo = x + y (y NULL: nothing), n = act(xo * rstd * w),
     * rstd = 1 / sqrt(mean(xo^2) + eps), NaN where the mean overflows. xo may be x; rstd (N) may
     * be NULL. */
    void (*add_norm)(ch_device *d, float *xo, void *n, float *rstd, const float *x, const float *y,
                     const float *w, int64_t N, int64_t C, float eps);
    /* n again from what forward saved. */
    void (*norm_again)(ch_device *d, void *n, const float *x, const float *rstd, const float *w,
                       int64_t N, int64_t C);
    /* dx += rstd * (g - xhat * mean(g * xhat)), g = w * dn, xhat = x * rstd; dw += sum over rows dn
     * * xhat. dxa: act copy of the new dx (NULL: none; f32 devices pass NULL and use dx). dn act.
     * part: scratch of threads * C floats. */
    void (*norm_backward)(ch_device *d, float *dx, void *dxa, float *dw, const void *dn,
                          const float *x, const float *rstd, const float *w, float *part, int64_t N,
                          int64_t C);

    /* Rotates pairs (2i, 2i+1), i < n_rot/2, of every q and k head of qkv (N, (H+2G)D) in place by
     * the angle of the row's position; inverse: by minus it. cs: (n_pos, n_rot/2, 2) cosines and
     * sines. */
    void (*rope)(ch_device *d, void *qkv, const float *cs, const int32_t *pos, int64_t N, int64_t H,
                 int64_t G, int64_t D, int64_t n_rot, int inverse);

    /* Copies k and v of row i into slot[i] (NULL: i) of the stores. */
    void (*kv_store)(ch_device *d, void *kstore, void *vstore, const void *qkv, const int32_t *slot,
                     const ch_attn *at);
    /* o (N, H*D) act, lse (N, H) f32 (may be NULL). */
    void (*attention)(ch_device *d, void *o, float *lse, const void *qkv, const void *kstore,
                      const void *vstore, const ch_attn *at);
    /* dqkv (N, (H+2G)D) act, before the rotation is undone. scratch: ch_attn_scratch floats. slot =
     * row. */
    void (*attention_backward)(ch_device *d, void *dqkv, const void *dout, const void *qkv,
                               const void *o, const float *lse, float *scratch, const ch_attn *at);

    /* h (N,F) = silu(g) * u, gu (N,2F) = g | u. */
    void (*swiglu)(ch_device *d, void *h, const void *gu, int64_t N, int64_t F);
    /* dgu from dh; h is written again (dh and h may not alias). */
    void (*swiglu_backward)(ch_device *d, void *dgu, void *h, const void *dh, const void *gu,
                            int64_t N, int64_t F);

    /* lse (N) of logits (N,V) f32; not finite when any logit of the row is not. */
    void (*logsumexp)(ch_device *d, float *lse, const float *logits, int64_t N, int64_t V);
    /* dlogits act (N,V): row i is the sum over its targets t in [first[i], first[i+1]) of
     * w[t] * (onehot(token[t]) - softmax). With f32 activations dlogits may be logits. */
    void (*loss_backward)(ch_device *d, void *dlogits, const float *logits, const float *lse,
                          const int32_t *first, const int32_t *token, const float *w, int64_t N,
                          int64_t V);

    void (*to_act)(ch_device *d, void *y, const float *x, int64_t n);
    /* rows[i] of x (N,C) act into y (n,C). */
    void (*gather)(void *y, const void *x, const int32_t *rows, int64_t n, int64_t n_pad,
                   int64_t C);
    /* dx (N,C) f32 written: zero, then row rows[i] = y[i]; every row at most once. */
    void (*scatter)(void *dx, const void *y, const int32_t *rows, int64_t n, int64_t N, int64_t C);

    /* Sum of squares in double, in a fixed order. */
    double (*sum_squares)(ch_device *d, const float *x, int64_t n);
    /* AdamW (Loshchilov & Hutter 2019), decoupled decay; w, m, v in place. */
    void (*adamw)(ch_device *d, float *w, float *m, float *v, const float *g, int64_t n,
                  const ch_adam *a);

    size_t act_bytes;  /* of one activation: 4 or 2 */
    size_t room_bytes; /* what a kernel works in, for each thread: the device holds it */
} ch_ops;

#endif
