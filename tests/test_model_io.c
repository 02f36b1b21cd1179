/* Loading and saving: the demo model and tiny ones. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/weights.h"
#include "support/oracle.h"
#include "support/support.h"

static char *dir;      /* scratch */
static ch_model *demo; /* SmolLM2 */
static char *demo_f32; /* written from it by the round-trip test */

static int set_up(void **state)
{
    (void)state;
    ch_err e = {0};
    dir = scratch_dir();
    char *path = model_file();
    CHECK_(path != NULL);
    CHECK_OK(ch_model_load(&demo, path, NULL, &e), &e);
    demo_f32 = ch_path(dir, "demo-f32.gguf");
    free(path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_model_free(demo);
    free(demo_f32);
    scratch_remove(dir);
    return 0;
}

static ch_model *load_tiny(const char *name)
{
    ch_err e = {0};
    ch_model *m = NULL;
    char *rel = ch_fmt("tests/data/tiny/%s.gguf", name), *path = source_path(rel);
    CHECK_OK(ch_model_load(&m, path, NULL, &e), &e);
    free(rel);
    free(path);
    return m;
}

static const ch_param *param(const ch_model *m, const char *name)
{
    const ch_layout *l = ch_model_layout(m);
    for (int64_t i = 0; i < l->n; i++)
        if (!strcmp(l->list[i].name, name))
            return &l->list[i];
    fprintf(stderr, "no %s in the layout\n", name);
    return NULL;
}

static int same_weights(const char *what, ch_model *a, ch_model *b)
{
    const ch_layout *la = ch_model_layout(a), *lb = ch_model_layout(b);
    return la->total == lb->total && la->n == lb->n &&
           same_bytes(what, ch_model_weights(a), ch_model_weights(b),
                      (size_t)la->total * sizeof(float)) &&
           same_bytes(what, ch_model_rope_factors(a), ch_model_rope_factors(b),
                      (size_t)(ch_model_dims(a)->n_rot / 2) * sizeof(float));
}

/* -- loading -- */

static void the_demo_model_has_the_sizes_of_smollm2(void **state)
{
    (void)state;
    const ch_dims *d = ch_model_dims(demo);
    CHECK_(d->L == 30 && d->C == 576 && d->H == 9 && d->G == 3 && d->D == 64 && d->F == 1536);
    CHECK_(d->V == 49152 && d->n_ctx == 8192 && d->n_rot == 64 && d->tied);
    CHECK_NEAR((double)d->rope_base, 100000.0, 1e-9);
    CHECK_NEAR((double)d->rope_scale, 1.0, 1e-9);
    CHECK_NEAR((double)d->norm_eps * 1e5, 1.0, 1e-6);
    CHECK_(ch_model_n_params(demo) == 134515008);
    CHECK_(strlen(ch_model_hash(demo).hex) == 64);
    CHECK_(strstr(ch_model_name(demo), "mollm2") != NULL);
}

/* References: the dequantiser of the Python package gguf 0.17, sums in double. */
static void quantised_weights_are_what_another_reader_gets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t rows, cols;
        double sum, squares, first, second, last;
    } want[] = {
        {"token_embd.weight", 49152, 576, -15353.04449415207, 520415.71544763993,
         -0.10654449462890625, 0.032978057861328125, -0.0417022705078125},
        {"blk.0.attn_k.weight", 192, 576, 26.937057495117188, 17499.561343912734, -0.1552734375,
         0.3402099609375, 0.3636474609375},
        {"blk.13.attn_output.weight", 576, 576, 103.5438003540039, 8577.876941948256,
         0.06573486328125, -0.00030517578125, -0.079498291015625},
        {"blk.29.ffn_down.weight", 576, 1536, 49.83570861816406, 29667.074891592143,
         -0.2733154296875, 0.186279296875, 0.056640625},
        {"blk.7.ffn_norm.weight", 1, 576, 119.31790542602539, 26.30221574685129, 0.09423828125,
         0.23828125, 0.251953125},
    };
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        const ch_param *p = param(demo, want[k].name);
        CHECK_(p && p->rows == want[k].rows && p->cols == want[k].cols);
        const float *x = ch_model_weights(demo) + p->at;
        double sum = 0, squares = 0;
        int64_t n = p->rows * p->cols;
        for (int64_t i = 0; i < n; i++) {
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
        }
        CHECK_NEAR(sum, want[k].sum, 1e-9);
        CHECK_NEAR(squares, want[k].squares, 1e-9);
        CHECK_NEAR((double)x[0], want[k].first, 1e-9);
        CHECK_NEAR((double)x[1], want[k].second, 1e-9);
        CHECK_NEAR((double)x[n - 1], want[k].last, 1e-9);
    }
}

