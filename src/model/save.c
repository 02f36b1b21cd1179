#include "model/model_state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t CHUNK_ELEMS = 2 << 20;
static const float F16_MAX = 65504;

typedef struct {
    enum ggml_type type;
    uint32_t file_type; /* general.file_type */
} written_as;

static written_as as_ggml(ch_save_type t)
{
    switch (t) {
    case CH_SAVE_F16:
        return (written_as){GGML_TYPE_F16, LLAMA_FTYPE_MOSTLY_F16};
    case CH_SAVE_BF16:
        return (written_as){GGML_TYPE_BF16, LLAMA_FTYPE_MOSTLY_BF16};
    default:
        return (written_as){GGML_TYPE_F32, LLAMA_FTYPE_ALL_F32};
    }
}

/* -- metadata -- */

/* The original's keys but those that described its encoding; ours are new each time, so that a
 * model trained in stages names its own stage and not the last but one. */
static void set_keys(struct gguf_context *g, const ch_model *m, uint32_t file_type,
                     const ch_origin *o)
{
    static const char *const stale[] = {
        "general.quantization_version", "general.alignment", "split.no",           "split.count",
        "split.tensors.count",          "chorus.base_hash",  "chorus.recipe_hash", "chorus.stage",
    };
    gguf_set_kv(g, m->meta);
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        gguf_remove_key(g, stale[i]);
    gguf_set_val_u32(g, "general.file_type", file_type);
    if (o && o->base_hash)
        gguf_set_val_str(g, "chorus.base_hash", o->base_hash);
    if (o && o->recipe_hash)
        gguf_set_val_str(g, "chorus.recipe_hash", o->recipe_hash);
    if (o && o->stage)
        gguf_set_val_str(g, "chorus.stage", o->stage);
}

static void add_tensor(struct gguf_context *g, struct ggml_context *c, const char *name,
                       enum ggml_type type, int64_t rows, int64_t cols)
{
    struct ggml_tensor *t =
        rows > 1 ? ggml_new_tensor_2d(c, type, cols, rows) : ggml_new_tensor_1d(c, type, cols);
    ggml_set_name(t, name);
    gguf_add_tensor(g, t);
}

static enum ggml_type type_of(const ch_param *p, enum ggml_type type)
{
    return p->decay ? type : GGML_TYPE_F32;
}

/* A file being written: what libllama's calls need, and what they own. */
typedef struct {
    const ch_model *m;
    const ch_origin *o;
    written_as w;
    struct gguf_context *g;
    struct ggml_context *c;
    FILE *f;
    const char *path;
    int why; /* errno of the metadata's writing, 0: it is written */
} saving;

static void make_meta(void *ctx)
{
    saving *s = ctx;
    const ch_layout *l = &s->m->layout;
    struct ggml_init_params how = {.mem_size = (size_t)(l->n + 1) * ggml_tensor_overhead(),
                                   .no_alloc = true};
    s->c = ggml_init(how);
    s->g = gguf_init_empty();
    set_keys(s->g, s->m, s->w.file_type, s->o);
    for (int64_t i = 0; i < l->n; i++) {
        const ch_param *p = &l->list[i];
        add_tensor(s->g, s->c, p->name, type_of(p, s->w.type), p->rows, p->cols);
    }
    if (s->m->has_rope_factors)
        add_tensor(s->g, s->c, CH_ROPE_FREQS, GGML_TYPE_F32, 1, s->m->dims.n_rot / 2);
}

static void write_meta(void *ctx)
{
    saving *s = ctx;
    errno = 0;
    if (!gguf_write_to_file_ptr(s->g, s->f, true))
        s->why = errno ? errno : EIO;
}

/* -- tensors -- */

