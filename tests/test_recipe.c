#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* wants what stands above */

#include "align/rewards.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "recipe/fields.h"
#include "recipe/number.h"

static char path[] = "/tmp/chorus-recipe-XXXXXX";

static ch_code read_text(ch_recipe *r, const char *text, ch_err *e)
{
    *e = (ch_err){0};
    assert_int_equal(ch_file_write(path, text, strlen(text), e), CH_OK);
    ch_code c = ch_recipe_read(r, path, e);
    return c ? c : ch_recipe_finish(r, path, e);
}

static void refused(const char *text, const char *const *parts)
{
    ch_recipe r;
    ch_err e;
    assert_int_equal(read_text(&r, text, &e), CH_EUSER);
    assert_non_null(strstr(e.msg, path));
    for (; *parts; parts++)
        if (!strstr(e.msg, *parts))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, *parts);
    ch_recipe_release(&r);
}
#define REFUSED(text, ...) refused(text, (const char *const[]){__VA_ARGS__, NULL})

static const char minimal[] = "model: m.gguf\ndata:\n  tasks: t\n";

static void model_and_tasks_are_enough_and_the_rest_has_defaults(void **state CH_UNUSED)
{
    ch_recipe r;
    ch_err e;
    assert_int_equal(read_text(&r, minimal, &e), CH_OK);
    assert_string_equal(r.model, "m.gguf");
    assert_string_equal(r.data.tasks, "t");
    assert_int_equal(r.data.max_len, 512);
    assert_int_equal(r.paraphrase.n, 10);
    assert_true(fabs(r.train.lr - 1e-4) < 1e-15);
    assert_int_equal(r.align.reward, CH_REWARD_SELF);
    assert_int_equal(r.train.sampling, CH_DRAW_INDEPENDENT);
    assert_int_equal(r.generate.decode, CH_DECODE_FREE);
    assert_int_equal(r.split.by, CH_SPLIT_BOTH);
    assert_int_equal(r.n_arms, 5);
    const char *want[] = {"base", "sft", "sft_ia", "cat", "control"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(r.arms[i].name, want[i]);
    assert_string_equal(r.arms[3].from, "sft_ia");
    assert_int_equal(r.arms[4].train.steps, r.arms[3].train.steps);
    ch_recipe_release(&r);
}

static void every_field_s_default_can_be_written_and_read_again(void **state CH_UNUSED)
{
    ch_recipe a, b;
    ch_err e;
    assert_int_equal(
        read_text(&a,
                  "model: \"a \\\"b\\\".gguf\"\nseed: 7\nsave: bf16\n"
                  "data: {tasks: 't: x', overlong: drop}\ntrain: {lr: 3.25e-5}\n"
                  "arms:\n- {name: one, title: 'A: \"B\"', objective: sft, steps: 9}\n"
                  "- {name: two, objective: cat, from: one, lambda: 0.5, samples: 2}\n",
                  &e),
        CH_OK);
    char *text = ch_recipe_text(&a);
    assert_int_equal(read_text(&b, text, &e), CH_OK);
    char *again = ch_recipe_text(&b);
    assert_string_equal(text, again);
    int n = 0;
    for (const ch_field *f = ch_fields; f->key; f++, n++) {
        char *x = ch_field_text(&a, f), *y = ch_field_text(&b, f);
        assert_string_equal(x, y);
        free(x);
        free(y);
    }
    assert_true(n > 40);
    assert_string_equal(b.model, "a \"b\".gguf");
    assert_string_equal(b.data.tasks, "t: x");
    assert_string_equal(b.arms[1].title, "A: \"B\"");
    free(text);
    free(again);
    ch_recipe_release(&a);
    ch_recipe_release(&b);
}

static void an_arm_s_own_values_go_before_the_recipe_s(void **state CH_UNUSED)
{
    ch_recipe r;
    ch_err e;
    assert_int_equal(
        read_text(&r,
                  "model: m\nseed: 5\ndata: {tasks: t}\ntrain: {steps: 40, lr: 2e-4}\n"
                  "generate: {max_new: 24}\narms:\n- {name: a, objective: sft, steps: 9}\n"
                  "- {name: c, objective: cat, from: a, lambda: 0.5, samples: 2, "
                  "reward: reference, pool: true, sampling: grouped, inputs_per_instruction: 2}\n",
                  &e),
        CH_OK);
    assert_int_equal(r.n_arms, 3);
    assert_string_equal(r.arms[0].name, "base");
    const ch_arm *a = &r.arms[1], *c = &r.arms[2];
    assert_int_equal(a->train.steps, 9);
    assert_int_equal(c->train.steps, 40);
    assert_true(fabs(a->train.lr - 2e-4) < 1e-15);
    assert_true(fabs(c->train.constants.lambda - 0.5) < 1e-15);
    assert_int_equal(c->align.samples, 2);
    assert_int_equal(c->align.reward, CH_REWARD_REFERENCE);
    assert_int_equal(c->align.pool, 1);
    assert_int_equal(a->train.sampling, CH_DRAW_INDEPENDENT);
    assert_int_equal(c->train.sampling, CH_DRAW_GROUPED);
    assert_int_equal(c->train.inputs_per_instruction, 2);
    assert_int_equal(c->align.max_new, 24);
    assert_int_equal(c->train.seed, 5);
    assert_int_equal(r.split.seed, 5);
    ch_recipe_release(&r);
}

static void an_unknown_key_is_named_with_its_line_and_the_nearest_one(void **state CH_UNUSED)
{
    REFUSED("model: m\nsede: 3\ndata: {tasks: t}\n", "line 2", "sede", "did you mean `seed`?");
    REFUSED("model: m\ndata:\n  tasks: t\ntrain:\n  batch: 4\n  stpes: 3\n", "line 6", "stpes",
            "did you mean `steps`?");
    REFUSED("model: m\ndata: {tasks: t}\narms:\n  - name: a\n    objectiv: sft\n", "line 5",
            "objectiv", "did you mean `objective`?");
    REFUSED("model: m\ndata: {tasks: t}\nsteps: 3\n", "line 3", "steps");
}

static void a_wrong_value_is_named_with_what_is_possible(void **state CH_UNUSED)
{
    REFUSED("model: m\ndata: {tasks: t}\ntrain: {steps: many}\n", "train.steps", "many",
            "whole number");
    REFUSED("model: m\ndata: {tasks: t}\ntrain: {steps: 2.5}\n", "train.steps", "whole number");
    REFUSED("model: m\ndata: {tasks: t}\ntrain: {lr: nan}\n", "train.lr", "number");
    REFUSED("model: m\ndata: {tasks: t}\ntrain: {lr: -1}\n", "train.lr", "from 1e-30 to 10");
    REFUSED("model: m\ndata: {tasks: t}\nprecision: bf61\n", "precision", "did you mean \"bf16\"?");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a, objective: sft, steps: x}]\n", "arm a",
            "train.steps");
    REFUSED("model: m\ndata: {tasks: t, tasks: [1, 2]}\n", "tasks");
    REFUSED("model: \"m\n", "YAML");
}

