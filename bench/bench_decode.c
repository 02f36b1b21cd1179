/* Decoding and prompt reading beside what the machine allows, in one run.
 *   bench_decode [MODEL.gguf] [precision: auto f32 bf16] [threads] [rounds] [sequences ...]
 * 64 new tokens behind 64 of prompt, at 1, 8, 32 and 64 sequences unless others are named, and one
 * prompt of 512 tokens. Prompts are random and greedy answers to them that stop early are not used.
 * One JSON line a case, medians of the rounds. The roof of a step is the larger of its weights'
 * bytes over the bandwidth of reading as many and its operations over the rate
 * of large products. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "generate/generate.h"
#include "support/roof.h"
#include "tensor/ops.h"

enum { PROMPT = 64, NEW = 64, LONG = 512, MOST = 128, MAX_CASES = 8, MAX_ROUNDS = 99 };

typedef struct {
    ch_model *m;
    ch_roof *roof;
    int rounds;
    int64_t n_cases, n[MAX_CASES]; /* sequences; the case behind the last reads a prompt */
    ch_request req[MOST], read;
    double speed[MAX_CASES + 1][MAX_ROUNDS], gemm[MAX_ROUNDS], bytes[MAX_ROUNDS];
} bench;

static int32_t *random_ids(ch_rng *r, int64_t n, int64_t V)
{
    int32_t *ids = ch_new((size_t)n, sizeof *ids);
    for (int64_t i = 0; i < n; i++)
        ids[i] = (int32_t)ch_random_below(r, V);
    return ids;
}

/* Tokens a second of decoding alone: the first token of each answer comes out of reading. */
static ch_code decode(bench *b, const ch_request *req, int64_t n, ch_answer *a, double *speed,
                      ch_err *e)
{
    ch_gen_opts o = {.batch = n};
    ch_gen_stats st;
    CH_TRY(ch_generate(b->m, req, n, &o, a, &st, e));
    *speed = (double)(st.new_tokens - n) / st.decode_s;
    return CH_OK;
}

/* Fills b->req with prompts whose answers go on to the end. */
static ch_code choose_prompts(bench *b, ch_err *e)
{
    ch_rng r = {.seed = 1};
    int64_t V = ch_model_dims(b->m)->V, most = 0;
    for (int64_t i = 0; i < b->n_cases; i++)
        most = b->n[i] > most ? b->n[i] : most;
    for (int64_t have = 0; have < most;) {
        ch_request q[MOST];
        ch_answer a[MOST];
        double speed;
        int64_t n = most - have + 4 < MOST ? most - have + 4 : MOST; /* few stop early */
        for (int64_t i = 0; i < n; i++)
            q[i] = (ch_request){.ids = random_ids(&r, PROMPT, V),
                                .n = PROMPT,
                                .how = {.top_p = 1, .max_new = NEW + 1}};
        CH_TRY(decode(b, q, n, a, &speed, e));
        for (int64_t i = 0; i < n; i++) {
            union {
                const int32_t *in;
                void *io;
            } u = {.in = q[i].ids};
            if (!a[i].stopped && have < most)
                b->req[have++] = q[i];
            else
                free(u.io);
            ch_answer_release(a + i);
        }
    }
    b->read =
        (ch_request){.ids = random_ids(&r, LONG, V), .n = LONG, .how = {.top_p = 1, .max_new = 1}};
    return CH_OK;
}

static ch_code one_round(bench *b, int round, ch_err *e)
{
    int k = round < 0 ? 0 : round; /* round -1 warms up */
    ch_answer a[MOST];
    for (int64_t c = 0; c < b->n_cases; c++) {
        CH_TRY(decode(b, b->req, b->n[c], a, &b->speed[c][k], e));
        for (int64_t i = 0; i < b->n[c]; i++) {
            CH_MUST(a[i].n == NEW + 1);
            ch_answer_release(a + i);
        }
    }
    ch_gen_stats st;
    CH_TRY(ch_generate(b->m, &b->read, 1, NULL, a, &st, e));
    ch_answer_release(a);
    b->speed[b->n_cases][k] = LONG / st.prompt_s;
    b->gemm[k] = ch_roof_gemm(b->roof);
    b->bytes[k] = ch_roof_read(b->roof);
    return CH_OK;
}

static void report(bench *b)
{
    double gemm = ch_median(b->gemm, b->rounds), bytes = ch_median(b->bytes, b->rounds);
    ch_device *d = ch_model_device(b->m);
    double act = (double)ch_device_ops(d)->act_bytes, all = (double)ch_roof_weights(b->m, 1);
    for (int64_t c = 0; c <= b->n_cases; c++) {
        int reads = c == b->n_cases;
        int64_t n = reads ? LONG : b->n[c];
        /* of a prompt only the last token's logits are wanted */
        double ops =
            2 * (reads ? (double)ch_roof_weights(b->m, 0) * (double)n +
                             (double)ch_model_dims(b->m)->V * (double)ch_model_dims(b->m)->C
                       : all * (double)n);
        double from_memory = all * act / bytes, by_sums = ops / gemm;
        double roof = (double)n / (from_memory > by_sums ? from_memory : by_sums);
        double speed = ch_median(b->speed[c], b->rounds);
        printf("{\"work\": \"%s\", \"device\": \"%s\", \"sequences\": %lld, \"prompt\": %d, "
               "\"new\": %d, \"per_s\": %.1f, \"unit\": \"tokens\", \"roof_per_s\": %.1f, "
               "\"of_roof\": %.3f, \"bound\": \"%s\", \"gemm_gflops\": %.1f, \"read_gb_s\": %.2f, "
               "\"rounds\": %d, \"peak_gb\": %.2f}\n",
               reads ? "prompt" : "decode", ch_device_text(d), reads ? 1LL : (long long)n,
               reads ? LONG : PROMPT, reads ? 0 : NEW, speed, roof, speed / roof,
               from_memory > by_sums ? "memory" : "products", gemm / 1e9, bytes / 1e9, b->rounds,
               (double)ch_peak_rss_bytes() / 1e9);
    }
}

static int read_cases(bench *b, int argc, char **argv)
{
    static const int64_t usual[] = {1, 8, 32, 64};
    b->rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 5;
    for (int i = 5; i < argc && b->n_cases < MAX_CASES; i++)
        b->n[b->n_cases++] = strtol(argv[i], NULL, 10);
    for (int i = 0; argc <= 5 && i < 4; i++)
        b->n[b->n_cases++] = usual[i];
    for (int64_t i = 0; i < b->n_cases; i++)
        if (b->n[i] < 1 || b->n[i] > MOST)
            return 0;
    return b->rounds >= 1 && b->rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv)
{
    static bench b;
    const char *model = argc > 1 ? argv[1] : "models/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (!read_cases(&b, argc, argv)) {
        fputs("usage: bench_decode [MODEL.gguf] [precision] [threads] [rounds] [sequences ...]\n",
              stderr);
        return 2;
    }
    ch_err e = {0};
    ch_device *d = NULL;
    ch_code c =
        ch_bench_open(&d, &b.m, model, argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, &e);
    if (c == CH_OK)
        c = choose_prompts(&b, &e);
    if (c == CH_OK)
        b.roof = ch_roof_new(b.m, LONG);
    for (int k = -1; c == CH_OK && k < b.rounds; k++)
        c = one_round(&b, k, &e);
    if (c == CH_OK)
        report(&b);
    else
        fprintf(stderr, "bench_decode: %s\n", e.msg);
    ch_roof_free(b.roof);
    ch_model_free(b.m);
    ch_device_close(d);
    return c != CH_OK;
}
