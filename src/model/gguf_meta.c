#include "model/gguf_meta.h"

#include "model/gguf_check.h"
#include "model/model_state.h"
#include "tensor/ops.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* -- opening -- */

static ch_code check_extent(const struct gguf_context *g, const char *path, int64_t bytes,
                            ch_err *e)
{
    uint64_t room = (uint64_t)bytes, data = gguf_get_data_offset(g);
    for (int64_t i = 0; i < gguf_get_n_tensors(g); i++) {
        uint64_t at = gguf_get_tensor_offset(g, i), size = gguf_get_tensor_size(g, i);
        if (data > room || at > room - data || size > room - data - at)
            return ch_fail(e, CH_EUSER,
                           "%s is cut short: it has %lld bytes and tensor %s needs %llu; fetch it "
                           "again",
                           path, (long long)bytes, gguf_get_tensor_name(g, i),
                           (unsigned long long)(data + at + size));
    }
    return CH_OK;
}

typedef struct {
    const char *path;
    struct gguf_context *g;
} open_call;

static void open_gguf(void *ctx)
{
    open_call *o = ctx;
    struct gguf_init_params how = {.no_alloc = true, .ctx = NULL};
    o->g = gguf_init_from_file(o->path, how);
}

ch_code ch_meta_open(struct gguf_context **g, const char *path, ch_err *e)
{
    *g = NULL;
    int64_t bytes = 0;
    open_call o = {.path = path};
    CH_TRY(ch_gguf_check(path, &bytes, e));
    CH_TRY(ch_llama_call(open_gguf, &o, path, e));
    if (!o.g)
        return ch_llama_refused(path, "its metadata is cut short or damaged", "; fetch it again",
                                e);
    ch_code code = check_extent(o.g, path, bytes, e);
    if (code == CH_OK)
        *g = o.g;
    else
        gguf_free(o.g);
    return code;
}

/* -- keys -- */

const char *ch_meta_str(const struct gguf_context *g, const char *key)
{
    int64_t k = gguf_find_key(g, key);
    return k >= 0 && gguf_get_kv_type(g, k) == GGUF_TYPE_STRING ? gguf_get_val_str(g, k) : NULL;
}

/* One number of an integer type or f32 at p; NaN for any other type. */
static double number_at(enum gguf_type t, const void *p, size_t i)
{
    switch (t) {
    case GGUF_TYPE_UINT8:
        return ((const uint8_t *)p)[i];
    case GGUF_TYPE_INT8:
        return ((const int8_t *)p)[i];
    case GGUF_TYPE_UINT16:
        return ((const uint16_t *)p)[i];
    case GGUF_TYPE_INT16:
        return ((const int16_t *)p)[i];
    case GGUF_TYPE_UINT32:
        return ((const uint32_t *)p)[i];
    case GGUF_TYPE_INT32:
        return ((const int32_t *)p)[i];
    case GGUF_TYPE_FLOAT32:
        return (double)((const float *)p)[i];
    case GGUF_TYPE_UINT64:
        return (double)((const uint64_t *)p)[i];
    case GGUF_TYPE_INT64:
        return (double)((const int64_t *)p)[i];
    case GGUF_TYPE_FLOAT64:
        return ((const double *)p)[i];
    default:
        return (double)NAN;
    }
}

/* The number at key, `absent` when there is none. An array (one entry per layer) must hold one
 * value. */
