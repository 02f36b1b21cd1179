/* Matrix product, embedding, norm and SwiGLU against their double-precision twins: forward, and
 * backward against central differences of <y, r> with random r, so that dL/dy = r. Sizes are odd,
 * inputs are exact in bf16. Tolerances are relative to the largest element: F32 for what is written
 * in f32, whatever the activations are; a bf16 result is rounded once, to 2^-8 of itself.
 * The other operations: test_kernels_attention.c, test_kernels_loss.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ref/ref.h"
#include "ref/rig.h"

static const double F32 = 2e-6, BF16 = 4e-3;

static double tol(const rig *r)
{
    return r->bf16 ? BF16 : F32;
}

static double *copy(const double *x, int64_t n)
{
    double *y = ch_new((size_t)n, sizeof *y);
    memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}

static double *zeroed_rows(double *x, int64_t from, int64_t N, int64_t C)
{
    memset(x + from * C, 0, (size_t)((N - from) * C) * sizeof *x);
    return x;
}

/* -- matrix product -- */

static int one_gemm(rig *r, int64_t M, int64_t N, int64_t K, int how)
{
    int ta = how & 1, tb = how >> 1 & 1, add = how >> 2 & 1, c_f32 = how >> 3 & 1;
    double *a = some_numbers(M * K, 1, 1), *b = some_numbers(K * N, 2, 1);
    double *c0 = some_numbers(M * N, 3, 2), *want = copy(c0, M * N);
    ref_gemm(want, a, ta, b, tb, M, N, K, add);
    buf ab = act_from(r, a, M * K), bb = act_from(r, b, K * N);
    buf cb = c_f32 ? f32_from(c0, M * N) : act_from(r, c0, M * N);
    r->op->gemm(r->d, cb.p, c_f32, ab.p, ta, bb.p, tb, M, N, K, add);
    char *what = ch_fmt("gemm %dx%dx%d ta %d tb %d add %d", (int)M, (int)N, (int)K, ta, tb, add);
    int ok = buf_close(what, r, &cb, 0, want, M * N, c_f32 ? F32 : tol(r));
    buf_free(r, &ab);
    buf_free(r, &bb);
    buf_free(r, &cb);
    free(a);
    free(b);
    free(c0);
    free(want);
    free(what);
    return ok;
}

/* The right side packed: how 1: from (N,K), 2: added to, 4: f32 out. */
static int one_packed(rig *r, int64_t M, int64_t N, int64_t K, int how)
{
    int turned = how & 1, add = how >> 1 & 1, c_f32 = how >> 2 & 1;
    size_t bytes = r->op->packed_bytes(r->d, N, K);
    if (!bytes)
        return 1;
    double *a = some_numbers(M * K, 4, 1), *b = some_numbers(K * N, 5, 1);
    double *c0 = some_numbers(M * N, 6, 2), *want = copy(c0, M * N);
    ref_gemm(want, a, 0, b, turned, M, N, K, add);
    buf ab = act_from(r, a, M * K), wb = f32_from(b, K * N);
    buf pb = act_buf(r, (int64_t)(bytes / r->op->act_bytes));
    buf cb = c_f32 ? f32_from(c0, M * N) : act_from(r, c0, M * N);
    r->op->pack(r->d, pb.p, wb.p, turned ? CH_TURNED : CH_PLAIN, N, K);
    r->op->gemm(r->d, cb.p, c_f32, ab.p, 0, pb.p, CH_PACKED, M, N, K, add);
    char *what = ch_fmt("packed %dx%dx%d turned %d add %d", (int)M, (int)N, (int)K, turned, add);
    int ok = buf_close(what, r, &cb, 0, want, M * N, c_f32 ? F32 : tol(r));
    if (M <= CH_FEW && K % 2 == 0 && !add) {
        buf few = c_f32 ? f32_buf(M * N) : act_buf(r, M * N);
        r->op->gemm_few(r->d, few.p, c_f32, ab.p, pb.p, M, N, K);
        ok &= same_bytes(what, few.p, cb.p, (size_t)(M * N) * few.elem);
        buf_free(r, &few);
    }
    buf *bufs[] = {&ab, &wb, &pb, &cb};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_free(r, bufs[i]);
    free(a);
    free(b);
    free(c0);
    free(want);
    free(what);
    return ok;
}

/* Numbers of rows around those of a tile, a block and CH_FEW; columns and
 * depths around a panel's. */
