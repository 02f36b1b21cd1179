#include "model/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/weights.h"
#include "tensor/ops.h"

/* What forward leaves for backward; when nothing is kept, all layers share one. */
typedef struct {
    float *x, *xm, *rstd1, *rstd2, *lse; /* residual before attention and before the MLP (N,C) */
    void *qkv, *o, *gu;                  /* (N,(H+2G)D), (N,HD), (N,2F) */
    void *k, *v;                         /* stores */
} saved;

/* A matrix (rows outputs, cols inputs) of the masters and this workspace's copy of it, if any. */
typedef struct {
    int64_t at, rows, cols;
    void *copy;
    int packed;
} weight_at;
/* In training the head's gradient is added to once a chunk: as long as all the layers' work on
 * so many rows. */
enum { TRAIN_LOGIT_ROWS = 256 };
enum { QKV, WO, GATE_UP, DOWN, N_MATRICES };

struct ch_net {
    ch_model *m;
    ch_device *d;
    const ch_ops *op;
    ch_net_use use;
    int64_t max_rows, n_slots;
    ch_arena arena;
    saved *layer;
    float *y; /* (N,C): what attention or MLP adds to the residual */
    float *x_out, *rstd_out, *dx, *part, *scratch, *cs;
    void *n, *h; /* (N,C), (N,F) */
    void *dxa, *dqkv, *dgu, *dh, *dn;
    void *xl, *dxl, *dlogits; /* head: gathered rows, a chunk of logits */
    float *logits, *lse;
    int64_t chunk;   /* rows of logits at a time */
    int kept_logits; /* the only chunk still stands in logits */
    weight_at *w;    /* N_MATRICES a layer, and the head */
    int64_t w_version, n_pos;
    const void *kept_forest;
};

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pad16(int64_t n)
{
    return (n + 15) / 16 * 16;
}

static void layout_layer(ch_net *t, saved *s, const ch_dims *z, ch_arena *a)
{
    size_t N = (size_t)t->max_rows, C = (size_t)z->C, act = t->op->act_bytes;
    s->x = ch_take(a, N * C, sizeof(float));
    s->xm = ch_take(a, N * C, sizeof(float));
    s->rstd1 = ch_take(a, N, sizeof(float));
    s->rstd2 = ch_take(a, N, sizeof(float));
    s->lse = ch_take(a, N * (size_t)z->H, sizeof(float));
    s->qkv = ch_take(a, N * (size_t)((z->H + 2 * z->G) * z->D), act);
    s->o = ch_take(a, N * (size_t)(z->H * z->D), act);
    s->gu = ch_take(a, N * (size_t)(2 * z->F), act);
}

static void layout_stores(ch_net *t, saved *s, const ch_dims *z, ch_arena *a)
{
    s->k = ch_take(a, (size_t)ch_kstore_elems(t->n_slots, z->G, z->D), t->op->act_bytes);
    s->v = ch_take(a, (size_t)ch_vstore_elems(t->n_slots, z->G, z->D), t->op->act_bytes);
}

static void layout_backward(ch_net *t, const ch_dims *z, ch_arena *a)
{
    size_t N = (size_t)t->max_rows, C = (size_t)z->C, act = t->op->act_bytes;
    t->dx = ch_take(a, N * C, sizeof(float));
    t->dxa = act == sizeof(float) ? t->dx : ch_take(a, N * C, act);
    t->dqkv = ch_take(a, N * (size_t)((z->H + 2 * z->G) * z->D), act);
    t->dgu = ch_take(a, N * (size_t)(2 * z->F), act);
    t->dh = ch_take(a, N * (size_t)z->F, act);
    t->dn = ch_take(a, N * (size_t)(z->H * z->D > z->C ? z->H * z->D : z->C), act);
    t->dlogits = act == sizeof(float) ? (void *)t->logits /* written over them */
                                      : ch_take(a, (size_t)t->chunk * (size_t)z->V, act);
    t->dxl = ch_take(a, N * C, act);
    t->scratch = ch_take(a, (size_t)ch_attn_scratch(t->d, t->n_slots, z->H, z->G, z->D), 4);
}

static void place(ch_net *t, weight_at *w, int64_t at, int64_t rows, int64_t cols, ch_arena *a)
{
    *w = (weight_at){.at = at, .rows = rows, .cols = cols};
    size_t bytes = t->use == CH_NET_TRAIN ? 0 : t->op->packed_bytes(t->d, rows, cols);
    w->packed = bytes > 0;
    if (bytes)
        w->copy = ch_take(a, bytes, 1);
    else if (t->op->act_bytes != sizeof(float))
        w->copy = ch_take(a, (size_t)(rows * cols), t->op->act_bytes);
}

