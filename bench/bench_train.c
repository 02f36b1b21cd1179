/* Trained tokens a second on random text of a given shape, beside the matrix products alone on the
 * same shapes (the roof), in one run.
 *   bench_train MODEL.gguf [sequences] [tokens each] [answer tokens each]
 *               [precision: auto f32 bf16] [threads] [max rows]
 * Prints one JSON line: medians of five rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/roof.h"
#include "tensor/ops.h"
#include "train/sampler.h"
#include "train/step.h"

enum { ROUNDS = 5 };

typedef struct {
    ch_device *d;
    const ch_dims *z;
    int64_t rows, answers; /* of the whole update */
    void *a, *b, *c;
} roof;

static roof roof_new(ch_model *m, int64_t rows, int64_t answers)
{
    const ch_dims *z = ch_model_dims(m);
    size_t wide = (size_t)(2 * z->F) * (size_t)rows, head = (size_t)(z->V * z->C);
    size_t room = sizeof(float) * (wide > head ? wide : head);
    roof r = {ch_model_device(m), z, rows, answers, ch_new_pages(room), ch_new_pages(room), NULL};
    r.c = ch_new_pages(room + sizeof(float) * (size_t)(CH_LOGIT_ROWS * z->V));
    memset(r.a, 0, room);
    memset(r.b, 0, room);
    return r;
}

/* Every product of an update, forward and the two backward ones, and nothing else; seconds. */
static double roof_once(const roof *r)
{
    const ch_ops *op = ch_device_ops(r->d);
    const ch_dims *z = r->z;
    int64_t s[4][2] = {
        {(z->H + 2 * z->G) * z->D, z->C}, {z->C, z->H * z->D}, {2 * z->F, z->C}, {z->C, z->F}};
    double start = ch_now_s();
    for (int64_t l = 0; l < z->L; l++)
        for (int i = 0; i < 4; i++) {
            int64_t out = s[i][0], in = s[i][1];
            op->gemm(r->d, r->c, 0, r->a, 0, r->b, 1, r->rows, out, in, 0);
            op->gemm(r->d, r->c, 0, r->a, 0, r->b, 0, r->rows, in, out, 0);
            op->gemm(r->d, r->c, 1, r->a, 1, r->b, 0, out, in, r->rows, 0);
        }
    for (int64_t left = r->answers; left > 0; left -= CH_LOGIT_ROWS) {
        int64_t n = left < CH_LOGIT_ROWS ? left : CH_LOGIT_ROWS;
        op->gemm(r->d, r->c, 1, r->a, 0, r->b, 1, n, z->V, z->C, 0);
        op->gemm(r->d, r->c, 0, r->a, 0, r->b, 0, n, z->C, z->V, 0);
        op->gemm(r->d, r->c, 1, r->a, 1, r->b, 0, z->V, z->C, n, 0);
    }
    return ch_now_s() - start;
}

/* Groups of one sequence each: random text, the last `answer` tokens of which are learned. */
static ch_groups random_groups(int64_t n, int64_t tokens, int64_t answer, int64_t V)
{
    ch_groups g = {ch_new((size_t)n, sizeof *g.list), n};
    ch_rng r = {.seed = 1};
    for (int64_t i = 0; i < n; i++) {
        ch_seq s = {ch_new((size_t)tokens + 1, 4), tokens + 1, tokens + 1 - answer};
        for (int64_t k = 0; k <= tokens; k++)
            s.ids[k] = (int32_t)ch_random_below(&r, V);
        g.list[i] = (ch_group){
            .list = ch_new(1, sizeof(ch_member)), .n = 1, .row = ch_fmt("row %d", (int)i)};
        g.list[i].list[0].seq = s;
    }
    return g;
}

static int run(ch_model *m, const ch_groups *g, const ch_train_opts *o, ch_err *e)
{
    static const ch_objective sft = {.name = "sft", .what = "", .loss = ch_loss_sft, .linear = 1};
    ch_stepper s = {0};
    ch_step_report r = {0};
    double step[ROUNDS], bare[ROUNDS];
    if (ch_stepper_init(&s, m, &sft, g, NULL, o, e))
        return 1;
    int64_t n = g->list[0].list[0].seq.n - 1, rows = n * g->n;
    int64_t answers = (n + 1 - g->list[0].list[0].seq.n_prompt) * g->n;
    double peak = 0;
    roof f = {0};
    for (int i = -1; i < ROUNDS; i++) {
        int k = i < 0 ? 0 : i;
        for (int64_t j = 0; j < g->n; j++)
            s.batch[j] = g->list + j;
        double start = ch_now_s();
        if (ch_stepper_update(&s, i + 1, &r, e))
            return 1;
        step[k] = ch_now_s() - start;
        if (i < 0) {
            peak = (double)ch_peak_rss_bytes() / 1e9; /* before the roof's own buffers */
            f = roof_new(m, rows, answers);
        }
        bare[k] = roof_once(&f);
    }
    int64_t trunk = ch_roof_weights(m, 0), head = ch_roof_weights(m, 1) - trunk;
    double flops = 6. * ((double)(trunk * rows) + (double)(head * answers));
    double S = ch_median(step, ROUNDS), R = ch_median(bare, ROUNDS);
    printf("{\"device\": \"%s\", \"sequences\": %lld, \"tokens\": %lld, \"answer_rows\": %lld, "
           "\"update_s\": %.4f, \"tokens_per_s\": %.1f, \"roof_tokens_per_s\": %.1f, "
           "\"of_roof\": %.3f, \"roof_gflops\": %.1f, \"peak_gb\": %.2f}\n",
           ch_device_text(f.d), (long long)g->n, (long long)n, (long long)answers, S,
           (double)rows / S, (double)rows / R, R / S, flops / R / 1e9, peak);
    ch_stepper_release(&s);
    free(f.a);
    free(f.b);
    free(f.c);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: bench_train MODEL.gguf [sequences] [tokens] [answer tokens] [precision] "
              "[threads] [max rows]\n",
              stderr);
        return 2;
    }
    long arg[3] = {8, 256, 256};
    for (int i = 0; i < 3 && i + 2 < argc; i++)
        arg[i] = strtol(argv[i + 2], NULL, 10);
    ch_err e = {0};
    ch_device *d = NULL;
    ch_model *m = NULL;
    int bad = ch_bench_open(&d, &m, argv[1], argc > 5 ? argv[5] : NULL, argc > 6 ? argv[6] : NULL,
                            &e) != CH_OK;
    if (!bad) {
        ch_groups g = random_groups(arg[0], arg[1], arg[2], ch_model_dims(m)->V);
        ch_train_opts o = {.steps = 100,
                           .batch = arg[0],
                           .lr = 1e-9,
                           .min_lr_ratio = 1,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .eps = 1e-8,
                           .clip = 1,
                           .max_rows = argc > 7 ? strtol(argv[7], NULL, 10) : 768};
        bad = run(m, &g, &o, &e);
        ch_groups_release(&g);
    }
    if (bad)
        fprintf(stderr, "bench_train: %s\n", e.msg);
    ch_model_free(m);
    ch_device_close(d);
    return bad;
}
