/* GGUFs with every kind of damage: each is refused with one sentence, or it loads and then runs.
 * All cases are tried in child processes, so that a crash, an abort or a case without end fails the
 * test and is named. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/gguf_edit.h"
#include "support/support.h"
#include "support/use_model.h"

enum { CASE_SECONDS = 60 };
static const char *const models[] = {
    "tests/data/tiny/tiny.gguf", "tests/data/tiny/tiny_untied.gguf", "tests/data/tiny/spm.gguf"};

/* What the child leaves for the parent. */
typedef struct {
    char now[200]; /* the case being tried */
    int64_t loaded, refused, wrong;
} tally;
static tally *seen;
static char *dir, *path;

static int set_up(void **state)
{
    (void)state;
    ch_log_level(CH_WARN);
    dir = scratch_dir();
    path = ch_path(dir, "hostile.gguf");
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_(seen != MAP_FAILED);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    munmap(seen, sizeof *seen);
    free(path);
    scratch_remove(dir);
    return 0;
}

static void name_case(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void name_case(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(seen->now, sizeof seen->now, fmt, ap);
    va_end(ap);
}

/* In the child: one file. */
static ch_code try_bytes(const char *bytes, size_t n, ch_err *e)
{
    alarm(CASE_SECONDS);
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    ch_code c = use_model(path, e);
    if (c == CH_OK)
        seen->loaded++;
    else if (c == CH_EUSER || c == CH_ENUMBER)
        seen->refused++;
    else
        seen->wrong++;
    if (c != CH_OK && c != CH_EUSER && c != CH_ENUMBER)
        fprintf(stderr, "%s: code %d, \"%s\"\n", seen->now, (int)c, e->msg);
    return c;
}

static ch_code try_edit(const gguf_edit *g)
{
    ch_err e = {0};
    size_t n;
    char *bytes = gguf_edit_bytes(g, &n, NULL);
    ch_code c = try_bytes(bytes, n, &e);
    free(bytes);
    return c;
}

/* The same with a word that the sentence must hold; NULL: it must load. */
static void want(const gguf_edit *g, const char *word)
{
    ch_err e = {0};
    size_t n;
    char *bytes = gguf_edit_bytes(g, &n, NULL);
    ch_code c = try_bytes(bytes, n, &e);
    free(bytes);
    if (word ? c == CH_EUSER && strstr(e.msg, word) : c == CH_OK)
        return;
    fprintf(stderr, "%s: code %d, \"%s\" (want \"%s\")\n", seen->now, (int)c, e.msg,
            word ? word : "a model");
    seen->wrong++;
}

/* Runs all cases of fn in a child; 1 when it came to its end and no case was wrong. */
static int survived(void (*fn)(void))
{
    memset(seen, 0, sizeof *seen);
    fflush(NULL);
    pid_t p = fork();
    CHECK_(p >= 0);
    if (p == 0) {
        static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
            signal(fatal[i], SIG_DFL); /* cmocka would go on with the next test, in the child */
        fn();
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    CHECK_(waitpid(p, &status, 0) == p);
    int well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well)
        fprintf(stderr, "%s: ended with status %x (%s)\n", seen->now, (unsigned)status,
                WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
    fprintf(stderr, "%lld loaded and ran, %lld were refused\n", (long long)seen->loaded,
            (long long)seen->refused);
    return well && seen->wrong == 0;
}

/* -- every key -- */

static const struct {
    const char *what;
    uint32_t type;
    const char *bytes;
    size_t n;
} values[] = {
#define BYTES(s) (s), sizeof(s) - 1
    {"0", 4, BYTES("\0\0\0\0")},
    {"1", 4, BYTES("\1\0\0\0")},
    {"2", 4, BYTES("\2\0\0\0")},
    {"3", 4, BYTES("\3\0\0\0")},
    {"1024", 4, BYTES("\0\4\0\0")},
    {"2^31", 4, BYTES("\0\0\0\x80")},
    {"2^32 - 1", 4, BYTES("\xff\xff\xff\xff")},
    {"-1", 5, BYTES("\xff\xff\xff\xff")},
    {"2^63", 10, BYTES("\0\0\0\0\0\0\0\x80")},
    {"-2^63", 11, BYTES("\0\0\0\0\0\0\0\x80")},
    {"NaN", 6, BYTES("\0\0\xc0\x7f")},
    {"infinity", 6, BYTES("\0\0\x80\x7f")},
    {"-1.0", 6, BYTES("\0\0\x80\xbf")},
    {"1e-40", 6, BYTES("\xc2\x16\x01\0")},
    {"1e300", 12, BYTES("\x9c\x75\x00\x88\x3c\xe4\x37\x7e")},
    {"true", 7, BYTES("\1")},
    {"a bool of 255", 7, BYTES("\xff")},
    {"an empty text", 8, BYTES("\0\0\0\0\0\0\0\0")},
    {"a text of control characters", 8, BYTES("\6\0\0\0\0\0\0\0\x1b[2J\n\x9b")},
    {"a text longer than the file", 8, BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f")},
    {"an empty list", 9, BYTES("\4\0\0\0\0\0\0\0\0\0\0\0")},
    {"a list of three texts", 9,
     BYTES("\x8\0\0\0\3\0\0\0\0\0\0\0"
           "\0\0\0\0\0\0\0\0"
           "\1\0\0\0\0\0\0\0a"
           "\1\0\0\0\0\0\0\0\xff")},
    {"a list of lists", 9, BYTES("\x9\0\0\0\1\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0")},
    {"a list of 2^63", 9, BYTES("\4\0\0\0\0\0\0\0\0\0\0\x80")},
    {"an unknown type", 77, BYTES("\0\0\0\0")},
#undef BYTES
};
enum { N_VALUES = sizeof values / sizeof *values };

/* Keys that Llamas may have and the fixtures do not. */
static const char *const more_keys[] = {
    "llama.attention.key_length",
    "llama.attention.value_length",
    "llama.rope.freq_base",
    "llama.rope.scale_linear",
    "llama.rope.scaling.type",
    "llama.rope.scaling.factor",
    "llama.rope.scaling.attn_factor",
    "llama.expert_count",
    "llama.expert_used_count",
    "llama.attention.sliding_window",
    "split.count",
    "split.no",
    "general.alignment",
    "general.name",
    "general.type",
    "general.file_type",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.precompiled_charsmap",
    "tokenizer.ggml.suppress_tokens",
    "tokenizer.ggml.token_type_count",
    "tokenizer.chat_template",
};

static void change_key(const char *model, const char *key)
{
    for (int v = 0; v < N_VALUES + 2; v++) {
        gguf_edit g = gguf_edit_read(model);
        int64_t at = gguf_edit_find(&g, key);
        if (v < N_VALUES) {
            name_case("%s, %s is %s", model, key, values[v].what);
            gguf_edit_set(&g, key, values[v].type, values[v].bytes, values[v].n);
            try_edit(&g);
        } else if (at >= 0 && v == N_VALUES) {
            name_case("%s without %s", model, key);
            gguf_edit_drop(&g, key);
            try_edit(&g);
        } else if (at >= 0) {
            name_case("%s with %s twice", model, key);
            gguf_edit_repeat(&g, at);
            want(&g, "twice");
        }
        gguf_edit_release(&g);
    }
}

static void change_keys(void)
{
    for (int m = 0; m < 3; m++) {
        gguf_edit g = gguf_edit_read(models[m]);
        for (int64_t i = 0; i < g.n_keys; i++)
            change_key(models[m], g.keys[i].name);
        gguf_edit_release(&g);
    }
    for (size_t i = 0; i < sizeof more_keys / sizeof *more_keys; i++)
        change_key(models[i % 3], more_keys[i]);
}

static void every_key_with_every_wrong_value(void **state)
{
    (void)state;
    CHECK_(survived(change_keys));
    CHECK_(seen->loaded > 100 && seen->refused > 1000);
}

/* -- every tensor -- */

static void change_tensor(const char *model, int64_t i, int what)
{
    static const uint64_t sizes[] = {0, 1, 3, 1u << 31, (uint64_t)1 << 62, UINT64_MAX};
    gguf_edit g = gguf_edit_read(model);
    gguf_edit_tensor *t = g.tensors + i;
    name_case("%s, tensor %s, change %d", model, t->name, what);
    if (what < 6) {
        t->dims[0] = sizes[what];
    } else if (what < 12) {
        t->dims[t->n_dims - 1] = sizes[what - 6];
    } else if (what < 14) {
        t->n_dims = what == 12 ? 0 : 5;
    } else if (what < 54) {
        t->type = (uint32_t)(what - 14);
    } else if (what < 56) {
        t->type = what == 54 ? 255 : UINT32_MAX;
    } else if (what < 60) {
        t->at += what == 56 ? 32 : what == 57 ? (uint64_t)-32 : what == 58 ? 1 : (uint64_t)1 << 63;
    } else if (what == 60) {
        free(t->name);
        t->name = ch_dup("");
    } else if (what == 61) {
        free(t->name);
        t->name =
            ch_dup("a name that is longer than the sixty-three bytes which ggml has room for");
    } else {
        free(t->name);
        t->name = ch_dup(g.tensors[i ? 0 : 1].name);
    }
    ch_code c = try_edit(&g);
    /* another type may fit; all else is damage */
    seen->wrong += c == CH_OK && (what < 14 || what >= 54);
    gguf_edit_release(&g);
}

static void change_tensors(void)
{
    for (int m = 0; m < 3; m++) {
        gguf_edit g = gguf_edit_read(models[m]);
        for (int64_t i = 0; i < g.n_tensors; i += m ? 3 : 1)
            for (int what = 0; what <= 62; what++)
                change_tensor(models[m], i, what);
        gguf_edit_release(&g);
    }
}

static void every_tensor_with_every_wrong_field(void **state)
{
    (void)state;
    CHECK_(survived(change_tensors));
    CHECK_(seen->refused > 1000);
}

/* -- anything -- */

static void flip_model(const char *model, uint64_t seed, int n_cases)
{
    gguf_edit g = gguf_edit_read(model);
    size_t n, header;
    char *bytes = gguf_edit_bytes(&g, &n, &header), *copy = ch_new(n, 1);
    ch_rng rng = {.seed = seed};
    for (int k = 0; k < n_cases; k++) {
        int64_t places = 1 + ch_random_below(&rng, 4);
        memcpy(copy, bytes, n);
        for (int64_t i = 0; i < places; i++) {
            int64_t room = k % 8 ? (int64_t)header : (int64_t)n;
            int64_t at = ch_random_below(&rng, room);
            int64_t how = ch_random_below(&rng, 4);
            copy[at] = how == 0   ? (char)(copy[at] ^ (1 << ch_random_below(&rng, 8)))
                       : how == 1 ? (char)ch_random_below(&rng, 256)
                       : how == 2 ? (char)0xff
                                  : 0;
        }
        ch_err e = {0};
        name_case("%s, flip %d of seed %llu", model, k, (unsigned long long)seed);
        try_bytes(copy, n, &e);
    }
    free(copy);
    free(bytes);
    gguf_edit_release(&g);
}

static void flip(void)
{
    for (int m = 0; m < 3; m++)
        flip_model(models[m], (uint64_t)m + 1, 1000);
}

static void random_bytes_anywhere(void **state)
{
    (void)state;
    CHECK_(survived(flip));
    CHECK_(seen->loaded > 100 && seen->refused > 500);
}

static void cut(void)
{
    for (int m = 0; m < 3; m++) {
        gguf_edit g = gguf_edit_read(models[m]);
        size_t n, header;
        char *bytes = gguf_edit_bytes(&g, &n, &header);
        for (size_t k = 0; k < n; k += k < header ? 13 : 4999) {
            ch_err e = {0};
            name_case("%s cut after %zu bytes", models[m], k);
            seen->wrong += try_bytes(bytes, k, &e) != CH_EUSER;
        }
        free(bytes);
        gguf_edit_release(&g);
    }
}

static void cut_at_every_13th_byte(void **state)
{
    (void)state;
    CHECK_(survived(cut));
    CHECK_(seen->loaded == 0 && seen->refused > 1000);
}

/* -- what each is told -- */

static void set_number(gguf_edit *g, const char *key, float v)
{
    gguf_edit_set(g, key, 6, &v, sizeof v);
}

static void told_numbers(void)
{
    static const struct {
        const char *key;
        double v;
        int real;
        const char *word;
    } cases[] = {
        {"llama.attention.key_length", 1024, 0, "heads of 1024, at most 256"},
        {"llama.attention.key_length", 258, 0, "heads of 258, at most 256"},
        {"llama.attention.head_count", 6 * 129, 0, "query heads for one key head"},
        {"llama.attention.head_count_kv", 4, 0, "do not divide into 4 groups"},
        {"llama.attention.head_count", 0, 0, "want a whole number from 1"},
        {"llama.block_count", 0, 0, "want a whole number from 1 to 512"},
        {"llama.block_count", 513, 0, "want a whole number from 1 to 512"},
        {"llama.block_count", 300, 0, "300 layers and only"},
        {"llama.feed_forward_length", 0, 0, "want a whole number"},
        {"llama.context_length", 0, 0, "want a whole number"},
        {"llama.rope.dimension_count", 7, 0, "both must be even"},
        {"llama.rope.dimension_count", 10, 0, "want a whole number from 1 to 8"},
        {"llama.rope.freq_base", -1, 1, "rope base -1"},
        {"llama.rope.freq_base", 1e-30, 1, "rope base"},
        {"llama.rope.freq_base", NAN, 1, "not a number"},
        {"llama.rope.scaling.factor", 1e-30, 1, "factor"},
        {"llama.attention.layer_norm_rms_epsilon", 0, 1, "epsilon"},
        {"llama.attention.layer_norm_rms_epsilon", -1e-5, 1, "epsilon"},
        {"llama.attention.layer_norm_rms_epsilon", NAN, 1, "not a number"},
        {"general.alignment", 24, 0, "not a power of two"},
        {"general.alignment", 0, 0, "not a power of two"},
        {"tokenizer.ggml.eos_token_id", 1e6, 0, "names none of its"},
        {"tokenizer.ggml.bos_token_id", 4294967295.0, 0, "names none of its"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_edit g = gguf_edit_read(models[0]);
        name_case("%s is %g", cases[i].key, cases[i].v);
        if (cases[i].real)
            set_number(&g, cases[i].key, (float)cases[i].v);
        else
            gguf_edit_set_u32(&g, cases[i].key, (uint32_t)cases[i].v);
        if (!strcmp(cases[i].key, "llama.attention.head_count") && cases[i].v > 100) {
            gguf_edit_set_u32(&g, "llama.attention.head_count_kv", 6);
            gguf_edit_set_u32(&g, "llama.attention.key_length", 8);
        }
        want(&g, cases[i].word);
        gguf_edit_release(&g);
    }
}

static void told_kinds(void)
{
    static const char *const kinds[] = {"bert", "t5",   "rwkv", "plamo2",     "hybriddna",
                                        "test", "mine", "",     "whitespace", "gemma4"};
    for (int m = 0; m < 3; m += 2)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            gguf_edit g = gguf_edit_read(models[m]);
            name_case("%s with a tokenizer %s", models[m], kinds[i]);
            gguf_edit_set_text(&g, "tokenizer.ggml.model", kinds[i]);
            want(&g, "those that work are gpt2");
            gguf_edit_release(&g);
        }
    gguf_edit g = gguf_edit_read(models[0]);
    name_case("a pre-tokenizer that gives what libllama asserts against");
    gguf_edit_set_text(&g, "tokenizer.ggml.pre", "whitespace");
    try_edit(&g);
    name_case("a pre-tokenizer that there is not");
    gguf_edit_set_text(&g, "tokenizer.ggml.pre", "none such\x1b[2J");
    want(&g, "cannot use its tokenizer");
    gguf_edit_release(&g);
}

/* Base models: no template, and one token that begins and ends a text. */
static void told_base_models(void)
{
    for (int m = 0; m < 3; m++)
        for (int with_template = 0; with_template < 2; with_template++)
            for (uint32_t id = 0; id < 3; id++) {
                gguf_edit g = gguf_edit_read(models[m]);
                name_case("%s, template %d, BOS = EOS = %u", models[m], with_template, id);
                if (!with_template)
                    gguf_edit_drop(&g, "tokenizer.chat_template");
                gguf_edit_set_u32(&g, "tokenizer.ggml.bos_token_id", id);
                gguf_edit_set_u32(&g, "tokenizer.ggml.eos_token_id", id);
                gguf_edit_set(&g, "tokenizer.ggml.add_bos_token", 7, "\1", 1);
                want(&g, NULL);
                gguf_edit_release(&g);
            }
}

static void told(void)
{
    told_numbers();
    told_kinds();
    told_base_models();
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    CHECK_(survived(told));
    CHECK_(seen->loaded >= 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(every_key_with_every_wrong_value),
        cmocka_unit_test(every_tensor_with_every_wrong_field),
        cmocka_unit_test(random_bytes_anywhere),
        cmocka_unit_test(cut_at_every_13th_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
