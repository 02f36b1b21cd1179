#include <math.h>
#include <string.h>

#include "base/log.h"
#include "model/net_room.h"
#include "model/weights.h"

/* Cosines and sines of every position up to the largest asked for. */
static void need_positions(ch_net *t, const int32_t *pos, int64_t n)
{
    const ch_dims *z = ch_model_dims(t->m);
    const float *factor = ch_model_rope_factors(t->m);
    int64_t most = 0, half = z->n_rot / 2;
    for (int64_t i = 0; i < n; i++)
        most = pos[i] > most ? pos[i] : most;
    if (most < t->n_pos)
        return;
    int64_t from = t->n_pos;
    t->n_pos = (most + 512) / 512 * 512;
    t->cs = ch_grow(t->cs, (size_t)(t->n_pos * half * 2), sizeof *t->cs);
    for (int64_t p = from; p < t->n_pos; p++)
        for (int64_t i = 0; i < half; i++) {
            double base = pow((double)z->rope_base, -2.0 * (double)i / (double)z->n_rot);
            double a = (double)p * (double)z->rope_scale * base / (double)factor[i];
            t->cs[(p * half + i) * 2] = (float)cos(a);
            t->cs[(p * half + i) * 2 + 1] = (float)sin(a);
        }
}

/* y (n, rows) = x (n, cols) W^T. */
static void apply(ch_net *t, void *y, int y_f32, const void *x, const weight_at *w, int64_t n)
{
    const void *b = w->copy ? w->copy : ch_model_weights(t->m) + w->at;
    t->op->gemm(t->d, y, y_f32, x, 0, b, w->packed ? CH_PACKED : CH_TURNED, n, w->rows, w->cols, 0);
}

/* dx (n, cols) = dy (n, rows) W; training only. */
static void apply_back(ch_net *t, void *dx, const void *dy, const weight_at *w, int64_t n)
{
    const void *b = w->copy ? w->copy : ch_model_weights(t->m) + w->at;
    t->op->gemm(t->d, dx, 0, dy, 0, b, CH_PLAIN, n, w->cols, w->rows, 0);
}

static weight_at *matrix(const ch_net *t, int64_t l, int which)
{
    return t->w + l * N_MATRICES + which;
}

static weight_at *head_matrix(const ch_net *t)
{
    return t->w + ch_model_dims(t->m)->L * N_MATRICES;
}

static ch_attn attn_call(const ch_net *t, const ch_plan *p, int64_t N, int64_t n_real)
{
    const ch_dims *z = ch_model_dims(t->m);
    return (ch_attn){.N = N,
                     .H = z->H,
                     .G = z->G,
                     .D = z->D,
                     .n_slots = t->n_slots,
                     .tiles = p->tiles,
                     .blocks = p->blocks,
                     .n_tiles = p->n_tiles,
                     .n_real = n_real};
}

/* A layer up to what its rows may attend to. */
static void project(ch_net *t, int64_t l, const ch_rows *r, const ch_attn *at)
{
    const ch_dims *z = ch_model_dims(t->m);
    const float *w = ch_model_weights(t->m) + ch_model_layout(t->m)->layer[l].attn_norm;
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    op->add_norm(t->d, s->x, t->n, s->rstd1, l ? t->layer[l - 1].xm : s->x, l ? t->y : NULL, w,
                 r->n, z->C, z->norm_eps);
    apply(t, s->qkv, 0, t->n, matrix(t, l, QKV), r->n);
    op->rope(t->d, s->qkv, t->cs, r->pos, r->n, z->H, z->G, z->D, z->n_rot, 0);
    op->kv_store(t->d, s->k, s->v, s->qkv, r->slot, at);
}

/* The rest of it for n rows, from the residual x and the heads' outputs o; xm and y are left. */
static void feed_forward(ch_net *t, int64_t l, const float *x, const void *o, int64_t n)
{
    const ch_dims *z = ch_model_dims(t->m);
    const float *w = ch_model_weights(t->m) + ch_model_layout(t->m)->layer[l].ffn_norm;
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    apply(t, t->y, 1, o, matrix(t, l, WO), n);
    op->add_norm(t->d, s->xm, t->n, s->rstd2, x, t->y, w, n, z->C, z->norm_eps);
    apply(t, s->gu, 0, t->n, matrix(t, l, GATE_UP), n);
    op->swiglu(t->d, t->h, s->gu, n, z->F);
    apply(t, t->y, 1, t->h, matrix(t, l, DOWN), n);
}

