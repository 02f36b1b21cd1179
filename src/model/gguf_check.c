/* A GGUF's header read by a reader that believes nothing, before ggml and libllama see the file:
 * they abort, throw or allocate without a bound on some damage. Layout: magic, version, number of
 * tensors, number of keys; keys (name, type, value); tensors (name, shape, type, offset); data. */
#define _FILE_OFFSET_BITS 64
#include "model/gguf_check.h"

#include "model/model_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* More than any Llama needs, and what the searches by name in ggml take in no time. */
enum {
    MOST_KEYS = 4096,
    MOST_TENSORS = 8192,
    MOST_NAME = 256,         /* bytes of a key */
    MOST_TEXT = 1 << 26,     /* of a text, a chat template say */
    MOST_WORD = 1 << 16,     /* of a text in a list */
    MOST_LIST = 1 << 25,     /* entries */
    MOST_ALIGNMENT = 1 << 20 /* bytes */
};

typedef struct {
    FILE *f;
    const char *path;
    uint64_t at, size; /* bytes */
    ch_err *e;
    char (*names)[MOST_NAME + 1]; /* of keys, then of tensors */
    uint64_t alignment, data;     /* data: bytes that the tensors so far take */
} reader;

static ch_code cut_short(const reader *r)
{
    return ch_fail(r->e, CH_EUSER,
                   "%s is cut short: it has %llu bytes and its metadata needs more; fetch it again",
                   r->path, (unsigned long long)r->size);
}

/* The next n bytes; to NULL: passed over. */
static ch_code take(reader *r, void *to, uint64_t n)
{
    if (n > r->size - r->at)
        return cut_short(r);
    if (to ? fread(to, 1, (size_t)n, r->f) != n : fseeko(r->f, (off_t)n, SEEK_CUR) != 0)
        return ch_fail(r->e, CH_EIO, "%s: reading at byte %llu failed: %s", r->path,
                       (unsigned long long)r->at, strerror(ferror(r->f) ? errno : EIO));
    r->at += n;
    return CH_OK;
}

static ch_code take_u32(reader *r, uint32_t *v)
{
    return take(r, v, sizeof *v);
}

static ch_code take_u64(reader *r, uint64_t *v)
{
    return take(r, v, sizeof *v);
}

/* A name of printable ASCII, which every key and tensor has, so that it can be shown. */
static ch_code take_name(reader *r, char *name, uint64_t most, const char *what, uint64_t i)
{
    uint64_t n = 0;
    CH_TRY(take_u64(r, &n));
    if (n < 1 || n > most)
        return ch_fail(r->e, CH_EUSER, "%s: the name of %s %llu has %llu bytes, want 1 to %llu",
                       r->path, what, (unsigned long long)i + 1, (unsigned long long)n,
                       (unsigned long long)most);
    CH_TRY(take(r, name, n));
    name[n] = 0;
    for (uint64_t k = 0; k < n; k++)
        if (name[k] < ' ' || name[k] > '~')
            return ch_fail(r->e, CH_EUSER, "%s: the name of %s %llu is not plain ASCII", r->path,
                           what, (unsigned long long)i + 1);
    return CH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static ch_code check_unique(reader *r, uint64_t n, const char *what)
{
    qsort(r->names, n, sizeof *r->names, by_name);
    for (uint64_t i = 1; i < n; i++)
        if (!strcmp(r->names[i - 1], r->names[i]))
            return ch_fail(r->e, CH_EUSER, "%s: the %s %s stands there twice", r->path, what,
                           r->names[i]);
    return CH_OK;
}

/* -- keys -- */

static ch_code pass_text(reader *r, const char *key, uint64_t most)
{
    uint64_t n = 0;
    CH_TRY(take_u64(r, &n));
    if (n > most)
        return ch_fail(r->e, CH_EUSER, "%s: %s holds a text of %llu bytes, at most %llu are read",
                       r->path, key, (unsigned long long)n, (unsigned long long)most);
    return take(r, NULL, n);
}

/* Bytes of a number; 0 for texts, lists and types that there are not. */
static uint64_t number_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {
        [GGUF_TYPE_UINT8] = 1,   [GGUF_TYPE_INT8] = 1,    [GGUF_TYPE_UINT16] = 2,
        [GGUF_TYPE_INT16] = 2,   [GGUF_TYPE_UINT32] = 4,  [GGUF_TYPE_INT32] = 4,
        [GGUF_TYPE_FLOAT32] = 4, [GGUF_TYPE_BOOL] = 1,    [GGUF_TYPE_UINT64] = 8,
        [GGUF_TYPE_INT64] = 8,   [GGUF_TYPE_FLOAT64] = 8,
    };
    return type < sizeof bytes ? bytes[type] : 0;
}