static void what_is_missing_or_does_not_fit_is_refused(void **state CH_UNUSED)
{
    REFUSED("data: {tasks: t}\n", "no model");
    REFUSED("model: m\n", "no tasks");
    REFUSED("model: m\ndata: {tasks: t, test_tasks: u}\n", "split.by files");
    REFUSED("model: m\ndata: {tasks: t}\nsplit: {by: files}\n", "data.test_tasks");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a}]\n", "objective");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a, objective: sftt}]\n", "sftt",
            "did you mean sft?");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a/b, objective: sft}]\n", "a/b");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a, objective: sft}, {name: a, objective: "
            "sft}]\n",
            "two arms");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a, objective: sft, from: b}]\n", "\"b\"");
    REFUSED("model: m\ndata: {tasks: t}\narms: [{name: a, objective: none}]\n", "none");
}

static void set_knows_the_same_keys(void **state CH_UNUSED)
{
    ch_recipe r;
    ch_err e = {0};
    ch_recipe_init(&r);
    assert_int_equal(ch_recipe_set(&r, "train.lr", "0.5", "--set", &e), CH_OK);
    assert_true(r.train.lr > 0.49 && r.train.lr < 0.51);
    assert_int_equal(ch_recipe_set(&r, "train.lt", "0.5", "--set", &e), CH_EUSER);
    assert_non_null(strstr(e.msg, "did you mean train.lr?"));
    ch_recipe_release(&r);
}

