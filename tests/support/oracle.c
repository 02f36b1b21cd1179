#include "support/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "model/model_state.h"

struct ch_oracle {
    struct llama_model *model;
    struct llama_context *ctx;
    const struct llama_vocab *vocab;
    int64_t n_ctx, V;
};

static struct llama_context *new_context(struct llama_model *model, int64_t n_ctx, int threads)
{
    struct llama_context_params p = llama_context_default_params();
    p.n_ctx = (uint32_t)n_ctx;
    p.n_batch = (uint32_t)n_ctx;
    p.n_threads = p.n_threads_batch = threads;
    p.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    p.type_k = p.type_v = GGML_TYPE_F32;
    return llama_init_from_model(model, p);
}

ch_code ch_oracle_open(ch_oracle **out, const char *path, int64_t n_ctx, int threads, ch_err *e)
{
    *out = NULL;
    CH_MUST(n_ctx >= 1 && n_ctx <= INT32_MAX && threads >= 1);
    ch_llama_quiet();
    struct llama_model_params p = llama_model_default_params();
    p.use_extra_bufts = false;
    ch_oracle *o = ch_new(1, sizeof *o);
    o->model = llama_model_load_from_file(path, p);
    o->ctx = o->model ? new_context(o->model, n_ctx, threads) : NULL;
    if (!o->ctx) {
        ch_oracle_close(o);
        return ch_llama_refused(path, "libllama cannot run it", "", e);
    }
    o->vocab = llama_model_get_vocab(o->model);
    o->n_ctx = n_ctx;
    o->V = llama_vocab_n_tokens(o->vocab);
    *out = o;
    return CH_OK;
}

void ch_oracle_close(ch_oracle *o)
{
    if (!o)
        return;
    if (o->ctx)
        llama_free(o->ctx);
    if (o->model)
        llama_model_free(o->model);
    free(o);
}

int64_t ch_oracle_n_vocab(const ch_oracle *o)
{
    return o->V;
}

/* Feeds n ids at positions past.. ; wants logits of all of them or of the last. */
static ch_code feed(ch_oracle *o, const int32_t *ids, int64_t n, int64_t past, int all, ch_err *e)
{
    struct llama_batch b = llama_batch_init((int32_t)n, 0, 1);
    for (int64_t i = 0; i < n; i++) {
        CH_MUST(ids[i] >= 0 && ids[i] < o->V);
        b.token[i] = ids[i];
        b.pos[i] = (llama_pos)(past + i);
        b.n_seq_id[i] = 1;
        b.seq_id[i][0] = 0;
        b.logits[i] = all || i == n - 1;
    }
    b.n_tokens = (int32_t)n;
    int32_t bad = llama_decode(o->ctx, b);
    llama_batch_free(b);
    if (bad)
        return ch_fail(e, CH_EIO, "llama_decode of %lld tokens failed with %d", (long long)n, bad);
    return CH_OK;
}

static void forget(ch_oracle *o)
{
    llama_memory_clear(llama_get_memory(o->ctx), true);
}

ch_code ch_oracle_logits(ch_oracle *o, const int32_t *ids, int64_t n, int all, float *logits,
                         ch_err *e)
{
    CH_MUST(n >= 1 && n <= o->n_ctx);
    forget(o);
    CH_TRY(feed(o, ids, n, 0, all, e));
    for (int64_t i = all ? 0 : n - 1; i < n; i++) {
        const float *row = llama_get_logits_ith(o->ctx, (int32_t)i);
        CH_MUST(row);
        memcpy(logits + (all ? i * o->V : 0), row, (size_t)o->V * sizeof *row);
    }
    return CH_OK;
}

ch_code ch_oracle_greedy(ch_oracle *o, const int32_t *ids, int64_t n, int64_t max_new, int32_t *out,
                         int64_t *n_out, ch_err *e)
{
    CH_MUST(n >= 1 && max_new >= 0 && n + max_new <= o->n_ctx);
    *n_out = 0;
    forget(o);
    CH_TRY(feed(o, ids, n, 0, 0, e));
    for (int64_t k = 0; k < max_new; k++) {
        const float *row = llama_get_logits_ith(o->ctx, -1);
        CH_MUST(row);
        int32_t best = 0;
        for (int32_t v = 1; v < o->V; v++)
            if (row[v] > row[best])
                best = v;
        out[(*n_out)++] = best;
        if (llama_vocab_is_eog(o->vocab, best))
            return CH_OK;
        if (k + 1 < max_new)
            CH_TRY(feed(o, &best, 1, n + k, 0, e));
    }
    return CH_OK;
}
