#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "data/task.h"

static char *dir;

static int make_dir(void **state CH_UNUSED)
{
    dir = scratch_dir();
    return 0;
}

static int remove_dir(void **state CH_UNUSED)
{
    scratch_remove(dir);
    return 0;
}

static void put(const char *name, const char *text)
{
    ch_err e = {0};
    char *path = ch_path(dir, name);
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    free(path);
}

/* name "" is the directory itself; side may be NULL. */
static ch_code load(ch_tasks *t, const char *name, const char *side, int64_t max_items, ch_err *e)
{
    char *path = name[0] ? ch_path(dir, name) : ch_dup(dir);
    char *wordings = side ? ch_path(dir, side) : NULL;
    *e = (ch_err){0};
    ch_code c = ch_tasks_load(t, path, wordings, max_items, e);
    free(path);
    free(wordings);
    return c;
}

static ch_tasks loaded(const char *name, const char *side, int64_t max_items)
{
    ch_tasks t;
    ch_err e;
    CHECK_OK(load(&t, name, side, max_items, &e), &e);
    return t;
}

/* The sentence of the refusal names the file and holds all parts. */
static void refused(const char *name, const char *side, const char *file, const char *const *parts)
{
    ch_tasks t;
    ch_err e;
    ch_code c = load(&t, name, side, 0, &e);
    if (c != CH_EUSER)
        fail_msg("%s: code %d, a refusal is wanted; \"%s\"", name, c, e.msg);
    assert_int_equal(t.n, 0);
    assert_null(t.list);
    if (!strstr(e.msg, file))
        fail_msg("\"%s\" does not name %s", e.msg, file);
    for (; *parts; parts++)
        if (!strstr(e.msg, *parts))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, *parts);
}
#define REFUSED(name, side, file, ...)                                                             \
    refused((name), (side), (file), (const char *const[]){__VA_ARGS__, NULL})

/* ------------------------------------------------------------------ Super-NaturalInstructions */

static void sni_files_give_instruction_wordings_and_all_right_answers(void **state CH_UNUSED)
{
    put("a.json",
        "{\"Contributors\": [\"x\"], \"Definition\": [\" Say it. \", \"Tell it.\"],"
        "\"Paraphrases\": [\"Speak it.\", \"say  IT\", \"tell it\"],"
        "\"Positive Examples\": [{\"input\": \"p\"}],"
        "\"Instances\": [{\"id\": \"i-1\", \"input\": \" in 1\\n\", \"output\": [\" x \", "
        "\"y\"]}, {\"input\": \"in 2\", \"output\": \"Z\"}]}");
    ch_tasks t = loaded("a.json", NULL, 0);
    assert_int_equal(t.n, 1);
    const ch_task *k = &t.list[0];
    assert_string_equal(k->name, "a");
    assert_string_equal(k->instruction, "Say it.");
    assert_int_equal(k->n_wordings, 2);
    assert_string_equal(k->wordings[0], "Tell it.");
    assert_string_equal(k->wordings[1], "Speak it.");
    assert_int_equal(k->n_dropped_wordings, 2);
    assert_string_equal(ch_task_wording(k, 0), "Say it.");
    assert_string_equal(ch_task_wording(k, 2), "Speak it.");
    assert_int_equal(k->n_items, 2);
    assert_string_equal(k->items[0].id, "i-1");
    assert_string_equal(k->items[0].input, " in 1\n");
    assert_int_equal(k->items[0].n_outputs, 2);
    assert_string_equal(k->items[0].outputs[0], "x");
    assert_string_equal(k->items[1].id, "a-2");
    assert_string_equal(k->items[1].outputs[0], "Z");
    assert_int_equal(k->kind, CH_KIND_CLOSED);
    assert_int_equal(k->n_labels, 3);
    assert_string_equal(k->labels[2], "z");
    ch_tasks_release(&t);
}

