/* Every operation that an update is made of, alone, on a model's own shapes: time a call, rate, and
 * what all its calls of an update add up to.
 *   bench_kernels [MODEL.gguf] [sequences] [tokens each] [precision: auto f32 bf16] [threads]
 *                 [kernel: a part of its name, or all] [runs]
 * One JSON line a kernel, the median of its runs; the machine's own rates stand in the last one.
 * GB/s counts each operand once, as if the caches held nothing and everything needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/forest.h"
#include "support/roof.h"
#include "support/works.h"
#include "tensor/ops.h"

enum { MOST_RUNS = 9999, LOGIT_ROWS = 256 };

typedef struct {
    ch_device *d;
    ch_model *model;
    const ch_ops *op;
    const ch_dims *z;
    ch_forest f;
    ch_attn at;
    int64_t N, Q, HD, V; /* rows, columns of qkv and of the heads' outputs, logits' rows */
    /* a, b, c act, as large as any operand; x, y, dx (N,2F) f32; grads, m1, m2, logits
     * (V,vocabulary) or a weight's size, the larger */
    void *a, *b, *c, *k, *v;
    float *x, *y, *dx, *w, *grads, *m1, *m2, *logits, *lse, *rstd, *part, *scratch, *cs, *target;
    ch_arena arena;
    double total_s, sink; /* sink: a result that nobody wants */
    const char *only;     /* NULL: all */
    int64_t runs;
} bench;

/* What is timed: run(b, shape), `calls` times an update. */
typedef struct {
    const char *name;
    void (*run)(bench *b, const int64_t *shape);
    int64_t shape[3];
    double calls, flops, bytes;
} kernel;

static void forward_product(bench *b, const int64_t *s)
{
    b->op->gemm(b->d, b->c, 0, b->a, 0, b->b, CH_TURNED, s[0], s[1], s[2], 0);
}

static void input_gradient(bench *b, const int64_t *s)
{
    b->op->gemm(b->d, b->c, 0, b->a, 0, b->b, CH_PLAIN, s[0], s[2], s[1], 0);
}

static void weight_gradient(bench *b, const int64_t *s)
{
    b->op->gemm(b->d, b->grads, 1, b->a, 1, b->b, CH_PLAIN, s[1], s[2], s[0], 1);
}

static void add_norm(bench *b, const int64_t *s)
{
    (void)s;
    b->op->add_norm(b->d, b->x, b->a, b->rstd, b->x, b->y, b->w, b->N, b->z->C, 1e-5f);
}

static void norm_again(bench *b, const int64_t *s)
{
    (void)s;
    b->op->norm_again(b->d, b->a, b->x, b->rstd, b->w, b->N, b->z->C);
}

static void norm_backward(bench *b, const int64_t *s)
{
    (void)s;
    b->op->norm_backward(b->d, b->dx, b->c, b->grads, b->a, b->x, b->rstd, b->w, b->part, b->N,
                         b->z->C);
}

static void rope(bench *b, const int64_t *s)
{
    b->op->rope(b->d, b->a, b->cs, b->f.pos, b->N, b->z->H, b->z->G, b->z->D, b->z->n_rot,
                (int)s[0]);
}

static void kv_store(bench *b, const int64_t *s)
{
    (void)s;
    b->op->kv_store(b->d, b->k, b->v, b->a, NULL, &b->at);
}

static void attention(bench *b, const int64_t *s)
{
    (void)s;
    b->op->attention(b->d, b->b, b->lse, b->a, b->k, b->v, &b->at);
}

static void attention_backward(bench *b, const int64_t *s)
{
    (void)s;
    b->op->attention_backward(b->d, b->c, b->b, b->a, b->b, b->lse, b->scratch, &b->at);
}

static void swiglu(bench *b, const int64_t *s)
{
    (void)s;
    b->op->swiglu(b->d, b->c, b->a, b->N, b->z->F);
}

static void swiglu_backward(bench *b, const int64_t *s)
{
    (void)s;
    b->op->swiglu_backward(b->d, b->c, b->b, b->x, b->a, b->N, b->z->F);
}

static void logsumexp(bench *b, const int64_t *s)
{
    (void)s;
    b->op->logsumexp(b->d, b->lse, b->logits, b->V, b->z->V);
}

static void loss_backward(bench *b, const int64_t *s)
{
    (void)s;
    b->op->loss_backward(b->d, b->b, b->logits, b->lse, b->f.first, b->f.token, b->target, b->V,
                         b->z->V);
}

static void to_act(bench *b, const int64_t *s)
{
    b->op->to_act(b->d, b->b, b->m1, s[0]);
}

static void sum_squares(bench *b, const int64_t *s)
{
    b->sink = b->op->sum_squares(b->d, b->grads, s[0]);
}

static void adamw(bench *b, const int64_t *s)
{
    ch_adam a = {1e-9f, 0.9f, 0.999f, 1e-8f, 0, 1, 1, 1};
    b->op->adamw(b->d, b->grads, b->m1, b->m2, b->logits, s[0], &a);
}