/* x[0..n) as type into out; returns how many elements the type cannot hold. */
static int64_t encode(void *out, const float *x, int64_t n, enum ggml_type type, int team)
{
    const float most = type == GGML_TYPE_F16 ? F16_MAX : INFINITY;
    int64_t bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad) num_threads(team)
    for (int64_t at = 0; at < n; at += 4096) {
        int64_t k = n - at < 4096 ? n - at : 4096;
        for (int64_t i = at; i < at + k; i++)
            bad += !isfinite(x[i]) || fabsf(x[i]) > most;
        if (type == GGML_TYPE_F16)
            ggml_fp32_to_fp16_row(x + at, (ggml_fp16_t *)out + at, k);
        else if (type == GGML_TYPE_BF16)
            ggml_fp32_to_bf16_row(x + at, (ggml_bf16_t *)out + at, k);
        else
            memcpy((float *)out + at, x + at, (size_t)k * sizeof *x);
    }
    return bad;
}

static ch_code not_written(const saving *s, int why, ch_err *e)
{
    return ch_fail(e, CH_EIO, "%s: writing failed: %s; nothing was replaced", s->path,
                   strerror(why));
}

static ch_code put(const saving *s, const void *bytes, size_t n, ch_err *e)
{
    return fwrite(bytes, 1, n, s->f) == n ? CH_OK : not_written(s, errno, e);
}

static ch_code write_tensor(const saving *s, const float *x, int64_t n, enum ggml_type type,
                            void *buf, const char *name, ch_err *e)
{
    static const char zeros[GGUF_DEFAULT_ALIGNMENT];
    size_t bytes = (size_t)n * ggml_type_size(type);
    for (int64_t at = 0; at < n; at += CHUNK_ELEMS) {
        int64_t k = n - at < CHUNK_ELEMS ? n - at : CHUNK_ELEMS;
        if (encode(buf, x + at, k, type, ch_device_team(s->m->device)) > 0)
            return ch_fail(e, CH_ENUMBER,
                           "%s is not written: tensor %s holds a NaN, an infinity or a value too "
                           "large for %s",
                           s->path, name, ggml_type_name(type));
        CH_TRY(put(s, buf, (size_t)k * ggml_type_size(type), e));
    }
    return put(s, zeros, (sizeof zeros - bytes % sizeof zeros) % sizeof zeros, e);
}

static ch_code write_tensors(const saving *s, ch_err *e)
{
    const ch_model *m = s->m;
    void *buf = ch_new((size_t)CHUNK_ELEMS, sizeof(float));
    ch_code code = CH_OK;
    for (int64_t i = 0; i < m->layout.n && code == CH_OK; i++) {
        const ch_param *p = &m->layout.list[i];
        code = write_tensor(s, m->weights + p->at, p->rows * p->cols, type_of(p, s->w.type), buf,
                            p->name, e);
    }
    if (code == CH_OK && m->has_rope_factors)
        code = write_tensor(s, m->rope_factors, m->dims.n_rot / 2, GGML_TYPE_F32, buf,
                            CH_ROPE_FREQS, e);
    free(buf);
    return code;
}

static ch_code write_all(saving *s, ch_err *e)
{
    ch_out out;
    CH_TRY(ch_llama_call(make_meta, s, s->path, e));
    CH_TRY(ch_out_open(&out, s->path, e));
    s->f = out.f;
    ch_code code = ch_llama_call(write_meta, s, s->path, e);
    if (code == CH_OK && s->why)
        code = not_written(s, s->why, e);
    if (code == CH_OK)
        code = write_tensors(s, e);
    if (code == CH_OK)
        return ch_out_commit(&out, e);
    ch_out_abandon(&out);
    return code;
}

ch_code ch_model_save(const ch_model *m, const char *path, ch_save_type t, const ch_origin *o,
                      ch_err *e)
{
    saving s = {.m = m, .o = o, .w = as_ggml(t), .path = path};
    ch_code code = write_all(&s, e);
    if (s.g)
        gguf_free(s.g);
    ggml_free(s.c);
    return code;
}