static void a_definition_may_be_a_text_and_the_kind_may_be_said(void **state CH_UNUSED)
{
    put("b.json", "\xEF\xBB\xBF{\"Definition\": \"Do.\", \"Kind\": \"free\","
                  "\"Instances\": [{\"input\": \"q\", \"output\": [\"a\"]}]}");
    ch_tasks t = loaded("b.json", NULL, 0);
    assert_string_equal(t.list[0].instruction, "Do.");
    assert_int_equal(t.list[0].kind, CH_KIND_FREE);
    assert_int_equal(t.list[0].n_labels, 0);
    assert_null(t.list[0].labels);
    ch_tasks_release(&t);
}

#define SNI(instances) "{\"Definition\": [\"d\"], \"Instances\": [" instances "]}"

static void broken_sni_files_are_refused_with_file_and_row(void **state CH_UNUSED)
{
    static const char *const row = SNI("{\"input\": \"a\", \"output\": [\"b\"]}");
    REFUSED("none.json", NULL, "none.json", "no such file");
    put("x.txt", row);
    REFUSED("x.txt", NULL, "x.txt", ".json or .jsonl");
    put("x.json", "{\"Definition\": [\"d\"],\n\"Instances\": [}");
    REFUSED("x.json", NULL, "x.json", "line 2", "not JSON");
    put("x.json", "");
    REFUSED("x.json", NULL, "x.json", "not JSON");
    put("x.json", "[1]");
    REFUSED("x.json", NULL, "x.json", "a list", ".jsonl");
    put("x.json", "{\"instruction\": \"i\"}");
    REFUSED("x.json", NULL, "x.json", "`Instances`", ".jsonl");
    put("x.json", SNI(""));
    REFUSED("x.json", NULL, "x.json", "no instances");
    put("x.json", "{\"Instances\": [{\"input\": \"a\", \"output\": [\"b\"]}]}");
    REFUSED("x.json", NULL, "x.json", "`Definition`", "nothing");
    put("x.json", "{\"Definition\": [], \"Instances\": [{\"input\": \"a\", \"output\": \"b\"}]}");
    REFUSED("x.json", NULL, "x.json", "`Definition`", "empty");
    put("x.json", SNI("{\"input\": \"a\", \"output\": [\"b\"]}, {\"input\": \" \", \"output\": "
                      "[\"b\"]}"));
    REFUSED("x.json", NULL, "x.json", "instance 2", "`input`", "empty");
    put("x.json", SNI("{\"input\": \"a\", \"output\": []}"));
    REFUSED("x.json", NULL, "x.json", "instance 1", "`output`", "empty list");
    put("x.json", SNI("{\"input\": \"a\", \"output\": [\"b\", \"\"]}"));
    REFUSED("x.json", NULL, "x.json", "`output`, entry 2", "empty");
    put("x.json", SNI("{\"input\": \"a\", \"output\": 5}"));
    REFUSED("x.json", NULL, "x.json", "a number", "quotes");
    put("x.json", SNI("{\"input\": \"a\", \"ouput\": \"b\"}"));
    REFUSED("x.json", NULL, "x.json", "no `output`", "`ouput`");
    put("x.json", SNI("7"));
    REFUSED("x.json", NULL, "x.json", "instance 1", "a number", "an object");
    put("x.json", "{\"Definition\": \"d\", \"Kind\": \"clsed\", \"Instances\": [{\"input\": \"a\", "
                  "\"output\": \"b\"}]}");
    REFUSED("x.json", NULL, "x.json", "`clsed`", "did you mean `closed`");
    put("x.json",
        "{\"Definition\": \"d\", \"Paraphrases\": [\"p\", 3], \"Instances\": [{\"input\": "
        "\"a\", \"output\": \"b\"}]}");
    REFUSED("x.json", NULL, "x.json", "`Paraphrases`, entry 2", "a number");
}

/* ------------------------------------------------------------------ JSONL */

