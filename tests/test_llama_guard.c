/* What libllama and ggml throw or abort with ends at the guard: a code and one line. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/model_state.h"
#include "support/gguf_edit.h"
#include "support/support.h"

static ch_model *tiny_model;

static int set_up(void **state)
{
    (void)state;
    ch_err e = {0};
    char *path = source_path("tests/data/tiny/spm.gguf");
    CHECK_OK(ch_model_load(&tiny_model, path, NULL, &e), &e);
    free(path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_model_free(tiny_model);
    return 0;
}

/* std::out_of_range */
static void ask_for_a_token_that_is_none(void *ctx)
{
    char text[8];
    *(int32_t *)ctx = llama_token_to_piece(tiny_model->vocab, 1 << 20, text, sizeof text, 0, true);
}

/* std::invalid_argument or its like */
static void tokenise_bad_bytes(void *ctx)
{
    int32_t ids[64];
    *(int32_t *)ctx = llama_tokenize(tiny_model->vocab, "\xff\xfe\xf8", 3, ids, 64, false, true);
}

static void abort_with_two_lines(void *ctx)
{
    *(int32_t *)ctx = 1;
    ggml_abort("here.c", 7, "it does \x1b[31m not\nhold");
}

static void nothing_wrong(void *ctx)
{
    *(int32_t *)ctx = 5;
}

static void whatever_is_thrown_is_one_line(void **state)
{
    (void)state;
    int32_t got = 0;
    for (int k = 0; k < 3; k++) { /* again and again: the guard is as it was */
        ch_err e = {0}, e2 = {0}, e3 = {0}, e4 = {0};
        CHECK_FAILS(ch_llama_call(ask_for_a_token_that_is_none, &got, "a.gguf", &e), CH_EUSER, &e,
                    "a.gguf: libllama stopped: ");
        CHECK_FAILS(ch_llama_call(abort_with_two_lines, &got, "b.gguf", &e2), CH_EUSER, &e2,
                    "here.c:7: it does ?[31m not?hold");
        CHECK_FAILS(ch_llama_call_text(abort_with_two_lines, &got, 1 << 20, "c.gguf", &e3),
                    CH_EUSER, &e3, "c.gguf: libllama stopped: here.c:7");
        CHECK_OK(ch_llama_call(nothing_wrong, &got, "d.gguf", &e4), &e4);
        CHECK_OK(ch_llama_call_text(nothing_wrong, &got, 1 << 20, "d.gguf", &e4), &e4);
        CHECK_(got == 5);
    }
}

static void lack_of_memory_is_its_own_code(void **state)
{
    (void)state;
    int32_t got = 0;
    ch_err e = {0};
    CHECK_FAILS(ch_llama_call_text(nothing_wrong, &got, SIZE_MAX / 2048, "a text", &e), CH_EMEM, &e,
                "stack");
}

static void bytes_that_are_no_text_do_not_end_the_process(void **state)
{
    (void)state;
    int32_t got = 0;
    ch_err e = {0};
    ch_code c = ch_llama_call(tokenise_bad_bytes, &got, "a.gguf", &e);
    CHECK_(c == CH_OK || strstr(e.msg, "libllama stopped")); /* as its version has it */
}

static void what_is_shown_is_plain(void **state)
{
    (void)state;
    char out[8];
    CHECK_(!strcmp(ch_llama_shown(out, sizeof out,
                                  "a\x1b\nb\x7f\xc2\x9b"
                                  "cdef"),
                   "a??b???"));
    CHECK_(!strcmp(ch_llama_shown(out, 1, "abc"), ""));
}

/* With some of these libllama goes deeper for every letter of a run. */
static void a_long_run_of_one_letter_is_tokenised(void **state)
{
    (void)state;
    static const char *const kinds[] = {"viking", "youtu", "tekken", "smollm", "llama-bpe"};
    enum { LETTERS = 100000 };
    char *dir = scratch_dir(), *path = ch_path(dir, "model.gguf"), *text = ch_new(LETTERS + 1, 1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        gguf_edit g = gguf_edit_read("tests/data/tiny/tiny.gguf");
        ch_err e = {0};
        ch_model *m = NULL;
        size_t n;
        gguf_edit_set_text(&g, "tokenizer.ggml.pre", kinds[i]);
        char *file = gguf_edit_bytes(&g, &n, NULL);
        CHECK_OK(ch_file_write(path, file, n, &e), &e);
        CHECK_OK(ch_model_load(&m, path, NULL, &e), &e);
        for (const char *letter = "a \n."; *letter; letter++) {
            int32_t *ids = NULL;
            int64_t n_ids = 0;
            memset(text, *letter, LETTERS);
            CHECK_OK(ch_tokenize(m, text, &ids, &n_ids, &e), &e);
            CHECK_(n_ids > LETTERS / 256);
            free(ids);
        }
        ch_model_free(m);
        free(file);
        gguf_edit_release(&g);
    }
    free(text);
    free(path);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_thrown_is_one_line),
        cmocka_unit_test(lack_of_memory_is_its_own_code),
        cmocka_unit_test(bytes_that_are_no_text_do_not_end_the_process),
        cmocka_unit_test(what_is_shown_is_plain),
        cmocka_unit_test(a_long_run_of_one_letter_is_tokenised),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