/* tests/oracle/spm_model.py: x[i] = ((37 i + k) mod 101 - 50) / 64 for the k-th tensor of the file.
 * The 16-bit types hold that exactly; quantisation moves it by half a step of a block's range at
 * most. */
static void every_tensor_type_becomes_f32(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double off;
    } want[] = {
        {"token_embd.weight", 0},          {"blk.0.attn_norm.weight", 0},
        {"blk.0.attn_q.weight", 0},        {"blk.0.attn_k.weight", 0.6 / 127},
        {"blk.0.attn_v.weight", 1.0 / 31}, {"blk.0.attn_output.weight", 0},
        {"blk.0.ffn_norm.weight", 0},      {"blk.0.ffn_gate.weight", 1.0 / 8},
        {"blk.0.ffn_up.weight", 1.0 / 16}, {"blk.0.ffn_down.weight", 1.0 / 15},
        {"output_norm.weight", 0},         {"output.weight", 0},
    };
    ch_model *m = load_tiny("spm");
    CHECK_(!ch_model_dims(m)->tied);
    for (int64_t k = 0; k < 12; k++) {
        const ch_param *p = param(m, want[k].name);
        CHECK_(p != NULL);
        double worst = 0;
        for (int64_t i = 0; i < p->rows * p->cols; i++) {
            double x = (double)ch_model_weights(m)[p->at + i];
            CHECK_(isfinite(x));
            worst = fmax(worst, fabs(x - (double)((37 * i + k) % 101 - 50) / 64));
        }
        if (worst > want[k].off * 50 / 64 * 1.01)
            fprintf(stderr, "%s is off by %g\n", want[k].name, worst);
        CHECK_(worst <= want[k].off * 50 / 64 * 1.01);
        CHECK_(want[k].off == 0 || worst > 0);
    }
    ch_model_free(m);
}

static void the_block_is_aligned_and_its_groups_are_contiguous(void **state)
{
    (void)state;
    ch_model *m = load_tiny("tiny_untied");
    ch_model *both[] = {demo, m};
    for (int k = 0; k < 2; k++) {
        const ch_dims *d = ch_model_dims(both[k]);
        const ch_layout *l = ch_model_layout(both[k]);
        CHECK_(((uintptr_t)ch_model_weights(both[k]) & 63) == 0);
        CHECK_(l->n == 2 + 9 * d->L + !d->tied);
        CHECK_(d->tied ? l->head == l->embed : l->head > l->out_norm);
        for (int64_t i = 0, end = 0; i < l->n; i++) {
            CHECK_(l->list[i].at >= end);
            end = l->list[i].at + l->list[i].rows * l->list[i].cols;
            CHECK_(end <= l->total);
            CHECK_(l->list[i].decay == (strstr(l->list[i].name, "norm") == NULL));
        }
        for (int64_t i = 0; i < d->L; i++) {
            const ch_layer_at *a = &l->layer[i];
            const ch_param *q = &l->list[1 + 9 * i + 1], *gate = &l->list[1 + 9 * i + 6];
            CHECK_((a->attn_norm | a->qkv | a->wo | a->ffn_norm | a->gate_up | a->down) % 16 == 0);
            CHECK_(strstr(q->name, "attn_q") && strstr(gate->name, "ffn_gate"));
            CHECK_(q[0].at == a->qkv && q[1].at == a->qkv + d->H * d->D * d->C);
            CHECK_(q[2].at == q[1].at + d->G * d->D * d->C);
            CHECK_(gate[0].at == a->gate_up && gate[1].at == a->gate_up + d->F * d->C);
        }
    }
    CHECK_(ch_model_dims(m)->n_rot == 12 && ch_model_rope_factors(m)[5] != 1.0f);
    CHECK_NEAR((double)ch_model_dims(m)->rope_scale, 0.5, 1e-9);
    ch_model_free(m);
}

/* -- saving -- */

static void an_f32_file_holds_the_same_weights_and_libllama_runs_it(void **state)
{
    (void)state;
    ch_err e = {0};
    ch_model *again = NULL;
    ch_oracle *o = NULL;
    CHECK_OK(ch_model_save(demo, demo_f32, CH_SAVE_F32, NULL, &e), &e);
    CHECK_OK(ch_model_load(&again, demo_f32, NULL, &e), &e);
    CHECK_(same_weights("masters", again, demo));
    char *mine = NULL, *theirs = NULL;
    CHECK_OK(ch_chat(demo, "Say hi.", &mine, &e), &e);
    CHECK_OK(ch_chat(again, "Say hi.", &theirs, &e), &e);
    CHECK_(!strcmp(mine, theirs) && !strcmp(ch_model_name(demo), ch_model_name(again)));
    free(mine);
    free(theirs);
    ch_model_free(again);

    ch_seq s;
    CHECK_OK(ch_seq_make(&s, demo, "What is the capital of France?", NULL, 0, "row", &e), &e);
    CHECK_OK(ch_oracle_open(&o, demo_f32, 64, 2, &e), &e);
    int64_t V = ch_oracle_n_vocab(o), n_out = 0;
    CHECK_(V == 49152);
    float *logits = ch_new((size_t)V, sizeof *logits);
    CHECK_OK(ch_oracle_logits(o, s.ids, s.n, 0, logits, &e), &e);
    for (int64_t v = 0; v < V; v++)
        CHECK_(isfinite(logits[v]));
    int32_t out[24];
    CHECK_OK(ch_oracle_greedy(o, s.ids, s.n, 24, out, &n_out, &e), &e);
    char *text = ch_detokenize(demo, out, n_out, 0);
    CHECK_(strstr(text, "Paris") != NULL);
    free(text);
    free(logits);
    ch_oracle_close(o);
    ch_seq_release(&s);
}

