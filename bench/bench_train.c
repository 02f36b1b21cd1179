/* Trained tokens a second on random text of a given shape, beside the matrix products alone on the
 * same shapes (the roof), in one run. bench_train MODEL.gguf [sequences] [tokens each] [answer
 * tokens each] [precision: auto f32 bf16] [threads] Prints one JSON line: medians of at least five
 * rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/net.h"
#include "model/weights.h"
#include "tensor/ops.h"

enum { ROUNDS = 5 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t)
{
    qsort(t, ROUNDS, sizeof *t, by_value);
    return t[ROUNDS / 2];
}

/* One layer's products and their two backward ones, and the head's on n_l rows; seconds. */
static double roof_once(ch_device *d, const ch_dims *z, int64_t N, int64_t n_l, void *a, void *b,
                        void *c)
{
    const ch_ops *op = ch_device_ops(d);
    int64_t shape[][2] = {
        {(z->H + 2 * z->G) * z->D, z->C}, {z->C, z->H * z->D}, {2 * z->F, z->C}, {z->C, z->F}};
    double start = ch_now_s();
    for (int64_t l = 0; l < z->L; l++)
        for (int i = 0; i < 4; i++) {
            int64_t out = shape[i][0], in = shape[i][1];
            op->gemm(d, c, 0, a, 0, b, 1, N, out, in, 0);
            op->gemm(d, c, 0, a, 0, b, 0, N, in, out, 0);
            op->gemm(d, c, 1, a, 1, b, 0, out, in, N, 1);
        }
    for (int64_t left = n_l; left > 0; left -= CH_LOGIT_ROWS) {
        int64_t n = left < CH_LOGIT_ROWS ? left : CH_LOGIT_ROWS;
        op->gemm(d, c, 1, a, 0, b, 1, n, z->V, z->C, 0);
        op->gemm(d, c, 0, a, 0, b, 0, n, z->C, z->V, 0);
        op->gemm(d, c, 1, a, 1, b, 0, z->V, z->C, n, 1);
    }
    return ch_now_s() - start;
}

typedef struct {
    int64_t n, tokens, answer;
    ch_seq *seq;
    const ch_seq **list;
} text;

static text random_text(int64_t n, int64_t tokens, int64_t answer, int64_t V)
{
    text t = {n, tokens, answer, ch_new((size_t)n, sizeof *t.seq),
              ch_new((size_t)n, sizeof *t.list)};
    ch_rng r = {.seed = 1};
    for (int64_t i = 0; i < n; i++) {
        t.seq[i] = (ch_seq){ch_new((size_t)tokens + 1, 4), tokens + 1, tokens + 1 - answer};
        for (int64_t k = 0; k <= tokens; k++)
            t.seq[i].ids[k] = (int32_t)ch_random_below(&r, V);
        t.list[i] = t.seq + i;
    }
    return t;
}

static int run(ch_model *m, text t, ch_err *e)
{
    const ch_dims *z = ch_model_dims(m);
    ch_device *d = ch_model_device(m);
    int64_t rows = t.n * t.tokens, total = ch_model_layout(m)->total;
    ch_net *net;
    if (ch_net_new(&net, m, CH_NET_TRAIN, rows, 0, e))
        return 1;
    float *grads = ch_new((size_t)total, 4), *mo = ch_new((size_t)total, 4),
          *mv = ch_new((size_t)total, 4);
    float *logp = ch_new((size_t)(t.n * t.answer), 4), *dlogp = ch_new((size_t)(t.n * t.answer), 4);
    for (int64_t i = 0; i < t.n * t.answer; i++)
        dlogp[i] = -1.f / (float)(t.n * t.answer);
    size_t wide = (size_t)(2 * z->F) * (size_t)rows, head = (size_t)(z->V * z->C);
    size_t room = wide > head ? wide : head;
    void *a = ch_new(room, 4), *b = ch_new(room, 4),
         *c = ch_new(room + (size_t)(CH_LOGIT_ROWS * z->V), 4);
    double fwd[ROUNDS], bwd[ROUNDS], opt[ROUNDS], roof[ROUNDS];
    ch_forest f = {0};
    ch_adam adam = {1e-9f, 0.9f, 0.999f, 1e-8f, 0.f, 1.f, 0.1f, 0.001f};
    for (int i = -1; i < ROUNDS; i++) {
        int k = i < 0 ? 0 : i;
        double t0 = ch_now_s();
        ch_forest_build(&f, t.list, t.n, z->H, z->G);
        ch_net_forward(net, &f, logp);
        double t1 = ch_now_s();
        memset(grads, 0, (size_t)total * sizeof *grads);
        ch_net_backward(net, &f, dlogp, grads);
        double t2 = ch_now_s();
        ch_device_ops(d)->sum_squares(grads, total);
        ch_device_ops(d)->adamw(ch_model_weights(m), mo, mv, grads, total, &adam);
        ch_model_touch(m);
        fwd[k] = t1 - t0;
        bwd[k] = t2 - t1;
        opt[k] = ch_now_s() - t2;
        roof[k] = roof_once(d, z, f.n_pad, f.n_lrows, a, b, c);
    }
    double F = median(fwd), B = median(bwd), O = median(opt), R = median(roof);
    printf("{\"device\": \"%s\", \"rows\": %lld, \"answer_rows\": %lld, \"forward_s\": %.4f, "
           "\"backward_s\": %.4f, "
           "\"update_s\": %.4f, \"tokens_per_s\": %.1f, \"roof_tokens_per_s\": %.1f, \"of_roof\": "
           "%.3f, "
           "\"peak_gb\": %.2f}\n",
           ch_device_text(d), (long long)f.n_rows, (long long)f.n_lrows, F, B, O,
           (double)f.n_rows / (F + B + O), (double)f.n_rows / R, R / (F + B + O),
           (double)ch_peak_rss_bytes() / 1e9);
    ch_net_free(net);
    ch_forest_release(&f);
    free(grads), free(mo), free(mv), free(logp), free(dlogp), free(a), free(b), free(c);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: bench_train MODEL.gguf [sequences] [tokens] [answer tokens] [precision] "
              "[threads]\n",
              stderr);
        return 2;
    }
    long arg[3] = {8, 256, 256};
    for (int i = 0; i < 3 && i + 2 < argc; i++)
        arg[i] = strtol(argv[i + 2], NULL, 10);
    const char *p = argc > 5 ? argv[5] : "auto";
    ch_precision precision = !strcmp(p, "f32")    ? CH_PRECISION_F32
                             : !strcmp(p, "bf16") ? CH_PRECISION_BF16
                                                  : CH_PRECISION_AUTO;
    ch_err e = {0};
    ch_device *d = NULL;
    ch_model *m = NULL;
    int threads = argc > 6 ? (int)strtol(argv[6], NULL, 10) : 0;
    int bad = ch_device_open(&d, precision, CH_ISA_AUTO, threads, &e) ||
              ch_model_load(&m, argv[1], d, &e);
    if (!bad) {
        text t = random_text(arg[0], arg[1], arg[2], ch_model_dims(m)->V);
        bad = run(m, t, &e);
        for (int64_t i = 0; i < t.n; i++)
            free(t.seq[i].ids);
        free(t.seq);
        free(t.list);
    }
    if (bad)
        fprintf(stderr, "bench_train: %s\n", e.msg);
    ch_model_free(m);
    ch_device_close(d);
    return bad;
}
