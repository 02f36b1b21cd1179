/* Whole runs of every split, of rows that are too long and of answers that are labels: which inputs
 * and wordings are trained on and which are asked about. */
#include "support/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const char arms[] = "[{name: sft, objective: sft, augment: true}]";

/* {"Definition": .., ..}: `wordings` and `inputs` are words; each wording becomes "<word> a or b.",
 * inputs that begin with x are right with a, others with b. */
static void put_task(const whole *w, const char *name, const char *wordings, const char *inputs)
{
    json_t *o = json_object(), *list = json_array(), *items = json_array();
    char *words = ch_dup(wordings), *rest = words, *one;
    for (int i = 0; (one = strtok_r(rest, " ", &rest)); i++) {
        char *text = ch_fmt("%s a or b.", one);
        if (i)
            ch_json_add(list, ch_json_text(text));
        else
            ch_json_set(o, "Definition", json_pack("[s]", text));
        free(text);
    }
    free(words);
    words = rest = ch_dup(inputs);
    while ((one = strtok_r(rest, " ", &rest)))
        ch_json_add(items, json_pack("{s:s, s:s, s:[s]}", "id", one, "input", one, "output",
                                     one[0] == 'x' ? "a" : "b"));
    free(words);
    ch_json_set(o, "Paraphrases", list);
    ch_json_set(o, "Instances", items);
    char *text = ch_json_dump(o);
    whole_put(w, name, text);
    free(text);
}

/* The texts of all training rows of a run's recipe, as the model gets them. */
static json_t *trained_rows(const whole *w, const char *run)
{
    char *args = ch_fmt("show-batch %s.yaml --rows 1000 --json", run);
    char *out = whole_says(w, args, NULL), *line = out, *end;
    ch_err e = {0};
    json_t *list = json_array(), *v;
    for (int i = 0; (end = strchr(line, '\n')); line = end + 1, i++) {
        CHECK_OK(ch_json_parse(&v, line, (size_t)(end - line), "show-batch", i + 1, &e), &e);
        if (i) /* the first says how an update is drawn */
            ch_json_add(list, json_incref(json_at(v, "text")));
        json_decref(v);
    }
    free(args);
    free(out);
    CHECK_(json_array_size(list) > 0);
    return list;
}

static int rows_with(const json_t *rows, const char *part)
{
    size_t i;
    json_t *one;
    int n = 0;
    json_array_foreach(rows, i, one) n += strstr(json_string_value(one), part) != NULL;
    return n;
}

static int input_trained(const json_t *rows, const char *input)
{
    char *part = ch_fmt("\n%s<|im_end|>", input);
    int n = rows_with(rows, part);
    free(part);
    return n > 0;
}

static int wording_trained(const json_t *rows, const char *wording)
{
    char *part = ch_fmt("<|im_start|>user\n%s\n", wording);
    int n = rows_with(rows, part);
    free(part);
    return n > 0;
}

typedef struct {
    const char *by;
    int input, wording; /* whether what is tested is also trained on */
    const char *keys;
} side;

/* Every test question against every training row. */
static void check_split(const whole *w, side s)
{
    char *keys = ch_fmt("split.by=%s %s", s.by, s.keys),
         *name = ch_fmt("%s/base/answers.jsonl", s.by);
    char *record = ch_fmt("%s/sft/train.done.json", s.by);
    whole_ran(w, s.by, keys, arms);
    json_t *trained = trained_rows(w, s.by), *asked = whole_rows(w, name), *row;
    json_t *o = whole_object(w, record);
    size_t i;
    json_array_foreach(asked, i, row)
    {
        assert_int_equal(input_trained(trained, whole_word(row, "input")), s.input);
        assert_int_equal(wording_trained(trained, whole_word(row, "wording")), s.wording);
    }
    assert_int_equal(json_count_at(json_at(o, "result"), "groups"), json_array_size(trained));
    json_decref(trained);
    json_decref(asked);
    json_decref(o);
    free(keys);
    free(name);
    free(record);
}

static void what_is_tested_is_new_as_the_split_says(void **state)
{
    (void)state;
    whole w = whole_open();
    put_task(&w, "tasks/ab.json", "Say Answer Reply Write Give Name", "x1 y1 x2 y2 x3 y3 x4 y4");
    put_task(&w, "tasks/cd.json", "Tell Choose Pick Take Find Put", "x5 y5 x6 y6 x7 y7 x8 y8");
    put_task(&w, "test/ef.json", "Do Make Try Get Set", "x9 y9");
    char *files =
        ch_fmt("split.train_wordings=0 split.test_wordings=0 data.test_tasks=%s/test", w.dir);
    const side sides[] = {
        {"both", 0, 0, ""},
        {"input", 0, 1, "split.train_wordings=0 split.test_wordings=0"},
        {"wording", 1, 0, ""},
        {"task", 0, 0, "split.train_wordings=0 split.test_wordings=0 split.test_tasks=1"},
        {"files", 0, 0, files},
    };
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        check_split(&w, sides[i]);
    json_t *asked = whole_rows(&w, "files/base/answers.jsonl");
    assert_int_equal(json_array_size(asked), 2 * 4); /* its wordings, not the instruction */
    assert_string_equal(whole_word(json_array_get(asked, 0), "task"), "ef");
    json_decref(asked);
    free(files);
    whole_close(&w);
}

