#include "tensor/selfcheck.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/device_state.h"

/* Numbers are -1, 0 and 1 and a sum has 64 of them: every way of adding is exact, in bf16 too. */
enum { COLS = 256, DEPTH = 64 };

typedef struct {
    ch_device *d;
    int bf16;
    int64_t rows;
    float *a, *b; /* (rows, DEPTH), (DEPTH, COLS) */
    double *want;
    void *left, *right, *out; /* what a product reads and writes */
} rig;

typedef enum { BY_GEMM, BY_FEW } way;

static float *some(int64_t n, uint64_t stream)
{
    float *x = ch_new((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(ch_random_at(1, stream, (uint64_t)i) % 3) - 1;
    return x;
}

/* Enough rows for a part of every thread. */
static rig lay(ch_device *d)
{
    int64_t n = 32 * (int64_t)ch_device_threads(d);
    rig r = {.d = d, .bf16 = ch_device_precision(d) == CH_PRECISION_BF16};
    r.rows = n < 64 ? 64 : n > CH_FEW ? CH_FEW : n;
    r.a = some(r.rows * DEPTH, 0);
    r.b = some(DEPTH * COLS, 1);
    r.want = ch_new((size_t)(r.rows * COLS), sizeof *r.want);
    for (int64_t i = 0; i < r.rows; i++)
        for (int64_t k = 0; k < DEPTH; k++)
            for (int64_t j = 0; j < COLS; j++)
                r.want[i * COLS + j] += (double)r.a[i * DEPTH + k] * (double)r.b[k * COLS + j];
    size_t packed = ch_cpu_packed_bytes(d, COLS, DEPTH), plain = DEPTH * COLS * sizeof(float);
    r.left = ch_new_pages((size_t)(r.rows * DEPTH) * sizeof(float));
    r.right = ch_new_pages(packed > plain ? packed : plain);
    r.out = ch_new_pages((size_t)(r.rows * COLS) * sizeof(float));
    return r;
}

static void clear(rig *r)
{
    free(r->a);
    free(r->b);
    free(r->want);
    free(r->left);
    free(r->right);
    free(r->out);
}

/* x (rows, cols), turned or not, as activations: small whole numbers, so bf16
 * is f32's upper half. */
static void put(const rig *r, void *to, const float *x, int64_t rows, int64_t cols, int turned)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            int64_t at = turned ? j * rows + i : i * cols + j;
            uint32_t bits;
            memcpy(&bits, &x[i * cols + j], sizeof bits);
            if (r->bf16)
                ((uint16_t *)to)[at] = (uint16_t)(bits >> 16);
            else
                ((uint32_t *)to)[at] = bits;
        }
}

static double got(const rig *r, int64_t i, int f32)
{
    uint32_t bits = f32 ? ((uint32_t *)r->out)[i] : (uint32_t)((uint16_t *)r->out)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static ch_code compare(const rig *r, int f32, const char *what, ch_err *e)
{
    for (int64_t i = 0; i < r->rows * COLS; i++)
        if (got(r, i, f32) != r->want[i])
            return ch_fail(
                e, CH_ENUMBER,
                "%s: a product (%s) comes out wrong, %g for %g at row %lld, column %lld; "
                "does libdnnl run the OpenMP that chorus was linked to?",
                ch_device_text(r->d), what, got(r, i, f32), r->want[i], (long long)(i / COLS),
                (long long)(i % COLS));
    return CH_OK;
}

/* Signs change from product to product: what one has left somewhere is wrong for the next. */
static void turn_signs(rig *r)
{
    for (int64_t i = 0; i < r->rows * DEPTH; i++)
        r->a[i] = -r->a[i];
    for (int64_t i = 0; i < r->rows * COLS; i++)
        r->want[i] = -r->want[i];
}

static ch_code one(rig *r, way by, int ta, int tb, int to_f32, const char *what, ch_err *e)
{
    int f32 = to_f32 || !r->bf16;
    turn_signs(r);
    put(r, r->left, r->a, r->rows, DEPTH, ta);
    if (tb != CH_PACKED)
        put(r, r->right, r->b, DEPTH, COLS, tb);
    memset(r->out, 0xff,
           (size_t)(r->rows * COLS) * sizeof(float)); /* NaN: what is left out shows */
    if (by == BY_FEW)
        ch_device_ops(r->d)->gemm_few(r->d, r->out, f32, r->left, r->right, r->rows, COLS, DEPTH);
    else
        ch_gemm_run(r->d->gemm, r->bf16, r->out, f32, r->left, ta, r->right, tb, r->rows, COLS,
                    DEPTH, 0);
    return compare(r, f32, what, e);
}

static ch_code all(rig *r, ch_err *e)
{
    CH_TRY(one(r, BY_GEMM, 0, CH_TURNED, 0, "forward", e));
    CH_TRY(one(r, BY_GEMM, 0, CH_PLAIN, 0, "backward to the rows", e));
    CH_TRY(one(r, BY_GEMM, 1, CH_PLAIN, 1, "backward to the weights", e));
    if (!ch_cpu_packed_bytes(r->d, COLS, DEPTH))
        return CH_OK;
    ch_cpu_pack(r->d, r->right, r->b, CH_PLAIN, COLS, DEPTH);
    CH_TRY(one(r, BY_GEMM, 0, CH_PACKED, 1, "packed", e));
    return one(r, BY_FEW, 0, CH_PACKED, 0, "packed, a few rows", e);
}

ch_code ch_selfcheck(ch_device *d, ch_err *e)
{
    rig r = lay(d);
    ch_code code = all(&r, e);
    clear(&r);
    return code;
}
