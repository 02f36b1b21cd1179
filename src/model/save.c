#include "model/model_internal.h"

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

static struct gguf_context *make_meta(const ch_model *m, written_as w, const ch_origin *o,
                                      ch_err *e)
{
    struct ggml_init_params how = {.mem_size = (size_t)(m->layout.n + 1) * ggml_tensor_overhead(),
                                   .no_alloc = true};
    struct ggml_context *c = ggml_init(how);
    struct gguf_context *g = c ? gguf_init_empty() : NULL;
    if (!g) {
        ch_fail(e, CH_EMEM, "no memory for the metadata of %s", m->path);
        ggml_free(c);
        return NULL;
    }
    set_keys(g, m, w.file_type, o);
    for (int64_t i = 0; i < m->layout.n; i++) {
        const ch_param *p = &m->layout.list[i];
        add_tensor(g, c, p->name, type_of(p, w.type), p->rows, p->cols);
    }
    if (m->has_rope_factors)
        add_tensor(g, c, CH_ROPE_FREQS, GGML_TYPE_F32, 1, m->dims.n_rot / 2);
    ggml_free(c);
    return g;
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

static ch_code write_tensor(FILE *f, const ch_model *m, const float *x, int64_t n,
                            enum ggml_type type, void *buf, const char *path, const char *name,
                            ch_err *e)
{
    static const char zeros[GGUF_DEFAULT_ALIGNMENT];
    size_t bytes = (size_t)n * ggml_type_size(type);
    for (int64_t at = 0; at < n; at += CHUNK_ELEMS) {
        int64_t k = n - at < CHUNK_ELEMS ? n - at : CHUNK_ELEMS;
        if (encode(buf, x + at, k, type, ch_device_team(m->device)) > 0)
            return ch_fail(e, CH_ENUMBER,
                           "%s is not written: tensor %s holds a NaN, an infinity or a value too "
                           "large for %s",
                           path, name, ggml_type_name(type));
        fwrite(buf, ggml_type_size(type), (size_t)k, f);
    }
    fwrite(zeros, 1, (sizeof zeros - bytes % sizeof zeros) % sizeof zeros, f);
    return CH_OK;
}

static ch_code write_tensors(FILE *f, const ch_model *m, enum ggml_type type, const char *path,
                             ch_err *e)
{
    void *buf = ch_new((size_t)CHUNK_ELEMS, sizeof(float));
    ch_code code = CH_OK;
    for (int64_t i = 0; i < m->layout.n && code == CH_OK && !ferror(f); i++) {
        const ch_param *p = &m->layout.list[i];
        code = write_tensor(f, m, m->weights + p->at, p->rows * p->cols, type_of(p, type), buf,
                            path, p->name, e);
    }
    if (code == CH_OK && m->has_rope_factors)
        code = write_tensor(f, m, m->rope_factors, m->dims.n_rot / 2, GGML_TYPE_F32, buf, path,
                            CH_ROPE_FREQS, e);
    free(buf);
    return code;
}

ch_code ch_model_save(const ch_model *m, const char *path, ch_save_type t, const ch_origin *o,
                      ch_err *e)
{
    written_as w = as_ggml(t);
    struct gguf_context *g = make_meta(m, w, o, e);
    if (!g)
        return CH_EMEM;
    ch_out out;
    ch_code code = ch_out_open(&out, path, e);
    if (code != CH_OK) {
        gguf_free(g);
        return code;
    }
    /* Its failure is the stream's, which commit reports. */
    (void)gguf_write_to_file_ptr(g, out.f, true);
    gguf_free(g);
    code = write_tensors(out.f, m, w.type, path, e);
    if (code == CH_OK)
        return ch_out_commit(&out, e);
    ch_out_abandon(&out);
    return code;
}
