#include "model/chat.h"
#include "model/gguf_meta.h"
#include "model/model_state.h"
#include "model/vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enter.h"
#include "base/log.h"

static const int64_t CHUNK_BYTES = 8 << 20;
enum { MOST_NAME = 200 }; /* bytes of a name that is shown */

/* -- which tensors the file must have -- */

static ch_code check_tensor(const struct gguf_context *g, const char *path, const char *name,
                            int64_t rows, int64_t cols, ch_err *e)
{
    int64_t t = gguf_find_tensor(g, name);
    if (t < 0)
        return ch_fail(e, CH_EUSER, "%s: tensor %s is missing", path, name);
    const int64_t *ne = gguf_get_tensor_ne(g, t);
    if (ne[0] != cols || ne[1] != rows || ne[2] != 1 || ne[3] != 1)
        return ch_fail(e, CH_EUSER, "%s: tensor %s is %lld x %lld, its keys say %lld x %lld", path,
                       name, (long long)ne[1], (long long)ne[0], (long long)rows, (long long)cols);
    enum ggml_type type = gguf_get_tensor_type(g, t);
    if (type != GGML_TYPE_F32 && !ggml_get_type_traits(type)->to_float)
        return ch_fail(e, CH_EUSER, "%s: tensor %s has type %s, which cannot be turned into f32",
                       path, name, ggml_type_name(type));
    return CH_OK;
}

/* A tensor that this network has no place for (a bias, an expert) would be
 * silently lost: refuse. */
static ch_code check_no_more(const ch_model *m, ch_err *e)
{
    for (int64_t t = 0; t < gguf_get_n_tensors(m->meta); t++) {
        const char *name = gguf_get_tensor_name(m->meta, t);
        int known = m->has_rope_factors && strcmp(name, CH_ROPE_FREQS) == 0;
        for (int64_t i = 0; i < m->layout.n && !known; i++)
            known = strcmp(name, m->layout.list[i].name) == 0;
        if (!known)
            return ch_fail(e, CH_EUSER,
                           "%s: tensor %s is not part of a plain Llama and is not supported",
                           m->path, name);
    }
    return CH_OK;
}

static ch_code check_tensors(ch_model *m, ch_err *e)
{
    /* Each layer needs nine: bounds the lists below by what the file really holds. */
    if (m->dims.L > gguf_get_n_tensors(m->meta))
        return ch_fail(e, CH_EUSER, "%s: %lld layers and only %lld tensors", m->path,
                       (long long)m->dims.L, (long long)gguf_get_n_tensors(m->meta));
    ch_layout l = ch_layout_make(&m->dims);
    m->layout = l;
    for (int64_t i = 0; i < l.n; i++)
        CH_TRY(check_tensor(m->meta, m->path, l.list[i].name, l.list[i].rows, l.list[i].cols, e));
    m->has_rope_factors = gguf_find_tensor(m->meta, CH_ROPE_FREQS) >= 0;
    if (m->has_rope_factors)
        CH_TRY(check_tensor(m->meta, m->path, CH_ROPE_FREQS, 1, m->dims.n_rot / 2, e));
    return check_no_more(m, e);
}

/* -- reading -- */

static ch_code alloc(ch_model *m, ch_err *e)
{
    for (int pass = 0; pass < 2; pass++) {
        m->weights = ch_take(&m->arena, (size_t)m->layout.total, sizeof(float));
        m->rope_factors = ch_take(&m->arena, (size_t)(m->dims.n_rot / 2), sizeof(float));
        if (pass == 0)
            CH_TRY(ch_arena_alloc(&m->arena, m->path, e));
    }
    for (int64_t i = 0; i < m->dims.n_rot / 2; i++)
        m->rope_factors[i] = 1;
    return CH_OK;
}

static ch_code read_at(int fd, const char *path, void *buf, size_t n, size_t at, ch_err *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)buf + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ch_fail(e, CH_EIO, "%s: reading at byte %zu failed: %s", path, at + done,
                           got ? strerror(errno) : "the file became shorter");
        done += (size_t)got;
    }
    return CH_OK;
}

/* Rows of raw into f32; returns how many rows hold a value that is not finite. */
static int64_t to_f32(float *out, const char *raw, enum ggml_type type, int64_t rows, int64_t cols,
                      int team)
{
    ggml_to_float_t convert = ggml_get_type_traits(type)->to_float;
    size_t row_bytes = ggml_row_size(type, cols);
    int64_t bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad) num_threads(team)
    for (int64_t r = 0; r < rows; r++) {
        float *y = out + r * cols;
        if (type == GGML_TYPE_F32)
            memcpy(y, raw + (size_t)r * row_bytes, row_bytes);
        else
            convert(raw + (size_t)r * row_bytes, y, cols);
        int finite = 1;
        for (int64_t i = 0; i < cols; i++)
            finite &= isfinite(y[i]) != 0;
        bad += !finite;
    }
    return bad;
}

