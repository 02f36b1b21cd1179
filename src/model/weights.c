#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/ops.h"

/* Adds one tensor right behind the last one, or on the next 64-byte boundary when align is set. */
static int64_t put(ch_layout *l, int align, const char *name, int64_t rows, int64_t cols)
{
    if (align)
        l->total = ch_round_up16(l->total);
    ch_param *p = &l->list[l->n++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->at = l->total;
    p->rows = rows;
    p->cols = cols;
    p->decay = rows > 1;
    l->total += rows * cols;
    return p->at;
}

static int64_t put_layer(ch_layout *l, int align, int64_t i, const char *part, int64_t rows,
                         int64_t cols)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)i, part);
    return put(l, align, name, rows, cols);
}

static void layer_make(ch_layout *l, const ch_dims *d, int64_t i)
{
    ch_layer_at *at = &l->layer[i];
    at->attn_norm = put_layer(l, 1, i, "attn_norm", 1, d->C);
    at->qkv = put_layer(l, 1, i, "attn_q", d->H * d->D, d->C);
    put_layer(l, 0, i, "attn_k", d->G * d->D, d->C);
    put_layer(l, 0, i, "attn_v", d->G * d->D, d->C);
    at->wo = put_layer(l, 1, i, "attn_output", d->C, d->H * d->D);
    at->ffn_norm = put_layer(l, 1, i, "ffn_norm", 1, d->C);
    at->gate_up = put_layer(l, 1, i, "ffn_gate", d->F, d->C);
    put_layer(l, 0, i, "ffn_up", d->F, d->C);
    at->down = put_layer(l, 1, i, "ffn_down", d->C, d->F);
}

ch_layout ch_layout_make(const ch_dims *d)
{
    ch_layout l = {0};
    l.list = ch_new((size_t)(3 + 9 * d->L), sizeof *l.list);
    l.layer = ch_new((size_t)d->L, sizeof *l.layer);
    l.embed = put(&l, 1, "token_embd.weight", d->V, d->C);
    for (int64_t i = 0; i < d->L; i++)
        layer_make(&l, d, i);
    l.out_norm = put(&l, 1, "output_norm.weight", 1, d->C);
    l.head = d->tied ? l.embed : put(&l, 1, "output.weight", d->V, d->C);
    l.total = ch_round_up16(l.total);
    return l;
}

void ch_layout_release(ch_layout *l)
{
    free(l->list);
    free(l->layer);
    memset(l, 0, sizeof *l);
}