/* -- rows that are too long -- */

static int is_long(const char *input)
{
    return strlen(input) > 100;
}

static int n_long(const json_t *rows, const char *key)
{
    size_t i;
    json_t *row;
    int n = 0;
    json_array_foreach(rows, i, row) n +=
        is_long(key ? whole_word(row, key) : json_string_value(row));
    return n;
}

/* Long inputs of a side in split.json, whose ids are the inputs themselves. */
static int long_of(const whole *w, const char *inputs)
{
    json_t *o = whole_object(w, "drop/split.json");
    int n = n_long(json_at(json_at(o, "ab"), inputs), NULL);
    json_decref(o);
    return n;
}

static void long_rows_are_dropped_everywhere_or_refused(void **state)
{
    (void)state;
    static const char keys[] = "data.max_len=70 align.gold_target=true align.samples=5";
    static const char with_cat[] = "[{name: sft, objective: sft, augment: true}, "
                                   "{name: cat, objective: cat, from: sft}]";
    whole w = whole_open();
    ch_str inputs = {0};
    ch_err e;
    char stem[261];
    memset(stem, 'x', sizeof stem - 1);
    stem[sizeof stem - 1] = 0;
    ch_str_add(&inputs, "x1 y1 x2 y2 x3 y3 x4 y4");
    for (int i = 0; i < 8; i++)
        ch_str_addf(&inputs, " %s%d", stem, i);
    put_task(&w, "tasks/ab.json", "Say Answer Reply Write Give Name", ch_str_get(&inputs));
    ch_str_free(&inputs);
    CHECK_FAILS(whole_run(&w, "no", keys, with_cat, &e), CH_ELONG, &e, "fit");
    char *drop = ch_fmt("%s data.overlong=drop", keys);
    whole_ran(&w, "drop", drop, with_cat);
    int train = long_of(&w, "train_inputs"), test = long_of(&w, "test_inputs");
    CHECK_(train > 0 && test > 0);
    json_t *rows = trained_rows(&w, "drop"), *asked = whole_rows(&w, "drop/sft/answers.jsonl");
    char *name = whole_find(&w, "drop/align/*/candidates.jsonl");
    json_t *candidates = whole_rows(&w, name), *o = whole_object(&w, "drop/sft/train.done.json");
    json_t *p = whole_object(&w, "drop/sft/answers.done.json");
    CHECK_(n_long(asked, "input") == 0 && n_long(candidates, "input") == 0);
    CHECK_(rows_with(rows, "xxxx") == 0);
    assert_int_equal(json_count_at(json_at(o, "result"), "dropped_rows"), train * 3);
    assert_int_equal(json_count_at(json_at(o, "result"), "groups"), json_array_size(rows));
    assert_int_equal(json_count_at(json_at(p, "result"), "dropped_inputs"), test);
    json_decref(rows);
    json_decref(asked);
    json_decref(candidates);
    json_decref(o);
    json_decref(p);
    free(name);
    free(drop);
    whole_close(&w);
}

/* -- answers that are labels -- */

static void labels_are_decoded_and_train_the_same(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", "generate.decode=labels", arms);
    whole_ran(&w, "free", "", arms);
    static const char *const name[] = {"r/base/answers.jsonl", "r/sft/answers.jsonl"};
    for (int i = 0; i < 2; i++) {
        json_t *rows = whole_rows(&w, name[i]), *row;
        size_t k;
        assert_int_equal(json_array_size(rows), 6);
        json_array_foreach(rows, k, row)
        {
            const char *y = whole_word(row, "answer");
            CHECK_(!strcmp(y, "a") || !strcmp(y, "b"));
            assert_string_equal(whole_word(row, "decode"), "labels");
        }
        json_decref(rows);
    }
    CHECK_(whole_same_file(&w, "r/sft/train/log.jsonl", "free/sft/train/log.jsonl"));
    CHECK_(!whole_same_file(&w, name[0], "free/base/answers.jsonl"));
    whole_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_tested_is_new_as_the_split_says),
        cmocka_unit_test(long_rows_are_dropped_everywhere_or_refused),
        cmocka_unit_test(labels_are_decoded_and_train_the_same),
    };
    return cmocka_run_group_tests_name("whole splits", tests, NULL, NULL);
}
