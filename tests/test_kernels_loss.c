/* Softmax over the vocabulary, the optimiser, and moving and rounding numbers, against their
 * double-precision twins; see test_kernels.c for the tolerances. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ref/ref.h"
#include "ref/rig.h"

static const double F32 = 2e-6, BF16 = 4e-3;

/* -- log-sum-exp and the loss -- */

typedef struct {
    int64_t N, V, n_targets, n_at;
    double *logits, *w, *lse, *grad;
    int32_t *first, *token;
    int64_t *at;
} loss_case;

static double loss(void *ctx)
{
    loss_case *c = ctx;
    return ref_loss(c->logits, c->first, c->token, c->w, c->N, c->V);
}

static void check_loss(rig *r, void *ctx)
{
    loss_case *c = ctx;
    int64_t n = c->N * c->V;
    buf logits = f32_from(c->logits, n), lse = f32_buf(c->N), d = act_buf(r, n);
    buf w = f32_from(c->w, c->n_targets);
    r->op->logsumexp(r->d, lse.p, logits.p, c->N, c->V);
    CHECK_(buf_close("logsumexp", r, &lse, 0, c->lse, c->N, F32));
    r->op->loss_backward(r->d, d.p, logits.p, lse.p, c->first, c->token, w.p, c->N, c->V);
    double tol = r->bf16 ? BF16 : 1e-5; /* f32: exp of a difference of numbers up to 60 */
    CHECK_(buf_close_at("loss_backward", r, &d, c->at, c->grad, c->n_at, tol));
    CHECK_(buf_zero("loss_backward: a row without targets", r, &d, (c->N - 1) * c->V, c->V));
    buf_free(r, &logits);
    buf_free(r, &lse);
    buf_free(r, &d);
    buf_free(r, &w);
}

/* Row i has i % 4 + 1 targets, the last row none; every fourth row the same token twice. */
static void one_loss(int64_t N, int64_t V, double scale)
{
    loss_case c = {.N = N, .V = V};
    c.logits = some_numbers(N * V, 40, scale);
    c.lse = ch_new((size_t)N, sizeof *c.lse);
    c.first = ch_new((size_t)N + 1, sizeof *c.first);
    c.token = ch_new((size_t)(4 * N), sizeof *c.token);
    for (int64_t i = 0; i < N; i++) {
        c.first[i] = (int32_t)c.n_targets;
        for (int64_t k = 0; i < N - 1 && k <= i % 4; k++)
            c.token[c.n_targets++] = (int32_t)((k == 3 ? i : 5 * i + 2 * k) % V);
    }
    c.first[N] = (int32_t)c.n_targets;
    for (int64_t i = 3; i < N - 1; i += 4)
        c.token[c.first[i] + 2] = c.token[c.first[i] + 3];
    c.w = some_numbers(c.n_targets, 41, 1);
    c.at = some_places(N * V, 1, &c.n_at);
    c.grad = ch_new((size_t)c.n_at, sizeof *c.grad);
    ref_gradient(c.grad, c.logits, c.at, c.n_at, 1e-5, loss, &c);
    ref_logsumexp(c.lse, c.logits, N, V);
    each_rig(check_loss, &c);
    free(c.logits);
    free(c.lse);
    free(c.first);
    free(c.token);
    free(c.w);
    free(c.at);
    free(c.grad);
}

static void the_loss_of_many_targets_a_row_is_its_twin_and_backward_its_gradient(void **state)
{
    (void)state;
    one_loss(5, 7, 3);
    one_loss(7, 33, 60);
    one_loss(33, 5, 3);
    one_loss(6, 80, 8);
}

/* -- AdamW -- */

enum { STEPS = 4 };

typedef struct {
    int64_t n;
    double *w0, *w, *m, *v, *g[STEPS];
} adam_case;

static const ref_adam adam_how = {0.01, 0.9, 0.95, 1e-8, 0.1, 0.5, 0};

