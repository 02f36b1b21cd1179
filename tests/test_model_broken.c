/* Files that are not models, or not whole, or not of the kind wanted: a sentence and no crash. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "model/model.h"
#include "support/support.h"

static char *dir; /* scratch */

static int set_up(void **state)
{
    (void)state;
    dir = scratch_dir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static char *tiny_bytes(const char *name, size_t *n)
{
    ch_err e = {0};
    char *rel = ch_fmt("tests/data/tiny/%s.gguf", name), *path = source_path(rel), *bytes = NULL;
    CHECK_OK(ch_file_read(path, &bytes, n, &e), &e);
    free(rel);
    free(path);
    return bytes;
}

/* One sentence that names the file and holds word. */
static int refused(const char *path, const char *word)
{
    ch_err e = {0};
    ch_model *m = NULL;
    ch_code code = ch_model_load(&m, path, NULL, &e);
    int ok = code == CH_EUSER && !m && e.code == code && strstr(e.msg, path) &&
             strstr(e.msg, word) && !strchr(e.msg, '\n');
    if (!ok)
        fprintf(stderr, "%s: code %d, \"%s\" (want \"%s\" in it)\n", path, (int)code, e.msg, word);
    ch_model_free(m);
    return ok;
}

static int bytes_refused(const void *bytes, size_t n, const char *word)
{
    ch_err e = {0};
    char *path = ch_path(dir, "broken.gguf");
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    int ok = refused(path, word);
    free(path);
    return ok;
}

static void what_is_not_a_model_is_refused_with_a_sentence(void **state)
{
    (void)state;
    char *nowhere = ch_path(dir, "nowhere.gguf");
    CHECK_(refused(dir, "is a directory"));
    CHECK_(refused(nowhere, "No such file"));
    CHECK_(bytes_refused("", 0, "empty"));
    CHECK_(bytes_refused("Dear reader,\nthis is text.\n", 27, "not a GGUF"));
    CHECK_(bytes_refused("GGU", 3, "not a GGUF"));
    CHECK_(bytes_refused("GGUF\3\0\0\0", 8, "cut short"));
    CHECK_(bytes_refused("GGUF\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "version 1"));
    CHECK_(bytes_refused("GGUF\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "big-endian"));
    CHECK_(bytes_refused("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "architecture"));
    free(nowhere);
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = tiny_bytes("tiny", &n);
    for (size_t k = 1; k < n; k += k < 12000 ? 191 : 9973)
        CHECK_(bytes_refused(bytes, k, k < 4 ? "not a GGUF" : "cut short"));
    CHECK_(bytes_refused(bytes, n - 33, "cut short"));
    free(bytes);
}

static void the_demo_model_cut_short_is_refused(void **state)
{
    (void)state;
    char *path = model_file();
    CHECK_(path != NULL);
    const size_t most = 8 << 20;
    char *head = ch_new(most, 1);
    FILE *f = fopen(path, "rb");
    CHECK_(f && fread(head, 1, most, f) == most);
    fclose(f);
    CHECK_(bytes_refused(head, 25, "cut short"));
    CHECK_(bytes_refused(head, 4096, "cut short"));
    CHECK_(bytes_refused(head, 1 << 20, "cut short"));
    CHECK_(bytes_refused(head, most, "cut short"));
    free(head);
    free(path);
}

/* A GGUF string: its length in 8 bytes, then the text. */
static void add_string(ch_str *b, const char *s)
{
    char len[8] = {(char)strlen(s)};
    ch_str_addn(b, len, sizeof len);
    ch_str_add(b, s);
}

/* The file with the string `from` turned into `to` wherever it stands as a whole. Bytes are added
 * at the end, so that a longer key does not make it a file cut short as well. */
static char *edited(const char *name, const char *from, const char *to, size_t *n)
{
    size_t n_bytes = 0, hits = 0;
    char *bytes = tiny_bytes(name, &n_bytes), *at, *p = bytes;
    ch_str pattern = {0}, out = {0};
    add_string(&pattern, from);
    while ((at = memmem(p, n_bytes - (size_t)(p - bytes), pattern.s, pattern.n))) {
        ch_str_addn(&out, p, (size_t)(at - p));
        add_string(&out, to);
        p = at + pattern.n;
        hits++;
    }
    CHECK_(hits > 0);
    ch_str_addn(&out, p, n_bytes - (size_t)(p - bytes));
    for (int i = 0; i < 64; i++)
        ch_str_addn(&out, "", 1);
    ch_str_free(&pattern);
    free(bytes);
    *n = out.n;
    return ch_str_take(&out);
}

static void models_that_are_not_a_plain_llama_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *from, *to, *word;
    } edits[] = {
        {"tiny", "llama", "qwen2", "architecture qwen2"},
        {"tiny", "general.architecture", "general.archytecture", "architecture unnamed"},
        {"tiny", "llama.vocab_size", "llama.expert_count", "experts"},
        {"tiny", "llama.vocab_size", "split.count", "270 parts"},
        {"tiny_untied", "linear", "yarn", "rope scaling yarn"},
        {"tiny", "token_embd.weight", "token_embd.wait", "token_embd.weight is missing"},
        {"tiny_untied", "output.weight", "output.bias", "output.bias is not part"},
        {"tiny_untied", "rope_freqs.weight", "blk.0.attn_q.bias", "attn_q.bias is not part"},
        {"tiny", "blk.1.ffn_up.weight", "blk.1.up", "blk.1.ffn_up.weight is missing"},
        {"tiny", "llama.block_count", "llama.blocks", "llama.block_count is missing"},
        {"tiny", "llama.vocab_size", "llama.attention.key_length", "heads of 270"},
        {"tiny", "llama.attention.head_count_kv", "llama.heads", "attn_k.weight is 16 x 48"},
        {"tiny", "llama.attention.layer_norm_rms_epsilon", "llama.eps", "epsilon"},
        {"tiny", "tokenizer.ggml.model", "tokenizer.ggml.kind", "no tokenizer"},
        {"tiny", "tokenizer.ggml.tokens", "tokenizer.ggml.words", "tokenizer.ggml.tokens"},
        {"tiny", "tokenizer.ggml.merges", "tokenizer.ggml.scores", "not an array of f32"},
        {"tiny", "spam", "the", "\"the\" twice"},
        {"spm", "<0x0A>", "<newline>", "byte token <0x0A>"},
        {"tiny", "gpt2", "abacus", "kind abacus; those that work are gpt2"},
        {"tiny", "smollm", "abacus", "cannot use its tokenizer"},
    };
    for (size_t k = 0; k < sizeof edits / sizeof *edits; k++) {
        size_t n = 0;
        char *bytes = edited(edits[k].name, edits[k].from, edits[k].to, &n);
        int ok = bytes_refused(bytes, n, edits[k].word);
        if (!ok)
            fprintf(stderr, "  for %s -> %s\n", edits[k].from, edits[k].to);
        free(bytes);
        CHECK_(ok);
    }
}

static void a_weight_that_is_not_finite_is_refused(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = tiny_bytes("tiny", &n), *path = ch_path(dir, "nan.gguf");
    memcpy(bytes + n - 4096, "\0\0\xc0\x7f", 4);
    ch_err e = {0};
    ch_model *m = NULL;
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    CHECK_FAILS(ch_model_load(&m, path, NULL, &e), CH_ENUMBER, &e, "NaN");
    CHECK_(m == NULL);
    free(bytes);
    free(path);
}

/* Damage in the keys and tensor headers must end in a model or in a sentence, never in a crash:
 * this test runs in one process, so an abort fails it. */
static void random_damage_never_crashes(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = tiny_bytes("spm", &n), *path = ch_path(dir, "damaged.gguf");
    ch_rng rng = {.seed = 7};
    int loaded = 0, rejected = 0;
    for (int k = 0; k < 300; k++) {
        int64_t at = 4 + ch_random_below(&rng, 9000);
        char keep = bytes[at];
        bytes[at] = (char)(bytes[at] ^ (char)(1 + ch_random_below(&rng, 255)));
        ch_err e = {0};
        ch_model *m = NULL;
        CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
        bytes[at] = keep;
        if (ch_model_load(&m, path, NULL, &e) == CH_OK)
            loaded++;
        else
            rejected += e.msg[0] && !m;
        ch_model_free(m);
    }
    CHECK_(loaded + rejected == 300 && rejected > 20);
    free(bytes);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_a_model_is_refused_with_a_sentence),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(the_demo_model_cut_short_is_refused),
        cmocka_unit_test(models_that_are_not_a_plain_llama_are_refused),
        cmocka_unit_test(a_weight_that_is_not_finite_is_refused),
        cmocka_unit_test(random_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