/* Largest |a - b| / |a| over all matrices; the norms must be the same bits. */
static double rounding(ch_model *a, ch_model *b)
{
    const ch_layout *l = ch_model_layout(a);
    double worst = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const float *x = ch_model_weights(a) + l->list[i].at;
        const float *y = ch_model_weights(b) + l->list[i].at;
        int64_t n = l->list[i].rows * l->list[i].cols;
        CHECK_(l->list[i].decay || same_bytes("norm", y, x, (size_t)n * sizeof *x));
        for (int64_t k = 0; k < n; k++)
            if (fabs((double)x[k]) > 1e-3) /* below, f16 has no full mantissa */
                worst = fmax(worst, fabs((double)(x[k] - y[k])) / fabs((double)x[k]));
    }
    return worst;
}

static void sixteen_bit_files_round_matrices_only_and_libllama_runs_them(void **state)
{
    (void)state;
    static const struct {
        ch_save_type type;
        double half_step; /* relative */
    } kind[] = {{CH_SAVE_F16, 0x1p-11}, {CH_SAVE_BF16, 0x1p-8}};
    static const int32_t ids[] = {1, 40, 50, 60};
    ch_model *m = load_tiny("tiny_untied");
    char *path = ch_path(dir, "small.gguf");
    int64_t V = ch_model_dims(m)->V;
    float *logits = ch_new((size_t)(4 * V), sizeof *logits);
    for (int k = 0; k < 2; k++) {
        ch_err e = {0};
        ch_model *again = NULL;
        ch_oracle *o = NULL;
        CHECK_OK(ch_model_save(m, path, kind[k].type, NULL, &e), &e);
        CHECK_OK(ch_model_load(&again, path, NULL, &e), &e);
        double off = rounding(m, again);
        CHECK_(off > kind[k].half_step / 4 && off <= kind[k].half_step);
        CHECK_OK(ch_oracle_open(&o, path, 32, 1, &e), &e);
        CHECK_OK(ch_oracle_logits(o, ids, 4, 1, logits, &e), &e);
        for (int64_t i = 0; i < 4 * V; i++)
            CHECK_(isfinite(logits[i]));
        ch_oracle_close(o);
        ch_model_free(again);
    }
    free(logits);
    free(path);
    ch_model_free(m);
}

static int holds(const char *bytes, size_t n, const char *word)
{
    return memmem(bytes, n, word, strlen(word)) != NULL;
}

static void the_same_weights_and_origin_give_the_same_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny", "tiny_untied", "spm"};
    for (int k = 0; k < 3; k++) {
        ch_err e = {0};
        ch_model *m = load_tiny(names[k]), *again = NULL;
        char *one = ch_path(dir, "one.gguf"), *two = ch_path(dir, "two.gguf");
        char *a = NULL, *b = NULL;
        size_t n = 0, n2 = 0;
        ch_origin from = {"base-hash-of-64", "recipe-hash-of-64", "sft"}, later = from;
        later.stage = "cat";
        CHECK_OK(ch_model_save(m, one, CH_SAVE_F32, &later, &e), &e);
        CHECK_OK(ch_model_save(m, one, CH_SAVE_F32, &from, &e), &e);
        CHECK_OK(ch_model_load(&again, one, NULL, &e), &e);
        CHECK_(same_weights(names[k], again, m));
        CHECK_OK(ch_model_save(again, two, CH_SAVE_F32, &from, &e), &e);
        CHECK_OK(ch_file_read(one, &a, &n, &e), &e);
        CHECK_OK(ch_file_read(two, &b, &n2, &e), &e);
        CHECK_(n == n2 && n % 32 == 0); /* each tensor is padded, the last too */
        CHECK_SAME_BYTES(a, b, n);
        CHECK_(holds(a, n, "chorus.base_hash") && holds(a, n, "base-hash-of-64"));
        CHECK_(holds(a, n, "chorus.recipe_hash") && holds(a, n, "recipe-hash-of-64"));
        CHECK_(holds(a, n, "chorus.stage") && holds(a, n, "tokenizer.chat_template"));
        CHECK_(!holds(a, n, "general.quantization_version"));
        /* What a later stage is written from names its own stage, or none. */
        CHECK_OK(ch_model_save(again, two, CH_SAVE_F32, NULL, &e), &e);
        free(b);
        CHECK_OK(ch_file_read(two, &b, &n2, &e), &e);
        CHECK_(!holds(b, n2, "chorus.stage") && !holds(b, n2, "base-hash-of-64"));
        free(a);
        free(b);
        free(one);
        free(two);
        ch_model_free(again);
        ch_model_free(m);
    }
}

