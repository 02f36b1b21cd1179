#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "measure/measure.h"
#include "measure/stem.h"

/* The fixture is written by tests/oracle/rouge.py from Google's rouge_score and nltk. */
static json_t *fixture;

static int load(void **state CH_UNUSED)
{
    fixture = read_json("tests/data/rouge.json");
    return 0;
}

static int drop(void **state CH_UNUSED)
{
    json_decref(fixture);
    return 0;
}

static void stems_are_nltk_s(void **state CH_UNUSED)
{
    const json_t *list = json_at(fixture, "stems");
    size_t n = json_array_size(list), bad = 0;
    assert_true(n >= 5000);
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(json_array_get(list, i), 0));
        const char *want = json_string_value(json_array_get(json_array_get(list, i), 1));
        assert_non_null(word);
        assert_non_null(want);
        char *got = ch_new(strlen(word) + 2, 1);
        memcpy(got, word, strlen(word));
        size_t k = ch_stem(got, strlen(word));
        assert_true(k <= strlen(word) + 1);
        if (strlen(want) != k || memcmp(got, want, k)) {
            print_error("%s: stem %.*s, nltk says %s\n", word, (int)k, got, want);
            bad++;
        }
        free(got);
    }
    assert_int_equal(bad, 0);
}

static void rouge_is_google_s_to_1e_9(void **state CH_UNUSED)
{
    const json_t *list = json_at(fixture, "pairs");
    size_t n = json_array_size(list), between = 0, ordered = 0;
    assert_true(n >= 500);
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i), *gold = json_at(pair, "gold");
        const char *answer = json_string_value(json_at(pair, "answer")), *texts[8];
        size_t k = json_array_size(gold);
        assert_non_null(answer);
        assert_in_range(k, 1, 8);
        for (size_t j = 0; j < k; j++)
            texts[j] = json_string_value(json_array_get(gold, j));
        double one = json_number_at(pair, "rouge1"), l = json_number_at(pair, "rougeL");
        if (!(fabs(ch_rouge1(answer, texts, (int64_t)k) - one) <= 1e-9) ||
            !(fabs(ch_rougeL(answer, texts, (int64_t)k) - l) <= 1e-9))
            fail_msg("pair %zu \"%s\": %.12f and %.12f, rouge_score says %.12f and %.12f", i,
                     answer, ch_rouge1(answer, texts, (int64_t)k),
                     ch_rougeL(answer, texts, (int64_t)k), one, l);
        between += l > 0 && l < 1;
        ordered += fabs(one - l) > 1e-3;
    }
    /* A fixture of zeros and ones, or without word order, would prove little. */
    assert_true(between >= 200);
    assert_true(ordered >= 100);
}

static void no_reference_and_no_words_score_nothing(void **state CH_UNUSED)
{
    const char *gold[] = {"?!", ""};
    assert_true(ch_rouge1("a word", NULL, 0) == 0);
    assert_true(ch_rougeL("a word", NULL, 0) == 0);
    assert_true(ch_rouge1("?!", gold, 2) == 0);
    assert_true(ch_rougeL("", gold, 2) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stems_are_nltk_s),
        cmocka_unit_test(rouge_is_google_s_to_1e_9),
        cmocka_unit_test(no_reference_and_no_words_score_nothing),
    };
    return cmocka_run_group_tests(tests, load, drop);
}
