#include "train/state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file is this head and n_blocks blocks of `total` floats each. */
typedef struct {
    char magic[8];
    int64_t version, total, n_blocks;
    char hash[72], digest[72];
    ch_position at;
} head;

/* All blocks of a file, where they are or go to. */
typedef struct {
    float *const *list;
    int64_t n, total;
    int threads;
    const char *cure; /* ends a sentence about the file */
} blocks;

static const char MAGIC[8] = {'C', 'H', 'S', 'T', 'A', 'T', 'E', 0};
enum { VERSION = 2, LEAF_FLOATS = 1 << 20 };
static const char ANEW[] = "delete it to train from the start";
static const char BESIDE[] = "delete state.ckpt beside it to train from the start";

/* SHA-256 over the SHA-256 of the head and of every leaf, which all threads make. */
static ch_hash digest_of(const head *h, const blocks *b)
{
    int64_t each = (b->total + LEAF_FLOATS - 1) / LEAF_FLOATS, n = each * b->n;
    ch_hash *part = ch_new((size_t)n + 1, sizeof *part);
    head plain = *h;
    memset(plain.digest, 0, sizeof plain.digest);
    part[n] = ch_hash_bytes(&plain, sizeof plain);
#pragma omp parallel for schedule(static) num_threads(b->threads)
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i % each * LEAF_FLOATS, left = b->total - from;
        left = left < LEAF_FLOATS ? left : LEAF_FLOATS;
        part[i] = ch_hash_bytes(b->list[i / each] + from, (size_t)left * sizeof(float));
    }
    ch_hash all = ch_hash_bytes(part, ((size_t)n + 1) * sizeof *part);
    free(part);
    return all;
}

static ch_code write_file(const char *path, const blocks *b, const ch_position *p, const char *hash,
                          ch_err *e)
{
    head h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.version = VERSION;
    h.total = b->total;
    h.n_blocks = b->n;
    memcpy(h.hash, hash, strnlen(hash, sizeof h.hash - 1));
    h.at = *p;
    ch_hash digest = digest_of(&h, b);
    memcpy(h.digest, digest.hex, sizeof digest.hex);
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    fwrite(&h, sizeof h, 1, o.f);
    for (int64_t i = 0; i < b->n; i++)
        fwrite(b->list[i], sizeof(float), (size_t)b->total, o.f);
    return ch_out_commit(&o, e);
}

static ch_code check_head(const char *path, const head *h, int64_t size, const blocks *b,
                          const char *hash, ch_err *e)
{
    int64_t want = (int64_t)sizeof *h + b->n * b->total * (int64_t)sizeof(float);
    if (size < (int64_t)sizeof *h || memcmp(h->magic, MAGIC, sizeof MAGIC))
        return ch_fail(e, CH_EUSER, "%s: is not a training state; %s", path, b->cure);
    if (h->version != VERSION)
        return ch_fail(e, CH_EUSER, "%s: is a training state of version %lld, %d is wanted; %s",
                       path, (long long)h->version, VERSION, b->cure);
    if (h->total != b->total || h->n_blocks != b->n || size != want)
        return ch_fail(e, CH_EUSER,
                       "%s: has %lld bytes, %lld are a whole training state of this model; %s",
                       path, (long long)size, (long long)want, b->cure);
    if (memcmp(h->hash, hash, strnlen(hash, sizeof h->hash - 1) + 1))
        return ch_fail(e, CH_EUSER, "%s: was written by another recipe, model or data; %s", path,
                       b->cure);
    return CH_OK;
}

static ch_code read_blocks(const char *path, FILE *f, const head *h, const blocks *b, ch_err *e)
{
    for (int64_t i = 0; i < b->n; i++)
        if (fread(b->list[i], sizeof(float), (size_t)b->total, f) != (size_t)b->total)
            return ch_fail(e, CH_EIO, "%s: reading failed: %s", path, strerror(errno));
    char digest[sizeof h->digest] = {0};
    ch_hash all = digest_of(h, b);
    memcpy(digest, all.hex, sizeof all.hex);
    if (memcmp(h->digest, digest, sizeof digest))
        return ch_fail(e, CH_EUSER, "%s: is damaged, its digest does not fit its bytes; %s", path,
                       b->cure);
    return CH_OK;
}

