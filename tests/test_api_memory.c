/* A host program and its handle live on when memory ends in a call: the n-th allocation of a
 * measurement or of a training fails, for many n; the same handle measures the same afterwards, and
 * the training goes on to the same bytes. */
#include "support/support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "chorus.h"

#ifdef __SANITIZE_ADDRESS__
enum { OWN_ALLOCATOR = 0 };
static long fail_at, calls;
#else
enum { OWN_ALLOCATOR = 1 };
static _Thread_local long fail_at, calls; /* fail_at 0: never */

void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

static int fails(void)
{
    return ++calls == fail_at;
}

void *calloc(size_t count, size_t n)
{
    return fails() ? NULL : __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}
#endif

static const char tasks[] =
    "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Give a or b.\"],"
    " \"Instances\": [{\"id\": \"1\", \"input\": \"one\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"two\", \"output\": [\"b\"]}]}";

static int count_in(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

typedef struct {
    chorus_model *m;
    char *dir, *tasks, *answers;
} host;

static ch_code measure(const host *h, long at, chorus_measures *x, ch_err *e)
{
    chorus_measure_opts how;
    chorus_measure_defaults(&how);
    how.max_new = 4;
    how.resamples = 20;
    how.answers = h->answers;
    calls = 0;
    fail_at = at;
    ch_code c = chorus_measure(h->m, h->tasks, &how, x, e);
    fail_at = 0;
    return c;
}

static void open_host(host *h)
{
    ch_err e = {0};
    chorus_device_opts device = {1, "f32", "auto"};
    char *gguf = source_path("tests/data/tiny/tiny.gguf");
    h->dir = scratch_dir();
    h->tasks = ch_path(h->dir, "t.json");
    h->answers = ch_path(h->dir, "a.jsonl");
    chorus_quiet(1);
    CHECK_OK(ch_file_write(h->tasks, tasks, sizeof tasks - 1, &e), &e);
    CHECK_OK(chorus_open(&h->m, gguf, &device, &e), &e);
    free(gguf);
}

static void the_handle_lives_on(void **state)
{
    (void)state;
    host h;
    chorus_measures want, got;
    ch_err e = {0};
    open_host(&h);
    CHECK_OK(measure(&h, 0, &want, &e), &e);
    long all = calls, missed = 0;
    int files = count_in(h.dir), open_files = count_in("/proc/self/fd");
    assert_true(all > 100);
    for (long at = 1; at <= all; at += 1 + all / 150) {
        e = (ch_err){0};
        ch_code c = measure(&h, at, &got, &e);
        missed += c == CH_EMEM;
        /* The C library does without a block here and there, and the figures are right. */
        if (c == CH_OK)
            CHECK_SAME_BYTES(&got.cr, &want.cr, sizeof want.cr);
        else
            assert_true(c == CH_EMEM && strstr(e.msg, "out of memory"));
        assert_int_equal(count_in(h.dir), files);
        assert_int_equal(count_in("/proc/self/fd"), open_files);
    }
    assert_true(missed > 100);
    e = (ch_err){0};
    CHECK_OK(measure(&h, 0, &got, &e), &e);
    CHECK_SAME_BYTES(&got.cr, &want.cr, sizeof want.cr);
    CHECK_SAME_BYTES(&got.accuracy, &want.accuracy, sizeof want.accuracy);
    chorus_close(h.m);
    free(h.tasks);
    free(h.answers);
    scratch_remove(h.dir);
}

static ch_code train(const host *h, const char *out, long at, char **path, ch_err *e)
{
    chorus_train_opts how;
    char *gguf = source_path("tests/data/tiny/tiny.gguf");
    chorus_train_defaults(&how);
    how.steps = 2;
    how.batch = 2;
    how.device = (chorus_device_opts){1, "f32", "auto"};
    calls = 0;
    fail_at = at;
    ch_code c = chorus_train(gguf, h->tasks, out, &how, path, e);
    fail_at = 0;
    free(gguf);
    return c;
}

static ch_hash trained(const char *path)
{
    ch_hash h;
    ch_err e = {0};
    CHECK_OK(ch_hash_file(path, &h, &e), &e);
    return h;
}

static void a_training_goes_on(void **state)
{
    (void)state;
    host h;
    char *path = NULL;
    ch_err e = {0};
    open_host(&h);
    char *calm = ch_path(h.dir, "calm"), *rough = ch_path(h.dir, "rough");
    CHECK_OK(train(&h, calm, 0, &path, &e), &e);
    ch_hash want = trained(path);
    long all = calls, missed = 0;
    int open_files = count_in("/proc/self/fd");
    free(path);
    for (long at = 1; at <= all; at += 1 + all / 60) {
        e = (ch_err){0};
        path = NULL;
        ch_code c = train(&h, rough, at, &path, &e);
        missed += c == CH_EMEM;
        assert_true(c == CH_OK || (c == CH_EMEM && strstr(e.msg, "memory")));
        assert_int_equal(count_in("/proc/self/fd"), open_files);
        e = (ch_err){0};
        free(path);
        CHECK_OK(train(&h, rough, 0, &path, &e), &e);
        ch_hash got = trained(path);
        CHECK_SAME_BYTES(got.hex, want.hex, sizeof want.hex);
        /* Half of the failures meet a training from its start, half one that has ended. */
        if (missed % 2)
            assert_int_equal(remove(path), 0);
        free(path);
    }
    assert_true(missed > 30);
    chorus_close(h.m);
    free(calm);
    free(rough);
    free(h.tasks);
    free(h.answers);
    scratch_remove(h.dir);
}

int main(void)
{
    const struct CMUnitTest tests_[] = {cmocka_unit_test(the_handle_lives_on),
                                        cmocka_unit_test(a_training_goes_on)};
    if (!OWN_ALLOCATOR)
        return SKIPPED;
    return cmocka_run_group_tests_name("api memory", tests_, NULL, NULL);
}
