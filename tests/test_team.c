/* The team that a device computes with, where it is not the one asked for: a thread limit, another
 * thread, a host's parallel region and settings, devices of several sizes in one process, more
 * cores than a device can have. Figures are those of a device opened plainly with as many threads
 * as the team has, to the last bit; and a product that comes out wrong is refused at opening. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <dnnl.h>
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ref/ref.h"
#include "ref/rig.h"

/* -- the system, as a test wants it: these stand before the libraries' own -- */

static int cores; /* 0: as many as there are */

int omp_get_num_procs(void)
{
    int (*real)(void) = (int (*)(void))dlsym(RTLD_NEXT, "omp_get_num_procs");
    return cores ? cores : real();
}

static int most_threads, alive; /* most that live beside the caller's; 0: no limit */

typedef struct {
    void *(*f)(void *);
    void *arg;
} start;

static void *counted(void *ctx)
{
    start s = *(start *)ctx;
    free(ctx);
    void *out = s.f(s.arg);
    __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return out;
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    if (!most_threads)
        return real(t, a, f, arg);
    if (__atomic_load_n(&alive, __ATOMIC_SEQ_CST) >= most_threads)
        return EAGAIN;
    __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    start *s = ch_new(1, sizeof *s);
    *s = (start){f, arg};
    return real(t, a, counted, s);
}

static enum { RIGHT, FEWER, LEFT_OUT } products; /* FEWER: on one thread, cut for all */
static int until_left_out;                       /* so many are run before one is not */

dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t p, dnnl_stream_t s, int n,
                                     const dnnl_exec_arg_t *args)
{
    dnnl_status_t (*real)(const_dnnl_primitive_t, dnnl_stream_t, int, const dnnl_exec_arg_t *) =
        (dnnl_status_t(*)(const_dnnl_primitive_t, dnnl_stream_t, int,
                          const dnnl_exec_arg_t *))dlsym(RTLD_NEXT, "dnnl_primitive_execute");
    dnnl_status_t code = dnnl_success;
    if (products == LEFT_OUT && until_left_out-- == 0)
        return code;
    if (products != FEWER)
        return real(p, s, n, args);
#pragma omp teams num_teams(1) thread_limit(1)
    code = real(p, s, n, args);
    return code;
}

/* -- figures -- */

enum { M = 70, N = 200, K = 96, C = 48, ROWS = 40, H = 2, D = 16, TILE = 4, TILES = ROWS / TILE };

static void product(rig *r, int ta, int tb)
{
    double *a = some_numbers(M * K, 1, 1), *b = some_numbers(K * N, 2, 1);
    double *want = ch_new(M * N, sizeof *want);
    ref_gemm(want, a, ta, b, tb == CH_TURNED, M, N, K, 0);
    buf left = act_from(r, a, M * K), right = act_from(r, b, K * N), out = f32_buf(M * N);
    size_t packed = tb == CH_PACKED ? r->op->packed_bytes(r->d, N, K) : 0;
    if (packed) {
        buf w = f32_from(b, K * N);
        buf_free(r, &right);
        right = act_buf(r, (int64_t)(packed / r->op->act_bytes));
        r->op->pack(r->d, right.p, w.p, CH_PLAIN, N, K);
        buf_free(r, &w);
    }
    if (packed || tb != CH_PACKED) {
        r->op->gemm(r->d, out.p, 1, left.p, ta, right.p, tb, M, N, K, 0);
        CHECK_(buf_close("product", r, &out, 0, want, M * N, 2e-6));
    }
    buf_free(r, &left);
    buf_free(r, &right);
    buf_free(r, &out);
    free(a);
    free(b);
    free(want);
}

static void norm(rig *r)
{
    double *x = some_numbers(ROWS * C, 3, 1);
    buf xb = f32_from(x, ROWS * C), dn = act_from(r, x, ROWS * C), w = f32_from(x, C);
    buf dx = f32_from(x, ROWS * C), dw = f32_from(x, C), rstd = f32_from(x, ROWS);
    buf part = f32_buf((int64_t)ch_device_threads(r->d) * C);
    r->op->norm_backward(r->d, dx.p, NULL, dw.p, dn.p, xb.p, rstd.p, w.p, part.p, ROWS, C);
    buf *all[] = {&xb, &dn, &w, &dx, &dw, &rstd};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(r, all[i]);
    rig aside = *r; /* scratch has what the number of threads asks for */
    buf_free(&aside, &part);
    free(x);
}

