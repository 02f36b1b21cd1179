/* Tokeniser, chat template and training sequences, on the demo model and on a sentencepiece one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"
#include "support/support.h"

static ch_model *demo; /* SmolLM2 */
static ch_model *spm;  /* wants BOS; Llama 2's turns */

static int set_up(void **state)
{
    (void)state;
    ch_err e = {0};
    char *path = model_file(), *small = source_path("tests/data/tiny/spm.gguf");
    CHECK_(path != NULL);
    CHECK_OK(ch_model_load(&demo, path, NULL, &e), &e);
    CHECK_OK(ch_model_load(&spm, small, NULL, &e), &e);
    free(path);
    free(small);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_model_free(demo);
    ch_model_free(spm);
    return 0;
}

static void text_survives_ids_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "plain words",
        " leading, trailing and  double blanks ",
        "line\nbreaks\r\n\n\ttabs\n",
        "Größe, naïve, œuvre, Ελληνικά, кириллица",
        "日本語 中文 한국어 हिन्दी العربية עברית",
        "emoji 🙂👩‍🚀🏳️‍🌈 and math ∑∀x∈ℝ",
        "{\"json\": [1, 2.5e-3, null]} <tag/> $9,999.00",
        "e\xcc\x81 combining, \xef\xbb\xbf mark, \xc2\xa0 blank, \xe2\x80\xae override",
        "",
    };
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        ch_err e = {0};
        int32_t *ids = NULL;
        int64_t n = -1;
        CHECK_OK(ch_tokenize(demo, texts[k], &ids, &n, &e), &e);
        CHECK_(n >= 0 && (n > 0 || !*texts[k]));
        char *back = ch_detokenize(demo, ids, n, 0);
        if (strcmp(back, texts[k]))
            fprintf(stderr, "\"%s\" came back as \"%s\"\n", texts[k], back);
        CHECK_(strcmp(back, texts[k]) == 0);
        free(back);
        free(ids);
    }
}

static void bad_utf8_neither_crashes_nor_comes_out(void **state)
{
    (void)state;
    ch_err e = {0};
    int32_t *ids = NULL;
    int64_t n = 0;
    ch_seq s;
    static const char *const bad[] = {
        "a\xff", "a\xc3(", "\x80", "a\xed\xa0\x80 b", "\xf4\x90\x80\x80", "\xc0\x80", "a\xe2\x82",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int k = 0; k < 2; k++) {
            const ch_model *m = k ? spm : demo;
            ch_err e1 = {0}, e2 = {0}, e3 = {0};
            CHECK_FAILS(ch_tokenize(m, bad[i], &ids, &n, &e1), CH_EUSER, &e1, "is not UTF-8");
            CHECK_FAILS(ch_seq_make(&s, m, bad[i], NULL, 0, "row 7", &e2), CH_EUSER, &e2, "row 7");
            CHECK_FAILS(ch_seq_make(&s, m, "a", bad[i], 0, "row 8", &e3), CH_EUSER, &e3, "row 8");
        }
    CHECK_(ids == NULL && n == 0);
    CHECK_OK(ch_tokenize(spm, "\x01\x1b[2J\x7f\xc2\x9b", &ids, &n, &e), &e);
    CHECK_(n > 5);
    free(ids);

    /* Byte tokens of a sentencepiece vocabulary: id 3 + byte. */
    const int32_t cut[] = {3 + 'a', 3 + 0xe2, 3 + 0x82},
                  whole[] = {3 + 'a', 3 + 0xe2, 3 + 0x82, 3 + 0xac};
    const int32_t wrong[] = {3 + 'a', 3 + 0xc0, 3 + 'b', 3, 3 + 'c'};
    char *a = ch_detokenize(spm, cut, 3, 0), *b = ch_detokenize(spm, whole, 4, 0);
    char *c = ch_detokenize(spm, wrong, 5, 0);
    CHECK_(!strcmp(a, "a") && !strcmp(b, "a\xe2\x82\xac"));
    CHECK_(!strcmp(c, "a\xef\xbf\xbd"
                      "b\xef\xbf\xbd"
                      "c"));
    free(a);
    free(b);
    free(c);
}

