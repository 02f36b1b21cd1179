/* What the C API refuses: each with its code and one sentence, outputs that hold nothing, and a handle
 * that lives on. */
#include "support/whole.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "chorus.h"
#include "support/api_short.h"
#include "support/gguf_edit.h"

static whole w;
static char *tasks;

static void check_open(const char *gguf, chorus_device_opts how, ch_code code, const char *word)
{
    ch_err e = {0};
    chorus_model *m = (void *)&e;
    CHECK_FAILS(chorus_open(&m, gguf, &how, &e), code, &e, word);
    CHECK_(m == NULL);
    assert_int_equal(chorus_open(&m, gguf, &how, NULL), code);
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    const chorus_device_opts fine = {1, "f32", "auto"};
    check_open("none.gguf", fine, CH_EUSER, "none.gguf");
    check_open(tasks, fine, CH_EUSER, "");
    check_open(w.gguf, (chorus_device_opts){-1, "f32", "auto"}, CH_EUSER, "threads");
    check_open(w.gguf, (chorus_device_opts){1 << 30, "f32", "auto"}, CH_EUSER, "threads");
    check_open(w.gguf, (chorus_device_opts){1, "f64", "auto"}, CH_EUSER, "precision");
    check_open(w.gguf, (chorus_device_opts){1, "f32", "sse"}, CH_EUSER, "isa");
}

static void check_generate(chorus_model *m, const char *prompt, int64_t n, chorus_generate_opts how,
                           ch_code code)
{
    ch_err e = {0};
    const char *prompts[] = {"one", prompt};
    chorus_answer y[2] = {{.text = (char *)prompts}, {.text = (char *)prompts}};
    CHECK_FAILS(chorus_generate(m, prompts, n, &how, y, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && e.code == code);
    CHECK_(n < 1 || n > 2 || (!y[0].text && !y[1].text));
    e = (ch_err){0};
    CHECK_OK(chorus_generate(m, prompts, 1, NULL, y, &e), &e); /* the handle lives on */
    chorus_answers_release(y, 1);
}

static void what_cannot_be_generated(void **state)
{
    (void)state;
    static const int64_t huge = INT64_MAX;
    chorus_generate_opts how;
    chorus_model *m = open_on(w.gguf, 1);
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    chorus_generate_defaults(&how);
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_generate_opts o = how;                                                              \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_generate(m, "two", 0, how, CH_EUSER);
    check_generate(m, "two", -1, how, CH_EUSER);
    check_generate(m, "two", huge, how, CH_EUSER);
    check_generate(m, "\xff\xfe", 2, how, CH_EUSER);
    check_generate(m, "caf\xc3", 2, how, CH_EUSER);
    check_generate(m, "\xed\xa0\x80", 2, how, CH_EUSER); /* a surrogate */
    check_generate(m, long_text, 2, how, CH_ELONG);
    check_generate(m, "two", 2, WITH(max_new = 0), CH_EUSER);
    check_generate(m, "two", 2, WITH(max_new = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(max_new = 1000), CH_ELONG);
    check_generate(m, "two", 2, WITH(max_new = huge), CH_ELONG);
    check_generate(m, "two", 2, WITH(batch = -5), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = (double)NAN), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = (double)INFINITY), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_k = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_p = -0.5), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_p = (double)NAN), CH_EUSER);
#undef WITH
    chorus_close(m);
}