static void jsonl_takes_its_instruction_from_the_file_beside_it(void **state CH_UNUSED)
{
    put("t.jsonl", "{\"input\": \"a\", \"output\": \"x\", \"source\": 1}\n\n"
                   "{\"input\": \"b\", \"output\": [\"y\", \"z\"], \"id\": 7}\r\n"
                   "{\"input\": \"c\", \"output\": \"x\"}");
    const char *const beside[][2] = {
        {"t.yaml", "instruction: Do it.\nwordings:\n  - Make it.\n  - \"do it\"\nkind: free\n"},
        {"t.yml", "kind: free\nwordings: [Make it., do it]\ninstruction: >\n  Do\n  it.\n"},
        {"t.json", "{\"instruction\": \"Do it.\", \"kind\": \"free\", \"wordings\": [\"Make it.\", "
                   "\"do it\"]}"}};
    for (int i = 0; i < 3; i++) {
        put(beside[i][0], beside[i][1]);
        ch_tasks t = loaded("t.jsonl", NULL, 0);
        const ch_task *k = &t.list[0];
        assert_string_equal(k->name, "t");
        assert_string_equal(k->instruction, "Do it.");
        assert_int_equal(k->n_wordings, 1);
        assert_string_equal(k->wordings[0], "Make it.");
        assert_int_equal(k->n_dropped_wordings, 1);
        assert_int_equal(k->kind, CH_KIND_FREE);
        assert_int_equal(k->n_items, 3);
        assert_string_equal(k->items[1].id, "7");
        assert_string_equal(k->items[2].id, "t-3");
        assert_int_equal(k->items[1].n_outputs, 2);
        ch_tasks_release(&t);
        char *path = ch_path(dir, beside[i][0]);
        assert_int_equal(remove(path), 0);
        free(path);
    }
}

static void broken_jsonl_is_refused_with_file_and_line(void **state CH_UNUSED)
{
    put("u.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\n");
    REFUSED("u.jsonl", NULL, "u.jsonl", "u.yaml", "`instruction: ..`");
    put("u.yaml", "instruction: i\n");
    put("u.json", "{\"instruction\": \"i\"}");
    REFUSED("u.jsonl", NULL, "u.jsonl", "both", "u.yaml", "u.json");
    put("v.yaml", "instruction: i\n");
    put("v.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\n\n{\"input\": \"a\"}\n");
    REFUSED("v.jsonl", NULL, "v.jsonl, line 3", "no `output`");
    put("v.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\nhello\n");
    REFUSED("v.jsonl", NULL, "v.jsonl, line 2", "not JSON", "one object a line");
    put("v.jsonl", "{\"input\": \"a\", \"output\": \"x\"} {}\n");
    REFUSED("v.jsonl", NULL, "v.jsonl, line 1", "not JSON");
    put("v.jsonl", "{\"input\": \"a\", \"output\": null}\n");
    REFUSED("v.jsonl", NULL, "v.jsonl, line 1", "`output` is null");
    put("v.jsonl", "{\"input\": \"a\", \"input\": \"b\", \"output\": \"x\"}\n");
    REFUSED("v.jsonl", NULL, "v.jsonl, line 1", "duplicate");
    put("v.jsonl", "\n \n");
    REFUSED("v.jsonl", NULL, "v.jsonl", "no instances");
}