static void check_adam(rig *r, void *ctx)
{
    adam_case *c = ctx;
    double *zero = ch_new((size_t)c->n, sizeof *zero);
    buf w = f32_from(c->w0, c->n), m = f32_from(zero, c->n), v = f32_from(zero, c->n);
    for (int t = 0; t < STEPS; t++) {
        buf g = f32_from(c->g[t], c->n);
        ch_adam a = {.lr = (float)adam_how.lr,
                     .beta1 = (float)adam_how.beta1,
                     .beta2 = (float)adam_how.beta2,
                     .eps = (float)adam_how.eps,
                     .decay = (float)adam_how.decay,
                     .scale = (float)adam_how.scale,
                     .correct1 = (float)(1 - pow(adam_how.beta1, t + 1)),
                     .correct2 = (float)(1 - pow(adam_how.beta2, t + 1))};
        r->op->adamw(r->d, w.p, m.p, v.p, g.p, c->n, &a);
        buf_free(r, &g);
    }
    CHECK_(buf_close("adamw w", r, &w, 0, c->w, c->n, F32));
    CHECK_(buf_close("adamw m", r, &m, 0, c->m, c->n, F32));
    CHECK_(buf_close("adamw v", r, &v, 0, c->v, c->n, 4 * F32)); /* 1 - beta2 in f32 */
    buf_free(r, &w);
    buf_free(r, &m);
    buf_free(r, &v);
    free(zero);
}

static void four_steps_of_adamw_are_its_twins(void **state)
{
    (void)state;
    static const int64_t size[] = {1, 33, 160, 1003};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        adam_case c = {.n = size[i]};
        c.w0 = some_numbers(c.n, 50, 1);
        c.w = some_numbers(c.n, 50, 1);
        c.m = ch_new((size_t)c.n, sizeof *c.m);
        c.v = ch_new((size_t)c.n, sizeof *c.v);
        ref_adam how = adam_how;
        for (int t = 0; t < STEPS; t++) {
            c.g[t] = some_numbers(c.n, 51 + (uint64_t)t, 1);
            how.t = t + 1;
            ref_adamw(c.w, c.m, c.v, c.g[t], c.n, &how);
        }
        each_rig(check_adam, &c);
        for (int t = 0; t < STEPS; t++)
            free(c.g[t]);
        free(c.w0);
        free(c.w);
        free(c.m);
        free(c.v);
    }
}

/* -- sums -- */

typedef struct {
    int64_t n;
    double *x, want;
} sum_case;

static void check_sum(rig *r, void *ctx)
{
    sum_case *c = ctx;
    buf x = f32_from(c->x, c->n);
    double got[2] = {r->op->sum_squares(r->d, x.p, c->n), r->op->sum_squares(r->d, x.p, c->n)};
    CHECK_NEAR(got[0] / c->want, 1, 1e-6);
    CHECK_SAME_BYTES(&got[0], &got[1], sizeof *got);
    buf_free(r, &x);
}

static void sum_squares_is_the_sum_of_squares(void **state)
{
    (void)state;
    static const int64_t size[] = {1, 33, 65536 + 7, 5 * 65536 + 19};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        sum_case c = {.n = size[i], .x = some_numbers(size[i], 60, 3)};
        for (int64_t k = 0; k < c.n; k++)
            c.want += c.x[k] * c.x[k];
        each_rig(check_sum, &c);
        free(c.x);
    }
}

/* -- rounding and moving -- */

/* Nearest bf16, ties to even, by looking at both neighbours. */
static uint16_t nearest_bf16(float x)
{
    uint32_t u, down, up;
    float a, b;
    memcpy(&u, &x, 4);
    if (isinf(x))
        return (uint16_t)(u >> 16);
    down = u & 0xffff0000u;
    up = down + 0x10000u;
    memcpy(&a, &down, 4);
    memcpy(&b, &up, 4);
    double da = fabs((double)x - (double)a);
    double db = isinf(b) ? ldexp(1, 128) - fabs((double)x) : fabs((double)b - (double)x);
    if (da != db)
        return (uint16_t)((da < db ? down : up) >> 16);
    return (uint16_t)((down >> 16 & 1 ? up : down) >> 16);
}