/* Copies of the matrices as the products like them best: packed where weights are only read, in the
 * activations' type otherwise; f32 training reads the masters themselves. */
static void layout_weights(ch_net *t, const ch_dims *z, ch_arena *a)
{
    const ch_layout *at = ch_model_layout(t->m);
    int64_t HD = z->H * z->D, Q = (z->H + 2 * z->G) * z->D;
    for (int64_t l = 0; l < z->L; l++) {
        weight_at *w = t->w + l * N_MATRICES;
        place(t, w + QKV, at->layer[l].qkv, Q, z->C, a);
        place(t, w + WO, at->layer[l].wo, z->C, HD, a);
        place(t, w + GATE_UP, at->layer[l].gate_up, 2 * z->F, z->C, a);
        place(t, w + DOWN, at->layer[l].down, z->C, z->F, a);
    }
    place(t, t->w + z->L * N_MATRICES, at->head, z->V, z->C, a);
}

static void layout(ch_net *t, ch_arena *a)
{
    const ch_dims *z = ch_model_dims(t->m);
    size_t N = (size_t)t->max_rows, C = (size_t)z->C, act = t->op->act_bytes;
    for (int64_t l = 0; l < z->L; l++) {
        saved *s = t->layer + l;
        if (t->use == CH_NET_TRAIN || l == 0)
            layout_layer(t, s, z, a);
        else
            *s = t->layer[0];
        if (t->use == CH_NET_GENERATE || l == 0)
            layout_stores(t, s, z, a);
        else
            s->k = t->layer[0].k, s->v = t->layer[0].v;
    }
    t->x_out = ch_take(a, N * C, sizeof(float));
    t->rstd_out = ch_take(a, N, sizeof(float));
    t->n = ch_take(a, N * C, act);
    t->y = ch_take(a, N * C, sizeof(float));
    t->h = ch_take(a, N * (size_t)z->F, act);
    t->part = ch_take(a, (size_t)ch_device_threads(t->d) * C, sizeof(float));
    t->xl = ch_take(a, (t->use == CH_NET_GENERATE ? (size_t)CH_LOGIT_ROWS : N) * C, act);
    t->logits = ch_take(a, (size_t)t->chunk * (size_t)z->V, sizeof(float));
    t->lse = ch_take(a, N, sizeof(float));
    if (t->use == CH_NET_TRAIN)
        layout_backward(t, z, a);
    layout_weights(t, z, a);
}

static void set_up(ch_net *t, ch_model *m, ch_net_use use, int64_t max_rows, int64_t n_slots)
{
    *t = (ch_net){.m = m, .d = ch_model_device(m), .use = use, .w_version = -1};
    t->op = ch_device_ops(t->d);
    t->max_rows = (max_rows + 31) / 32 * 32;
    t->chunk = use == CH_NET_TRAIN ? min64(TRAIN_LOGIT_ROWS, t->max_rows) : CH_LOGIT_ROWS;
    t->n_slots = use == CH_NET_GENERATE ? pad16(n_slots) : t->max_rows;
    t->layer = ch_new((size_t)ch_model_dims(m)->L, sizeof *t->layer);
    t->w = ch_new((size_t)ch_model_dims(m)->L * N_MATRICES + 1, sizeof *t->w);
}

int64_t ch_net_bytes(const ch_model *m, ch_net_use use, int64_t max_rows, int64_t n_slots)
{
    union {
        const ch_model *in;
        ch_model *io;
    } u = {.in = m}; /* only measured */
    ch_net t;
    ch_arena a = {0};
    set_up(&t, u.io, use, max_rows, n_slots);
    layout(&t, &a);
    free(t.layer);
    free(t.w);
    return (int64_t)a.used;
}

ch_code ch_net_new(ch_net **net, ch_model *m, ch_net_use use, int64_t max_rows, int64_t n_slots,
                   ch_err *e)
{
    ch_net *t = ch_new(1, sizeof *t);
    *net = NULL;
    set_up(t, m, use, max_rows, n_slots);
    layout(t, &t->arena);
    ch_code c = ch_arena_alloc(&t->arena, "the network's workspace", e);
    if (c != CH_OK) {
        free(t->layer);
        free(t->w);
        free(t);
        return c;
    }
    layout(t, &t->arena);
    *net = t;
    return CH_OK;
}

void ch_net_free(ch_net *t)
{
    if (!t)
        return;
    ch_arena_free(&t->arena);
    free(t->layer);
    free(t->w);
    free(t->cs);
    free(t);
}

int64_t ch_net_max_rows(const ch_net *t)
{
    return t->max_rows;
}

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