static ch_code read_tensor(float *out, ch_model *m, int fd, const char *name, ch_err *e)
{
    int64_t t = gguf_find_tensor(m->meta, name);
    const int64_t *ne = gguf_get_tensor_ne(m->meta, t);
    enum ggml_type type = gguf_get_tensor_type(m->meta, t);
    size_t row_bytes = ggml_row_size(type, ne[0]);
    size_t at = gguf_get_data_offset(m->meta) + gguf_get_tensor_offset(m->meta, t);
    int64_t step = CHUNK_BYTES / (int64_t)row_bytes;
    step = step < 1 ? 1 : step > ne[1] ? ne[1] : step;
    char *raw = ch_new((size_t)step, row_bytes);
    int team = ch_device_team(m->device);
    ch_code code = CH_OK;
    for (int64_t r = 0; r < ne[1] && code == CH_OK; r += step) {
        int64_t n = ne[1] - r < step ? ne[1] - r : step;
        code = read_at(fd, m->path, raw, (size_t)n * row_bytes, at + (size_t)r * row_bytes, e);
        if (code == CH_OK && to_f32(out + r * ne[0], raw, type, n, ne[0], team) > 0)
            code =
                ch_fail(e, CH_ENUMBER, "%s: tensor %s holds a NaN or an infinity", m->path, name);
    }
    free(raw);
    return code;
}

static ch_code read_weights(ch_model *m, ch_err *e)
{
    CH_TRY(alloc(m, e));
    int fd;
    CH_TRY(ch_fd_open(&fd, m->path, e));
    ch_code code = CH_OK;
    for (int64_t i = 0; i < m->layout.n && code == CH_OK; i++)
        code = read_tensor(m->weights + m->layout.list[i].at, m, fd, m->layout.list[i].name, e);
    if (code == CH_OK && m->has_rope_factors)
        code = read_tensor(m->rope_factors, m, fd, CH_ROPE_FREQS, e);
    ch_fd_close(fd);
    for (int64_t i = 0; code == CH_OK && i < m->dims.n_rot / 2; i++)
        if (!(m->rope_factors[i] > 0))
            code = ch_fail(e, CH_EUSER, "%s: " CH_ROPE_FREQS " holds %g, want positive factors",
                           m->path, (double)m->rope_factors[i]);
    return code;
}

/* -- the model -- */

/* One line, whatever the file says. */
static char *name_of(const ch_model *m)
{
    const char *slash = strrchr(m->path, '/'), *name = ch_meta_str(m->meta, "general.name");
    if (!name || !*name)
        return ch_dup(slash ? slash + 1 : m->path);
    char *clean = ch_clean_utf8(name, strnlen(name, MOST_NAME));
    for (char *c = clean; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    return clean;
}

static void release_meta(void *meta, size_t n CH_UNUSED)
{
    gguf_free(meta);
}

static void release_llama(void *llama, size_t n CH_UNUSED)
{
    llama_model_free(llama);
}

static ch_code load(ch_model *m, ch_err *e)
{
    CH_TRY(ch_meta_open(&m->meta, m->path, e));
    ch_guard(release_meta, m->meta, 0);
    CH_TRY(ch_meta_dims(&m->dims, m->meta, m->path, e));
    CH_TRY(check_tensors(m, e));
    m->name = name_of(m);
    CH_TRY(ch_vocab_load(m, e));
    ch_guard(release_llama, m->llama, 0);
    CH_TRY(ch_chat_learn(m, e));
    CH_TRY(read_weights(m, e));
    return ch_hash_file(m->path, &m->hash, e);
}

ch_code ch_model_load(ch_model **out, const char *path, ch_device *d, ch_err *e)
{
    *out = NULL;
    double start = ch_now_s();
    ch_model *m = ch_new(1, sizeof *m);
    m->path = ch_dup(path);
    m->device = d;
    m->version = 1;
    ch_code code = load(m, e);
    if (code != CH_OK) {
        ch_model_free(m);
        return code;
    }
    ch_log(CH_DEBUG, "%s: %s, %.1f M parameters, read in %.2f s", path, m->name,
           (double)ch_model_n_params(m) / 1e6, ch_now_s() - start);
    *out = m;
    return CH_OK;
}

void ch_model_free(ch_model *m)
{
    if (!m)
        return;
    ch_layout_release(&m->layout);
    ch_arena_free(&m->arena);
    ch_unguard(m->meta);
    ch_unguard(m->llama);
    if (m->meta)
        gguf_free(m->meta);
    if (m->llama)
        llama_model_free(m->llama);
    free(m->path);
    free(m->name);
    free(m->template);
    free(m->before_answer);
    free(m->after_answer);
    free(m->end_of_turn);
    free(m);
}

const ch_dims *ch_model_dims(const ch_model *m)
{
    return &m->dims;
}

ch_device *ch_model_device(const ch_model *m)
{
    return m->device;
}

const char *ch_model_path(const ch_model *m)
{
    return m->path;
}

const char *ch_model_name(const ch_model *m)
{
    return m->name;
}

ch_hash ch_model_hash(const ch_model *m)
{
    return m->hash;
}

int64_t ch_model_n_params(const ch_model *m)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->layout.n; i++)
        n += m->layout.list[i].rows * m->layout.list[i].cols;
    return n;
}

const ch_layout *ch_model_layout(const ch_model *m)
{
    return &m->layout;
}

float *ch_model_weights(ch_model *m)
{
    return m->weights;
}

void ch_model_touch(ch_model *m)
{
    m->version++;
}

int64_t ch_model_version(const ch_model *m)
{
    return m->version;
}

const float *ch_model_rope_factors(const ch_model *m)
{
    return m->rope_factors;
}
