#include "model/model_internal.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"

static _Thread_local char last_error[200];
static _Thread_local char last_error_out[200];

static void to_log(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    size_t n = strcspn(text, "\n");
    if (n == 0 || level == GGML_LOG_LEVEL_CONT)
        return;
    if (level == GGML_LOG_LEVEL_ERROR)
        snprintf(last_error, sizeof last_error, "%.*s", (int)n, text);
    ch_log(CH_DEBUG, "libllama: %.*s", (int)n, text);
}

void ch_llama_quiet(void)
{
    static int done;
    if (done)
        return;
    done = 1;
    llama_log_set(to_log, NULL);
    llama_backend_init();
}

const char *ch_llama_last_error(void)
{
    memcpy(last_error_out, last_error, sizeof last_error);
    last_error[0] = 0;
    return last_error_out;
}

/* -- opening -- */

/* What gguf_init_from_file would say less clearly: not a file, not GGUF, a version it cannot read.
 */
static ch_code check_head(const char *path, int64_t *bytes, ch_err *e)
{
    struct stat st;
    FILE *f = stat(path, &st) == 0 && !S_ISDIR(st.st_mode) ? fopen(path, "rb") : NULL;
    if (!f && ch_is_dir(path))
        return ch_fail(e, CH_EUSER, "%s is a directory; name the .gguf file inside it", path);
    if (!f)
        return ch_fail(e, CH_EUSER, "%s: %s; --model wants a GGUF file", path, strerror(errno));
    *bytes = (int64_t)st.st_size;
    unsigned char head[24] = {0};
    size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    if (n == 0)
        return ch_fail(e, CH_EUSER, "%s is empty; want a GGUF file", path);
    if (n < 4 || memcmp(head, "GGUF", 4) != 0)
        return ch_fail(
            e, CH_EUSER,
            "%s is not a GGUF file (it does not begin with GGUF); convert the model with "
            "llama.cpp's convert_hf_to_gguf.py",
            path);
    if (n < sizeof head)
        return ch_fail(e, CH_EUSER, "%s is cut short after %zu bytes; fetch it again", path, n);
    uint32_t version = (uint32_t)head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 |
                       (uint32_t)head[7] << 24;
    if (version != 2 && version != 3)
        return ch_fail(e, CH_EUSER, "%s: GGUF version %u%s, want 2 or 3; convert the model again",
                       path, version, (version & 0xffff) == 0 ? " (big-endian?)" : "");
    return CH_OK;
}

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

ch_code ch_meta_open(struct gguf_context **g, const char *path, ch_err *e)
{
    *g = NULL;
    int64_t bytes = 0;
    CH_TRY(check_head(path, &bytes, e));
    ch_llama_quiet();
    (void)ch_llama_last_error();
    struct gguf_init_params how = {.no_alloc = true, .ctx = NULL};
    struct gguf_context *c = gguf_init_from_file(path, how);
    if (!c)
        return ch_fail(e, CH_EUSER, "%s: its metadata is cut short or damaged (%s); fetch it again",
                       path, ch_llama_last_error());
    ch_code code = check_extent(c, path, bytes, e);
    if (code == CH_OK)
        *g = c;
    else
        gguf_free(c);
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
    const char *arch = ch_meta_str(g, "general.architecture");
    if (!arch || strcmp(arch, "llama") != 0)
        return ch_fail(e, CH_EUSER,
                       "%s: architecture %s, want llama (SmolLM2, Llama 2 and 3, TinyLlama, "
                       "Vicuna, Mistral)",
                       path, arch ? arch : "unnamed");
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
                       path, scaling ? scaling : "linear", attn);
    return CH_OK;
}

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
    if (!(base > 0) || factor < 0)
        return ch_fail(e, CH_EUSER, "%s: rope base %g and factor %g, both must be positive", path,
                       base, factor);
    if (!(eps >= 0 && eps < 1))
        return ch_fail(e, CH_EUSER,
                       "%s: llama.attention.layer_norm_rms_epsilon is missing or not in 0..1",
                       path);
    d->rope_base = (float)base;
    d->rope_scale = factor == 0 ? 1.0f : 1.0f / (float)factor;
    d->norm_eps = (float)eps;
    return CH_OK;
}

