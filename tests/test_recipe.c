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
#include "recipe/fields.h"

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
    REFUSED("model: m\nsede: 3\ndata: {tasks: t}\n", "line 2", "sede", "did you mean seed?");
    REFUSED("model: m\ndata:\n  tasks: t\ntrain:\n  batch: 4\n  stpes: 3\n", "line 6", "stpes",
            "did you mean steps?");
    REFUSED("model: m\ndata: {tasks: t}\narms:\n  - name: a\n    objectiv: sft\n", "line 5",
            "objectiv", "did you mean objective?");
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
