#include "support/roof.h"

#include <dnnl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tensor/ops.h"

enum { SHAPES = 5, PASSES = 4 };

typedef struct {
    dnnl_primitive_t prim;
    dnnl_memory_t x, w, y;
    double ops;
} product;

struct ch_roof {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    product p[SHAPES];
    void *x, *y;
    uint64_t *bulk;
    int64_t n_bulk;
    int threads;
};

#if DNNL_VERSION_MAJOR >= 3
#define MD(m)      (m)
#define MD_DROP(m) dnnl_memory_desc_destroy(m)
typedef const_dnnl_memory_desc_t md_arg;
#else
#define MD(m)      (&(m))
#define MD_DROP(m) (void)(m)
typedef const dnnl_memory_desc_t *md_arg;
#endif

static dnnl_memory_desc_t matrix(int64_t rows, int64_t cols, dnnl_data_type_t t,
                                 dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {rows, cols};
    dnnl_memory_desc_t m;
#if DNNL_VERSION_MAJOR >= 3
    CH_MUST(!dnnl_memory_desc_create_with_tag(&m, 2, dims, t, tag));
#else
    CH_MUST(!dnnl_memory_desc_init_by_tag(&m, 2, dims, t, tag));
#endif
    return m;
}

/* y (rows, out) f32 = x (rows, in) w (in, out), w in the layout that oneDNN chooses. */
static void plan(ch_roof *r, product *p, int64_t rows, int64_t in, int64_t out, dnnl_data_type_t t)
{
    dnnl_memory_desc_t x = matrix(rows, in, t, dnnl_ab),
                       w = matrix(in, out, t, dnnl_format_tag_any),
                       y = matrix(rows, out, dnnl_f32, dnnl_ab);
    dnnl_primitive_desc_t pd;
#if DNNL_VERSION_MAJOR >= 3
    CH_MUST(!dnnl_matmul_primitive_desc_create(&pd, r->engine, x, w, NULL, y, NULL));
#else
    dnnl_matmul_desc_t d;
    CH_MUST(!dnnl_matmul_desc_init(&d, &x, &w, NULL, &y));
    CH_MUST(!dnnl_primitive_desc_create(&pd, &d, NULL, r->engine, NULL));
#endif
    CH_MUST(!dnnl_primitive_create(&p->prim, pd));
    md_arg best = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    CH_MUST(!dnnl_memory_create(&p->w, best, r->engine, DNNL_MEMORY_ALLOCATE));
    CH_MUST(!dnnl_memory_create(&p->x, MD(x), r->engine, r->x));
    CH_MUST(!dnnl_memory_create(&p->y, MD(y), r->engine, r->y));
    p->ops = 2. * (double)rows * (double)in * (double)out;
    dnnl_primitive_desc_destroy(pd);
    MD_DROP(x);
    MD_DROP(w);
    MD_DROP(y);
}

