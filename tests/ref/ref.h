/* Naive double-precision twins of the operations of tensor/ops.h: forward only, one loop after the
 * other, in the order of the formulas. Backwards are checked by central differences of these.
 * Matrices are dense and row-major, shapes as in ops.h. */
#ifndef CH_TESTS_REF_H
#define CH_TESTS_REF_H

#include <stdint.h>

/* c (M,N) = op(a) op(b), added to when add. ta: a is (K,M); tb: b is (N,K). */
void ref_gemm(double *c, const double *a, int ta, const double *b, int tb, int64_t M, int64_t N,
              int64_t K, int add);

/* x (N,C) = table[id], zeros for id -1. */
void ref_embed(double *x, const double *table, const int32_t *ids, int64_t N, int64_t C);

/* xo = x + y (y NULL: x), n = xo * rstd * w, rstd = 1 / sqrt(mean(xo^2) + eps). */
void ref_add_norm(double *xo, double *n, double *rstd, const double *x, const double *y,
                  const double *w, int64_t N, int64_t C, double eps);

/* Pairs (2i, 2i+1), i < n_rot/2, of the first H + G heads of qkv (N, (H+2G)D), rotated in place by
 * the angle whose cosine and sine are cs[pos][i]. */
void ref_rope(double *qkv, const double *cs, const int32_t *pos, int64_t N, int64_t H, int64_t G,
              int64_t D, int64_t n_rot);

/* The keys of row i: rows key[first[i]] .. key[first[i+1] - 1] of qkv. */
typedef struct {
    int64_t N, H, G, D; /* N rows, ghosts left out */
    const int32_t *first, *key;
} ref_attn;
/* o (N, H*D), lse (N,H) from qkv (N, (H+2G)D): softmax(q k / sqrt(D)) v. */
void ref_attention(double *o, double *lse, const double *qkv, const ref_attn *at);

/* h (N,F) = silu(g) * u of gu (N,2F) = g | u. */
void ref_swiglu(double *h, const double *gu, int64_t N, int64_t F);

/* lse (N) of logits (N,V). */
void ref_logsumexp(double *lse, const double *logits, int64_t N, int64_t V);
/* Sum over rows i and their targets t in [first[i], first[i+1]) of w[t] * log P(token[t]). */
double ref_loss(const double *logits, const int32_t *first, const int32_t *token, const double *w,
                int64_t N, int64_t V);

typedef struct {
    double lr, beta1, beta2, eps, decay, scale;
    int64_t t; /* step, from 1 */
} ref_adam;
/* AdamW, algorithm 2 of Loshchilov & Hutter 2019 with schedule multiplier lr;
 * gradient scale * g. */
void ref_adamw(double *w, double *m, double *v, const double *g, int64_t n, const ref_adam *a);

/* Where element e of slot s, key head g stands in the key store and in the value store. */
int64_t ref_key_at(int64_t s, int64_t g, int64_t e, int64_t n_slots, int64_t D, int bf16);
int64_t ref_value_at(int64_t s, int64_t g, int64_t e, int64_t n_slots, int64_t D, int bf16);

/* Sum of a[i] * b[i]: the loss whose gradient by a is b. */
double ref_dot(const double *a, const double *b, int64_t n);

/* g[k] = d f / d x[at[k]] by central differences of step h; x is left as it was. */
void ref_gradient(double *g, double *x, const int64_t *at, int64_t n, double h,
                  double (*f)(void *ctx), void *ctx);

#endif