static ch_code pass_list(reader *r, const char *key)
{
    uint32_t type = 0;
    uint64_t n = 0, bytes;
    CH_TRY(take_u32(r, &type));
    CH_TRY(take_u64(r, &n));
    bytes = number_bytes(type);
    if (!bytes && type != GGUF_TYPE_STRING)
        return ch_fail(r->e, CH_EUSER, "%s: %s is a list of type %u, want numbers or texts",
                       r->path, key, type);
    if (n > MOST_LIST)
        return ch_fail(r->e, CH_EUSER, "%s: %s has %llu entries, at most %d are read", r->path, key,
                       (unsigned long long)n, MOST_LIST);
    if (bytes)
        return take(r, NULL, n * bytes);
    for (uint64_t i = 0; i < n; i++)
        CH_TRY(pass_text(r, key, MOST_WORD));
    return CH_OK;
}

static ch_code take_alignment(reader *r, uint32_t type)
{
    uint32_t v = 0;
    if (type == GGUF_TYPE_UINT32)
        CH_TRY(take_u32(r, &v));
    if (v == 0 || v > MOST_ALIGNMENT || (v & (v - 1)))
        return ch_fail(r->e, CH_EUSER,
                       "%s: " GGUF_KEY_GENERAL_ALIGNMENT " is not a power of two up to %d", r->path,
                       MOST_ALIGNMENT);
    r->alignment = v;
    return CH_OK;
}

static ch_code check_key(reader *r, uint64_t i)
{
    char *key = r->names[i];
    uint32_t type = 0;
    CH_TRY(take_name(r, key, MOST_NAME, "key", i));
    CH_TRY(take_u32(r, &type));
    if (!strcmp(key, GGUF_KEY_GENERAL_ALIGNMENT))
        return take_alignment(r, type);
    if (type == GGUF_TYPE_STRING)
        return pass_text(r, key, MOST_TEXT);
    if (type == GGUF_TYPE_ARRAY)
        return pass_list(r, key);
    if (!number_bytes(type))
        return ch_fail(r->e, CH_EUSER, "%s: %s has the unknown type %u", r->path, key, type);
    return take(r, NULL, number_bytes(type));
}

/* -- tensors -- */

/* The tensor's bytes from its shape and type. */
static ch_code take_shape(reader *r, const char *name, uint64_t *bytes)
{
    uint32_t n_dims = 0, type = 0;
    uint64_t elems = 1, row = 0;
    CH_TRY(take_u32(r, &n_dims));
    if (n_dims < 1 || n_dims > GGML_MAX_DIMS)
        return ch_fail(r->e, CH_EUSER, "%s: tensor %s has %u dimensions, want 1 to %d", r->path,
                       name, n_dims, GGML_MAX_DIMS);
    for (uint32_t k = 0; k < n_dims; k++) {
        uint64_t n = 0;
        CH_TRY(take_u64(r, &n));
        if (n < 1 || n > INT64_MAX / elems)
            return ch_fail(r->e, CH_EUSER, "%s: dimension %u of tensor %s is %lld", r->path, k + 1,
                           name, (long long)n);
        elems *= n;
        row = k ? row : n;
    }
    CH_TRY(take_u32(r, &type));
    int64_t block = type < GGML_TYPE_COUNT ? ggml_blck_size((enum ggml_type)type) : 0;
    uint64_t block_bytes = block > 0 ? ggml_type_size((enum ggml_type)type) : 0;
    if (!block_bytes)
        return ch_fail(r->e, CH_EUSER, "%s: tensor %s has the unknown type %u", r->path, name,
                       type);
    if (row % (uint64_t)block)
        return ch_fail(r->e, CH_EUSER, "%s: tensor %s has rows of %llu, want a multiple of %lld",
                       r->path, name, (unsigned long long)row, (long long)block);
    if (elems / (uint64_t)block > INT64_MAX / block_bytes)
        return ch_fail(r->e, CH_EUSER, "%s: tensor %s is too large", r->path, name);
    *bytes = elems / (uint64_t)block * block_bytes;
    return CH_OK;
}

