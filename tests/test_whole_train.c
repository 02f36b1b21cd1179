/* Whole runs under every objective, rule of keeping and type of file: what the records, logs and
 * models of the arms say about what was trained. */
#include "support/whole.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "chorus.h"
#include "model/weights.h"

static json_t *result_of(const whole *w, const char *arm)
{
    char *name = ch_fmt("%s/train.done.json", arm);
    json_t *o = whole_object(w, name), *r = json_incref(json_at(o, "result"));
    json_decref(o);
    free(name);
    return r;
}

static int64_t recorded(const whole *w, const char *arm, const char *what)
{
    json_t *r = result_of(w, arm);
    int64_t n = json_count_at(r, what);
    json_decref(r);
    return n;
}

static json_t *log_of(const whole *w, const char *arm)
{
    char *name = ch_fmt("%s/train/log.jsonl", arm);
    json_t *rows = whole_rows(w, name);
    free(name);
    return rows;
}

static double logged(const whole *w, const char *arm, size_t update, const char *what)
{
    json_t *rows = log_of(w, arm);
    double v = json_number_at(json_array_get(rows, update - 1), what);
    json_decref(rows);
    return v;
}

static ch_device *device;

static ch_model *model_of(const whole *w, const char *name)
{
    ch_err e = {0};
    ch_model *m;
    char *path = whole_path(w, name);
    CHECK_OK(ch_model_load(&m, path, device, &e), &e);
    free(path);
    return m;
}

/* Bit for bit the same weights; a file says beside them which arm's it is. */
static int same_model(const whole *w, const char *a, const char *b)
{
    char *x = ch_fmt("%s/model.gguf", a), *y = ch_fmt("%s/model.gguf", b);
    ch_model *m = model_of(w, x), *k = model_of(w, y);
    size_t n = (size_t)ch_model_layout(m)->total * sizeof(float);
    int same = !memcmp(ch_model_weights(m), ch_model_weights(k), n);
    ch_model_free(m);
    ch_model_free(k);
    free(x);
    free(y);
    return same;
}

static int differs(const whole *w, const char *a, const char *b)
{
    return !same_model(w, a, b);
}

/* Every objective of pairs, from one stage 1; none of their values reaches an objective that does
 * not read it. */
static void objectives_are_what_they_say(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", "align.samples=5 align.temperature=1.5 train.margin=0.5",
              "[{name: sft, objective: sft, augment: true}, "
              "{name: cat, objective: cat, from: sft}, "
              "{name: cat0, objective: cat, from: sft, lambda: 0}, "
              "{name: list, objective: listwise, from: sft}, "
              "{name: list0, objective: listwise, from: sft, lambda: 0}, "
              "{name: list_m, objective: listwise, from: sft, margin: 2}, "
              "{name: dpo, objective: dpo, from: sft}, "
              "{name: dpo_l, objective: dpo, from: sft, lambda: 7}, "
              "{name: dpo_b, objective: dpo, from: sft, beta: 0.5}]");
    /* Nothing was learned yet: policy and reference are equal, and sigmoid(0) is a half. */
    CHECK_NEAR(logged(&w, "r/dpo", 1, "loss"), log(2), 2e-6);
    CHECK_NEAR(logged(&w, "r/dpo_b", 1, "loss"), log(2), 2e-6);
    CHECK_(logged(&w, "r/dpo", 2, "loss") < log(2));
    CHECK_(same_model(&w, "r/cat0", "r/list0")); /* both are SFT on the good answers alone */
    CHECK_(same_model(&w, "r/list", "r/list_m"));
    CHECK_(same_model(&w, "r/dpo", "r/dpo_l"));
    CHECK_(differs(&w, "r/cat", "r/cat0") && differs(&w, "r/list", "r/list0"));
    CHECK_(differs(&w, "r/cat", "r/list") && differs(&w, "r/dpo", "r/dpo_b"));
    CHECK_(differs(&w, "r/dpo", "r/sft") && differs(&w, "r/cat", "r/dpo"));
    /* Both add a part to the loss of the good answers that is never below 0: at the first update,
     * whose model and rows are the same. */
    double good = logged(&w, "r/cat0", 1, "loss");
    CHECK_(logged(&w, "r/cat", 1, "loss") > good && logged(&w, "r/list", 1, "loss") > good);
    CHECK_NEAR(logged(&w, "r/list0", 1, "loss"), good, 1e-9);
    char *shared = whole_find(&w, "r/align/*/pairs.jsonl"); /* one, although seven arms use it */
    free(shared);
    whole_close(&w);
}

