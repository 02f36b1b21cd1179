/* The one reader and writer of JSON and JSONL: any bytes go in, and nothing doubtful comes out. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

static void dumps_as(json_t *v, const char *want)
{
    char *text = ch_json_dump(v);
    assert_string_equal(text, want);
    free(text);
}

static void any_bytes_become_a_text(void **state)
{
    (void)state;
    dumps_as(ch_json_text("caf\xC3\xA9"), "\"caf\xC3\xA9\"\n");
    dumps_as(ch_json_text("a\xE9z"), "\"a" BAD "z\"\n");
    dumps_as(ch_json_text("\xED\xA0\x80"), "\"" BAD BAD BAD "\"\n"); /* a surrogate */
    dumps_as(ch_json_text("\x1b[2J\x7f"), "\"\\u001B[2J\x7f\"\n");
    dumps_as(ch_json_textn("a\0b", 3), "\"a\\u0000b\"\n");
}

static void numbers_that_are_none_become_null(void **state)
{
    (void)state;
    dumps_as(ch_json_real(NAN), "null\n");
    dumps_as(ch_json_real(-INFINITY), "null\n");
    dumps_as(ch_json_real(0.1), "0.10000000000000001\n");
}

static void a_key_of_any_bytes_keeps_its_value(void **state)
{
    (void)state;
    json_t *o = json_object();
    ch_json_set(o, "t\xFFsk", json_integer(1));
    dumps_as(o, "{\n  \"t" BAD "sk\": 1\n}\n");
}

static void refused(const char *text, size_t n, const char *word)
{
    ch_err e = {0};
    json_t *v;
    CHECK_FAILS(ch_json_parse(&v, text, n, "f.json", 0, &e), CH_EUSER, &e, word);
    assert_null(v);
    assert_non_null(strstr(e.msg, "f.json, line "));
}

static void readers_refuse_what_is_doubtful(void **state)
{
    (void)state;
    refused("{\"a\": 1,\n\"a\": 2}", 16, "line 2");
    refused("{} {}", 5, "not JSON");
    refused("{}\0", 3, "not JSON");
    refused("\"a\\u0000b\"", 10, "not JSON");
    refused("\"a\0b\"", 5, "not JSON");
    refused("\"\xFF\"", 3, "not JSON");
    refused("", 0, "not JSON");
    refused("[1e999]", 7, "not JSON");
}

static char *file_of(const char *dir, const char *bytes, size_t n)
{
    ch_err e = {0};
    char *path = ch_path(dir, "rows.jsonl");
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    return path;
}

static void lines_are_read_one_by_one(void **state)
{
    (void)state;
    static const char bytes[] = "\xEF\xBB\xBF{\"a\": 1}\n \t\r\n{\"a\": \n3\0\n[4]";
    static const int lines[] = {1, 3, 4, 5};
    ch_err e = {0};
    ch_jsonl f;
    json_t *v;
    char *dir = scratch_dir(), *path = file_of(dir, bytes, sizeof bytes - 1);
    CHECK_OK(ch_jsonl_open(&f, path, &e), &e);
    for (int i = 0; i < 4; i++) {
        ch_err why = {0};
        int good = ch_jsonl_next(&f, &v, &why) == CH_OK;
        assert_int_equal(good, i == 0 || i == 3);
        assert_int_equal(f.line, lines[i]);
        assert_int_equal(good, v != NULL);
        if (!good)
            assert_non_null(strstr(why.msg, i == 1 ? "rows.jsonl, line 3" : "line 4"));
        json_decref(v);
    }
    CHECK_OK(ch_jsonl_next(&f, &v, &e), &e);
    assert_null(v);
    ch_jsonl_close(&f);
    free(path);
    scratch_remove(dir);
}

static void a_file_holds_one_object(void **state)
{
    (void)state;
    ch_err e = {0};
    json_t *v;
    char *dir = scratch_dir(), *path = file_of(dir, "[1]", 3);
    CHECK_FAILS(ch_json_load(&v, path, &e), CH_EUSER, &e, "holds a list");
    v = json_object();
    ch_json_set(v, "x", ch_json_real(0.5));
    e = (ch_err){0};
    CHECK_OK(ch_json_save(v, path, &e), &e);
    CHECK_OK(ch_json_load(&v, path, &e), &e);
    assert_true(json_number_value(json_object_get(v, "x")) == 0.5);
    json_decref(v);
    free(path);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_become_a_text),
        cmocka_unit_test(numbers_that_are_none_become_null),
        cmocka_unit_test(a_key_of_any_bytes_keeps_its_value),
        cmocka_unit_test(readers_refuse_what_is_doubtful),
        cmocka_unit_test(lines_are_read_one_by_one),
        cmocka_unit_test(a_file_holds_one_object),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
