/* A number that is not finite goes on through every operation: none drops a NaN in a maximum or a
 * comparison, or turns an infinity into a fine small number, so that whoever looks at the end, at a
 * log-sum-exp or a gradient's norm, sees it. Rows beside it stay as they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ref/rig.h"

enum { ROWS = 3, WIDE = 37, BAD_ROW = 1 };       /* WIDE: two vectors and a rest */
static const int places[] = {0, 15, 21, 32, 36}; /* in the vectors and in the rest */
static const double wrongs[] = {NAN, INFINITY, -INFINITY};

/* f for every wrong number at every place, in x (ROWS, WIDE). */
typedef void (*feeder)(rig *r, double *x);

static void feed(rig *r, void *ctx)
{
    feeder *f = ctx;
    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t w = 0; w < sizeof wrongs / sizeof *wrongs; w++) {
            double *x = some_numbers(ROWS * WIDE, 5, 1);
            x[BAD_ROW * WIDE + places[p]] = wrongs[w];
            (*f)(r, x);
            free(x);
        }
}

static void each_op(feeder f)
{
    each_rig(feed, &f);
}

/* Elements of row i of b, `width` wide: all finite, or at least one not. */
static int all_finite(const buf *b, int64_t i, int64_t width)
{
    for (int64_t j = 0; j < width; j++)
        if (!isfinite(buf_at(b, i * width + j)))
            return 0;
    return 1;
}

static void check_rows(const char *what, const rig *r, const buf *b, int64_t width)
{
    for (int i = 0; i < ROWS; i++) {
        if (all_finite(b, i, width) != (i != BAD_ROW))
            fprintf(stderr, "%s (%s): row %d\n", what, ch_device_text(r->d), i);
        CHECK_(all_finite(b, i, width) == (i != BAD_ROW));
    }
}

static void feed_logsumexp(rig *r, double *x)
{
    buf logits = f32_from(x, ROWS * WIDE), lse = f32_buf(ROWS), w = f32_buf(ROWS);
    buf d = act_buf(r, ROWS * WIDE);
    int32_t first[] = {0, 1, 2, 3}, token[] = {3, 3, 3};
    r->op->logsumexp(r->d, lse.p, logits.p, ROWS, WIDE);
    check_rows("logsumexp", r, &lse, 1);
    for (int i = 0; i < ROWS; i++)
        ((float *)w.p)[i] = 1;
    r->op->loss_backward(r->d, d.p, logits.p, lse.p, first, token, w.p, ROWS, WIDE);
    check_rows("loss_backward", r, &d, WIDE);
    buf_free(r, &logits);
    buf_free(r, &lse);
    buf_free(r, &w);
    buf_free(r, &d);
}