static void a_companion_is_read_strictly(void **state CH_UNUSED)
{
    static const char *const bad[][3] = {
        {"instruction: i\nwordngs: [a]\n", "`wordngs`", "did you mean `wordings`"},
        {"instruction: i\nqqqqqqqqqqqqqqqq: 1\n", "unknown key", "`kind`"},
        {"wordings: [a]\n", "instruction", ""},
        {"instruction: i\ninstruction: j\n", "second time", "instruction"},
        {"instruction: [i]\n", "line 1: `instruction` is a list", "a text is wanted"},
        {"instruction: ''\n", "`instruction` is empty", ""},
        {"instruction: i\nkind: fre\n", "`fre`", "did you mean `free`"},
        {"instruction: i\nwordings: text\n", "line 2: `wordings` is a text", "a list is wanted"},
        {"instruction: i\nwordings: [a, '']\n", "`wordings`, entry 2", "empty"},
        {"instruction: &a i\nwordings: [*a]\n", "alias", ""},
        {"instruction: \"i\n", "end of stream", "line"},
        {"", "holds no keys", ""},
        {"[a]\n", "line 1: here is a list", "keys with values are wanted"},
        {"instruction: i\nwordings: [\"a\\0b\"]\n", "line 2", "NUL"},
        {"instruction: i\nwordings: [a\xff]\n", "line 2", "no UTF-8"},
        {"instruction: i\n---\ninstruction: j\n", "line 2", "second document"},
        {"instruction: !!str i\n", "line 1", "tag"},
        {"instruction: i\nkind: ~\n", "line 2", "null"},
    };
    put("w.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("w.yaml", bad[i][0]);
        REFUSED("w.jsonl", NULL, "w.yaml", bad[i][1], bad[i][2]);
    }
    char *path = ch_path(dir, "w.yaml");
    remove(path);
    free(path);
    put("w.json", "{\"instruction\": \"i\", \"wording\": [\"a\"]}");
    REFUSED("w.jsonl", NULL, "w.json", "`wording`", "did you mean `wordings`");
    put("w.json", "{\"wordings\": [\"a\"]}");
    REFUSED("w.jsonl", NULL, "w.json", "`instruction`", "nothing");
}

/* ------------------------------------------------------------------ directories and side files */

static void a_directory_gives_its_tasks_in_the_order_of_their_names(void **state CH_UNUSED)
{
    put("b.json", SNI("{\"input\": \"a\", \"output\": [\"b\"]}"));
    put("c.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\n");
    put("c.json", "{\"instruction\": \"beside c\"}");
    put("a.jsonl", "{\"input\": \"a\", \"output\": \"x\"}\n");
    put("a.yaml", "instruction: beside a\n");
    put("words.json", "{\"a\": [\"one\"], \"b.json\": [\"two\", \"three\"], \"gone\": [\"four\"]}");
    ch_tasks t = loaded("", "words.json", 0);
    assert_int_equal(t.n, 3);
    assert_string_equal(t.list[0].name, "a");
    assert_string_equal(t.list[1].name, "b");
    assert_string_equal(t.list[2].instruction, "beside c");
    assert_int_equal(t.list[0].n_wordings, 1);
    assert_int_equal(t.list[1].n_wordings, 2);
    assert_string_equal(t.list[1].wordings[1], "three");
    ch_err e = {0};
    CHECK_FAILS(ch_tasks_need_wordings(&t, 1, &e), CH_EUSER, &e, "c.jsonl");
    CHECK_OK(ch_tasks_need_wordings(&t, 0, &e), &e);
    ch_tasks_release(&t);
    /* Without being named as the side file, words.json is a task file, and no good one. */
    REFUSED("", NULL, "words.json", "`Instances`");
}

static void an_empty_directory_is_refused(void **state CH_UNUSED)
{
    REFUSED("", NULL, dir, "no task file");
}

static void a_side_file_may_be_yaml_and_adds_to_the_task_s_own_wordings(void **state CH_UNUSED)
{
    put("s.json", "{\"Definition\": \"d\", \"Paraphrases\": [\"p\"], \"Instances\": [{\"input\": "
                  "\"a\", \"output\": \"b\"}]}");
    put("side.yaml", "# names\ns.json:\n  - P\n  - 'q: r'\nother: []\n");
    ch_tasks t = loaded("s.json", "side.yaml", 0);
    assert_int_equal(t.list[0].n_wordings, 2);
    assert_string_equal(t.list[0].wordings[1], "q: r");
    assert_int_equal(t.list[0].n_dropped_wordings, 1);
    ch_tasks_release(&t);
}