/* A text of pieces that YAML, or a reader in haste, could take for something else. */
static char *odd_text(ch_rng *r, size_t most)
{
    static const char *const pieces[] = {
        " ",      "  ",     "#",      ": ",     "- ",         "\"",     "'",      "\\",
        "\\n",    "{",      "}",      "[",      "]",          ",",      "&a",     "*a",
        "!x",     "|",      ">",      "%",      "@",          "`",      "?",      "~",
        "null",   "true",   "1e3",    "0x1f",   "2024-01-01", ".inf",   "<<",     "---",
        "...",    "\u00e9", "\u2028", "\u2029", "\ufeff",     "\ufffe", "\uffff", "\U0001F600",
        "\u00a0", "word",   "/",      "=",      "\u202e",     "\u0301",
    };
    ch_str b = {0};
    for (size_t n = 1 + (size_t)ch_random_below(r, (int64_t)most); n > 0; n--)
        ch_str_add(&b, pieces[ch_random_below(r, (int64_t)(sizeof pieces / sizeof *pieces))]);
    return ch_str_take(&b);
}

static void a_text_is_read_back_as_it_was_or_refused(void **state CH_UNUSED)
{
    ch_rng rng = {.seed = 7, .stream = 3};
    int64_t kept = 0;
    for (int i = 0; i < 400; i++) {
        ch_recipe a, b;
        ch_err e = {0};
        char *model = odd_text(&rng, 12), *tasks = odd_text(&rng, 200), *title = odd_text(&rng, 8);
        ch_recipe_init(&a);
        int set = ch_recipe_set(&a, "model", model, "t", &e) == CH_OK &&
                  ch_recipe_set(&a, "data.tasks", tasks, "t", &e) == CH_OK;
        ch_recipe_add_arm(&a, "x", title, "sft", "base", 1);
        if (set && ch_recipe_finish(&a, "t", &e) == CH_OK) {
            char *text = ch_recipe_text(&a);
            if (read_text(&b, text, &e) != CH_OK)
                fail_msg("%s\n%s", e.msg, text);
            assert_string_equal(b.model, model);
            assert_string_equal(b.data.tasks, tasks);
            assert_string_equal(b.arms[1].title, title);
            char *again = ch_recipe_text(&b);
            assert_string_equal(text, again);
            free(text);
            free(again);
            ch_recipe_release(&b);
            kept++;
        }
        ch_recipe_release(&a);
        free(model);
        free(tasks);
        free(title);
    }
    assert_true(kept > 300);
}

