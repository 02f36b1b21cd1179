/* Outputs before and while they are written. The program's view of them is tests/test_outputs.sh. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "chorus.h"

static char *dir;

static char *in(const char *name)
{
    return ch_path(dir, name);
}

static char *put(const char *name, const char *text)
{
    ch_err e = {0};
    char *path = in(name);
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    return path;
}

static int64_t count(const char *path)
{
    ch_err e = {0};
    char **names;
    int64_t n;
    CHECK_OK(ch_list_dir(path, "", &names, &n, &e), &e);
    ch_names_free(names);
    return n;
}

static void refuses(const char *path, const char *const *inputs, ch_code code, const char *word)
{
    ch_err e = {0};
    int64_t n = count(dir);
    CHECK_FAILS(ch_out_check(path, inputs, &e), code, &e, word);
    assert_int_equal(count(dir), n);
}

static void accepts(const char *path, const char *const *inputs)
{
    ch_err e = {0};
    int64_t n = count(dir);
    CHECK_OK(ch_out_check(path, inputs, &e), &e);
    assert_int_equal(count(dir), n);
}

static void what_cannot_be_written_is_known_before(void **state)
{
    (void)state;
    char *file = put("a.json", "{}"), *below = ch_path(file, "x"), *none = in("none/x");
    char *slash = in("new/"), *fresh = in("new"), *fifo = in("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuses(dir, NULL, CH_EUSER, "is a directory");
    refuses(slash, NULL, CH_EUSER, "is a directory");
    refuses("", NULL, CH_EUSER, "has no name");
    refuses(none, NULL, CH_EIO, "No such file");
    refuses(below, NULL, CH_EIO, "Not a directory");
    accepts(fresh, NULL);
    accepts(file, NULL);
    accepts("/dev/null", NULL);
    accepts(fifo, NULL); /* without waiting for its reader */
    free(file);
    free(below);
    free(none);
    free(slash);
    free(fresh);
    free(fifo);
}

static void an_input_is_not_written_over(void **state)
{
    (void)state;
    char *file = put("task.json", "{}"), *other = put("other.json", "{}"), *link = in("link");
    char *fresh = in("fresh.jsonl");
    const char *const one[] = {"/dev/null", file, NULL}, *const all[] = {dir, NULL};
    assert_int_equal(symlink("task.json", link), 0);
    refuses(file, one, CH_EUSER, "is an input");
    refuses(link, one, CH_EUSER, "is an input");
    accepts(other, one);
    refuses(other, all, CH_EUSER, "is an input");
    accepts(fresh, all);
    accepts("/dev/null", one);
    free(file);
    free(other);
    free(link);
    free(fresh);
}

static void a_full_disk_leaves_what_was_there(void **state)
{
    (void)state;
    ch_err e = {0};
    CHECK_FAILS(ch_file_write("/dev/full", "x", 1, &e), CH_EIO, &e, "No space left on device");
    char *path = put("kept", "old"), *text, *blocked = in("kept.tmp");
    assert_int_equal(mkdir(blocked, 0700), 0); /* nothing of ours: it stays */
    e = (ch_err){0};
    CHECK_FAILS(ch_file_write(path, "new", 3, &e), CH_EIO, &e, "cannot be written");
    assert_int_equal(rmdir(blocked), 0);
    e = (ch_err){0};
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    assert_string_equal(text, "old");
    free(text);
    free(path);
    free(blocked);
}

/* What a killed process left may be a link to anything. */
static void a_link_left_under_the_temporary_name_is_not_followed(void **state)
{
    (void)state;
    ch_err e = {0};
    char *victim = put("victim", "precious"), *tmp = in("y.tmp"), *path = in("y"), *text;
    assert_int_equal(symlink("victim", tmp), 0);
    CHECK_OK(ch_file_write(path, "new", 3, &e), &e);
    CHECK_OK(ch_file_read(victim, &text, NULL, &e), &e);
    assert_string_equal(text, "precious");
    assert_false(ch_exists(tmp));
    free(text);
    free(victim);
    free(tmp);
    free(path);
}

static void a_measurement_knows_it_before_it_begins(void **state)
{
    (void)state;
    ch_err e = {0};
    chorus_model *m;
    chorus_measures x;
    chorus_measure_opts how;
    chorus_device_opts device = {1, "f32", "auto"};
    char *gguf = source_path("tests/data/tiny/tiny.gguf"), *task = put("t.json", "no task at all");
    chorus_quiet(1);
    CHECK_OK(chorus_open(&m, gguf, &device, &e), &e);
    chorus_measure_defaults(&how);
    how.answers = task;
    CHECK_FAILS(chorus_measure(m, task, &how, &x, &e), CH_EUSER, &e, "is an input");
    how.answers = dir;
    e = (ch_err){0};
    CHECK_FAILS(chorus_measure(m, task, &how, &x, &e), CH_EUSER, &e, "is a directory");
    how.answers = gguf;
    e = (ch_err){0};
    CHECK_FAILS(chorus_measure(m, task, &how, &x, &e), CH_EUSER, &e, "is an input");
    chorus_close(m);
    free(gguf);
    free(task);
}

static int begin(void **state)
{
    (void)state;
    dir = scratch_dir();
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

#define IN_A_DIR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIR(what_cannot_be_written_is_known_before),
        IN_A_DIR(an_input_is_not_written_over),
        IN_A_DIR(a_full_disk_leaves_what_was_there),
        IN_A_DIR(a_link_left_under_the_temporary_name_is_not_followed),
        IN_A_DIR(a_measurement_knows_it_before_it_begins),
    };
    return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}