static void norm_of(rig *r, double *x)
{
    buf in = f32_from(x, ROWS * WIDE), out = f32_buf(ROWS * WIDE), n = act_buf(r, ROWS * WIDE);
    buf w = f32_from(x, WIDE), rstd = f32_buf(ROWS), again = act_buf(r, ROWS * WIDE);
    r->op->add_norm(r->d, out.p, n.p, rstd.p, in.p, NULL, w.p, ROWS, WIDE, 1e-5f);
    check_rows("add_norm", r, &n, WIDE);
    r->op->norm_again(r->d, again.p, out.p, rstd.p, w.p, ROWS, WIDE);
    check_rows("norm_again", r, &again, WIDE);
    buf *all[] = {&in, &out, &n, &w, &rstd, &again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(r, all[i]);
}

static void feed_norm(rig *r, double *x)
{
    norm_of(r, x);
    for (int i = 0; i < WIDE; i++) /* finite, but its square is not: 1 / inf would be a fine 0 */
        x[BAD_ROW * WIDE + i] = ldexp(1, 100);
    norm_of(r, x);
}

static void feed_swiglu(rig *r, double *x)
{
    double *gu = ch_new(ROWS * 2 * WIDE, sizeof *gu);
    for (int gate = 0; gate < 2; gate++) {
        for (int i = 0; i < ROWS * 2 * WIDE; i++) {
            int row = i / (2 * WIDE), j = i % (2 * WIDE);
            gu[i] = (j < WIDE) == gate ? x[row * WIDE + j % WIDE] : 1;
        }
        buf in = act_from(r, gu, ROWS * 2 * WIDE), h = act_buf(r, ROWS * WIDE);
        buf dh = act_buf(r, ROWS * WIDE), d = act_buf(r, in.n), again = act_buf(r, h.n);
        r->op->swiglu(r->d, h.p, in.p, ROWS, WIDE);
        check_rows("swiglu", r, &h, WIDE);
        memset(dh.p, 0, (size_t)dh.n * dh.elem);
        for (int64_t i = 0; i < dh.n; i++)
            memcpy((char *)dh.p + (size_t)i * dh.elem, r->bf16 ? "\x80\x3f" : "\0\0\x80\x3f",
                   dh.elem);
        r->op->swiglu_backward(r->d, d.p, again.p, dh.p, in.p, ROWS, WIDE);
        check_rows("swiglu_backward", r, &d, 2 * WIDE);
        check_rows("swiglu again", r, &again, WIDE);
        buf *all[] = {&in, &h, &dh, &d, &again};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            buf_free(r, all[i]);
    }
    free(gu);
}

/* Row i reads row i of its left side alone. */
static void feed_products(rig *r, double *x)
{
    enum { DEEP = WIDE - 1 }; /* an even depth, for gemm_few */
    double *a = ch_new(ROWS * DEEP, sizeof *a), *b = some_numbers(DEEP * WIDE, 6, 1);
    int bad = 0;
    for (int i = 0; i < ROWS * DEEP; i++)
        bad |= !isfinite(a[i] = x[i / DEEP * WIDE + i % DEEP]);
    if (!bad)
        a[BAD_ROW * DEEP] = NAN;
    buf left = act_from(r, a, ROWS * DEEP), right = act_from(r, b, DEEP * WIDE);
    buf wb = f32_from(b, DEEP * WIDE), out = act_buf(r, ROWS * WIDE);
    r->op->gemm(r->d, out.p, 0, left.p, 0, right.p, CH_PLAIN, ROWS, WIDE, DEEP, 0);
    check_rows("gemm", r, &out, WIDE);
    size_t packed = r->op->packed_bytes(r->d, WIDE, DEEP);
    if (packed) {
        buf panels = act_buf(r, (int64_t)(packed / r->op->act_bytes));
        r->op->pack(r->d, panels.p, wb.p, CH_PLAIN, WIDE, DEEP);
        r->op->gemm_few(r->d, out.p, 0, left.p, panels.p, ROWS, WIDE, DEEP);
        check_rows("gemm_few", r, &out, WIDE);
        buf_free(r, &panels);
    }
    buf *all[] = {&left, &right, &wb, &out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(r, all[i]);
    free(a);
    free(b);
}

static void feed_sums(rig *r, double *x)
{
    buf in = f32_from(x, ROWS * WIDE), y = act_buf(r, ROWS * WIDE);
    r->op->to_act(r->d, y.p, in.p, ROWS * WIDE);
    check_rows("to_act", r, &y, WIDE);
    CHECK_(!isfinite(r->op->sum_squares(r->d, in.p, ROWS * WIDE)));
    buf_free(r, &in);
    buf_free(r, &y);
}

/* Each of ROWS queries reads its own key and value alone; the wrong number is in q, k or v. */
static void feed_attention(rig *r, double *x)
{
    ch_tile tile = {0, ROWS, 0, ROWS};
    ch_block block[ROWS];
    for (int32_t i = 0; i < ROWS; i++)
        block[i] = (ch_block){i, i + 1, i, i + 1, 0};
    ch_attn at = {ROWS, 1, 1, WIDE, 16, &tile, block, 1, ROWS};
    double *qkv = ch_new(ROWS * 3 * WIDE, sizeof *qkv);
    for (int which = 0; which < 3; which++) {
        for (int i = 0; i < ROWS * 3 * WIDE; i++) {
            int row = i / (3 * WIDE), j = i % (3 * WIDE);
            qkv[i] = j / WIDE == which ? x[row * WIDE + j % WIDE] : 1;
        }
        buf in = act_from(r, qkv, ROWS * 3 * WIDE), o = act_buf(r, ROWS * WIDE);
        buf k = act_buf(r, ch_kstore_elems(16, 1, WIDE)),
            v = act_buf(r, ch_vstore_elems(16, 1, WIDE));
        r->op->kv_store(r->d, k.p, v.p, in.p, NULL, &at);
        r->op->attention(r->d, o.p, NULL, in.p, k.p, v.p, &at);
        check_rows("attention", r, &o, WIDE);
        buf *all[] = {&in, &o, &k, &v};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            buf_free(r, all[i]);
    }
    free(qkv);
}

#define GOES_THROUGH(name)                                                                         \
    static void a_wrong_number_goes_through_##name(void **state)                                   \
    {                                                                                              \
        (void)state;                                                                               \
        each_op(feed_##name);                                                                      \
    }
GOES_THROUGH(logsumexp)
GOES_THROUGH(norm)
GOES_THROUGH(swiglu)
GOES_THROUGH(products)
GOES_THROUGH(sums)
GOES_THROUGH(attention)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_number_goes_through_logsumexp),
        cmocka_unit_test(a_wrong_number_goes_through_norm),
        cmocka_unit_test(a_wrong_number_goes_through_swiglu),
        cmocka_unit_test(a_wrong_number_goes_through_products),
        cmocka_unit_test(a_wrong_number_goes_through_sums),
        cmocka_unit_test(a_wrong_number_goes_through_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