/* The bounds keep every product of sizes below 2^62, so that a damaged key cannot overflow one. */
ch_code ch_meta_dims(ch_dims *d, const struct gguf_context *g, const char *path, ch_err *e)
{
    const int64_t wide = 1 << 22;
    int64_t value_length = 0;
    memset(d, 0, sizeof *d);
    CH_TRY(check_kind(g, path, e));
    CH_TRY(count(&d->L, g, path, "llama.block_count", 0, 4096, e));
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
    if (d->H % d->G)
        return ch_fail(e, CH_EUSER, "%s: %lld query heads do not divide into %lld groups", path,
                       (long long)d->H, (long long)d->G);
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

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int has_word(const char *const *word, size_t n, const char *w)
{
    return bsearch(&w, word, n, sizeof *word, by_text) != NULL;
}

/* libllama aborts on a token that stands twice (it renames empty ones) and, when it tokenises, on a
 * sentencepiece vocabulary without a token for a byte that it has to spell out. */
static ch_code check_words(const char *const *word, size_t n, int spm, const char *path, ch_err *e)
{
    for (size_t i = 1; i < n; i++)
        if (*word[i] && strcmp(word[i - 1], word[i]) == 0)
            return ch_fail(e, CH_EUSER, "%s: its vocabulary has the token \"%s\" twice", path,
                           word[i]);
    for (unsigned b = 0; spm && b < 256; b++) {
        char name[8], raw[2] = {(char)b, 0};
        snprintf(name, sizeof name, "<0x%02X>", b);
        if (!has_word(word, n, name) && !has_word(word, n, raw))
            return ch_fail(e, CH_EUSER, "%s: its vocabulary lacks the byte token %s", path, name);
    }
    return CH_OK;
}

static ch_code check_vocabulary(const struct gguf_context *g, const char *path, int64_t k, int spm,
                                ch_err *e)
{
    size_t n = gguf_get_arr_n(g, k);
    const char **word = ch_new(n, sizeof *word);
    for (size_t i = 0; i < n; i++)
        word[i] = gguf_get_arr_str(g, k, i);
    qsort(word, n, sizeof *word, by_text);
    ch_code code = check_words(word, n, spm, path, e);
    free(word);
    return code;
}

ch_code ch_meta_check_tokenizer(const struct gguf_context *g, const char *path, int64_t V,
                                int *present, ch_err *e)
{
    static const struct {
        const char *key;
        enum gguf_type type;
        int per_token;
    } arrays[] = {
        {"tokenizer.ggml.tokens", GGUF_TYPE_STRING, 1},
        {"tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, 1},
        {"tokenizer.ggml.token_type", GGUF_TYPE_INT32, 1},
        {"tokenizer.ggml.merges", GGUF_TYPE_STRING, 0},
    };
    const char *kind = ch_meta_str(g, "tokenizer.ggml.model");
    *present = kind && strcmp(kind, "no_vocab") != 0 && strcmp(kind, "none") != 0;
    if (!kind)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer (tokenizer.ggml.model)", path);
    for (size_t i = 0; *present && i < sizeof arrays / sizeof *arrays; i++) {
        int64_t k = gguf_find_key(g, arrays[i].key);
        if (k < 0 && i > 0)
            continue;
        if (k < 0 || gguf_get_kv_type(g, k) != GGUF_TYPE_ARRAY ||
            gguf_get_arr_type(g, k) != arrays[i].type)
            return ch_fail(e, CH_EUSER, "%s: %s is missing or not an array of %s", path,
                           arrays[i].key, gguf_type_name(arrays[i].type));
        if (arrays[i].per_token && (int64_t)gguf_get_arr_n(g, k) != V)
            return ch_fail(e, CH_EUSER, "%s: %s has %zu entries and token_embd.weight %lld rows",
                           path, arrays[i].key, gguf_get_arr_n(g, k), (long long)V);
        if (i == 0)
            CH_TRY(check_vocabulary(g, path, k, strcmp(kind, "llama") == 0, e));
    }
    return CH_OK;
}