static int packed_of(rig *r)
{
    static const int64_t size[][2] = {{1, 1}, {16, 2}, {49, 64}, {64, 33}, {65, 34}, {200, 46}};
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 33, 127, 129, CH_FEW, CH_FEW + 1};
    int ok = 1;
    for (int how = 0; how < 8; how++)
        for (size_t i = 0; i < sizeof size / sizeof *size; i++)
            for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
                ok &= one_packed(r, rows[k], size[i][0], size[i][1], how);
    return ok;
}

static int gemms_of(ch_isa isa)
{
    /* the last has so many rows that its right side is packed on the way */
    static const int64_t size[][3] = {{5, 7, 33},  {33, 5, 12}, {7, 33, 80},
                                      {1, 49, 64}, {40, 1, 3},  {400, 70, 35}};
    int ok = 1;
    for (int k = 0; k < 6; k++) {
        rig r;
        if (!rig_open(&r, isa, k % 2, 1 + k / 2))
            return 1;
        for (int how = 0; how < 16; how++)
            for (size_t i = 0; i < sizeof size / sizeof *size; i++)
                ok &= one_gemm(&r, size[i][0], size[i][1], size[i][2], how);
        ok &= packed_of(&r);
        rig_close(&r);
    }
    return ok;
}

/* oneDNN fixes its instruction set with the first product of a process: one process each. */
static void gemm_is_its_twin(void **state)
{
    (void)state;
    for (int isa = CH_ISA_PORTABLE; isa <= CH_ISA_AVX512; isa++) {
        fflush(NULL);
        pid_t child = fork();
        CHECK_(child >= 0);
        if (child == 0) {
            ch_log_level(CH_QUIET);
            _exit(gemms_of((ch_isa)isa) ? 0 : 1);
        }
        int status = -1;
        CHECK_(waitpid(child, &status, 0) == child);
        CHECK_(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* -- embedding -- */

enum { VOCAB = 11 };
static const int32_t some_ids[] = {3, 0, 10, 3, 7, 3, 9, -1, -1}; /* ghosts at the end */
enum { N_IDS = 9, N_IDS_REAL = 7 };

typedef struct {
    int64_t C, n_at;
    double *table, *r, *x, *dtable0, *grad;
    int64_t *at;
} embed_case;

static double embed_loss(void *ctx)
{
    embed_case *c = ctx;
    ref_embed(c->x, c->table, some_ids, N_IDS, c->C);
    return ref_dot(c->x, c->r, N_IDS * c->C);
}

static void check_embed(rig *r, void *ctx)
{
    embed_case *c = ctx;
    int64_t n = N_IDS * c->C, n_table = VOCAB * c->C, real = N_IDS_REAL * c->C;
    buf table = f32_from(c->table, n_table), x = f32_buf(n), dx = f32_from(c->r, n);
    buf dtable = f32_from(c->dtable0, n_table);
    r->op->embed(r->d, x.p, table.p, some_ids, N_IDS, c->C);
    CHECK_(buf_close("embed", r, &x, 0, c->x, n, F32));
    CHECK_(buf_zero("embed: ghosts", r, &x, real, n - real));
    r->op->embed_backward(r->d, dtable.p, dx.p, some_ids, N_IDS, c->C);
    CHECK_(buf_close_at("embed_backward", r, &dtable, c->at, c->grad, c->n_at, F32));
    buf_free(r, &table);
    buf_free(r, &x);
    buf_free(r, &dx);
    buf_free(r, &dtable);
}

static void embed_is_its_twin_and_backward_adds_its_gradient(void **state)
{
    (void)state;
    static const int64_t width[] = {1, 33, 80, 130};
    for (size_t i = 0; i < sizeof width / sizeof *width; i++) {
        embed_case c = {.C = width[i]};
        c.table = some_numbers(VOCAB * c.C, 10, 2);
        c.dtable0 = some_numbers(VOCAB * c.C, 11, 1);
        c.r = some_numbers(N_IDS * c.C, 12, 1); /* ghosts' too: backward must not read them */
        c.x = ch_new((size_t)(N_IDS * c.C), sizeof *c.x);
        c.at = some_places(VOCAB * c.C, 1, &c.n_at);
        c.grad = ch_new((size_t)c.n_at, sizeof *c.grad);
        ref_gradient(c.grad, c.table, c.at, c.n_at, 1e-4, embed_loss, &c);
        for (int64_t k = 0; k < c.n_at; k++)
            c.grad[k] += c.dtable0[k];
        embed_loss(&c); /* x of the unmoved table */
        each_rig(check_embed, &c);
        free(c.table);
        free(c.dtable0);
        free(c.r);
        free(c.x);
        free(c.at);
        free(c.grad);
    }
}

/* -- RMSNorm -- */

typedef struct {
    int64_t N, n_real, C, n_dx;
    double *x, *y, *w, *r; /* rows from n_real on are zeros in x, y, r */
    double *xo, *n, *rstd, *dx0, *dw0, *dx, *dw;
    int64_t *at;
} norm_case;

static double norm_loss(void *ctx)
{
    norm_case *c = ctx;
    ref_add_norm(c->xo, c->n, c->rstd, c->x, c->y, c->w, c->N, c->C, 1e-5);
    return ref_dot(c->n, c->r, c->N * c->C);
}

static void check_norm_forward(rig *r, norm_case *c, int in_place, int with_y)
{
    int64_t n = c->N * c->C, real = c->n_real * c->C;
    double *sum = copy(c->x, n); /* without y, the sum goes in as x */
    for (int64_t i = 0; i < n; i++)
        sum[i] += with_y ? 0 : c->y[i];
    buf x = f32_from(sum, n), y = f32_from(c->y, n), w = f32_from(c->w, c->C);
    buf xo = f32_buf(n), nb = act_buf(r, n), rstd = f32_buf(c->N), again = act_buf(r, n);
    float *out = in_place ? x.p : xo.p;
    r->op->add_norm(r->d, out, nb.p, rstd.p, x.p, with_y ? y.p : NULL, w.p, c->N, c->C, 1e-5f);
    CHECK_(buf_close("add_norm xo", r, in_place ? &x : &xo, 0, c->xo, n, F32));
    CHECK_(buf_close("add_norm n", r, &nb, 0, c->n, n, tol(r)));
    CHECK_(buf_close("add_norm rstd", r, &rstd, 0, c->rstd, c->n_real, F32));
    CHECK_(buf_zero("add_norm: ghosts", r, &nb, real, n - real));
    r->op->norm_again(r->d, again.p, out, rstd.p, w.p, c->N, c->C);
    CHECK_SAME_BYTES(again.p, nb.p, (size_t)n * nb.elem);
    r->op->add_norm(r->d, out, again.p, NULL, out, NULL, w.p, c->N, c->C, 1e-5f);
    CHECK_(buf_close("add_norm without rstd", r, &again, 0, c->n, n, tol(r)));
    buf_free(r, &x);
    buf_free(r, &y);
    buf_free(r, &w);
    buf_free(r, &xo);
    buf_free(r, &nb);
    buf_free(r, &rstd);
    buf_free(r, &again);
    free(sum);
}

static void check_norm(rig *r, void *ctx)
{
    norm_case *c = ctx;
    int64_t n = c->N * c->C, real = c->n_real * c->C;
    for (int k = 0; k < 4; k++)
        check_norm_forward(r, c, k & 1, k >> 1);
    buf dx = f32_from(c->dx0, n), dxa = act_buf(r, n), dw = f32_from(c->dw0, c->C);
    buf dn = act_from(r, c->r, n), x = f32_from(c->xo, n), rstd = f32_from(c->rstd, c->N);
    buf w = f32_from(c->w, c->C), part = f32_buf(r->threads * c->C);
    r->op->norm_backward(r->d, dx.p, r->bf16 ? dxa.p : NULL, dw.p, dn.p, x.p, rstd.p, w.p, part.p,
                         c->N, c->C);
    CHECK_(buf_close_at("norm_backward dx", r, &dx, c->at, c->dx, c->n_dx, 2 * F32));
    CHECK_(buf_close("norm_backward dw", r, &dw, 0, c->dw, c->C, 2 * F32));
    CHECK_(buf_zero("norm_backward: ghosts", r, &dx, real, n - real));
    if (r->bf16)
        CHECK_(buf_close_at("norm_backward dxa", r, &dxa, c->at, c->dx, c->n_dx, BF16));
    buf_free(r, &dx);
    buf_free(r, &dxa);
    buf_free(r, &dw);
    buf_free(r, &dn);
    buf_free(r, &x);
    buf_free(r, &rstd);
    buf_free(r, &w);
    buf_free(r, &part);
}

static void one_norm(int64_t n_real, int64_t C)
{
    norm_case c = {.N = n_real + 3, .n_real = n_real, .C = C};
    int64_t n = c.N * C, n_w;
    c.x = zeroed_rows(some_numbers(n, 20, 2), n_real, c.N, C);
    c.y = zeroed_rows(some_numbers(n, 21, 1), n_real, c.N, C);
    c.r = zeroed_rows(some_numbers(n, 22, 1), n_real, c.N, C);
    c.dx0 = zeroed_rows(some_numbers(n, 23, 1), n_real, c.N, C);
    c.w = some_numbers(C, 24, 1.5);
    c.dw0 = some_numbers(C, 25, 1);
    c.xo = ch_new((size_t)n, sizeof *c.xo);
    c.n = ch_new((size_t)n, sizeof *c.n);
    c.rstd = ch_new((size_t)c.N, sizeof *c.rstd);
    c.at = some_places(n_real * C, 1, &c.n_dx);
    int64_t *all_w = some_places(C, 1, &n_w);
    c.dx = ch_new((size_t)c.n_dx, sizeof *c.dx);
    c.dw = ch_new((size_t)C, sizeof *c.dw);
    ref_gradient(c.dx, c.x, c.at, c.n_dx, 1e-5, norm_loss, &c);
    ref_gradient(c.dw, c.w, all_w, C, 1e-5, norm_loss, &c);
    for (int64_t i = 0; i < c.n_dx; i++)
        c.dx[i] += c.dx0[i];
    for (int64_t i = 0; i < C; i++)
        c.dw[i] += c.dw0[i];
    norm_loss(&c); /* xo, n and rstd of the unmoved inputs */
    each_rig(check_norm, &c);
    double *all[] = {c.x, c.y, c.r, c.dx0, c.w, c.dw0, c.xo, c.n, c.rstd, c.dx, c.dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(c.at);
    free(all_w);
}

static void norm_is_its_twin_and_backward_adds_its_gradient(void **state)
{
    (void)state;
    one_norm(5, 7);
    one_norm(7, 33);
    one_norm(33, 16);
    one_norm(1, 80);
}

/* -- SwiGLU -- */

typedef struct {
    int64_t N, n_real, F, n_at;
    double *gu, *r, *h, *grad;
    int64_t *at;
} glu_case;

static double glu_loss(void *ctx)
{
    glu_case *c = ctx;
    ref_swiglu(c->h, c->gu, c->N, c->F);
    return ref_dot(c->h, c->r, c->N * c->F);
}

static void check_glu(rig *r, void *ctx)
{
    glu_case *c = ctx;
    int64_t n = c->N * c->F, real = c->n_real * c->F;
    buf gu = act_from(r, c->gu, 2 * n), h = act_buf(r, n), again = act_buf(r, n);
    buf dh = act_from(r, c->r, n), dgu = act_buf(r, 2 * n);
    r->op->swiglu(r->d, h.p, gu.p, c->N, c->F);
    CHECK_(buf_close("swiglu", r, &h, 0, c->h, n, tol(r)));
    CHECK_(buf_zero("swiglu: ghosts", r, &h, real, n - real));
    r->op->swiglu_backward(r->d, dgu.p, again.p, dh.p, gu.p, c->N, c->F);
    CHECK_(buf_close("swiglu again", r, &again, 0, c->h, n, tol(r)));
    CHECK_(buf_close_at("swiglu_backward", r, &dgu, c->at, c->grad, c->n_at, tol(r)));
    CHECK_(buf_zero("swiglu_backward: ghosts", r, &dgu, 2 * real, 2 * (n - real)));
    buf_free(r, &gu);
    buf_free(r, &h);
    buf_free(r, &again);
    buf_free(r, &dh);
    buf_free(r, &dgu);
}

static void one_glu(int64_t n_real, int64_t F)
{
    glu_case c = {.N = n_real + 2, .n_real = n_real, .F = F};
    c.gu = zeroed_rows(some_numbers(c.N * 2 * F, 30, 4), n_real, c.N, 2 * F);
    c.gu[0] = -96; /* exp overflows a float */
    c.gu[F / 2] = 96;
    c.gu[F - 1] = -30;
    c.r = zeroed_rows(some_numbers(c.N * F, 31, 1), n_real, c.N, F);
    c.h = ch_new((size_t)(c.N * F), sizeof *c.h);
    c.at = some_places(n_real * 2 * F, 1, &c.n_at);
    c.grad = ch_new((size_t)c.n_at, sizeof *c.grad);
    ref_gradient(c.grad, c.gu, c.at, c.n_at, 1e-5, glu_loss, &c);
    glu_loss(&c);
    each_rig(check_glu, &c);
    free(c.gu);
    free(c.r);
    free(c.h);
    free(c.at);
    free(c.grad);
}

static void swiglu_is_its_twin_and_backward_its_gradient(void **state)
{
    (void)state;
    one_glu(5, 7);
    one_glu(7, 33);
    one_glu(33, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_is_its_twin), /* forks: before any other has started threads */
        cmocka_unit_test(embed_is_its_twin_and_backward_adds_its_gradient),
        cmocka_unit_test(norm_is_its_twin_and_backward_adds_its_gradient),
        cmocka_unit_test(swiglu_is_its_twin_and_backward_its_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