static void check_measure(chorus_model *m, const char *of, chorus_measure_opts how, ch_code code)
{
    ch_err e = {0};
    chorus_measures x, zero = {0};
    memset(&x, 0x55, sizeof x);
    CHECK_FAILS(chorus_measure(m, of, &how, &x, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && e.code == code);
    CHECK_SAME_BYTES(&x, &zero, sizeof x);
}

static void what_cannot_be_measured(void **state)
{
    (void)state;
    chorus_measure_opts how = short_measure();
    chorus_model *m = open_on(w.gguf, 1);
    char *bad = whole_path(&w, "bad.json"), *into = whole_path(&w, "tasks/ab.json");
    whole_put(&w, "bad.json",
              "{\"Definition\": [\"caf\xc3.\"], \"Paraphrases\": [\"b\", \"c\"],"
              " \"Instances\": [{\"id\": \"1\", \"input\": \"x\", \"output\": [\"a\"]}]}");
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_measure_opts o = how;                                                               \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_measure(m, "nowhere", how, CH_EUSER);
    check_measure(m, bad, how, CH_EUSER);
    check_measure(m, tasks, WITH(max_new = 0), CH_EUSER);
    check_measure(m, tasks, WITH(max_new = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(max_new = 1000), CH_ELONG);
    check_measure(m, tasks, WITH(batch = 0), CH_EUSER);
    check_measure(m, tasks, WITH(batch = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(resamples = 0), CH_EUSER);
    check_measure(m, tasks, WITH(resamples = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(max_items = -1), CH_EUSER);
    check_measure(m, tasks, WITH(sim = "maybe"), CH_EUSER);
    check_measure(m, tasks, WITH(decode = "words"), CH_EUSER);
    check_measure(m, tasks, WITH(wordings = "nowhere.yaml"), CH_EUSER);
    check_measure(m, tasks, ({
                      chorus_measure_opts o = how;
                      o.sim = "judge";
                      o.judge = "nowhere.gguf";
                      o;
                  }),
                  CH_EUSER);
    check_measure(m, tasks, WITH(answers = into), CH_EUSER);
    check_measure(m, tasks, WITH(answers = w.dir), CH_EUSER);
    check_measure(m, tasks, WITH(answers = "/dev/full"), CH_EIO);
#undef WITH
    chorus_close(m);
    free(bad);
    free(into);
}

static void check_train(const char *of, chorus_train_opts how, ch_code code)
{
    ch_err e = {0};
    char *out = whole_path(&w, "refused"), *path = out;
    CHECK_FAILS(chorus_train(w.gguf, of, out, &how, &path, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && path == NULL);
    struct stat st;
    CHECK_(code != CH_EUSER || stat(out, &st) != 0); /* nothing was made */
    free(out);
}

static void what_cannot_be_trained(void **state)
{
    (void)state;
    chorus_train_opts how = short_training();
    char *none = whole_path(&w, "none.yaml");
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_train_opts o = how;                                                                 \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_train("nowhere", how, CH_EUSER);
    check_train(tasks, WITH(objective = "sftt"), CH_EUSER);
    check_train(tasks, WITH(objective = "none"), CH_EUSER);
    check_train(tasks, WITH(objective = "../x"), CH_EUSER);
    check_train(tasks, WITH(steps = 0), CH_EUSER);
    check_train(tasks, WITH(steps = INT64_MAX), CH_EUSER);
    check_train(tasks, WITH(batch = 0), CH_EUSER);
    check_train(tasks, WITH(batch = INT64_MAX), CH_EUSER);
    check_train(tasks, WITH(lr = (double)NAN), CH_EUSER);
    check_train(tasks, WITH(lr = (double)INFINITY), CH_EUSER);
    check_train(tasks, WITH(lr = -1), CH_EUSER);
    check_train(tasks, WITH(save = "q4"), CH_EUSER);
    check_train(tasks, WITH(sampling = "some"), CH_EUSER);
    check_train(tasks, WITH(wordings = none), CH_EUSER);
    check_train(tasks, WITH(device.threads = -1), CH_EUSER);
    check_train(tasks, WITH(objective = "cat"), CH_ELONG); /* its questions, for this model */
#undef WITH
    ch_err e = {0};
    CHECK_FAILS(chorus_train("none.gguf", tasks, w.dir, &how, NULL, &e), CH_EUSER, &e, "none.gguf");
    e = (ch_err){0};
    CHECK_FAILS(chorus_run(none, &e), CH_EUSER, &e, "none.yaml");
    assert_int_equal(chorus_run(none, NULL), CH_EUSER);
    /* The base writes nothing good. */
    CHECK_FAILS(whole_run(&w, "empty", "", "[{name: cat, objective: cat}]", &e), CH_EEMPTY, &e,
                "there is no good answer");
    free(none);
}

/* The tiny model with one weight of its last norm changed. New string: the path. */
static char *with_weight(const char *name, float weight)
{
    gguf_edit g = gguf_edit_read("tests/data/tiny/tiny.gguf");
    ch_err e = {0};
    size_t n;
    for (int64_t i = 0; i < g.n_tensors; i++)
        if (!strcmp(g.tensors[i].name, "output_norm.weight"))
            memcpy(g.data + g.tensors[i].at, &weight, sizeof weight);
    char *bytes = gguf_edit_bytes(&g, &n, NULL), *path = whole_path(&w, name);
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    free(bytes);
    gguf_edit_release(&g);
    return path;
}

/* Weights that are no numbers, and such that logits are none: CH_ENUMBER wherever they are read, and
 * no figures. */
static void numbers_that_are_none(void **state)
{
    (void)state;
    ch_err e = {0};
    chorus_model *m, *fine = open_on(w.gguf, 1);
    chorus_answer y;
    chorus_measures x;
    chorus_measure_opts how = short_measure();
    const char *prompt = "one";
    char *nan = with_weight("nan.gguf", NAN), *path = with_weight("large.gguf", 3e38f);
    chorus_device_opts device = {1, "f32", "auto"};
    check_open(nan, device, CH_ENUMBER, "nan.gguf");
    CHECK_OK(chorus_open(&m, path, &device, &e), &e);
    CHECK_FAILS(chorus_generate(m, &prompt, 1, NULL, &y, &e), CH_ENUMBER, &e, "");
    check_measure(m, tasks, how, CH_ENUMBER);
    how.sim = "judge";
    how.judge = path;
    check_measure(fine, tasks, how, CH_ENUMBER);
    e = (ch_err){0};
    chorus_train_opts t = short_training();
    char *out = whole_path(&w, "nan");
    CHECK_FAILS(chorus_train(path, tasks, out, &t, NULL, &e), CH_ENUMBER, &e, "");
    how = short_measure();
    e = (ch_err){0};
    CHECK_OK(chorus_measure(fine, tasks, &how, &x, &e), &e);
    chorus_close(m);
    chorus_close(fine);
    free(out);
    free(nan);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_opened),   cmocka_unit_test(what_cannot_be_generated),
        cmocka_unit_test(what_cannot_be_measured), cmocka_unit_test(what_cannot_be_trained),
        cmocka_unit_test(numbers_that_are_none),
    };
    w = whole_open();
    tasks = whole_path(&w, "tasks");
    int bad = cmocka_run_group_tests_name("api refusals", tests, NULL, NULL);
    free(tasks);
    whole_close(&w);
    return bad;
}
