/* Whole commands: teams that the system makes smaller, models whose logits are no numbers, streams of
 * random numbers, paraphrasing, and the example program. */
#include "support/whole.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "chorus.h"
#include "support/gguf_edit.h"

static int exists(const whole *w, const char *name)
{
    struct stat st;
    char *path = whole_path(w, name);
    int is = stat(path, &st) == 0;
    free(path);
    return is;
}

/* What the last command said on stderr. */
static int said(const whole *w, const char *part)
{
    char *text = whole_text(w, "stderr");
    int is = strstr(text, part) != NULL;
    if (!is)
        fprintf(stderr, "no \"%s\" in: %s\n", part, text);
    free(text);
    return is;
}

/* Lines on stderr that are no warnings. */
static int lines_said(const whole *w)
{
    char *text = whole_text(w, "stderr"), *end;
    int n = 0;
    for (const char *s = text; (end = strchr(s, '\n')); s = end + 1)
        n += strncmp(s, "warning: ", 9) != 0;
    free(text);
    return n;
}

static const char two_arms[] = "[{name: sft, title: S, objective: sft, augment: true}, "
                               "{name: cat, title: C, objective: cat, from: sft}]";

/* OMP_THREAD_LIMIT=1 with two threads asked for: a team of one computes what one thread does. */
static void a_smaller_team_computes_all(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "one", "align.gold_target=true", two_arms);
    whole_put(&w, "x", "");
    char *yaml = whole_text(&w, "one.yaml"), *at = strstr(yaml, "/one\"");
    CHECK_(at != NULL);
    memcpy(at, "/two\"", 5);
    whole_put(&w, "two.yaml", yaml);
    setenv("OMP_THREAD_LIMIT", "1", 1);
    free(whole_says(&w, "run two.yaml --threads 2", NULL));
    unsetenv("OMP_THREAD_LIMIT");
    CHECK_(said(&w, "1 thread") && said(&w, "2"));
    static const char *const same[] = {"sft/train/log.jsonl", "cat/train/log.jsonl",
                                       "base/answers.jsonl",  "sft/answers.jsonl",
                                       "cat/answers.jsonl",   "sft/same.jsonl"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *a = ch_fmt("one/%s", same[i]), *b = ch_fmt("two/%s", same[i]);
        CHECK_(whole_same_file(&w, a, b));
        free(a);
        free(b);
    }
    free(yaml);
    whole_close(&w);
}

/* -- numbers that are none -- */

static void put_model(const whole *w, const char *name, float weight)
{
    gguf_edit g = gguf_edit_read("tests/data/tiny/tiny.gguf");
    ch_err e = {0};
    size_t n;
    for (int64_t i = 0; i < g.n_tensors; i++)
        if (!strcmp(g.tensors[i].name, "output_norm.weight"))
            memcpy(g.data + g.tensors[i].at, &weight, sizeof weight);
    char *bytes = gguf_edit_bytes(&g, &n, NULL), *path = whole_path(w, name);
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    free(bytes);
    free(path);
    gguf_edit_release(&g);
}

static void check_stops(const whole *w, const char *args)
{
    int code;
    char *out = whole_says(w, args, &code);
    if (code != 1)
        fprintf(stderr, "%s: exit code %d\n", args, code);
    assert_int_equal(code, 1);
    assert_string_equal(out, "");
    assert_int_equal(lines_said(w), 1);
    free(out);
}

/* One sentence, exit code 1, no figures and no answers. */
static void check_no_number(const whole *w, const char *model)
{
    char *measure =
        ch_fmt("measure --model %s --tasks tasks --threads 1 --max-new 4 -q --answers a", model);
    char *judged = ch_fmt("measure --model %s --tasks tasks --threads 1 --max-new 4 -q --answers a "
                          "--sim judge --judge %s",
                          w->gguf, model);
    char *run = ch_fmt("run ok.yaml --model %s --run r-%s -q", model, model);
    char *by = ch_fmt("run ok.yaml --run j-%s -q --set measure.sim=judge --set measure.judge=%s",
                      model, model);
    char *train = ch_fmt("train --model %s --tasks tasks --threads 1 --steps 2 -q --out t", model);
    char *results = ch_fmt("r-%s/results.json", model),
         *judged_results = ch_fmt("j-%s/results.json", model);
    check_stops(w, measure);
    check_stops(w, judged);
    check_stops(w, run);
    check_stops(w, by);
    check_stops(w, train);
    CHECK_(!exists(w, "a") && !exists(w, results) && !exists(w, judged_results));
    CHECK_(!exists(w, "t/sft/model.gguf"));
    free(measure);
    free(judged);
    free(run);
    free(by);
    free(train);
    free(results);
    free(judged_results);
}