static double time_of(bench *b, const kernel *k)
{
    static double t[MOST_RUNS];
    k->run(b, k->shape);
    for (int64_t i = 0; i < b->runs; i++) {
        double start = ch_now_s();
        k->run(b, k->shape);
        t[i] = ch_now_s() - start;
    }
    return ch_median(t, b->runs);
}

static void show(bench *b, const kernel *k)
{
    if (b->only && !strstr(k->name, b->only))
        return;
    double s = time_of(b, k);
    b->total_s += s * k->calls;
    printf("{\"kernel\": \"%s\", \"ms\": %.4f, \"gflops\": %.1f, \"gb_s\": %.2f, \"calls\": %.1f, "
           "\"update_s\": %.4f}\n",
           k->name, s * 1e3, k->flops / s / 1e9, k->bytes / s / 1e9, k->calls, s * k->calls);
}

/* The three products of one matrix (out, in) on n rows. */
static void products(bench *b, const char *name, int64_t n, int64_t out, int64_t in, double calls)
{
    static void (*const run[])(bench *, const int64_t *) = {forward_product, input_gradient,
                                                            weight_gradient};
    static const char *const way[] = {"forward", "input gradient", "weight gradient"};
    double act = (double)b->op->act_bytes, x = (double)(n * in), y = (double)(n * out);
    double w = (double)(out * in);
    for (int i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s, %s, %lldx%lldx%lld", name, way[i], (long long)n,
                 (long long)out, (long long)in);
        show(b, &(kernel){text,
                          run[i],
                          {n, out, in},
                          calls,
                          2 * x * (double)out,
                          i == 2 ? act * (x + y) + 8 * w : act * (x + y + w)});
    }
}