int64_t ch_roof_weights(const ch_model *m, int with_head)
{
    const ch_dims *z = ch_model_dims(m);
    int64_t layer = z->C * ((2 * z->H + 2 * z->G) * z->D + 3 * z->F);
    return z->L * layer + (with_head ? z->V * z->C : 0);
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

ch_roof *ch_roof_new(const ch_model *m, int64_t rows)
{
    const ch_dims *z = ch_model_dims(m);
    ch_device *d = ch_model_device(m);
    size_t act = ch_device_ops(d)->act_bytes;
    ch_roof *r = ch_new(1, sizeof *r);
    CH_MUST(!dnnl_engine_create(&r->engine, dnnl_cpu, 0) &&
            !dnnl_stream_create(&r->stream, r->engine, dnnl_stream_default_flags));
    int64_t in_most = max64(max64(z->C, z->F), z->H * z->D);
    int64_t out_most = max64(max64(2 * z->F, z->V), (z->H + 2 * z->G) * z->D);
    r->x = ch_new((size_t)(rows * in_most), act);
    r->y = ch_new((size_t)(rows * out_most), sizeof(float));
    int64_t shape[SHAPES][2] = {{z->C, (z->H + 2 * z->G) * z->D},
                                {z->H * z->D, z->C},
                                {z->C, 2 * z->F},
                                {z->F, z->C},
                                {z->C, z->V}};
    for (int i = 0; i < SHAPES; i++)
        plan(r, r->p + i, rows, shape[i][0], shape[i][1], act == 4 ? dnnl_f32 : dnnl_bf16);
    r->n_bulk = ch_roof_weights(m, 1) * (int64_t)act / (int64_t)sizeof *r->bulk;
    r->bulk = ch_new((size_t)r->n_bulk, sizeof *r->bulk);
    r->threads = ch_device_threads(d);
#pragma omp parallel for schedule(static) num_threads(r->threads)
    for (int64_t i = 0; i < r->n_bulk; i++)
        r->bulk[i] = (uint64_t)i; /* real pages, not the zero page */
    return r;
}

void ch_roof_free(ch_roof *r)
{
    if (!r)
        return;
    for (int i = 0; i < SHAPES; i++) {
        dnnl_primitive_destroy(r->p[i].prim);
        dnnl_memory_destroy(r->p[i].x);
        dnnl_memory_destroy(r->p[i].w);
        dnnl_memory_destroy(r->p[i].y);
    }
    dnnl_stream_destroy(r->stream);
    dnnl_engine_destroy(r->engine);
    free(r->x);
    free(r->y);
    free(r->bulk);
    free(r);
}

#ifdef __x86_64__
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint64_t
sum(const uint64_t *p, int64_t n)
{
    uint64_t s = 0;
    for (int64_t i = 0; i < n; i++)
        s += p[i];
    return s;
}

static double read_once(ch_roof *r)
{
    uint64_t total = 0;
    int64_t piece = 1 << 16;
    double start = ch_now_s();
#pragma omp parallel for schedule(static) num_threads(r->threads) reduction(+ : total)
    for (int64_t i = 0; i < r->n_bulk; i += piece)
        total += sum(r->bulk + i, r->n_bulk - i < piece ? r->n_bulk - i : piece);
    double s = ch_now_s() - start;
    __asm__ volatile("" ::"r"(total)); /* wanted by nobody, and yet to be computed */
    return (double)r->n_bulk * sizeof *r->bulk / s;
}

/* The best of some passes: the first has fresh pages, one may be disturbed. */
static double best_of(double (*once)(ch_roof *r), ch_roof *r)
{
    double best = 0;
    for (int i = 0; i < PASSES; i++) {
        double rate = once(r);
        best = rate > best ? rate : best;
    }
    return best;
}

/* As in decoding, what a large cache holds of the last pass is used. */
double ch_roof_read(ch_roof *r)
{
    return best_of(read_once, r);
}

static double gemm_once(ch_roof *r)
{
    double ops = 0, start = ch_now_s();
    for (int i = 0; i < SHAPES; i++) {
        product *p = r->p + i;
        dnnl_exec_arg_t a[] = {
            {DNNL_ARG_SRC, p->x}, {DNNL_ARG_WEIGHTS, p->w}, {DNNL_ARG_DST, p->y}};
        /* the small products often enough to be timed, in the proportion of a deep network's */
        for (int k = 0; k < (i < SHAPES - 1 ? 8 : 1); k++) {
            CH_MUST(!dnnl_primitive_execute(p->prim, r->stream, 3, a));
            ops += p->ops;
        }
    }
    CH_MUST(!dnnl_stream_wait(r->stream));
    return ops / (ch_now_s() - start);
}

double ch_roof_gemm(ch_roof *r)
{
    return best_of(gemm_once, r);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ch_median(double *t, int64_t n)
{
    qsort(t, (size_t)n, sizeof *t, by_value);
    return n % 2 ? t[n / 2] : (t[n / 2 - 1] + t[n / 2]) / 2;
}

ch_code ch_bench_open(ch_device **d, ch_model **m, const char *model, const char *precision,
                      const char *threads, ch_err *e)
{
    const char *p = precision ? precision : "auto";
    ch_precision as = !strcmp(p, "f32")    ? CH_PRECISION_F32
                      : !strcmp(p, "bf16") ? CH_PRECISION_BF16
                                           : CH_PRECISION_AUTO;
    CH_TRY(ch_device_open(d, as, CH_ISA_AUTO, threads ? (int)strtol(threads, NULL, 10) : 0, e));
    return ch_model_load(m, model, *d, e);
}