/* One sequence in tiles of a few rows: keys before the tile, then its own. */
static void attention(rig *r)
{
    ch_tile tile[TILES];
    ch_block block[2 * TILES];
    for (int32_t t = 0; t < TILES; t++) {
        int32_t a = t * TILE, b = a + TILE;
        tile[t] = (ch_tile){a, b, 2 * t + !t, 2 - !t};
        block[2 * t] = (ch_block){a, b, 0, a, 0};
        block[2 * t + 1] = (ch_block){a, b, a, b, 1};
    }
    ch_attn at = {ROWS, H, 1, D, (ROWS + 15) / 16 * 16, tile, block, TILES, ROWS};
    double *x = some_numbers(ROWS * (H + 2) * D, 4, 2);
    buf qkv = act_from(r, x, ROWS * (H + 2) * D), dout = act_from(r, x, ROWS * H * D);
    buf k = act_buf(r, ch_kstore_elems(at.n_slots, 1, D)), v = act_buf(r, k.n);
    buf o = act_buf(r, ROWS * H * D), lse = f32_buf(ROWS * H), d = act_buf(r, qkv.n);
    buf scratch = f32_buf(ch_attn_scratch(r->d, at.n_slots, H, 1, D));
    r->op->kv_store(r->d, k.p, v.p, qkv.p, NULL, &at);
    r->op->attention(r->d, o.p, lse.p, qkv.p, k.p, v.p, &at);
    r->op->attention_backward(r->d, d.p, dout.p, qkv.p, o.p, lse.p, scratch.p, &at);
    buf *all[] = {&qkv, &dout, &k, &v, &o, &lse, &d};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(r, all[i]);
    rig aside = *r;
    buf_free(&aside, &scratch);
    free(x);
}

/* Digest of what the device computes, after the products were held against their twin. */
static uint64_t figures(rig *r)
{
    r->digest = 0xcbf29ce484222325u;
    product(r, 0, CH_TURNED);
    product(r, 0, CH_PLAIN);
    product(r, 1, CH_PLAIN);
    product(r, 0, CH_PACKED);
    norm(r);
    attention(r);
    return r->digest;
}

static uint64_t figures_of(int bf16, int threads)
{
    rig r;
    CHECK_(rig_open(&r, test_isa(), bf16, threads));
    uint64_t digest = figures(&r);
    rig_close(&r);
    return digest;
}

/* Digests of plain devices of 1 and 2 threads. */
static uint64_t want[2][3];

static int set_up(void **state)
{
    (void)state;
    ch_log_level(CH_QUIET);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        for (int t = 1; t <= 2; t++)
            want[bf16][t] = figures_of(bf16, t);
        CHECK_(want[bf16][1] != want[bf16][2]);
    }
    return 0;
}

/* -- tests -- */

static void two_devices_take_turns(void **state)
{
    (void)state;
    rig one, two;
    CHECK_(rig_open(&two, test_isa(), 0, 2) && rig_open(&one, test_isa(), 0, 1));
    for (int i = 0; i < 3; i++) {
        CHECK_(figures(&one) == want[0][1]);
        CHECK_(figures(&two) == want[0][2]);
    }
    rig_close(&one);
    rig_close(&two);
}

/* The stack of a host's thread, a fraction of what attention works in, and what lies below it. */
enum { STACK_BYTES = 256 << 10, BELOW = 4 << 20 };
static char area[BELOW + STACK_BYTES] __attribute__((aligned(4096)));

static void *open_there(void *out)
{
    CHECK_(rig_open(out, test_isa(), 1, 2));
    return NULL;
}

static void *compute_there(void *ctx)
{
    rig *r = ctx;
    omp_set_num_threads(5); /* of this thread alone */
    figures(r);
    CHECK_(omp_get_max_threads() == 5);
    return NULL;
}