static void show_all(bench *b)
{
    const ch_dims *z = b->z;
    double L = (double)z->L, N = (double)b->N, C = (double)z->C, F = (double)z->F;
    double act = (double)b->op->act_bytes, pairs = 0, chunks = N / LOGIT_ROWS;
    double logits = (double)b->V * (double)z->V, all = (double)ch_roof_weights(b->model, 1);
    for (int64_t i = 0; i < b->f.n_rows; i++)
        pairs += b->f.pos[i] + 1;
    double head = pairs * (double)b->HD, qkv = N * (double)b->Q * act;
    products(b, "qkv", b->N, b->Q, z->C, L);
    products(b, "attention out", b->N, z->C, b->HD, L);
    products(b, "gate and up", b->N, 2 * z->F, z->C, L);
    products(b, "down", b->N, z->C, z->F, L);
    products(b, "head", b->V, z->V, z->C, chunks);
    const kernel list[] = {
        {"residual and norm", add_norm, {0}, 2 * L + 1, 0, N * C * (12 + act)},
        {"norm again", norm_again, {0}, 2 * L, 0, N * C * (4 + act)},
        {"norm backward", norm_backward, {0}, 2 * L + 1, 0, N * C * (12 + 2 * act)},
        {"rope", rope, {0}, 2 * L, 0, 2 * qkv},
        {"keys and values stored", kv_store, {0}, L, 0, 4 * N * (double)(z->G * z->D) * act},
        {"attention", attention, {0}, L, 4 * head, qkv + N * (double)b->HD * act},
        {"attention backward", attention_backward, {0}, L, 10 * head, 2 * qkv},
        {"swiglu", swiglu, {0}, L, 0, 3 * N * F * act},
        {"swiglu backward", swiglu_backward, {0}, L, 0, 6 * N * F * act},
        {"log-sum-exp", logsumexp, {0}, chunks, 0, 4 * logits},
        {"loss backward", loss_backward, {0}, chunks, 0, logits * (4 + act)},
        {"weights rounded",
         to_act,
         {z->V * z->C},
         act < 4 ? all / (double)(z->V * z->C) : 0,
         0,
         (double)(z->V * z->C) * (4 + act)},
        {"sum of squares",
         sum_squares,
         {z->V * z->C},
         all / (double)(z->V * z->C),
         0,
         4 * (double)(z->V * z->C)},
        {"AdamW", adamw, {b->V * z->V}, all / logits, 0, 28 * logits},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        show(b, list + i);
}

static void layout(bench *b, ch_arena *a)
{
    const ch_dims *z = b->z;
    size_t act = b->op->act_bytes, N = (size_t)b->N, rows = N > LOGIT_ROWS ? N : LOGIT_ROWS;
    size_t wide = (size_t)(2 * z->F > b->Q ? 2 * z->F : b->Q), head = (size_t)(z->V * z->C);
    size_t logits = (size_t)(b->V * z->V), most = rows * wide;
    most = most > head ? most : head;
    most = most > logits ? most : logits;
    void **acts[] = {&b->a, &b->b, &b->c};
    float **larges[] = {&b->grads, &b->m1, &b->m2, &b->logits};
    float **rows_of[] = {&b->x, &b->y, &b->dx};
    for (int i = 0; i < 3; i++)
        *acts[i] = ch_take(a, most, act);
    for (int i = 0; i < 4; i++)
        *larges[i] = ch_take(a, head > logits ? head : logits, sizeof(float));
    for (int i = 0; i < 3; i++)
        *rows_of[i] = ch_take(a, N * wide, sizeof(float));
    b->k = ch_take(a, (size_t)ch_kstore_elems(b->N, z->G, z->D), act);
    b->v = ch_take(a, (size_t)ch_vstore_elems(b->N, z->G, z->D), act);
    b->w = ch_take(a, wide, sizeof(float));
    b->lse = ch_take(a, rows * (size_t)z->H, sizeof(float));
    b->rstd = ch_take(a, N, sizeof(float));
    b->part = ch_take(a, (size_t)(ch_device_threads(b->d) * z->C), sizeof(float));
    b->scratch = ch_take(a, (size_t)ch_attn_scratch(b->d, b->N, z->H, z->G, z->D), 4);
    b->cs = ch_take(a, (size_t)(b->N * z->n_rot), sizeof(float));
    b->target = ch_take(a, (size_t)b->N, sizeof(float));
}

static void plant(bench *b, int64_t n, int64_t tokens)
{
    const ch_dims *z = b->z;
    ch_groups g;
    const ch_seq **list = ch_new((size_t)n, sizeof *list);
    ch_work_plain(&g, b->model, n, tokens, tokens);
    for (int64_t i = 0; i < n; i++)
        list[i] = &g.list[i].list[0].seq;
    ch_forest_build(&b->f, list, n, z->H, z->G);
    free(list);
    ch_groups_release(&g);
    b->N = b->f.n_pad;
    b->V = b->f.n_rows < LOGIT_ROWS ? b->f.n_rows : LOGIT_ROWS;
    b->Q = (z->H + 2 * z->G) * z->D;
    b->HD = z->H * z->D;
    b->at = (ch_attn){
        b->N,       z->H, z->G, z->D, b->N, b->f.plan.tiles, b->f.plan.blocks, b->f.plan.n_tiles,
        b->f.n_rows};
}

/* Small random numbers for what goes into products, zeros elsewhere. */
static void fill(bench *b)
{
    ch_rng r = {.seed = 2};
    memset(b->arena.base, 0, b->arena.used);
    int64_t n = b->N * b->Q;
    float *text = ch_new((size_t)n, sizeof *text);
    for (int64_t i = 0; i < n; i++)
        text[i] = (float)ch_random_unit(&r) - 0.5f;
    b->op->to_act(b->d, b->a, text, n);
    b->op->to_act(b->d, b->b, text, n);
    memcpy(b->x, text, (size_t)(b->N * b->z->C) * sizeof *text);
    free(text);
}

int main(int argc, char **argv)
{
    static bench b;
    const char *model = argc > 1 ? argv[1] : "models/SmolLM2-135M-Instruct.Q4_1.gguf";
    int64_t n = argc > 2 ? strtol(argv[2], NULL, 10) : 3;
    int64_t tokens = argc > 3 ? strtol(argv[3], NULL, 10) : 256;
    b.only = argc > 6 && strcmp(argv[6], "all") ? argv[6] : NULL;
    b.runs = argc > 7 ? strtol(argv[7], NULL, 10) : 9;
    if (n < 1 || tokens < 1 || n * tokens > 1 << 16 || b.runs < 1 || b.runs > MOST_RUNS) {
        fputs("usage: bench_kernels [MODEL.gguf] [sequences] [tokens] [precision] [threads] "
              "[kernel] [runs]\n",
              stderr);
        return 2;
    }
    ch_err e = {0};
    ch_code c = ch_bench_open(&b.d, &b.model, model, argc > 4 ? argv[4] : NULL,
                              argc > 5 ? argv[5] : NULL, &e);
    if (c == CH_OK) {
        b.op = ch_device_ops(b.d);
        b.z = ch_model_dims(b.model);
        plant(&b, n, tokens);
        layout(&b, &b.arena);
        c = ch_arena_alloc(&b.arena, "the operands", &e);
    }
    if (c == CH_OK) {
        layout(&b, &b.arena);
        fill(&b);
        show_all(&b);
        ch_roof *roof = ch_roof_new(b.model, 512);
        printf("{\"device\": \"%s\", \"rows\": %lld, \"update_s\": %.4f, \"gemm_gflops\": %.1f, "
               "\"read_gb_s\": %.2f}\n",
               ch_device_text(b.d), (long long)b.f.n_rows, b.total_s, ch_roof_gemm(roof) / 1e9,
               ch_roof_read(roof) / 1e9);
        ch_roof_free(roof);
    } else {
        fprintf(stderr, "bench_kernels: %s\n", e.msg);
    }
    ch_forest_release(&b.f);
    ch_arena_free(&b.arena);
    ch_model_free(b.model);
    ch_device_close(b.d);
    return c != CH_OK;
}
