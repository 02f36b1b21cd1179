#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "train/internal.h"

/* A file is this head and n_blocks blocks of `total` floats each. */
typedef struct {
    char magic[8];
    int64_t version, total, n_blocks;
    char hash[72];
    ch_position at;
} head;

static const char MAGIC[8] = {'C', 'H', 'S', 'T', 'A', 'T', 'E', 0};

static ch_code write_file(const char *path, float *const *block, int64_t n, int64_t total,
                          const ch_position *p, const char *hash, ch_err *e)
{
    head h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.version = 1;
    h.total = total;
    h.n_blocks = n;
    memcpy(h.hash, hash, strnlen(hash, sizeof h.hash - 1));
    if (p)
        h.at = *p;
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    fwrite(&h, sizeof h, 1, o.f);
    for (int64_t i = 0; i < n; i++)
        fwrite(block[i], sizeof(float), (size_t)total, o.f);
    return ch_out_commit(&o, e);
}

static ch_code check(const char *path, const head *h, int64_t n, int64_t total, const char *hash,
                     ch_err *e)
{
    struct stat st;
    int64_t want = (int64_t)sizeof *h + n * total * (int64_t)sizeof(float);
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) || h->version != 1 || h->total != total ||
        h->n_blocks != n || stat(path, &st) || st.st_size != want)
        return ch_fail(
            e, CH_EUSER,
            "%s: is not a whole training state of this model (%lld bytes wanted); delete it to "
            "train from the start",
            path, (long long)want);
    if (strncmp(h->hash, hash, sizeof h->hash - 1))
        return ch_fail(
            e, CH_EUSER,
            "%s: was written by another recipe, model or data; delete it to train from the start",
            path);
    return CH_OK;
}

static ch_code read_file(const char *path, float **block, int64_t n, int64_t total, ch_position *p,
                         const char *hash, ch_err *e)
{
    head h;
    FILE *f = fopen(path, "rb");
    if (!f)
        return ch_fail(e, CH_EUSER, "%s: cannot be opened", path);
    ch_code c = CH_OK;
    if (fread(&h, sizeof h, 1, f) != 1)
        memset(&h, 0, sizeof h);
    c = check(path, &h, n, total, hash, e);
    for (int64_t i = 0; c == CH_OK && i < n; i++)
        if (fread(block[i], sizeof(float), (size_t)total, f) != (size_t)total)
            c = ch_fail(e, CH_EIO, "%s: reading failed", path);
    fclose(f);
    if (c == CH_OK && p)
        *p = h.at;
    return c;
}

ch_code ch_state_write(const char *path, const ch_stepper *s, const ch_position *p,
                       const char *hash, ch_err *e)
{
    float *block[] = {ch_model_weights(s->m), s->m1, s->m2};
    return write_file(path, block, 3, ch_model_layout(s->m)->total, p, hash, e);
}

ch_code ch_state_read(const char *path, ch_stepper *s, ch_position *p, const char *hash, ch_err *e)
{
    float *block[] = {ch_model_weights(s->m), s->m1, s->m2};
    ch_code c = read_file(path, block, 3, ch_model_layout(s->m)->total, p, hash, e);
    ch_model_touch(s->m);
    return c;
}

ch_code ch_weights_write(const char *path, ch_model *m, const char *hash, ch_err *e)
{
    float *block[] = {ch_model_weights(m)};
    return write_file(path, block, 1, ch_model_layout(m)->total, NULL, hash, e);
}

ch_code ch_weights_read(const char *path, ch_model *m, const char *hash, ch_err *e)
{
    float *block[] = {ch_model_weights(m)};
    ch_code c = read_file(path, block, 1, ch_model_layout(m)->total, NULL, hash, e);
    ch_model_touch(m);
    return c;
}
