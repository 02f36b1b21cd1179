/* Inside the network: its workspace. */
#ifndef CH_MODEL_NET_ROOM_H
#define CH_MODEL_NET_ROOM_H

#include "base/mem.h"
#include "model/net.h"
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
    void *ol;    /* (N,HD): heads' outputs of the rows that have logits, "late rows" */
    void *dxa, *dqkv, *dgu, *dh, *dn;
    void *dxl, *dlogits; /* head: late rows, a chunk of logits */
    float *logits, *lse;
    int64_t chunk;   /* rows of logits at a time */
    int kept_logits; /* the only chunk still stands in logits */
    weight_at *w;    /* N_MATRICES a layer, and the head */
    int64_t w_version, n_pos;
    const void *kept_forest;
};

static inline int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Makes the weights' copies again when the masters changed. */
void ch_net_renew(ch_net *t);

#endif