/* Rows that go on from the last layer's attention, padded for the products of training. */
static int64_t late_rows(const ch_net *t, int64_t n_lrows)
{
    return t->use == CH_NET_TRAIN ? min64(ch_round_up16(n_lrows), t->max_rows) : n_lrows;
}

/* A residual row's width in acts, for operations that only move rows. */
static int64_t residual_acts(const ch_net *t)
{
    return ch_model_dims(t->m)->C * (int64_t)(sizeof(float) / t->op->act_bytes);
}

/* The last layer: behind its attention, only rows that have logits go on. */
static void last_layer(ch_net *t, const ch_rows *r, const ch_attn *at)
{
    const ch_dims *z = ch_model_dims(t->m);
    int64_t n = late_rows(t, r->n_lrows);
    saved *s = t->layer + z->L - 1;
    project(t, z->L - 1, r, at);
    if (!r->n_lrows)
        return;
    t->op->attention(t->d, s->o, t->use == CH_NET_TRAIN ? s->lse : NULL, s->qkv, s->k, s->v, at);
    t->op->gather(t->ol, s->o, r->lrows, r->n_lrows, n, z->H * z->D);
    t->op->gather(s->xm, s->x, r->lrows, r->n_lrows, n, residual_acts(t));
    feed_forward(t, z->L - 1, s->xm, t->ol, n);
}

/* All layers; leaves the normalised output of the late rows in t->n. */
static void trunk(ch_net *t, const ch_rows *r)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layout *at = ch_model_layout(t->m);
    const float *W = ch_model_weights(t->m);
    CH_MUST(r->n <= t->max_rows);
    need_positions(t, r->pos, r->n);
    ch_net_renew(t);
    ch_attn call = attn_call(t, r->plan, r->n, r->n_real);
    t->op->embed(t->d, t->layer[0].x, W + at->embed, r->ids, r->n, z->C);
    for (int64_t l = 0; l < z->L - 1 && !ch_interrupted(); l++) {
        saved *s = t->layer + l;
        float *lse = t->use == CH_NET_TRAIN ? s->lse : NULL;
        project(t, l, r, &call);
        t->op->attention(t->d, s->o, lse, s->qkv, s->k, s->v, &call);
        feed_forward(t, l, s->x, s->o, r->n);
    }
    last_layer(t, r, &call);
    t->op->add_norm(t->d, t->x_out, t->n, t->rstd_out, t->layer[z->L - 1].xm, t->y,
                    W + at->out_norm, late_rows(t, r->n_lrows), z->C, z->norm_eps);
}

static void *rows_at(const ch_net *t, void *x, int64_t row)
{
    return (char *)x + (size_t)(row * ch_model_dims(t->m)->C) * t->op->act_bytes;
}

/* Logits and their log-sum-exp of the chunk of late rows from a on; returns its padded rows. */
static int64_t head(ch_net *t, const ch_forest *f, int64_t a)
{
    int64_t n = min64(t->chunk, f->n_lrows - a),
            np = min64(ch_round_up16(n), late_rows(t, f->n_lrows) - a);
    apply(t, t->logits, 1, rows_at(t, t->n, a), head_matrix(t), np);
    t->op->logsumexp(t->d, t->lse + a, t->logits, n, ch_model_dims(t->m)->V);
    return np;
}

static void read_logp(const ch_net *t, const ch_forest *f, int64_t a, float *logp)
{
    int64_t V = ch_model_dims(t->m)->V, n = min64(t->chunk, f->n_lrows - a);
    for (int64_t i = a; i < a + n; i++)
        for (int32_t k = f->first[i]; k < f->first[i + 1]; k++)
            logp[k] = t->logits[(i - a) * V + f->token[k]] - t->lse[i];
}