static void no_figure_is_made_of_what_is_no_number(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "ok", "", "[{name: sft, objective: sft}]");
    put_model(&w, "nan.gguf", NAN);
    put_model(&w, "large.gguf", 3e38f); /* logits that overflow */
    check_no_number(&w, "nan.gguf");
    check_no_number(&w, "large.gguf");
    whole_close(&w);
}

/* -- streams -- */

static char *input_of(const char *row)
{
    char *copy = ch_dup(strstr(row, "input ") + strlen("input "));
    copy[strcspn(copy, ",")] = 0;
    return copy;
}

/* Inputs drawn for candidates against those of the first update, as sets. */
static int drawn_alike(const whole *w, const char *run)
{
    char *args = ch_fmt("show-batch %s.yaml --update 1 --plain --json", run);
    char *out = whole_says(w, args, NULL), *pattern = ch_fmt("%s/align/*/candidates.jsonl", run);
    char *name = whole_find(w, pattern);
    json_t *rows = whole_rows(w, name), *row, *drawn = json_object(), *updated = json_object();
    size_t i;
    json_array_foreach(rows, i, row) json_object_set_new(drawn, whole_word(row, "id"), json_true());
    for (const char *line = out; (line = strstr(line, "\"row\":\"")); line++) {
        char *id = input_of(line);
        json_object_set_new(updated, id, json_true());
        free(id);
    }
    CHECK_(json_object_size(updated) > 1 && json_object_size(drawn) == 4);
    int alike = json_equal(drawn, updated);
    json_decref(rows);
    json_decref(drawn);
    json_decref(updated);
    free(args);
    free(out);
    free(pattern);
    free(name);
    return alike;
}

static void candidates_are_not_the_first_updates_rows(void **state)
{
    (void)state;
    whole w = whole_open();
    int alike = 0;
    ch_str task = {0};
    ch_str_add(&task, "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", "
                      "\"Reply a or b.\", \"Write a or b.\", \"Give a or b.\"], \"Instances\": [");
    for (int i = 0; i < 40; i++)
        ch_str_addf(&task, "%s{\"id\": \"%d\", \"input\": \"n%d\", \"output\": [\"%c\"]}",
                    i ? "," : "", i, i, i % 2 ? 'a' : 'b');
    ch_str_add(&task, "]}");
    whole_put(&w, "tasks/ab.json", ch_str_get(&task));
    ch_str_free(&task);
    for (int seed = 1; seed <= 3; seed++) {
        char *run = ch_fmt("s%d", seed);
        char *keys = ch_fmt("seed=%d align.items=4 align.gold_target=true align.samples=2 "
                            "split.train_wordings=1",
                            seed);
        whole_ran(&w, run, keys,
                  "[{name: sft, objective: sft}, {name: cat, objective: cat, from: sft}]");
        alike += drawn_alike(&w, run);
        free(run);
        free(keys);
    }
    assert_int_equal(alike, 0);
    whole_close(&w);
}

static void a_temperature_near_0_is_greedy(void **state)
{
    (void)state;
    whole w = whole_open();
    char *args = ch_fmt("generate --model %s --threads 1 --max-new 8 -q one two three", w.gguf);
    char *cold = ch_fmt("%s --temperature 1e-30", args), *hot = ch_fmt("%s --temperature 1", args);
    char *a = whole_says(&w, args, NULL), *b = whole_says(&w, cold, NULL),
         *c = whole_says(&w, hot, NULL);
    assert_string_equal(a, b);
    CHECK_(strcmp(a, c) != 0);
    free(args);
    free(cold);
    free(hot);
    free(a);
    free(b);
    free(c);
    whole_close(&w);
}

/* -- wordings that a model writes -- */

static const char written[] = "1. Answer a or b.\n2. Pick either a or b.\n3. Write a or b.";

/* A model that knows one list by heart; its path. New string. */
static char *train_writer(const whole *w)
{
    ch_err e = {0};
    chorus_train_opts how;
    char *path, *out = whole_path(w, "writer"), *task = whole_path(w, "list.json");
    json_t *o =
        json_pack("{s:[s], s:[s,s,s], s:[{s:s, s:s, s:[s]}]}", "Definition", "3", "Paraphrases",
                  "4", "5", "6", "Instances", "id", "1", "input", "Say a or b.", "output", written);
    char *text = json_dumps(o, 0);
    whole_put(w, "list.json", text);
    whole_put(w, "prompt.txt", "{n}\n{instruction}");
    chorus_train_defaults(&how);
    how.plain = 1;
    how.steps = 150;
    how.batch = 1;
    how.lr = 5e-3;
    how.device = (chorus_device_opts){1, "f32", "auto"};
    CHECK_OK(chorus_train(w->gguf, task, out, &how, &path, &e), &e);
    json_decref(o);
    free(text);
    free(out);
    free(task);
    return path;
}