static void check_to_act(rig *r, void *ctx)
{
    (void)ctx;
    static const uint32_t bits[] = {0,          0x80000000, 0x3f800000, 0x3f808000, 0x3f818000,
                                    0x3f808001, 0x3f807fff, 0xbf818001, 0x7f7fffff, 0x7f7f7fff,
                                    0x00000001, 0x00008001, 0x7f800000, 0xff800000, 0x33d6bf95,
                                    0x42f6e979, 0xc1234567, 0x40490fdb, 0x501502f9};
    enum { N = sizeof bits / sizeof *bits };
    float x[N + 1];
    memcpy(x, bits, sizeof bits);
    x[N] = NAN;
    for (int shift = 0; shift <= 1; shift++) { /* each number in a vector and in the rest */
        float in[2 * N + 3];
        for (int i = 0; i < 2 * N + 3; i++)
            in[i] = x[(i + shift * 7) % (N + 1)];
        buf y = act_buf(r, 2 * N + 3);
        r->op->to_act(r->d, y.p, in, 2 * N + 3);
        for (int i = 0; i < 2 * N + 3; i++) {
            if (isnan(in[i])) {
                CHECK_(isnan(buf_at(&y, i)));
                continue;
            }
            uint16_t h = nearest_bf16(in[i]);
            int denormal =
                fpclassify(in[i]) == FP_SUBNORMAL; /* a CPU's own instruction makes it 0 */
            CHECK_((r->bf16 && denormal && fabs(buf_at(&y, i)) == 0) ||
                   !memcmp((char *)y.p + (size_t)i * y.elem, r->bf16 ? (void *)&h : (void *)&in[i],
                           y.elem));
        }
        buf_free(r, &y);
    }
}

static void numbers_become_the_nearest_bf16(void **state)
{
    (void)state;
    each_rig(check_to_act, NULL);
}

static void check_gather(rig *r, void *ctx)
{
    (void)ctx;
    enum { N = 9, C = 33, n = 5, n_pad = 8 };
    static const int32_t rows[n] = {0, 2, 3, 7, 8};
    double *x = some_numbers(N * C, 70, 1), *want = ch_new(N * C, sizeof *want);
    buf xb = act_from(r, x, N * C), y = act_buf(r, n_pad * C), back = act_buf(r, N * C);
    r->op->gather(y.p, xb.p, rows, n, n_pad, C);
    for (int i = 0; i < n; i++)
        CHECK_(buf_close("gather", r, &y, i * C, x + rows[i] * C, C, 1e-9));
    CHECK_(buf_zero("gather: padding", r, &y, n * C, (n_pad - n) * C));
    r->op->scatter(back.p, y.p, rows, n, N, C);
    for (int i = 0; i < n; i++)
        memcpy(want + rows[i] * C, x + rows[i] * C, C * sizeof *want);
    CHECK_(buf_close("scatter", r, &back, 0, want, N * C, 1e-9));
    for (int i = 1; i < N; i++)
        if (i != 2 && i != 3 && i != 7 && i != 8)
            CHECK_(buf_zero("scatter: other rows", r, &back, i * C, C));
    buf_free(r, &xb);
    buf_free(r, &y);
    buf_free(r, &back);
    free(x);
    free(want);
}

static void rows_are_gathered_and_scattered_back(void **state)
{
    (void)state;
    each_rig(check_gather, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_of_many_targets_a_row_is_its_twin_and_backward_its_gradient),
        cmocka_unit_test(four_steps_of_adamw_are_its_twins),
        cmocka_unit_test(sum_squares_is_the_sum_of_squares),
        cmocka_unit_test(numbers_become_the_nearest_bf16),
        cmocka_unit_test(rows_are_gathered_and_scattered_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
