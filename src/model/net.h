/* The network over rows: trunk, head, and their backward. Source of the architecture: Llama
 * (Touvron et al. 2023), RMSNorm, rotary embedding, grouped-query attention, SwiGLU. */
#ifndef CH_MODEL_NET_H
#define CH_MODEL_NET_H

#include "model/forest.h"
#include "model/model.h"

typedef struct ch_net ch_net;

typedef enum {
    CH_NET_TRAIN,   /* keeps what backward needs */
    CH_NET_SCORE,   /* forward only */
    CH_NET_GENERATE /* forward only, over a key/value store of n_slots rows that
                     * stays between calls */
} ch_net_use;

/* A workspace for at most max_rows rows (ghosts included) and, a chunk at a time, any number of
 * logit rows. n_slots is used by GENERATE only. One arena, planned and allocated here. */
ch_code ch_net_new(ch_net **net, ch_model *m, ch_net_use use, int64_t max_rows, int64_t n_slots,
                   ch_err *e) CH_CHECK_RESULT;
void ch_net_free(ch_net *net);
/* Bytes that ch_net_new would allocate. */
int64_t ch_net_bytes(const ch_model *m, ch_net_use use, int64_t max_rows, int64_t n_slots);
int64_t ch_net_max_rows(const ch_net *net);

/* An interrupt ends each of the calls below early. What they were to write is then of no use, so
 * that a caller asks ch_interrupted() before it reads any of it. */

/* logp[f->n_targets] = log P of every target given its path. The forest must fit (n_pad <=
 * max_rows) and stay unchanged until backward. */
void ch_net_forward(ch_net *net, const ch_forest *f, float *logp);
/* After forward on the same forest, which has targets: dlogp[i] = d loss / d logp[i]. Writes grads,
 * laid out as the weights, or adds to them. */
void ch_net_backward(ch_net *net, const ch_forest *f, const float *dlogp, float *grads, int add);
/* Both at once, for a dlogp that does not depend on logp: no logits are made twice. */
void ch_net_learn(ch_net *net, const ch_forest *f, const float *dlogp, float *logp, float *grads,
                  int add);

/* Generation: n rows (n_real, then ghosts with id -1) at slots slot[i] of the store. Returns the
 * logits (n_lrows, V) of rows lrows[i], valid until the next call; n_lrows <= CH_LOGIT_ROWS, 0:
 * only fill the store. */
enum { CH_LOGIT_ROWS = 128 };
typedef struct {
    int64_t n, n_real;
    const int32_t *ids, *pos, *slot;
    const ch_plan *plan;
    const int32_t *lrows;
    int64_t n_lrows;
} ch_rows;
const float *ch_net_decode(ch_net *net, const ch_rows *rows);

#endif