static void a_text_that_cannot_be_kept_is_refused(void **state CH_UNUSED)
{
    static const char *const bad[] = {"a\nb",     "a\tb",         "\x1b[31m",
                                      "a\x7f",    "\xc2\x85",     "a\xff",
                                      "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    ch_recipe r;
    ch_recipe_init(&r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ch_err e = {0};
        assert_int_equal(ch_recipe_set(&r, "model", bad[i], "t", &e), CH_EUSER);
        assert_non_null(strstr(e.msg, "t: model"));
    }
    ch_err e = {0};
    char *longest = ch_new(5001, 1);
    memset(longest, 'x', 5000);
    assert_int_equal(ch_recipe_set(&r, "model", longest, "t", &e), CH_EUSER);
    free(longest);
    ch_recipe_release(&r);
}

static void numbers_are_read_strictly_and_written_so_that_they_are_the_same(void **state CH_UNUSED)
{
    static const char *const whole[] = {"0", "7", "-7", "9007199254740992"},
                             *const no[] = {"",
                                            "+1",
                                            " 1",
                                            "1 ",
                                            "1e3",
                                            "0x10",
                                            "01",
                                            "1.0",
                                            "nan",
                                            "inf",
                                            "1_0",
                                            "--1",
                                            "-",
                                            "1a",
                                            "9007199254740993",
                                            "99999999999999999999"},
                             *const real[] = {"0",  "1",    "-1",   "0.5",   ".5",
                                              "5.", "5e-5", "1E+3", "1e-400"},
                             *const not [] = {"",      "+1",    " 1",    "1 ", "0x1p3", "nan",
                                              "inf",   "1,5",   "1e",    ".",  "e5",    "-",
                                              "1e999", "1.2.3", "1e5.5", "1f"};
    int64_t n;
    double v;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        assert_int_equal(ch_number_int(whole[i], &n), 1);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(ch_number_int(no[i], &n), 0);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        assert_int_equal(ch_number_read(real[i], &v), 1);
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        assert_int_equal(ch_number_read(not [i], &v), 0);
    ch_rng rng = {.seed = 1};
    for (int i = 0; i < 5000; i++) {
        double x = ldexp(ch_random_unit(&rng) - 0.5, (int)ch_random_below(&rng, 200) - 100), back;
        char *text = ch_number_text(x);
        assert_int_equal(ch_number_read(text, &back), 1);
        assert_memory_equal(&x, &back, sizeof x);
        free(text);
    }
}

static void a_training_alone_trains_on_everything(void **state CH_UNUSED)
{
    ch_recipe r;
    ch_err e = {0};
    ch_recipe_init(&r);
    assert_int_equal(ch_recipe_set(&r, "model", "m", "t", &e), CH_OK);
    assert_int_equal(ch_recipe_set(&r, "data.tasks", "t", "t", &e), CH_OK);
    assert_int_equal(ch_recipe_set(&r, "split.dev_inputs", "2", "t", &e), CH_OK);
    assert_int_equal(ch_recipe_train_only(&r, "sft", 1, "train", &e), CH_OK);
    assert_int_equal(r.split.by, CH_SPLIT_NONE);
    assert_int_equal(r.n_arms, 2);
    ch_recipe_release(&r);
    ch_recipe_init(&r);
    assert_int_equal(ch_recipe_set(&r, "split.test_inputs", "2", "t", &e), CH_OK);
    assert_int_equal(ch_recipe_train_only(&r, "sft", 1, "train", &e), CH_EUSER);
    assert_non_null(strstr(e.msg, "tests nothing"));
    ch_recipe_release(&r);
}

static void identity_changes_with_data_and_not_with_measuring(void **state CH_UNUSED)
{
    ch_recipe r;
    ch_err e;
    assert_int_equal(read_text(&r, minimal, &e), CH_OK);
    char *was = ch_recipe_identity(&r);
    assert_int_equal(ch_recipe_set(&r, "measure.resamples", "77", "t", &e), CH_OK);
    char *same = ch_recipe_identity(&r);
    assert_string_equal(was, same);
    assert_int_equal(ch_recipe_set(&r, "split.test_inputs", "77", "t", &e), CH_OK);
    char *other = ch_recipe_identity(&r);
    assert_string_not_equal(was, other);
    free(was);
    free(same);
    free(other);
    ch_recipe_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_and_tasks_are_enough_and_the_rest_has_defaults),
        cmocka_unit_test(every_field_s_default_can_be_written_and_read_again),
        cmocka_unit_test(an_arm_s_own_values_go_before_the_recipe_s),
        cmocka_unit_test(an_unknown_key_is_named_with_its_line_and_the_nearest_one),
        cmocka_unit_test(a_wrong_value_is_named_with_what_is_possible),
        cmocka_unit_test(what_is_missing_or_does_not_fit_is_refused),
        cmocka_unit_test(set_knows_the_same_keys),
        cmocka_unit_test(a_text_is_read_back_as_it_was_or_refused),
        cmocka_unit_test(a_text_that_cannot_be_kept_is_refused),
        cmocka_unit_test(numbers_are_read_strictly_and_written_so_that_they_are_the_same),
        cmocka_unit_test(a_training_alone_trains_on_everything),
        cmocka_unit_test(identity_changes_with_data_and_not_with_measuring),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