static ch_code number(double *v, const struct gguf_context *g, const char *path, const char *key,
                      double absent, ch_err *e)
{
    *v = absent;
    int64_t k = gguf_find_key(g, key);
    if (k < 0)
        return CH_OK;
    enum gguf_type t = gguf_get_kv_type(g, k);
    if (t == GGUF_TYPE_ARRAY) {
        t = gguf_get_arr_type(g, k);
        size_t n = gguf_get_arr_n(g, k);
        if (n == 0 || t == GGUF_TYPE_STRING || t == GGUF_TYPE_BOOL || t == GGUF_TYPE_ARRAY)
            return ch_fail(e, CH_EUSER, "%s: %s is not a number", path, key);
        *v = number_at(t, gguf_get_arr_data(g, k), 0);
        for (size_t i = 1; i < n; i++)
            if (number_at(t, gguf_get_arr_data(g, k), i) != *v)
                return ch_fail(e, CH_EUSER,
                               "%s: %s differs from layer to layer; only models whose layers are "
                               "alike are supported",
                               path, key);
    } else if (t != GGUF_TYPE_STRING && t != GGUF_TYPE_BOOL) {
        *v = number_at(t, gguf_get_val_data(g, k), 0);
    } else {
        *v = (double)NAN;
    }
    if (!isfinite(*v))
        return ch_fail(e, CH_EUSER, "%s: %s is not a number", path, key);
    return CH_OK;
}

/* A whole number from 1 to most. absent 0: the key must be there. */
static ch_code count(int64_t *n, const struct gguf_context *g, const char *path, const char *key,
                     int64_t absent, int64_t most, ch_err *e)
{
    double v = 0;
    CH_TRY(number(&v, g, path, key, (double)absent, e));
    if (v == 0 && gguf_find_key(g, key) < 0)
        return ch_fail(e, CH_EUSER, "%s: the key %s is missing", path, key);
    if (!(v >= 1 && v <= (double)most) || v != floor(v))
        return ch_fail(e, CH_EUSER, "%s: %s is %g, want a whole number from 1 to %lld", path, key,
                       v, (long long)most);
    *n = (int64_t)v;
    return CH_OK;
}

/* -- dimensions -- */

static ch_code check_kind(const struct gguf_context *g, const char *path, ch_err *e)
{
    char shown[64];
    const char *arch = ch_meta_str(g, "general.architecture");
    if (!arch || strcmp(arch, "llama") != 0)
        return ch_fail(e, CH_EUSER,
                       "%s: architecture %s, want llama (SmolLM2, Llama 2 and 3, TinyLlama, "
                       "Vicuna, Mistral)",
                       path, arch ? ch_llama_shown(shown, sizeof shown, arch) : "unnamed");
    double experts = 0, parts = 1, attn = 1;
    CH_TRY(number(&experts, g, path, "llama.expert_count", 0, e));
    if (experts > 0)
        return ch_fail(e, CH_EUSER, "%s: a mixture of %g experts; only dense models are supported",
                       path, experts);
    CH_TRY(number(&parts, g, path, "split.count", 1, e));
    if (parts > 1)
        return ch_fail(e, CH_EUSER, "%s: one of %g parts; join them with llama-gguf-split --merge",
                       path, parts);
    CH_TRY(number(&attn, g, path, "llama.rope.scaling.attn_factor", 1, e));
    const char *scaling = ch_meta_str(g, "llama.rope.scaling.type");
    if (attn != 1 || (scaling && strcmp(scaling, "linear") != 0 && strcmp(scaling, "none") != 0))
        return ch_fail(e, CH_EUSER,
                       "%s: rope scaling %s (attention factor %g) is not supported, only linear "
                       "and none",
                       path, scaling ? ch_llama_shown(shown, sizeof shown, scaling) : "linear",
                       attn);
    return CH_OK;
}

/* Beyond it cosines and sines of f32 angles say nothing. */
static const double MOST_ANGLE = 1e12;