static void special_tokens_are_seen_and_left_out_on_demand(void **state)
{
    (void)state;
    ch_err e = {0};
    int32_t *ids = NULL;
    int64_t n = 0;
    CHECK_OK(ch_tokenize(demo, "<|im_start|>hi<|im_end|>", &ids, &n, &e), &e);
    CHECK_(n == 3 && ids[0] == 1 && ids[2] == 2);
    char *bare = ch_detokenize(demo, ids, n, 0), *full = ch_detokenize(demo, ids, n, 1);
    CHECK_(!strcmp(bare, "hi") && !strcmp(full, "<|im_start|>hi<|im_end|>"));
    CHECK_(ch_is_stop(demo, 2) && ch_is_stop(demo, 0) && !ch_is_stop(demo, ids[1]));
    CHECK_(!ch_is_stop(demo, -1) && !ch_is_stop(demo, 49152));
    free(bare);
    free(full);
    free(ids);
}

static void bos_stands_once_where_the_model_wants_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"the hen", "<s>the hen", "", "<s>"};
    for (int k = 0; k < 4; k++) {
        ch_err e = {0};
        int32_t *ids = NULL;
        int64_t n = 0;
        CHECK_OK(ch_tokenize(spm, texts[k], &ids, &n, &e), &e);
        CHECK_(n >= 1 && ids[0] == 1 && (k < 2 ? n > 1 : n == 1));
        for (int64_t i = 1; i < n; i++)
            CHECK_(ids[i] != 1 && ids[i] != 2);
        free(ids);
        CHECK_OK(ch_tokenize(demo, "the hen", &ids, &n, &e), &e);
        CHECK_(n > 0 && ids[0] != 1);
        free(ids);
    }
}

static void the_demo_prompt_is_one_chatml_turn(void **state)
{
    (void)state;
    ch_err e = {0};
    char *text = NULL;
    int64_t n = 0;
    CHECK_OK(ch_chat(demo, "Sort this.\nsome input", &text, &e), &e);
    CHECK_(!strcmp(text, "<|im_start|>user\nSort this.\nsome input<|im_end|>\n"
                         "<|im_start|>assistant\n"));
    const int32_t *end = ch_end_of_turn(demo, &n);
    CHECK_(n == 1 && end[0] == 2 && ch_is_stop(demo, end[0]));
    free(text);
    CHECK_OK(ch_chat(spm, "the hen", &text, &e), &e);
    CHECK_(!strcmp(text, "[INST] the hen [/INST]"));
    end = ch_end_of_turn(spm, &n);
    CHECK_(n == 1 && end[0] == 2 && ch_is_stop(spm, end[0]));
    free(text);
}

static void a_long_prompt_is_templated_whole(void **state)
{
    (void)state;
    const size_t n = 100000;
    char *user = ch_new(n + 1, 1), *text = NULL;
    memset(user, 'x', n);
    user[0] = 'y';
    user[n - 1] = 'z';
    ch_err e = {0};
    CHECK_OK(ch_chat(demo, user, &text, &e), &e);
    CHECK_(strstr(text, user) != NULL && strlen(text) > n + 20);
    free(text);
    free(user);
}

static void a_sequence_is_prompt_answer_and_end_of_turn(void **state)
{
    (void)state;
    static const char *const answers[] = {"spam",      " spam",        "\nspam",
                                          "12.50 EUR", "Grüße 🙂", ""};
    ch_model *both[] = {demo, spm};
    for (int k = 0; k < 12; k++) {
        ch_err e = {0};
        ch_model *m = both[k % 2];
        const char *answer = answers[k / 2];
        ch_seq s, p;
        CHECK_OK(ch_seq_make(&s, m, "the input", answer, 0, "row 1", &e), &e);
        CHECK_OK(ch_seq_make(&p, m, "the input", NULL, 0, "row 1", &e), &e);
        CHECK_(p.n == p.n_prompt && p.n > 4);
        CHECK_(s.n_prompt >= p.n - 2 && s.n_prompt <= p.n && s.n > s.n_prompt);
        CHECK_SAME_BYTES(s.ids, p.ids, (size_t)s.n_prompt * sizeof *s.ids);
        CHECK_(ch_is_stop(m, s.ids[s.n - 1]) && s.ids[s.n - 1] == 2);
        /* The learned part says the answer: all of it, and nothing of the prompt but its last
         * blank. */
        char *text = ch_detokenize(m, s.ids + s.n_prompt, s.n - s.n_prompt, 0);
        const char *from = text + strspn(text, " \n"), *want = answer + strspn(answer, " \n");
        CHECK_(!strcmp(from, want));
        free(text);
        ch_seq_release(&s);
        ch_seq_release(&p);
    }
}