static void in_thread(void *(*f)(void *), void *ctx)
{
    pthread_t t;
    pthread_attr_t small;
    memset(area, 0, sizeof area);
    CHECK_(!pthread_attr_init(&small));
    CHECK_(!pthread_attr_setstack(&small, area + BELOW, STACK_BYTES));
    CHECK_(!pthread_create(&t, &small, f, ctx));
    CHECK_(!pthread_join(t, NULL));
    pthread_attr_destroy(&small);
    for (size_t i = 0; i < BELOW; i++)
        CHECK_(!area[i]);
}

static void a_device_opened_in_one_thread_computes_in_another(void **state)
{
    (void)state;
    rig r;
    in_thread(open_there, &r);
    CHECK_(ch_device_threads(r.d) == 2);
    CHECK_(figures(&r) == want[1][2]);
    in_thread(compute_there, &r);
    CHECK_(r.digest == want[1][2]);
    rig_close(&r);
}

static void what_the_host_has_set_for_openmp_changes_nothing_and_stays(void **state)
{
    (void)state;
    int threads = omp_get_max_threads(), dynamic = omp_get_dynamic();
    for (int n = 1; n <= 7; n += 3)
        for (int dyn = 0; dyn < 2; dyn++) {
            omp_set_num_threads(n);
            omp_set_dynamic(dyn);
            CHECK_(figures_of(0, 2) == want[0][2]);
            CHECK_(figures_of(1, 1) == want[1][1]);
            CHECK_(omp_get_max_threads() == n && omp_get_dynamic() == dyn);
        }
    omp_set_num_threads(threads);
    omp_set_dynamic(dynamic);
}

/* nested: the host allows regions inside of regions. */
static void in_a_region(int nested)
{
    int levels = omp_get_max_active_levels(), bad = 0;
    rig outer;
    CHECK_(rig_open(&outer, test_isa(), 0, 2));
    omp_set_max_active_levels(nested ? 4 : 1);
#pragma omp parallel num_threads(2) reduction(+ : bad)
    {
        rig inner;
        if (rig_open(&inner, test_isa(), 0, 2)) {
            bad += ch_device_threads(inner.d) != 1 || figures(&inner) != want[0][1];
            rig_close(&inner);
        } else {
            bad++;
        }
#pragma omp master
        bad += ch_device_team(outer.d) != 1 || figures(&outer) != want[0][1];
    }
    omp_set_max_active_levels(levels);
    CHECK_(bad == 0);
    CHECK_(figures(&outer) == want[0][2]);
    rig_close(&outer);
}

static void inside_a_parallel_region_there_is_one_thread(void **state)
{
    (void)state;
    in_a_region(0);
    in_a_region(1);
}

static void a_limit_of_the_host_s_own_is_the_team(void **state)
{
    (void)state;
    rig r;
    uint64_t got = 0;
    CHECK_(rig_open(&r, test_isa(), 0, 2));
    CHECK_(figures(&r) == want[0][2]);
#pragma omp teams num_teams(1) thread_limit(1)
    got = figures(&r);
    CHECK_(got == want[0][1]);
    CHECK_(figures(&r) == want[0][2]);
    rig_close(&r);
}

/* This program again under a limit of threads; it prints its threads and digests. */
static void under_limit(const char *limit, int threads, int team)
{
    char name[4096], out[256] = "", expected[256];
    ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);
    CHECK_(n > 0);
    name[n] = 0;
    char *line = ch_fmt("OMP_THREAD_LIMIT=%s '%s' %d", limit, name, threads);
    FILE *f = popen(line, "r");
    CHECK_(f && fgets(out, sizeof out, f));
    CHECK_(pclose(f) == 0);
    snprintf(expected, sizeof expected, "%d %llx %llx\n", team, (unsigned long long)want[0][team],
             (unsigned long long)want[1][team]);
    if (strcmp(out, expected) != 0)
        fprintf(stderr, "limit %s, %d threads: %swant %s", limit, threads, out, expected);
    CHECK_(!strcmp(out, expected));
    free(line);
}

static void a_limit_of_threads_is_the_team(void **state)
{
    (void)state;
    under_limit("1", 2, 1);
    under_limit("1", 0, 1);
    under_limit("2", 4, 2);
    under_limit("4", 2, 2);
}