static ch_code read_file(const char *path, const blocks *b, ch_position *p, const char *hash,
                         ch_err *e)
{
    head h;
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return ch_fail(e, CH_EUSER, "%s: is no file to read; %s", path, b->cure);
    FILE *f = fopen(path, "rb");
    if (!f)
        return ch_fail(e, CH_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    ch_stream_guard(f);
    memset(&h, 0, sizeof h);
    ch_code c = CH_OK;
    if (fread(&h, sizeof h, 1, f) != 1 && ferror(f))
        c = ch_fail(e, CH_EIO, "%s: reading failed: %s", path, strerror(errno));
    if (c == CH_OK)
        c = check_head(path, &h, st.st_size, b, hash, e);
    if (c == CH_OK)
        c = read_blocks(path, f, &h, b, e);
    ch_stream_close(f);
    if (c == CH_OK)
        *p = h.at;
    return c;
}

/* What no training under these options stands at. */
static ch_code check_position(const char *path, const ch_position *p, const ch_train_opts *o,
                              ch_err *e)
{
    const int64_t counts[] = {p->step, p->best_step,   p->tokens,
                              p->rows, p->last.tokens, p->last.rows};
    const double reals[] = {p->best_dev, p->first_loss, p->last_loss, p->last_dev,
                            p->seconds,  p->last.loss,  p->last.norm, p->last.lr};
    int fine = p->step <= o->steps && p->best_step <= p->step && p->seconds >= 0 &&
               (p->row_due == 0 || p->row_due == 1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        fine &= counts[i] >= 0;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        fine &= isfinite(reals[i]) != 0;
    if (!fine)
        return ch_fail(e, CH_EUSER,
                       "%s: stands at update %lld of %lld with the best at %lld, which this "
                       "training never does; %s",
                       path, (long long)p->step, (long long)o->steps, (long long)p->best_step,
                       ANEW);
    if (p->keep != o->keep)
        return ch_fail(e, CH_EUSER, "%s: was written under another train.keep; %s", path, ANEW);
    return CH_OK;
}

static blocks blocks_of(const ch_model *m, float *const *list, int64_t n, const char *cure)
{
    int threads = ch_device_team(ch_model_device(m));
    return (blocks){list, n, ch_model_layout(m)->total, threads, cure};
}

ch_code ch_state_write(const char *path, const ch_stepper *s, const ch_position *p,
                       const char *hash, ch_err *e)
{
    float *list[] = {ch_model_weights(s->m), s->m1, s->m2};
    blocks b = blocks_of(s->m, list, 3, ANEW);
    return write_file(path, &b, p, hash, e);
}

ch_code ch_state_read(const char *path, ch_stepper *s, ch_position *p, const char *hash, ch_err *e)
{
    float *list[] = {ch_model_weights(s->m), s->m1, s->m2};
    blocks b = blocks_of(s->m, list, 3, ANEW);
    ch_position at;
    ch_code c = read_file(path, &b, &at, hash, e);
    ch_model_touch(s->m);
    if (c == CH_OK)
        c = check_position(path, &at, s->o, e);
    if (c == CH_OK)
        *p = at;
    return c;
}

ch_code ch_weights_write(const char *path, ch_model *m, int64_t step, const char *hash, ch_err *e)
{
    float *list[] = {ch_model_weights(m)};
    blocks b = blocks_of(m, list, 1, BESIDE);
    return write_file(path, &b, &(ch_position){.step = step}, hash, e);
}

ch_code ch_weights_read(const char *path, ch_model *m, int64_t step, const char *hash, ch_err *e)
{
    float *list[] = {ch_model_weights(m)};
    blocks b = blocks_of(m, list, 1, BESIDE);
    ch_position at;
    ch_code c = read_file(path, &b, &at, hash, e);
    ch_model_touch(m);
    if (c == CH_OK && at.step != step)
        c = ch_fail(e, CH_EUSER, "%s: has the weights of update %lld, those of %lld are wanted; %s",
                    path, (long long)at.step, (long long)step, b.cure);
    return c;
}

ch_code ch_weights_check(const char *path, const ch_stepper *s, const char *hash, ch_err *e)
{
    float *list[] = {s->grads};
    blocks b = blocks_of(s->m, list, 1, BESIDE);
    ch_position at;
    return read_file(path, &b, &at, hash, e);
}
