#include "ref/ref.h"

#include <math.h>
#include <string.h>

void ref_gemm(double *c, const double *a, int ta, const double *b, int tb, int64_t M, int64_t N,
              int64_t K, int add)
{
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++) {
            double s = add ? c[i * N + j] : 0;
            for (int64_t k = 0; k < K; k++)
                s += (ta ? a[k * M + i] : a[i * K + k]) * (tb ? b[j * K + k] : b[k * N + j]);
            c[i * N + j] = s;
        }
}

void ref_embed(double *x, const double *table, const int32_t *ids, int64_t N, int64_t C)
{
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < C; c++)
            x[i * C + c] = ids[i] < 0 ? 0 : table[ids[i] * C + c];
}

void ref_add_norm(double *xo, double *n, double *rstd, const double *x, const double *y,
                  const double *w, int64_t N, int64_t C, double eps)
{
    for (int64_t i = 0; i < N; i++) {
        double sum = 0;
        for (int64_t c = 0; c < C; c++) {
            xo[i * C + c] = x[i * C + c] + (y ? y[i * C + c] : 0);
            sum += xo[i * C + c] * xo[i * C + c];
        }
        rstd[i] = 1 / sqrt(sum / (double)C + eps);
        for (int64_t c = 0; c < C; c++)
            n[i * C + c] = xo[i * C + c] * rstd[i] * w[c];
    }
}

void ref_rope(double *qkv, const double *cs, const int32_t *pos, int64_t N, int64_t H, int64_t G,
              int64_t D, int64_t n_rot)
{
    for (int64_t i = 0; i < N; i++)
        for (int64_t h = 0; h < H + G; h++)
            for (int64_t j = 0; j < n_rot / 2; j++) {
                double *x = qkv + (i * (H + 2 * G) + h) * D + 2 * j, a = x[0], b = x[1];
                const double *turn = cs + (pos[i] * (n_rot / 2) + j) * 2;
                x[0] = a * turn[0] - b * turn[1];
                x[1] = a * turn[1] + b * turn[0];
            }
}

static void one_attention(double *o, double *lse, const double *qkv, const ref_attn *at, int64_t i,
                          int64_t h)
{
    int64_t D = at->D, W = (at->H + 2 * at->G) * D, g = h / (at->H / at->G);
    const double *q = qkv + i * W + h * D;
    double top = -INFINITY, sum = 0;
    memset(o, 0, (size_t)D * sizeof *o);
    for (int pass = 0; pass < 2; pass++) /* the maximum, then the sums */
        for (int32_t j = at->first[i]; j < at->first[i + 1]; j++) {
            const double *k = qkv + at->key[j] * W + (at->H + g) * D, *v = k + at->G * D;
            double score = 0;
            for (int64_t e = 0; e < D; e++)
                score += q[e] * k[e];
            score /= sqrt((double)D);
            if (pass == 0) {
                top = fmax(top, score);
                continue;
            }
            sum += exp(score - top);
            for (int64_t e = 0; e < D; e++)
                o[e] += exp(score - top) * v[e];
        }
    for (int64_t e = 0; e < D; e++)
        o[e] /= sum;
    *lse = top + log(sum);
}

void ref_attention(double *o, double *lse, const double *qkv, const ref_attn *at)
{
    for (int64_t i = 0; i < at->N; i++)
        for (int64_t h = 0; h < at->H; h++)
            one_attention(o + (i * at->H + h) * at->D, lse + i * at->H + h, qkv, at, i, h);
}

void ref_swiglu(double *h, const double *gu, int64_t N, int64_t F)
{
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < F; j++) {
            double g = gu[i * 2 * F + j], u = gu[i * 2 * F + F + j];
            h[i * F + j] = g / (1 + exp(-g)) * u;
        }
}

void ref_logsumexp(double *lse, const double *logits, int64_t N, int64_t V)
{
    for (int64_t i = 0; i < N; i++) {
        double top = -INFINITY, sum = 0;
        for (int64_t v = 0; v < V; v++)
            top = fmax(top, logits[i * V + v]);
        for (int64_t v = 0; v < V; v++)
            sum += exp(logits[i * V + v] - top);
        lse[i] = top + log(sum);
    }
}

double ref_loss(const double *logits, const int32_t *first, const int32_t *token, const double *w,
                int64_t N, int64_t V)
{
    double loss = 0;
    for (int64_t i = 0; i < N; i++) {
        double lse;
        ref_logsumexp(&lse, logits + i * V, 1, V);
        for (int32_t t = first[i]; t < first[i + 1]; t++)
            loss += w[t] * (logits[i * V + token[t]] - lse);
    }
    return loss;
}

void ref_adamw(double *w, double *m, double *v, const double *g, int64_t n, const ref_adam *a)
{
    for (int64_t i = 0; i < n; i++) {
        double grad = a->scale * g[i];
        m[i] = a->beta1 * m[i] + (1 - a->beta1) * grad;
        v[i] = a->beta2 * v[i] + (1 - a->beta2) * grad * grad;
        double mean = m[i] / (1 - pow(a->beta1, (double)a->t));
        double var = v[i] / (1 - pow(a->beta2, (double)a->t));
        w[i] -= a->lr * (mean / (sqrt(var) + a->eps) + a->decay * w[i]);
    }
}

int64_t ref_key_at(int64_t s, int64_t g, int64_t e, int64_t n_slots, int64_t D, int bf16)
{
    int64_t chunk = s / 16, key = s % 16, deep = bf16 ? (D + 1) / 2 * 2 : D;
    int64_t within = bf16 ? e / 2 * 32 + key * 2 + e % 2 : e * 16 + key;
    return g * n_slots * deep + chunk * deep * 16 + within;
}

int64_t ref_value_at(int64_t s, int64_t g, int64_t e, int64_t n_slots, int64_t D, int bf16)
{
    int64_t Dp = (D + 15) / 16 * 16;
    return g * n_slots * Dp + (bf16 ? s / 2 * 2 * Dp + e * 2 + s % 2 : s * Dp + e);
}

double ref_dot(const double *a, const double *b, int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

void ref_gradient(double *g, double *x, const int64_t *at, int64_t n, double h,
                  double (*f)(void *ctx), void *ctx)
{
    for (int64_t k = 0; k < n; k++) {
        double keep = x[at[k]];
        x[at[k]] = keep + h;
        double up = f(ctx);
        x[at[k]] = keep - h;
        double down = f(ctx);
        x[at[k]] = keep;
        g[k] = (up - down) / (2 * h);
    }
}