static ch_code read_rope(ch_dims *d, const struct gguf_context *g, const char *path, ch_err *e)
{
    double base = 0, factor = 0, eps = 0;
    CH_TRY(count(&d->n_rot, g, path, "llama.rope.dimension_count", d->D, d->D, e));
    CH_TRY(number(&base, g, path, "llama.rope.freq_base", 10000, e));
    CH_TRY(number(&factor, g, path, "llama.rope.scale_linear", 0, e));
    CH_TRY(number(&factor, g, path, "llama.rope.scaling.factor", factor, e));
    CH_TRY(number(&eps, g, path, "llama.attention.layer_norm_rms_epsilon", -1, e));
    const char *scaling = ch_meta_str(g, "llama.rope.scaling.type");
    if (scaling && strcmp(scaling, "none") == 0)
        factor = 0;
    if (d->D % 2 || d->n_rot % 2)
        return ch_fail(e, CH_EUSER, "%s: heads of %lld with %lld rotated, both must be even", path,
                       (long long)d->D, (long long)d->n_rot);
    if (!(base >= 1 && base <= MOST_ANGLE) ||
        !(factor == 0 || (factor >= 1 / MOST_ANGLE && factor <= MOST_ANGLE)))
        return ch_fail(e, CH_EUSER,
                       "%s: rope base %g and factor %g, want a base from 1 to %g and a factor of 0 "
                       "or near 1",
                       path, base, factor, MOST_ANGLE);
    if (!((float)eps > 0 && eps < 1)) /* of 0 rows of zeros, the ghosts, become NaN */
        return ch_fail(e, CH_EUSER,
                       "%s: llama.attention.layer_norm_rms_epsilon is missing or not in 0..1",
                       path);
    d->rope_base = (float)base;
    d->rope_scale = factor == 0 ? 1.0f : 1.0f / (float)factor;
    d->norm_eps = (float)eps;
    return CH_OK;
}

enum { MOST_LAYERS = 512 };

/* What the attention kernels have room for. */
static ch_code check_heads(const ch_dims *d, const char *path, ch_err *e)
{
    if (d->H % d->G)
        return ch_fail(e, CH_EUSER, "%s: %lld query heads do not divide into %lld groups", path,
                       (long long)d->H, (long long)d->G);
    if (d->D > CH_MOST_HEAD)
        return ch_fail(e, CH_EUSER, "%s: heads of %lld, at most %d are supported", path,
                       (long long)d->D, CH_MOST_HEAD);
    if (d->H / d->G > CH_MOST_GROUP)
        return ch_fail(e, CH_EUSER,
                       "%s: %lld query heads for one key head, at most %d are supported", path,
                       (long long)(d->H / d->G), CH_MOST_GROUP);
    return CH_OK;
}

/* The bounds keep every product of sizes below 2^62, so that a damaged key cannot overflow one. */
ch_code ch_meta_dims(ch_dims *d, const struct gguf_context *g, const char *path, ch_err *e)
{
    const int64_t wide = 1 << 22;
    int64_t value_length = 0;
    memset(d, 0, sizeof *d);
    CH_TRY(check_kind(g, path, e));
    CH_TRY(count(&d->L, g, path, "llama.block_count", 0, MOST_LAYERS, e));
    CH_TRY(count(&d->C, g, path, "llama.embedding_length", 0, wide, e));
    CH_TRY(count(&d->H, g, path, "llama.attention.head_count", 0, wide, e));
    CH_TRY(count(&d->G, g, path, "llama.attention.head_count_kv", d->H, d->H, e));
    CH_TRY(count(&d->D, g, path, "llama.attention.key_length", d->C / d->H, wide / d->H, e));
    CH_TRY(count(&value_length, g, path, "llama.attention.value_length", d->D, wide, e));
    CH_TRY(count(&d->F, g, path, "llama.feed_forward_length", 0, wide, e));
    CH_TRY(count(&d->n_ctx, g, path, "llama.context_length", 0, INT_MAX, e));
    if (value_length != d->D)
        return ch_fail(e, CH_EUSER,
                       "%s: keys of %lld and values of %lld; only equal sizes are "
                       "supported",
                       path, (long long)d->D, (long long)value_length);
    CH_TRY(check_heads(d, path, e));
    CH_TRY(read_rope(d, g, path, e));
    int64_t t = gguf_find_tensor(g, "token_embd.weight");
    if (t < 0)
        return ch_fail(e, CH_EUSER, "%s: tensor token_embd.weight is missing", path);
    d->V = gguf_get_tensor_ne(g, t)[1];
    if (d->V < 1 || d->V > 1 << 24)
        return ch_fail(e, CH_EUSER, "%s: token_embd.weight has %lld rows", path, (long long)d->V);
    d->tied = gguf_find_tensor(g, "output.weight") < 0;
    return CH_OK;
}