/* dW (rows, cols) = or += dy (N, rows)^T x (N, cols). */
static void weight_gradient(ch_net *t, float *grads, const weight_at *w, const void *dy,
                            const void *x, int64_t N, int add)
{
    t->op->gemm(t->d, grads + w->at, 1, dy, 1, x, CH_PLAIN, w->rows, w->cols, N, add);
}

/* The chunk that head made last, backward: rows of dxl, and the head's gradient. */
static void head_back(ch_net *t, const ch_forest *f, int64_t a, int64_t np, const float *dlogp,
                      float *grads, int add)
{
    int64_t V = ch_model_dims(t->m)->V, n = min64(t->chunk, f->n_lrows - a);
    t->op->loss_backward(t->d, t->dlogits, t->logits, t->lse + a, f->first + a, f->token, dlogp, n,
                         V);
    memset((char *)t->dlogits + (size_t)(n * V) * t->op->act_bytes, 0,
           (size_t)((np - n) * V) * t->op->act_bytes);
    apply_back(t, rows_at(t, t->dxl, a), t->dlogits, head_matrix(t), np);
    weight_gradient(t, grads, head_matrix(t), t->dlogits, rows_at(t, t->n, a), np, add || a);
}

static void forward(ch_net *t, const ch_forest *f)
{
    ch_rows r = {.n = f->n_pad,
                 .n_real = f->n_rows,
                 .ids = f->ids,
                 .pos = f->pos,
                 .plan = &f->plan,
                 .lrows = f->lrows,
                 .n_lrows = f->n_lrows};
    trunk(t, &r);
    t->kept_forest = f;
}

void ch_net_forward(ch_net *t, const ch_forest *f, float *logp)
{
    forward(t, f);
    for (int64_t a = 0; a < f->n_lrows && !ch_interrupted(); a += t->chunk) {
        head(t, f, a);
        read_logp(t, f, a, logp);
    }
    t->kept_logits = f->n_lrows <= t->chunk;
}

static void mlp_backward(ch_net *t, int64_t l, int64_t N, float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layer_at *w = ch_model_layout(t->m)->layer + l;
    const float *norm = ch_model_weights(t->m) + w->ffn_norm;
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    apply_back(t, t->dh, t->dxa, matrix(t, l, DOWN), N);
    op->swiglu_backward(t->d, t->dgu, t->h, t->dh, s->gu, N, z->F);
    weight_gradient(t, grads, matrix(t, l, DOWN), t->dxa, t->h, N, add);
    op->norm_again(t->d, t->n, s->xm, s->rstd2, norm, N, z->C);
    weight_gradient(t, grads, matrix(t, l, GATE_UP), t->dgu, t->n, N, add);
    apply_back(t, t->dn, t->dgu, matrix(t, l, GATE_UP), N);
    op->norm_backward(t->d, t->dx, t->dxa == t->dx ? NULL : t->dxa, grads + w->ffn_norm, t->dn,
                      s->xm, s->rstd2, norm, t->part, N, z->C);
}

/* From the residual's gradient of n rows, whose heads' outputs are o, to that of the heads of all
 * rows; dx then has all rows, too. */
static const void *heads_backward(ch_net *t, int64_t l, const ch_forest *f, const void *o,
                                  int64_t n, float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_ops *op = t->op;
    apply_back(t, t->dn, t->dxa, matrix(t, l, WO), n);
    weight_gradient(t, grads, matrix(t, l, WO), t->dxa, o, n, add);
    if (o != t->ol)
        return t->dn;
    op->scatter(t->y, t->dx, f->lrows, f->n_lrows, f->n_pad, residual_acts(t));
    memcpy(t->dx, t->y, (size_t)(f->n_pad * z->C) * sizeof *t->dx);
    op->scatter(t->ol, t->dn, f->lrows, f->n_lrows, f->n_pad, z->H * z->D);
    return t->ol;
}