static void weights_that_a_file_cannot_hold_are_not_written(void **state)
{
    (void)state;
    ch_model *m = load_tiny("tiny");
    char *path = ch_path(dir, "bad.gguf"), *tmp = ch_fmt("%s.tmp", path);
    const ch_param *p = param(m, "blk.1.ffn_up.weight");
    CHECK_(p != NULL);
    float *w = ch_model_weights(m) + p->at + 7, keep = *w;
    ch_err e = {0}, e2 = {0}, e3 = {0};
    *w = NAN;
    CHECK_FAILS(ch_model_save(m, path, CH_SAVE_F32, NULL, &e), CH_ENUMBER, &e, "blk.1.ffn_up");
    *w = 70000;
    CHECK_FAILS(ch_model_save(m, path, CH_SAVE_F16, NULL, &e2), CH_ENUMBER, &e2, "f16");
    CHECK_(!ch_exists(path) && !ch_exists(tmp));
    CHECK_OK(ch_model_save(m, path, CH_SAVE_BF16, NULL, &e3), &e3);
    *w = keep;
    free(tmp);
    free(path);
    ch_model_free(m);
}

/* A file size limit stands in for a full disk: both show as a write that fails. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    ch_model *m = load_tiny("tiny");
    char *path = ch_path(dir, "kept.gguf"), *tmp = ch_fmt("%s.tmp", path), *text = NULL;
    size_t n = 0;
    ch_err e = {0};
    CHECK_OK(ch_file_write(path, "old", 3, &e), &e);
    struct rlimit was, small;
    CHECK_(getrlimit(RLIMIT_FSIZE, &was) == 0);
    small = was;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    static const rlim_t sizes[] = {100, 5000, 50000, 190000};
    for (int k = 0; k < 4; k++) {
        ch_err e2 = {0};
        small.rlim_cur = sizes[k];
        CHECK_(setrlimit(RLIMIT_FSIZE, &small) == 0);
        ch_code code = ch_model_save(m, path, CH_SAVE_F32, NULL, &e2);
        CHECK_(setrlimit(RLIMIT_FSIZE, &was) == 0);
        CHECK_FAILS(code, CH_EIO, &e2, "kept.gguf: writing failed: File too large");
    }
    signal(SIGXFSZ, handler);
    CHECK_OK(ch_file_read(path, &text, &n, &e), &e);
    CHECK_(n == 3 && !memcmp(text, "old", 3) && !ch_exists(tmp));
    free(text);
    free(path);
    free(tmp);
    ch_model_free(m);
}

/* Between what is free and what the machine has, the system would promise the memory. */
static void what_cannot_fit_is_refused_before_it_is_taken(void **state)
{
    (void)state;
    size_t there = ch_available_bytes(), all = (size_t)sysconf(_SC_PHYS_PAGES) * 4096;
    ch_arena a = {.used = there + (all - there) / 2}, small = {.used = 1 << 20};
    ch_err e = {0};
    CHECK_(there > 0 && all > there);
    CHECK_FAILS(ch_arena_alloc(&a, "the weights", &e), CH_EMEM, &e, "are free");
    CHECK_(!a.base);
    ch_err e2 = {0};
    CHECK_OK(ch_arena_alloc(&small, "a little", &e2), &e2);
    ch_arena_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_model_has_the_sizes_of_smollm2),
        cmocka_unit_test(quantised_weights_are_what_another_reader_gets),
        cmocka_unit_test(every_tensor_type_becomes_f32),
        cmocka_unit_test(the_block_is_aligned_and_its_groups_are_contiguous),
        cmocka_unit_test(an_f32_file_holds_the_same_weights_and_libllama_runs_it),
        cmocka_unit_test(sixteen_bit_files_round_matrices_only_and_libllama_runs_them),
        cmocka_unit_test(the_same_weights_and_origin_give_the_same_bytes),
        cmocka_unit_test(weights_that_a_file_cannot_hold_are_not_written),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(what_cannot_fit_is_refused_before_it_is_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
