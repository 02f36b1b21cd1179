/* The network's workspace: everything that it needs, planned in one arena. */
#include <stdlib.h>

#include "model/net_room.h"
#include "model/weights.h"

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
    t->ol = ch_take(a, N * (size_t)(z->H * z->D), act);
    t->part = ch_take(a, (size_t)ch_device_threads(t->d) * C, sizeof(float));
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
    t->n_slots = use == CH_NET_GENERATE ? ch_round_up16(n_slots) : t->max_rows;
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

void ch_net_renew(ch_net *t)
{
    const float *W = ch_model_weights(t->m);
    if (t->w_version == ch_model_version(t->m))
        return;
    for (int64_t i = 0; i <= ch_model_dims(t->m)->L * N_MATRICES; i++) {
        weight_at *w = t->w + i;
        if (w->packed)
            t->op->pack(t->d, w->copy, W + w->at, CH_TURNED, w->rows, w->cols);
        else if (w->copy)
            t->op->to_act(t->d, w->copy, W + w->at, w->rows * w->cols);
    }
    t->w_version = ch_model_version(t->m);
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
    if (use != CH_NET_TRAIN) /* now, and not while the first rows are timed */
        ch_net_renew(t);
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