static int limited_child(int threads)
{
    uint64_t got[2];
    int team = 0;
    ch_log_level(CH_QUIET);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        rig r;
        if (!rig_open(&r, test_isa(), bf16, threads))
            return 1;
        team = ch_device_threads(r.d);
        got[bf16] = figures(&r);
        rig_close(&r);
    }
    printf("%d %llx %llx\n", team, (unsigned long long)got[0], (unsigned long long)got[1]);
    return 0;
}

static void *open_four(void *out)
{
    rig *r = out;
    most_threads = 2; /* this one and another */
    alive = 1;
    if (rig_open(r, test_isa(), 0, 4))
        figures(r);
    return NULL;
}

static void a_system_that_starts_no_more_threads_is_the_team(void **state)
{
    (void)state;
    rig r = {0};
    in_thread(open_four, &r);
    most_threads = 0;
    CHECK_(r.d && ch_device_threads(r.d) == 2);
    CHECK_(r.digest == want[0][2]);
    CHECK_(figures(&r) == want[0][2]);
    rig_close(&r);
}

static void more_cores_than_a_device_can_have_are_capped(void **state)
{
    (void)state;
    rig r;
    cores = CH_MOST_THREADS + 44;
    CHECK_(rig_open(&r, test_isa(), 0, 0));
    cores = 0;
    CHECK_(ch_device_threads(r.d) == CH_MOST_THREADS);
    uint64_t first = figures(&r);
    CHECK_(figures(&r) == first);
    rig_close(&r);
    CHECK_(rig_open(&r, test_isa(), 0, CH_MOST_THREADS + 1));
    CHECK_(ch_device_threads(r.d) == CH_MOST_THREADS);
    rig_close(&r);
    CHECK_(figures_of(0, 2) == want[0][2]);
    ch_err e = {0};
    CHECK_FAILS(ch_device_open(&r.d, CH_PRECISION_F32, test_isa(), -1, &e), CH_EUSER, &e,
                "threads");
}

static void a_product_on_fewer_threads_than_it_was_cut_for_is_refused(void **state)
{
    (void)state;
    for (int p = CH_PRECISION_F32; p <= CH_PRECISION_BF16; p++)
        for (int threads = 2; threads <= 8; threads *= 2) {
            ch_device *d;
            ch_err e = {0};
            products = FEWER;
            ch_code code = ch_device_open(&d, (ch_precision)p, test_isa(), threads, &e);
            if (code == CH_OK) { /* a way of multiplying that does with fewer */
                CHECK_(test_isa() == CH_ISA_PORTABLE);
                rig r = {.d = d, .op = ch_device_ops(d), .bf16 = p == CH_PRECISION_BF16};
                figures(&r);
            } else {
                CHECK_FAILS(code, CH_ENUMBER, &e, "comes out wrong");
            }
            products = RIGHT;
            ch_device_close(d);
        }
}

/* Every product of the check counts. */
static void a_product_that_is_not_computed_is_refused(void **state)
{
    (void)state;
    for (int p = CH_PRECISION_F32; p <= CH_PRECISION_BF16; p++)
        for (int at = 0;; at++) {
            ch_device *d;
            ch_err e = {0};
            products = LEFT_OUT;
            until_left_out = at;
            ch_code code = ch_device_open(&d, (ch_precision)p, test_isa(), 2, &e);
            products = RIGHT;
            CHECK_(code == (until_left_out < 0 ? CH_ENUMBER : CH_OK));
            ch_device_close(d);
            if (code == CH_OK) {
                CHECK_(at >= 3);
                break;
            }
        }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return limited_child((int)strtol(argv[1], NULL, 10));
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_devices_take_turns),
        cmocka_unit_test(a_device_opened_in_one_thread_computes_in_another),
        cmocka_unit_test(what_the_host_has_set_for_openmp_changes_nothing_and_stays),
        cmocka_unit_test(inside_a_parallel_region_there_is_one_thread),
        cmocka_unit_test(a_limit_of_the_host_s_own_is_the_team),
        cmocka_unit_test(a_limit_of_threads_is_the_team),
        cmocka_unit_test(a_system_that_starts_no_more_threads_is_the_team),
        cmocka_unit_test(more_cores_than_a_device_can_have_are_capped),
        cmocka_unit_test(a_product_on_fewer_threads_than_it_was_cut_for_is_refused),
        cmocka_unit_test(a_product_that_is_not_computed_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