static void broken_side_files_are_refused(void **state CH_UNUSED)
{
    static const char *const bad[][3] = {
        {"task: [a]\n", "names none of the tasks", "`task`"},
        {"s: text\n", "line 1", "list of texts"},
        {"s: [a, [b]]\n", "line 1", "form"},
        {"s: {a: b}\n", "line 1", "form"},
        {"s: [a]\ns: [b]\n", "line 2", "second time"},
        {"s: [a, '']\n", "entry 2 of `s`", "empty"},
        {"s: &x [a]\nt: *x\n", "line 2", "form"},
        {"- a\n", "line 1", "form"},
        {"s: [a\n", "not YAML", "line"},
        {"", "holds no task name", ""},
        {"just text\n", "line 1", "list of texts"},
    };
    put("s.json", SNI("{\"input\": \"a\", \"output\": [\"b\"]}"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("side.yaml", bad[i][0]);
        REFUSED("s.json", "side.yaml", "side.yaml", bad[i][1], bad[i][2]);
    }
    put("side.json", "{\"s\": \"a\"}");
    REFUSED("s.json", "side.json", "side.json", "`s`", "a text", "a list");
    REFUSED("s.json", "gone.json", "gone.json", "cannot be read");
}

/* ------------------------------------------------------------------ kind */

static ch_kind kind_of(int64_t n, const char *(*input)(int64_t), const char *(*output)(int64_t))
{
    ch_task t = {.n_items = n, .items = ch_new((size_t)n, sizeof(ch_instance))};
    char **outputs = ch_new((size_t)n, sizeof *outputs);
    for (int64_t i = 0; i < n; i++) {
        outputs[i] = ch_dup(output(i));
        t.items[i] =
            (ch_instance){.input = ch_dup(input(i)), .outputs = &outputs[i], .n_outputs = 1};
    }
    ch_kind kind = ch_task_kind(&t);
    for (int64_t i = 0; i < n; i++) {
        free(t.items[i].input);
        free(outputs[i]);
    }
    free(outputs);
    free(t.items);
    return kind;
}

static char text[200];

static const char *numbered_input(int64_t i)
{
    snprintf(text, sizeof text, "which is the number of row %lld of steam roller", (long long)i);
    return text;
}

static const char *three_labels(int64_t i)
{
    static const char *const labels[] = {"not at all so", "in part it is so", "all of it is so"};
    return labels[i % 3];
}

static const char *sentence(int64_t i)
{
    snprintf(text, sizeof text, "a sentence of its own for row %lld", (long long)i);
    return text;
}

static const char *two_words(int64_t i)
{
    snprintf(text, sizeof text, "answer %lld", (long long)i);
    return text;
}

static const char *part_of_input(int64_t i)
{
    snprintf(text, sizeof text, "Row %lld of steam.", (long long)i);
    return text;
}

static const char *inside_a_word(int64_t i)
{
    snprintf(text, sizeof text, "row %lld of st", (long long)i);
    return text;
}

static const char *one_long_label(int64_t i CH_UNUSED)
{
    return "one label that has six words";
}

static void the_kind_follows_the_answers(void **state CH_UNUSED)
{
    assert_int_equal(kind_of(12, numbered_input, three_labels), CH_KIND_CLOSED);
    assert_int_equal(kind_of(8, numbered_input, three_labels), CH_KIND_FREE); /* < 3 a label */
    assert_int_equal(kind_of(12, numbered_input, sentence), CH_KIND_FREE);
    assert_int_equal(kind_of(12, numbered_input, two_words), CH_KIND_CLOSED);
    assert_int_equal(kind_of(12, numbered_input, part_of_input), CH_KIND_CLOSED);
    assert_int_equal(kind_of(12, numbered_input, inside_a_word), CH_KIND_FREE);
    assert_int_equal(kind_of(12, numbered_input, one_long_label), CH_KIND_FREE);
}

static void the_kind_is_settled_before_the_instances_are_cut(void **state CH_UNUSED)
{
    ch_str s = {0};
    ch_str_add(&s, "{\"Definition\": \"d\", \"Instances\": [");
    for (int i = 0; i < 60; i++)
        ch_str_addf(&s, "%s{\"input\": \"i%d\", \"output\": \"label with words %d\"}", i ? "," : "",
                    i, i % 20);
    ch_str_add(&s, "]}");
    put("k.json", ch_str_get(&s));
    ch_str_free(&s);
    ch_tasks t = loaded("k.json", NULL, 5);
    assert_int_equal(t.list[0].n_items, 5);
    assert_string_equal(t.list[0].items[4].input, "i4");
    assert_int_equal(t.list[0].kind, CH_KIND_CLOSED);
    assert_int_equal(t.list[0].n_labels, 20);
    ch_tasks_release(&t);
}

/* ------------------------------------------------------------------ small things */

static void the_demo_tasks_are_eight_closed_ones_with_twelve_wordings(void **state CH_UNUSED)
{
    char *path = source_path("examples/demo/tasks");
    ch_tasks t;
    ch_err e = {0};
    CHECK_OK(ch_tasks_load(&t, path, NULL, 0, &e), &e);
    CHECK_OK(ch_tasks_need_wordings(&t, 12, &e), &e);
    assert_int_equal(t.n, 8);
    for (int64_t i = 0; i < t.n; i++) {
        assert_int_equal(t.list[i].kind, CH_KIND_CLOSED);
        assert_true(t.list[i].n_items >= 120);
        assert_int_equal(t.list[i].n_dropped_wordings, 0);
    }
    ch_tasks_release(&t);
    free(path);
}

static void a_prompt_is_instruction_newline_input(void **state CH_UNUSED)
{
    char *p = ch_prompt_text("Do.", " in\n");
    assert_string_equal(p, "Do.\n in\n");
    free(p);
}

static void a_text_keeps_its_number(void **state CH_UNUSED)
{
    ch_intern t = {0};
    assert_int_equal(ch_intern_find(&t, "w0"), -1);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 1000; i++) {
            snprintf(text, sizeof text, "w%d", i);
            assert_int_equal(ch_intern_add(&t, text), i);
        }
    assert_int_equal(t.n, 1000);
    assert_int_equal(ch_intern_find(&t, "w999"), 999);
    assert_int_equal(ch_intern_find(&t, "w1000"), -1);
    assert_int_equal(ch_intern_key(&t, " W7. "), 7);
    assert_int_equal(ch_intern_key(&t, " ?! "), 1000);
    assert_string_equal(t.text[1000], "?!");
    ch_intern_free(&t);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(sni_files_give_instruction_wordings_and_all_right_answers),
        IN_DIR(a_definition_may_be_a_text_and_the_kind_may_be_said),
        IN_DIR(broken_sni_files_are_refused_with_file_and_row),
        IN_DIR(jsonl_takes_its_instruction_from_the_file_beside_it),
        IN_DIR(broken_jsonl_is_refused_with_file_and_line),
        IN_DIR(a_companion_is_read_strictly),
        IN_DIR(a_directory_gives_its_tasks_in_the_order_of_their_names),
        IN_DIR(an_empty_directory_is_refused),
        IN_DIR(a_side_file_may_be_yaml_and_adds_to_the_task_s_own_wordings),
        IN_DIR(broken_side_files_are_refused),
        IN_DIR(the_kind_is_settled_before_the_instances_are_cut),
        cmocka_unit_test(the_kind_follows_the_answers),
        cmocka_unit_test(the_demo_tasks_are_eight_closed_ones_with_twelve_wordings),
        cmocka_unit_test(a_prompt_is_instruction_newline_input),
        cmocka_unit_test(a_text_keeps_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