static void attn_backward(ch_net *t, int64_t l, const ch_forest *f, const ch_attn *call, int64_t n,
                          float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layer_at *w = ch_model_layout(t->m)->layer + l;
    const float *norm = ch_model_weights(t->m) + w->attn_norm;
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    int64_t N = f->n_pad;
    const void *d_o = heads_backward(t, l, f, l < z->L - 1 ? s->o : t->ol, n, grads, add);
    op->attention_backward(t->d, t->dqkv, d_o, s->qkv, s->o, s->lse, t->scratch, call);
    op->rope(t->d, t->dqkv, t->cs, f->pos, N, z->H, z->G, z->D, z->n_rot, 1);
    op->norm_again(t->d, t->n, s->x, s->rstd1, norm, N, z->C);
    weight_gradient(t, grads, matrix(t, l, QKV), t->dqkv, t->n, N, add);
    apply_back(t, t->dn, t->dqkv, matrix(t, l, QKV), N);
    op->norm_backward(t->d, t->dx, t->dxa == t->dx ? NULL : t->dxa, grads + w->attn_norm, t->dn,
                      s->x, s->rstd1, norm, t->part, N, z->C);
}

/* What the products do not write: norms, and an embedding that is not the head. */
static void clear_others(const ch_net *t, float *grads)
{
    const ch_layout *at = ch_model_layout(t->m);
    for (int64_t i = 0; i < at->n; i++) {
        const ch_param *p = at->list + i;
        if (p->rows == 1 || (p->at == at->embed && at->embed != at->head))
            memset(grads + p->at, 0, (size_t)(p->rows * p->cols) * sizeof *grads);
    }
}

/* From dxl, the gradient of the late rows, down to the embedding. */
static void trunk_backward(ch_net *t, const ch_forest *f, float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layout *at = ch_model_layout(t->m);
    ch_attn call = attn_call(t, &f->plan, f->n_pad, f->n_rows);
    if (!add)
        clear_others(t, grads);
    int64_t n = late_rows(t, f->n_lrows);
    memset(t->dx, 0, (size_t)(n * z->C) * sizeof(float));
    t->op->norm_backward(t->d, t->dx, t->dxa == t->dx ? NULL : t->dxa, grads + at->out_norm, t->dxl,
                         t->x_out, t->rstd_out, ch_model_weights(t->m) + at->out_norm, t->part, n,
                         z->C);
    for (int64_t l = z->L - 1; l >= 0 && !ch_interrupted(); l--, n = f->n_pad) {
        mlp_backward(t, l, n, grads, add);
        attn_backward(t, l, f, &call, n, grads, add);
    }
    t->op->embed_backward(t->d, grads + at->embed, t->dx, f->ids, f->n_pad, z->C);
    t->kept_logits = 0;
    t->kept_forest = NULL;
}

void ch_net_backward(ch_net *t, const ch_forest *f, const float *dlogp, float *grads, int add)
{
    CH_MUST(t->use == CH_NET_TRAIN && t->kept_forest == f && f->n_lrows);
    for (int64_t a = 0; a < f->n_lrows && !ch_interrupted(); a += t->chunk) {
        int64_t np = t->kept_logits ? late_rows(t, f->n_lrows) : head(t, f, a);
        head_back(t, f, a, np, dlogp, grads, add);
    }
    trunk_backward(t, f, grads, add);
}

void ch_net_learn(ch_net *t, const ch_forest *f, const float *dlogp, float *logp, float *grads,
                  int add)
{
    CH_MUST(t->use == CH_NET_TRAIN && f->n_lrows);
    forward(t, f);
    for (int64_t a = 0; a < f->n_lrows && !ch_interrupted(); a += t->chunk) {
        int64_t np = head(t, f, a);
        read_logp(t, f, a, logp);
        head_back(t, f, a, np, dlogp, grads, add);
    }
    trunk_backward(t, f, grads, add);
}

const float *ch_net_decode(ch_net *t, const ch_rows *r)
{
    CH_MUST(t->use == CH_NET_GENERATE && r->n_lrows <= CH_LOGIT_ROWS);
    trunk(t, r);
    if (!r->n_lrows)
        return NULL;
    apply(t, t->logits, 1, t->n, head_matrix(t), r->n_lrows);
    return t->logits;
}