static ch_code check_tensor(reader *r, uint64_t i)
{
    char *name = r->names[i];
    uint64_t bytes = 0, at = 0;
    CH_TRY(take_name(r, name, GGML_MAX_NAME - 1, "tensor", i));
    CH_TRY(take_shape(r, name, &bytes));
    CH_TRY(take_u64(r, &at));
    if (at != r->data)
        return ch_fail(r->e, CH_EUSER,
                       "%s: tensor %s lies at byte %llu of the data, want %llu: it overlaps "
                       "another or leaves a gap",
                       r->path, name, (unsigned long long)at, (unsigned long long)r->data);
    if (bytes > INT64_MAX - r->alignment - r->data)
        return ch_fail(r->e, CH_EUSER, "%s: its tensors are too large", r->path);
    r->data += (bytes + r->alignment - 1) / r->alignment * r->alignment;
    return CH_OK;
}

/* -- the file -- */

static ch_code check_magic(reader *r)
{
    unsigned char head[8] = {0};
    if (r->size == 0)
        return ch_fail(r->e, CH_EUSER, "%s is empty; want a GGUF file", r->path);
    CH_TRY(take(r, head, r->size < sizeof head ? r->size : sizeof head));
    if (memcmp(head, "GGUF", 4) != 0)
        return ch_fail(
            r->e, CH_EUSER,
            "%s is not a GGUF file (it does not begin with GGUF); convert the model with "
            "llama.cpp's convert_hf_to_gguf.py",
            r->path);
    if (r->size < 24)
        return cut_short(r);
    uint32_t version = 0;
    memcpy(&version, head + 4, sizeof version);
    if (version != 2 && version != 3)
        return ch_fail(r->e, CH_EUSER,
                       "%s: GGUF version %u%s, want 2 or 3; convert the model again", r->path,
                       version, (version & 0xffff) == 0 ? " (big-endian?)" : "");
    return CH_OK;
}

static ch_code check_header(reader *r)
{
    uint64_t n_tensors = 0, n_keys = 0;
    CH_TRY(check_magic(r));
    CH_TRY(take_u64(r, &n_tensors));
    CH_TRY(take_u64(r, &n_keys));
    if (n_tensors > MOST_TENSORS || n_keys > MOST_KEYS)
        return ch_fail(r->e, CH_EUSER,
                       "%s: %llu tensors and %llu keys, at most %d and %d are read; is it damaged?",
                       r->path, (unsigned long long)n_tensors, (unsigned long long)n_keys,
                       MOST_TENSORS, MOST_KEYS);
    r->names = ch_new(n_tensors > n_keys ? n_tensors : n_keys, sizeof *r->names);
    for (uint64_t i = 0; i < n_keys; i++)
        CH_TRY(check_key(r, i));
    CH_TRY(check_unique(r, n_keys, "key"));
    for (uint64_t i = 0; i < n_tensors; i++)
        CH_TRY(check_tensor(r, i));
    return check_unique(r, n_tensors, "tensor");
}

ch_code ch_gguf_check(const char *path, int64_t *bytes, ch_err *e)
{
    struct stat st;
    if (ch_is_dir(path))
        return ch_fail(e, CH_EUSER, "%s is a directory; name the .gguf file inside it", path);
    if (stat(path, &st) != 0)
        return ch_fail(e, CH_EUSER, "%s: %s; --model wants a GGUF file", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ch_fail(e, CH_EUSER, "%s is not a regular file; --model wants a GGUF file", path);
    reader r = {.f = fopen(path, "rb"), .path = path, .size = (uint64_t)st.st_size, .e = e};
    if (!r.f)
        return ch_fail(e, CH_EUSER, "%s: %s; --model wants a GGUF file", path, strerror(errno));
    ch_stream_guard(r.f);
    r.alignment = GGUF_DEFAULT_ALIGNMENT;
    ch_code code = check_header(&r);
    ch_stream_close(r.f);
    free(r.names);
    *bytes = (int64_t)st.st_size;
    return code;
}
