/* A host program whose locale writes 0,5 for a half: the library computes, reads and writes the same
 * as under C. The locale is built by localedef where the system has none. */
#include "support/support.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "chorus.h"

static const char tasks[] =
    "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Give a or b.\","
    " \"Name a or b.\"], \"Instances\": ["
    "{\"id\": \"1\", \"input\": \"one\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"two\", \"output\": [\"b\"]},"
    "{\"id\": \"3\", \"input\": \"three\", \"output\": [\"a\"]},"
    "{\"id\": \"4\", \"input\": \"four\", \"output\": [\"b\"]},"
    "{\"id\": \"5\", \"input\": \"five\", \"output\": [\"a\"]},"
    "{\"id\": \"6\", \"input\": \"six\", \"output\": [\"b\"]}]}";

static const char side[] = "ab:\n  - Say it, 1.5 times.\n  - Tell a or b.\n  - Write a or b.\n";

static char *dir;

static int comma(void)
{
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    return !strcmp(text, "0,5") && strtod("0,5", NULL) > 0;
}

/* 0: there is none and none can be built. */
static int set_comma(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", NULL};
    for (int i = 0; names[i]; i++)
        if (setlocale(LC_ALL, names[i]))
            return 1;
    char *make = ch_fmt("localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' 2>/dev/null", dir);
    int built = system(make) == 0;
    free(make);
    setenv("LOCPATH", dir, 1);
    return built && setlocale(LC_ALL, "de_DE.UTF-8");
}

static char *put(const char *name, const char *text)
{
    ch_err e = {0};
    char *path = ch_path(dir, name);
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    return path;
}

typedef struct {
    chorus_measures measured;
    chorus_answer answer;
    char *log, *recipe, *answers;
} life;

static char *text_of(const char *folder, const char *name)
{
    ch_err e = {0};
    char *path = ch_fmt("%s/%s/%s", dir, folder, name), *text;
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    free(path);
    return text;
}

static void check_defaults(void)
{
    chorus_device_opts d;
    chorus_generate_opts g;
    chorus_measure_opts m;
    chorus_train_opts t;
    chorus_device_defaults(&d);
    chorus_generate_defaults(&g);
    chorus_measure_defaults(&m);
    chorus_train_defaults(&t);
    assert_true(t.lr == 1e-4 && g.top_p == 1 && m.resamples == 1000);
    assert_string_equal(t.device.isa, d.isa);
}

static chorus_train_opts short_training(const char *wordings)
{
    chorus_train_opts t;
    chorus_train_defaults(&t);
    t.steps = 3;
    t.batch = 2;
    t.lr = 0.0015;
    t.wordings = wordings;
    t.device.threads = 1;
    t.device.precision = "f32";
    return t;
}

/* All that the library does, in a folder that the caller has moved away afterwards. */
static life live(const char *gguf, const char *task, const char *wordings)
{
    ch_err e = {0};
    life x = {0};
    chorus_model *m;
    chorus_measure_opts how;
    chorus_device_opts device = {1, "f32", "auto"};
    chorus_generate_opts draw;
    const char *prompt = "1.5";
    char *out = ch_path(dir, "run"), *answers = ch_path(dir, "answers.jsonl");
    check_defaults();
    CHECK_OK(chorus_open(&m, gguf, &device, &e), &e);
    chorus_measure_defaults(&how);
    how.max_new = 4;
    how.answers = answers;
    CHECK_OK(chorus_measure(m, task, &how, &x.measured, &e), &e);
    chorus_generate_defaults(&draw);
    draw.max_new = 4;
    draw.temperature = 0.5;
    CHECK_OK(chorus_generate(m, &prompt, 1, &draw, &x.answer, &e), &e);
    chorus_close(m);
    chorus_train_opts t = short_training(wordings);
    CHECK_OK(chorus_train(gguf, task, out, &t, NULL, &e), &e);
    x.log = text_of("run", "sft/train/log.jsonl");
    x.recipe = text_of("run", "recipe.yaml");
    x.answers = text_of(".", "answers.jsonl");
    free(out);
    free(answers);
    return x;
}

static void release(life *x)
{
    chorus_answers_release(&x->answer, 1);
    free(x->log);
    free(x->recipe);
    free(x->answers);
}

static void the_figures_do_not_know_the_locale(void **state)
{
    (void)state;
    char *gguf = source_path("tests/data/tiny/tiny.gguf"), *task = put("ab.json", tasks);
    char *wordings = put("side.yaml", side), *run = ch_path(dir, "run"), *was = ch_path(dir, "was");
    assert_true(comma());
    chorus_quiet(1);
    life there = live(gguf, task, wordings);
    assert_true(comma()); /* it is the program's own again */
    assert_int_equal(rename(run, was), 0);
    setlocale(LC_ALL, "C");
    life here = live(gguf, task, wordings);
    assert_string_equal(there.recipe, here.recipe);
    assert_string_equal(there.log, here.log);
    assert_string_equal(there.answers, here.answers);
    assert_non_null(strstr(there.recipe, "0.0015"));
    assert_memory_equal(&there.measured.cr, &here.measured.cr, sizeof here.measured.cr);
    assert_true(there.answer.logp == here.answer.logp);
    release(&there);
    release(&here);
    free(gguf);
    free(task);
    free(wordings);
    free(run);
    free(was);
}

int main(void)
{
    const struct CMUnitTest test[] = {cmocka_unit_test(the_figures_do_not_know_the_locale)};
    dir = scratch_dir();
    int here = set_comma();
    if (!here)
        fprintf(stderr, "no locale with a decimal comma, and localedef makes none\n");
    int bad = here ? cmocka_run_group_tests_name("locale", test, NULL, NULL) : SKIPPED;
    scratch_remove(dir);
    return bad;
}