static void check_wordings(const json_t *list)
{
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "Answer a or b.");
    assert_string_equal(json_string_value(json_array_get(list, 1)), "Pick either a or b.");
    assert_string_equal(json_string_value(json_array_get(list, 2)), "Write a or b.");
}

static void wordings_are_written_and_used(void **state)
{
    (void)state;
    whole w = whole_open();
    char *model = train_writer(&w), *prompt = whole_path(&w, "prompt.txt");
    char *args = ch_fmt("paraphrase --model %s --tasks tasks --threads 1 --prompt prompt.txt -n 3 "
                        "--max-new 100 -q --out w.json",
                        model);
    free(whole_says(&w, args, NULL));
    json_t *v = whole_object(&w, "w.json");
    check_wordings(json_at(v, "ab"));
    json_decref(v);
    char *keys = ch_fmt("model=%s data.wordings=paraphrase paraphrase.n=3 paraphrase.max_new=100 "
                        "paraphrase.prompt=%s split.train_wordings=1 split.test_wordings=2",
                        model, prompt);
    whole_ran(&w, "r", keys, "[{name: sft, objective: sft, augment: true}]");
    json_t *split = whole_object(&w, "r/split.json"), *ab = json_at(split, "ab");
    assert_int_equal(json_array_size(json_at(ab, "train_wordings")), 2); /* and the instruction */
    assert_int_equal(json_array_size(json_at(ab, "test_wordings")), 2);
    json_t *rows = whole_rows(&w, "r/sft/answers.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row) CHECK_(strstr(written, whole_word(row, "wording")) !=
                                            NULL); /* none of the task's own five */
    json_decref(rows);
    json_decref(split);
    free(keys);
    free(args);
    free(model);
    free(prompt);
    whole_close(&w);
}

/* The tiny model itself writes nothing that could be kept. */
static void no_wording_no_run(void **state)
{
    (void)state;
    whole w = whole_open();
    ch_err e;
    whole_put(&w, "prompt.txt", "{n}\n{instruction}");
    char *keys = ch_fmt("data.wordings=paraphrase paraphrase.n=3 paraphrase.max_new=60 "
                        "paraphrase.prompt=%s/prompt.txt split.train_wordings=1 "
                        "split.test_wordings=1",
                        w.dir);
    CHECK_FAILS(whole_run(&w, "r", keys, "[{name: sft, objective: sft}]", &e), CH_EEMPTY, &e,
                "wording");
    free(keys);
    CHECK_(!exists(&w, "r/results.json") && !exists(&w, "r/sft"));
    int code;
    char *args = ch_fmt("paraphrase --model %s --tasks tasks --threads 1 --prompt prompt.txt -n 3 "
                        "--max-new 60 -q --out w.json",
                        w.gguf);
    free(whole_says(&w, args, &code));
    assert_int_equal(code, 1);
    CHECK_(!exists(&w, "w.json"));
    free(args);
    whole_close(&w);
}

/* -- the example -- */

static void the_example_runs(void **state)
{
    (void)state;
    whole w = whole_open();
    char *args = ch_fmt(
        "--version >/dev/null && \"$(dirname \"$CHORUS\")\"/examples/embed %s tasks out 3", w.gguf);
    char *out = whole_says(&w, args, NULL);
    CHECK_(!strncmp(out, "before: consistency ", 20));
    CHECK_(strstr(out, "\nafter: consistency ") && strstr(out, "of 4 inputs under 6 wordings"));
    CHECK_(strstr(out, "\nWhat is a chorus?\n  ") != NULL);
    CHECK_(exists(&w, "out/sft/model.gguf"));
    free(out);
    int code;
    free(whole_says(
        &w, "--version >/dev/null && \"$(dirname \"$CHORUS\")\"/examples/embed none tasks out",
        &code));
    CHECK_(code == 1 && said(&w, "none"));
    free(args);
    whole_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smaller_team_computes_all),
        cmocka_unit_test(no_figure_is_made_of_what_is_no_number),
        cmocka_unit_test(candidates_are_not_the_first_updates_rows),
        cmocka_unit_test(a_temperature_near_0_is_greedy),
        cmocka_unit_test(wordings_are_written_and_used),
        cmocka_unit_test(no_wording_no_run),
        cmocka_unit_test(the_example_runs),
    };
    return cmocka_run_group_tests_name("whole commands", tests, NULL, NULL);
}