/* The control took as many updates as CAT did, and each arm's model is its last update's. */
static void the_usual_arms_take_as_many_updates(void **state)
{
    (void)state;
    static const char *const arm[] = {"r/sft", "r/sft_ia", "r/cat", "r/control"};
    whole w = whole_open();
    whole_ran(&w, "r", "align.gold_target=true", NULL);
    for (int i = 0; i < 4; i++) {
        json_t *rows = log_of(&w, arm[i]);
        assert_int_equal(json_array_size(rows), 8);
        assert_int_equal(recorded(&w, arm[i], "steps"), 8);
        assert_int_equal(recorded(&w, arm[i], "kept_step"), 8);
        json_decref(rows);
    }
    assert_int_equal(recorded(&w, "r/sft", "groups"), 5);     /* inputs under the instruction */
    assert_int_equal(recorded(&w, "r/sft_ia", "groups"), 15); /* under two wordings as well */
    assert_int_equal(recorded(&w, "r/control", "groups"), 15);
    CHECK_(differs(&w, "r/control", "r/cat") && differs(&w, "r/control", "r/sft_ia"));
    whole_close(&w);
}

/* A training that moves nothing shows what it starts from: bytes and dev loss. */
static void an_arm_starts_from_the_one_it_names(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", "train.eval_every=1",
              "[{name: one, objective: sft}, "
              "{name: two, objective: sft, from: one, augment: true}, "
              "{name: still, objective: sft, from: two, lr: 1e-30, weight_decay: 0, steps: 1}, "
              "{name: three, objective: sft, from: still}]");
    CHECK_(same_model(&w, "r/still", "r/two"));
    CHECK_(differs(&w, "r/two", "r/one") && differs(&w, "r/three", "r/two"));
    CHECK_NEAR(logged(&w, "r/still", 1, "dev"), logged(&w, "r/two", 8, "dev"), 1e-4);
    whole_close(&w);
}

static int64_t least_dev(const whole *w, const char *arm, double *least)
{
    json_t *rows = log_of(w, arm), *row;
    size_t i;
    int64_t at = 0;
    *least = INFINITY;
    json_array_foreach(rows, i, row)
    {
        double dev = json_number_at(row, "dev");
        if (dev < *least)
            *least = dev, at = json_count_at(row, "step");
    }
    json_decref(rows);
    return at;
}

/* Rates far too high, so that the least dev loss is not the last. */
static void the_model_that_is_kept(void **state)
{
    (void)state;
    double least;
    whole w = whole_open();
    whole_ran(&w, "r", "train.eval_every=1 train.steps=12 train.lr=3e-2 train.min_lr_ratio=1",
              "[{name: best, objective: sft, keep: best}, {name: last, objective: sft}, "
              "{name: b, objective: sft, from: best, lr: 1e-30, weight_decay: 0, steps: 1}, "
              "{name: l, objective: sft, from: last, lr: 1e-30, weight_decay: 0, steps: 1}]");
    int64_t at = least_dev(&w, "r/best", &least);
    CHECK_(at < 12);
    assert_int_equal(recorded(&w, "r/best", "kept_step"), at);
    assert_int_equal(recorded(&w, "r/best", "best_step"), at);
    assert_int_equal(recorded(&w, "r/last", "kept_step"), 12);
    assert_int_equal(recorded(&w, "r/last", "best_step"), at);
    assert_int_equal(recorded(&w, "r/best", "steps"), 12);
    CHECK_(whole_same_file(&w, "r/best/train/log.jsonl", "r/last/train/log.jsonl"));
    CHECK_(differs(&w, "r/best", "r/last"));
    CHECK_NEAR(logged(&w, "r/b", 1, "dev"), least, 1e-4);
    CHECK_NEAR(logged(&w, "r/l", 1, "dev"), logged(&w, "r/last", 12, "dev"), 1e-4);
    char *page = whole_text(&w, "r/report.html"), *of = ch_fmt("update %lld of 12", (long long)at);
    CHECK_(strstr(page, "model of the last update, 12") != NULL);
    CHECK_(strstr(page, of) != NULL);
    free(page);
    free(of);
    whole_close(&w);
}

/* Grouped: four inputs of one wording an update, so that fewer tokens are computed; the same rows
 * an epoch. */
static void sampling_changes_the_draws(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", "train.steps=15",
              "[{name: free, objective: sft, augment: true}, "
              "{name: grouped, objective: sft, augment: true, sampling: grouped}, "
              "{name: again, objective: sft, augment: true, sampling: grouped}]");
    CHECK_(differs(&w, "r/free", "r/grouped") && same_model(&w, "r/grouped", "r/again"));
    CHECK_(recorded(&w, "r/grouped", "rows") < recorded(&w, "r/free", "rows"));
    assert_int_equal(recorded(&w, "r/grouped", "tokens"), recorded(&w, "r/free", "tokens"));
    whole_close(&w);
}