/* Makes the copies again when the masters changed. */
static void renew_weights(ch_net *t)
{
    const float *W = ch_model_weights(t->m);
    if (t->w_version == ch_model_version(t->m))
        return;
    for (int64_t i = 0; i <= ch_model_dims(t->m)->L * N_MATRICES; i++) {
        weight_at *w = t->w + i;
        if (w->packed)
            t->op->pack(t->d, w->copy, W + w->at, CH_TURNED, w->rows, w->cols);
        else if (w->copy)
            t->op->to_act(w->copy, W + w->at, w->rows * w->cols);
    }
    t->w_version = ch_model_version(t->m);
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

/* One layer; x_next is the residual that it hands on. */
static void layer_forward(ch_net *t, int64_t l, const ch_rows *r, const ch_attn *at)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layer_at *w = ch_model_layout(t->m)->layer + l;
    const float *W = ch_model_weights(t->m);
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    int64_t N = r->n, C = z->C;
    op->add_norm(s->x, t->n, s->rstd1, l ? t->layer[l - 1].xm : s->x, l ? t->y : NULL,
                 W + w->attn_norm, N, C, z->norm_eps);
    apply(t, s->qkv, 0, t->n, matrix(t, l, QKV), N);
    op->rope(s->qkv, t->cs, r->pos, N, z->H, z->G, z->D, z->n_rot, 0);
    op->kv_store(s->k, s->v, s->qkv, r->slot, at);
    op->attention(t->d, s->o, t->use == CH_NET_TRAIN ? s->lse : NULL, s->qkv, s->k, s->v, at);
    apply(t, t->y, 1, s->o, matrix(t, l, WO), N);
    op->add_norm(s->xm, t->n, s->rstd2, s->x, t->y, W + w->ffn_norm, N, C, z->norm_eps);
    apply(t, s->gu, 0, t->n, matrix(t, l, GATE_UP), N);
    op->swiglu(t->h, s->gu, N, z->F);
    apply(t, t->y, 1, t->h, matrix(t, l, DOWN), N);
}

/* Trunk over all rows; leaves the normalised output in t->n. */
static void trunk(ch_net *t, const ch_rows *r)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layout *at = ch_model_layout(t->m);
    const float *W = ch_model_weights(t->m);
    CH_MUST(r->n <= t->max_rows);
    need_positions(t, r->pos, r->n);
    renew_weights(t);
    ch_attn call = attn_call(t, r->plan, r->n, r->n_real);
    t->op->embed(t->layer[0].x, W + at->embed, r->ids, r->n, z->C);
    for (int64_t l = 0; l < z->L; l++)
        layer_forward(t, l, r, &call);
    t->op->add_norm(t->x_out, t->n, t->rstd_out, t->layer[z->L - 1].xm, t->y, W + at->out_norm,
                    r->n, z->C, z->norm_eps);
}

static void *rows_at(const ch_net *t, void *x, int64_t row)
{
    return (char *)x + (size_t)(row * ch_model_dims(t->m)->C) * t->op->act_bytes;
}

/* Gathered rows that the head sees, padded. */
static int64_t head_rows(const ch_net *t, const ch_forest *f)
{
    return min64(pad16(f->n_lrows), t->max_rows);
}

/* Logits and their log-sum-exp of the chunk of gathered rows from a on; returns its padded rows. */
static int64_t head(ch_net *t, const ch_forest *f, int64_t a)
{
    int64_t n = min64(t->chunk, f->n_lrows - a), np = min64(pad16(n), head_rows(t, f) - a);
    apply(t, t->logits, 1, rows_at(t, t->xl, a), head_matrix(t), np);
    t->op->logsumexp(t->lse + a, t->logits, n, ch_model_dims(t->m)->V);
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
    t->op->loss_backward(t->dlogits, t->logits, t->lse + a, f->first + a, f->token, dlogp, n, V);
    memset((char *)t->dlogits + (size_t)(n * V) * t->op->act_bytes, 0,
           (size_t)((np - n) * V) * t->op->act_bytes);
    apply_back(t, rows_at(t, t->dxl, a), t->dlogits, head_matrix(t), np);
    weight_gradient(t, grads, head_matrix(t), t->dlogits, rows_at(t, t->xl, a), np, add || a);
}

/* The trunk, and the rows that have targets gathered. */
static void forward(ch_net *t, const ch_forest *f)
{
    ch_rows r = {
        .n = f->n_pad, .n_real = f->n_rows, .ids = f->ids, .pos = f->pos, .plan = &f->plan};
    trunk(t, &r);
    t->op->gather(t->xl, t->n, f->lrows, f->n_lrows, head_rows(t, f), ch_model_dims(t->m)->C);
    t->kept_forest = f;
}

