#include "ref/rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

enum { GUARD = 64, PATTERN = 0xa5 };

int rig_open(rig *r, ch_isa isa, int bf16, int threads)
{
    ch_err e = {0};
    *r = (rig){.bf16 = bf16, .threads = threads, .digest = 0xcbf29ce484222325u};
    ch_code c =
        ch_device_open(&r->d, bf16 ? CH_PRECISION_BF16 : CH_PRECISION_F32, isa, threads, &e);
    if (c == CH_EUSER && isa != CH_ISA_PORTABLE)
        return 0;
    CHECK_OK(c, &e);
    r->op = ch_device_ops(r->d);
    CHECK_(r->op->act_bytes == (bf16 ? 2u : 4u));
    return 1;
}

void rig_close(rig *r)
{
    ch_device_close(r->d);
}

void each_rig(void (*f)(rig *r, void *ctx), void *ctx)
{
    ch_log_level(CH_QUIET); /* bf16 without instructions for it is meant here */
    for (int isa = CH_ISA_AVX512; isa >= CH_ISA_PORTABLE; isa--)
        for (int k = 0; k < 6; k++) {
            rig r;
            uint64_t digest[2];
            for (int round = 0; round < 2; round++) {
                if (!rig_open(&r, (ch_isa)isa, k % 2, 1 + k / 2))
                    break;
                f(&r, ctx);
                digest[round] = r.digest;
                if (round && digest[0] != digest[1])
                    fprintf(stderr, "%s: other bits the second time\n", ch_device_text(r.d));
                rig_close(&r);
                CHECK_(!round || digest[0] == digest[1]);
            }
        }
}

double *some_numbers(int64_t n, uint64_t stream, double scale)
{
    double *x = ch_new((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = ((double)(ch_random_at(17, stream, (uint64_t)i) >> 56) - 127.5) / 128 * scale;
    return x;
}

int64_t *some_places(int64_t n, int64_t step, int64_t *count)
{
    int64_t *at = ch_new((size_t)n, sizeof *at);
    *count = 0;
    for (int64_t i = 0; i < n; i += step)
        at[(*count)++] = i;
    return at;
}

static buf make(int64_t n, size_t elem)
{
    size_t bytes = (size_t)n * elem;
    unsigned char *all = ch_new(bytes + 2 * GUARD, 1);
    memset(all, PATTERN, bytes + 2 * GUARD);
    memset(all + GUARD, 0xff, bytes); /* NaN in both types */
    return (buf){all + GUARD, n, elem};
}

buf f32_buf(int64_t n)
{
    return make(n, 4);
}

buf act_buf(const rig *r, int64_t n)
{
    return make(n, r->op->act_bytes);
}

static void put(buf *b, int64_t i, double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, 4);
    if (b->elem == 4) {
        memcpy((char *)b->p + 4 * i, &f, 4);
        return;
    }
    uint16_t h = (uint16_t)(u >> 16);
    CHECK_((u & 0xffffu) == 0); /* tests feed bf16 only what it holds exactly */
    memcpy((char *)b->p + 2 * i, &h, 2);
}

double buf_at(const buf *b, int64_t i)
{
    uint32_t u = 0;
    float f;
    if (b->elem == 4) {
        memcpy(&u, (const char *)b->p + 4 * i, 4);
    } else {
        uint16_t h;
        memcpy(&h, (const char *)b->p + 2 * i, 2);
        u = (uint32_t)h << 16;
    }
    memcpy(&f, &u, 4);
    return (double)f;
}

buf f32_from(const double *x, int64_t n)
{
    buf b = f32_buf(n);
    for (int64_t i = 0; i < n; i++)
        put(&b, i, x[i]);
    return b;
}

buf act_from(const rig *r, const double *x, int64_t n)
{
    buf b = act_buf(r, n);
    for (int64_t i = 0; i < n; i++)
        put(&b, i, x[i]);
    return b;
}

void buf_free(rig *r, buf *b)
{
    unsigned char *x = b->p, *all = x - GUARD;
    size_t bytes = (size_t)b->n * b->elem;
    int ok = 1;
    for (size_t i = 0; i < GUARD; i++)
        ok &= all[i] == PATTERN && x[bytes + i] == PATTERN;
    for (size_t i = 0; i < bytes; i++)
        r->digest = (r->digest ^ x[i]) * 0x100000001b3u; /* FNV-1a */
    free(all);
    *b = (buf){0};
    CHECK_(ok);
}

int buf_close(const char *what, const rig *r, const buf *b, int64_t from, const double *want,
              int64_t n, double tol)
{
    double *got = ch_new((size_t)n, sizeof *got);
    char *name = ch_fmt("%s (%s)", what, ch_device_text(r->d));
    for (int64_t i = 0; i < n; i++)
        got[i] = buf_at(b, from + i);
    int ok = close_f64(name, got, want, n, tol);
    free(name);
    free(got);
    return ok;
}

int buf_close_at(const char *what, const rig *r, const buf *b, const int64_t *at,
                 const double *want, int64_t n, double tol)
{
    double *got = ch_new((size_t)n, sizeof *got);
    char *name = ch_fmt("%s (%s)", what, ch_device_text(r->d));
    for (int64_t i = 0; i < n; i++)
        got[i] = buf_at(b, at[i]);
    int ok = close_f64(name, got, want, n, tol);
    free(name);
    free(got);
    return ok;
}

int buf_zero(const char *what, const rig *r, const buf *b, int64_t from, int64_t n)
{
    for (int64_t i = from; i < from + n; i++) {
        double x = buf_at(b, i);
        if (x == 0)
            continue;
        fprintf(stderr, "%s[%lld] (%s): %g, want 0\n", what, (long long)i, ch_device_text(r->d), x);
        return 0;
    }
    return n >= 1;
}