/* A run whose recipe changed ends as one that never knew another. */
static void what_a_key_changes_is_made_again(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "train.lr=5e-3", "save=f16", "generate.decode=labels",
                                       "train.steps=9 generate.max_new=3"};
    whole w = whole_open();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *fresh = ch_fmt("fresh%zu", i), *model = ch_fmt("%s/sft/model.gguf", fresh);
        char *answers = ch_fmt("%s/sft/answers.jsonl", fresh);
        whole_ran(&w, "r", keys[i], "[{name: sft, objective: sft}]");
        whole_ran(&w, fresh, keys[i], "[{name: sft, objective: sft}]");
        CHECK_(whole_same_file(&w, "r/sft/model.gguf", model));
        CHECK_(whole_same_file(&w, "r/sft/answers.jsonl", answers));
        free(fresh);
        free(model);
        free(answers);
    }
    whole_close(&w);
}

/* Each weight of b is one of a's, rounded to so many bits behind the first. */
static void check_rounded(const whole *w, const char *a, const char *b, int bits)
{
    ch_model *m = model_of(w, a), *k = model_of(w, b);
    int64_t rounded = 0, far = 0;
    const float *p = ch_model_weights(m), *q = ch_model_weights(k);
    for (int64_t i = 0; i < ch_model_layout(m)->total; i++) {
        rounded += p[i] != q[i];
        far += fabsf(p[i] - q[i]) > ldexpf(fabsf(p[i]), -bits - 1) + 3e-8f;
    }
    CHECK_(rounded > ch_model_layout(m)->total / 2 && far == 0);
    ch_model_free(m);
    ch_model_free(k);
}

static void files_have_the_type_asked_for(void **state)
{
    (void)state;
    static const char *const types[] = {"f32", "f16", "bf16"};
    whole w = whole_open();
    size_t n[3];
    for (int i = 0; i < 3; i++) {
        char *keys = ch_fmt("save=%s", types[i]);
        whole_ran(&w, types[i], keys, "[{name: sft, objective: sft}]");
        char *record = ch_fmt("%s/sft/train.done.json", types[i]);
        json_t *o = whole_object(&w, record);
        n[i] = (size_t)json_count_at(json_at(json_at(o, "files"), "model.gguf"), "bytes");
        json_decref(o);
        free(keys);
        free(record);
    }
    CHECK_(n[1] < n[0] * 2 / 3 && n[2] == n[1]);
    check_rounded(&w, "f32/sft/model.gguf", "f16/sft/model.gguf", 10);
    check_rounded(&w, "f32/sft/model.gguf", "bf16/sft/model.gguf", 7);
    whole_close(&w);
}

/* Arms that are only measured, several of them, stand beside trained ones and change nothing. */
static void measured_arms_are_the_files_they_name(void **state)
{
    (void)state;
    whole w = whole_open();
    char *other = source_path("tests/data/tiny/tiny_untied.gguf");
    char *arms = ch_fmt("[{name: other, objective: none, model: %s}, {name: sft, objective: sft}, "
                        "{name: twin, objective: none, model: %s}]",
                        other, w.gguf);
    whole_ran(&w, "r", "", arms);
    whole_ran(&w, "alone", "", "[{name: sft, objective: sft}]");
    char *keys = ch_fmt("model=%s", other);
    whole_ran(&w, "base", keys, "[]");
    CHECK_(same_model(&w, "r/sft", "alone/sft"));
    CHECK_(whole_same_file(&w, "r/twin/answers.jsonl", "r/base/answers.jsonl"));
    CHECK_(whole_same_file(&w, "r/other/answers.jsonl", "base/base/answers.jsonl"));
    CHECK_(!whole_same_file(&w, "r/other/answers.jsonl", "r/base/answers.jsonl"));
    free(keys);
    free(other);
    free(arms);
    whole_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objectives_are_what_they_say),
        cmocka_unit_test(the_usual_arms_take_as_many_updates),
        cmocka_unit_test(an_arm_starts_from_the_one_it_names),
        cmocka_unit_test(the_model_that_is_kept),
        cmocka_unit_test(sampling_changes_the_draws),
        cmocka_unit_test(what_a_key_changes_is_made_again),
        cmocka_unit_test(files_have_the_type_asked_for),
        cmocka_unit_test(measured_arms_are_the_files_they_name),
    };
    ch_err e = {0};
    CHECK_OK(ch_device_open(&device, CH_PRECISION_F32, CH_ISA_AUTO, 1, &e), &e);
    int bad = cmocka_run_group_tests_name("whole train", tests, NULL, NULL);
    ch_device_close(device);
    return bad;
}