void ch_net_forward(ch_net *t, const ch_forest *f, float *logp)
{
    forward(t, f);
    for (int64_t a = 0; a < f->n_lrows; a += t->chunk) {
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
    op->swiglu_backward(t->dgu, t->h, t->dh, s->gu, N, z->F);
    weight_gradient(t, grads, matrix(t, l, DOWN), t->dxa, t->h, N, add);
    op->norm_again(t->n, s->xm, s->rstd2, norm, N, z->C);
    weight_gradient(t, grads, matrix(t, l, GATE_UP), t->dgu, t->n, N, add);
    apply_back(t, t->dn, t->dgu, matrix(t, l, GATE_UP), N);
    op->norm_backward(t->d, t->dx, t->dxa == t->dx ? NULL : t->dxa, grads + w->ffn_norm, t->dn,
                      s->xm, s->rstd2, norm, t->part, N, z->C);
}

static void attn_backward(ch_net *t, int64_t l, const ch_forest *f, const ch_attn *call,
                          float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layer_at *w = ch_model_layout(t->m)->layer + l;
    const float *norm = ch_model_weights(t->m) + w->attn_norm;
    const ch_ops *op = t->op;
    saved *s = t->layer + l;
    int64_t N = f->n_pad;
    apply_back(t, t->dn, t->dxa, matrix(t, l, WO), N);
    weight_gradient(t, grads, matrix(t, l, WO), t->dxa, s->o, N, add);
    op->attention_backward(t->d, t->dqkv, t->dn, s->qkv, s->o, s->lse, t->scratch, call);
    op->rope(t->dqkv, t->cs, f->pos, N, z->H, z->G, z->D, z->n_rot, 1);
    op->norm_again(t->n, s->x, s->rstd1, norm, N, z->C);
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

/* From dxl, the gradient of the gathered rows, down to the embedding. */
static void trunk_backward(ch_net *t, const ch_forest *f, float *grads, int add)
{
    const ch_dims *z = ch_model_dims(t->m);
    const ch_layout *at = ch_model_layout(t->m);
    ch_attn call = attn_call(t, &f->plan, f->n_pad, f->n_rows);
    if (!add)
        clear_others(t, grads);
    t->op->scatter(t->dn, t->dxl, f->lrows, f->n_lrows, f->n_pad, z->C);
    memset(t->dx, 0, (size_t)(f->n_pad * z->C) * sizeof(float));
    t->op->norm_backward(t->d, t->dx, t->dxa == t->dx ? NULL : t->dxa, grads + at->out_norm, t->dn,
                         t->x_out, t->rstd_out, ch_model_weights(t->m) + at->out_norm, t->part,
                         f->n_pad, z->C);
    for (int64_t l = z->L - 1; l >= 0; l--) {
        mlp_backward(t, l, f->n_pad, grads, add);
        attn_backward(t, l, f, &call, grads, add);
    }
    t->op->embed_backward(grads + at->embed, t->dx, f->ids, f->n_pad, z->C);
    t->kept_logits = 0;
    t->kept_forest = NULL;
}

void ch_net_backward(ch_net *t, const ch_forest *f, const float *dlogp, float *grads, int add)
{
    CH_MUST(t->use == CH_NET_TRAIN && t->kept_forest == f && f->n_lrows);
    for (int64_t a = 0; a < f->n_lrows; a += t->chunk) {
        int64_t np = t->kept_logits ? head_rows(t, f) : head(t, f, a);
        head_back(t, f, a, np, dlogp, grads, add);
    }
    trunk_backward(t, f, grads, add);
}

void ch_net_learn(ch_net *t, const ch_forest *f, const float *dlogp, float *logp, float *grads,
                  int add)
{
    CH_MUST(t->use == CH_NET_TRAIN && f->n_lrows);
    forward(t, f);
    for (int64_t a = 0; a < f->n_lrows; a += t->chunk) {
        int64_t np = head(t, f, a);
        read_logp(t, f, a, logp);
        head_back(t, f, a, np, dlogp, grads, add);
    }
    trunk_backward(t, f, grads, add);
}

const float *ch_net_decode(ch_net *t, const ch_rows *r)
{
    const ch_dims *z = ch_model_dims(t->m);
    CH_MUST(t->use == CH_NET_GENERATE && r->n_lrows <= CH_LOGIT_ROWS);
    trunk(t, r);
    if (!r->n_lrows)
        return NULL;
    t->op->gather(t->xl, t->n, r->lrows, r->n_lrows, r->n_lrows, z->C);
    apply(t, t->logits, 1, t->xl, head_matrix(t), r->n_lrows);
    return t->logits;
}