static void a_sequence_that_is_too_long_is_named(void **state)
{
    (void)state;
    ch_seq s;
    ch_err e = {0}, e2 = {0};
    CHECK_OK(ch_seq_make(&s, demo, "Say hi.", "hi there", 15, "row", &e), &e);
    CHECK_(s.n == 15);
    ch_seq_release(&s);
    CHECK_FAILS(ch_seq_make(&s, demo, "Say hi.", "hi there", 14, "tasks/a.json, input 3", &e),
                CH_ELONG, &e, "tasks/a.json, input 3: 15 tokens");
    CHECK_(s.ids == NULL && s.n == 0);
    char *user = ch_new(200, 1);
    memset(user, 'q', 199);
    CHECK_FAILS(ch_seq_make(&s, spm, user, NULL, 0, "row 9", &e2), CH_ELONG, &e2, "at most 128");
    free(user);
    /* Not tokenised at all: minutes, and deep recursion, for what can never fit. */
    ch_err e3 = {0};
    user = ch_new((64 << 20) + 1, 1);
    memset(user, '7', 64 << 20);
    CHECK_FAILS(ch_seq_make(&s, demo, user, NULL, 0, "row 10", &e3), CH_ELONG, &e3, "row 10");
    free(user);
}

/* The same model with another template text. libllama recognises templates by what they contain. */
static ch_model *with_template(const char *from, const char *to)
{
    ch_err e = {0};
    ch_model *m = NULL;
    char *path = source_path("tests/data/tiny/tiny.gguf"), *bytes = NULL, *at;
    size_t n = 0, len = strlen(from);
    CHECK_OK(ch_file_read(path, &bytes, &n, &e), &e);
    CHECK_(len == strlen(to));
    int hits = 0;
    for (size_t i = 0; i + len <= n; i++) {
        at = bytes + i;
        if (!memcmp(at, from, len)) {
            memcpy(at, to, len);
            hits++;
        }
    }
    CHECK_(hits > 0);
    char *dir = scratch_dir(), *copy = ch_path(dir, "copy.gguf");
    CHECK_OK(ch_file_write(copy, bytes, n, &e), &e);
    CHECK_OK(ch_model_load(&m, copy, NULL, &e), &e);
    scratch_remove(dir);
    free(copy);
    free(bytes);
    free(path);
    return m;
}

static void a_template_nobody_knows_is_refused(void **state)
{
    (void)state;
    ch_err e = {0};
    char *text = NULL;
    ch_model *m = with_template("'<|im_start|>", "'<|my_start|>");
    CHECK_FAILS(ch_chat(m, "hi", &text, &e), CH_EUSER, &e, "chat template");
    CHECK_(text == NULL);
    ch_model_free(m);
}

static void a_model_without_a_template_gets_plain_text(void **state)
{
    (void)state;
    ch_err e = {0};
    char *text = NULL;
    int64_t n = 0;
    ch_model *m = with_template("tokenizer.chat_template", "tokenizer.cat_template_");
    CHECK_OK(ch_chat(m, "hi", &text, &e), &e);
    CHECK_(!strcmp(text, "hi\n"));
    const int32_t *end = ch_end_of_turn(m, &n);
    CHECK_(n == 1 && end[0] == 2);
    ch_seq s;
    CHECK_OK(ch_seq_make(&s, m, "hi", "ho", 0, "row", &e), &e);
    CHECK_(s.n == 6 && s.n_prompt == 3 && s.ids[5] == 2);
    ch_seq_release(&s);
    free(text);
    ch_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_ids_and_back),
        cmocka_unit_test(bad_utf8_neither_crashes_nor_comes_out),
        cmocka_unit_test(special_tokens_are_seen_and_left_out_on_demand),
        cmocka_unit_test(bos_stands_once_where_the_model_wants_it),
        cmocka_unit_test(the_demo_prompt_is_one_chatml_turn),
        cmocka_unit_test(a_long_prompt_is_templated_whole),
        cmocka_unit_test(a_sequence_is_prompt_answer_and_end_of_turn),
        cmocka_unit_test(a_sequence_that_is_too_long_is_named),
        cmocka_unit_test(a_template_nobody_knows_is_refused),
        cmocka_unit_test(a_model_without_a_template_gets_plain_text),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
