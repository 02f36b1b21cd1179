/* The way into the library and out of it: memory that ends, sentences, signals. */
#include "support/support.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/enter.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/shown.h"
#include "base/str.h"

static const size_t TOO_MUCH = SIZE_MAX / 4;

/* A sanitizer's allocator would stop the process where there is no memory. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ------------------------------------------------------------------ memory */

static ch_code wants(void *ctx, ch_err *e)
{
    (void)e;
    switch (*(int *)ctx) {
    case 0:
        free(ch_new(TOO_MUCH, 1));
        break;
    case 1:
        free(ch_grow(NULL, TOO_MUCH, 1));
        break;
    case 2:
        free(ch_new_pages(TOO_MUCH));
        break;
    case 3:
        free(ch_malloc(TOO_MUCH)); /* jansson's */
        break;
    case 4:
        ch_str_addn(&(ch_str){0}, "", TOO_MUCH); /* more than a text may have */
        break;
    default:
        ch_need(NULL);
    }
    return CH_OK;
}

static void memory_that_ends_is_a_code_and_a_sentence(void **state)
{
    (void)state;
    for (int how = 0; how < 6; how++) {
        ch_err e = {0};
        CHECK_FAILS(ch_enter(wants, &how, &e), CH_EMEM, &e, "out of memory");
        assert_int_equal(ch_enter(wants, &how, NULL), CH_EMEM);
    }
}

static char order[8];

static void note(void *what, size_t n)
{
    size_t k = strlen(order);
    assert_int_equal(n, 7);
    order[k] = *(char *)what;
    order[k + 1] = 0;
}

static char a[] = "a", b[] = "b", c[] = "c";

static ch_code guards_two(void *ctx, ch_err *e)
{
    (void)e;
    ch_guard(note, b, 7);
    ch_guard(note, c, 7);
    ch_unguard(b);
    if (ctx)
        ch_new(TOO_MUCH, 1);
    return CH_OK;
}

static ch_code nested(void *ctx, ch_err *e)
{
    ch_guard(note, a, 7);
    ch_code code = ch_enter(guards_two, *(int *)ctx ? a : NULL, e);
    assert_string_equal(order, *(int *)ctx ? "c" : "");
    assert_int_equal(code, *(int *)ctx ? CH_EMEM : CH_OK);
    ch_new(TOO_MUCH, 1);
    return CH_OK;
}

static void what_is_guarded_is_released_the_last_first(void **state)
{
    (void)state;
    for (int inner = 0; inner < 2; inner++) {
        order[0] = 0;
        assert_int_equal(ch_enter(nested, &inner, NULL), CH_EMEM);
        assert_string_equal(order, "ca");
    }
    order[0] = 0;
    assert_int_equal(ch_enter(guards_two, NULL, NULL), CH_OK);
    assert_string_equal(order, ""); /* it is the handle's now */
}

static ch_code half_written(void *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    fputs("half", o.f);
    ch_new(TOO_MUCH, 1);
    return ch_out_commit(&o, e);
}

static void a_half_written_file_is_taken_away(void **state)
{
    (void)state;
    ch_err e = {0};
    char *dir = scratch_dir(), *path = ch_path(dir, "x"), **names;
    int64_t n;
    assert_int_equal(ch_enter(half_written, path, &e), CH_EMEM);
    e = (ch_err){0};
    CHECK_OK(ch_list_dir(dir, "", &names, &n, &e), &e);
    assert_int_equal(n, 0);
    ch_names_free(names);
    free(path);
    scratch_remove(dir);
}

static ch_code whole_tree(void *ctx, ch_err *e)
{
    json_t *v = json_object();
    (void)e;
    for (int i = 0; i < 3; i++)
        ch_json_set(v, "k", json_integer(i));
    *(json_t **)ctx = v;
    return CH_OK;
}

static void json_made_inside_lives_on(void **state)
{
    (void)state;
    json_t *v = NULL;
    assert_int_equal(ch_enter(whole_tree, &v, NULL), CH_OK);
    assert_int_equal(json_integer_value(json_object_get(v, "k")), 2);
    json_decref(v);
}

/* ------------------------------------------------------------------ sentences */

static void a_long_name_leaves_room_for_what_is_wrong(void **state)
{
    (void)state;
    ch_err e = {0};
    char *name = ch_new(3001, 1);
    for (int i = 0; i < 3000; i += 2)
        memcpy(name + i, "\xC3\xA9", 2);
    ch_fail(&e, CH_EUSER, "%s: is a directory, a file is wanted", name);
    assert_non_null(strstr(e.msg, "...\xC3\xA9"));
    assert_non_null(strstr(e.msg, ": is a directory, a file is wanted"));
    e = (ch_err){0};
    for (int i = 0; i < 3000; i += 20)
        name[i] = ' ', name[i + 1] = 'x';
    ch_fail(&e, CH_EUSER, "%s", name);
    assert_true(strlen(e.msg) > 500);
    assert_string_equal(e.msg + strlen(e.msg) - 3, "...");
    char again[600];
    ch_shown(again, sizeof again, e.msg);
    assert_string_equal(again, e.msg); /* no half character */
    free(name);
}

static void shows(const char *s, const char *want)
{
    char out[64];
    ch_err e = {0};
    ch_shown(out, sizeof out, s);
    assert_string_equal(out, want);
    ch_fail(&e, CH_EUSER, "%s", s);
    assert_null(strpbrk(e.msg, "\x1b\r\n\t\x7f\x07"));
    for (const char *p = e.msg; *p; p++) {
        assert_false((unsigned char)*p == 0xC2 && (unsigned char)p[1] < 0xA0);
        assert_false(!strncmp(p, "\xE2\x80\xAE", 3));
    }
}

static void nothing_reaches_a_terminal_raw(void **state)
{
    (void)state;
    shows("a\tb\nc", "a\tb\nc");
    shows("\x1b]0;title\a", "\xE2\x90\x9B]0;title\xE2\x90\x87");
    shows("x\r\x7f", "x\xE2\x90\x8D\xE2\x90\xA1");
    shows("\x9b"
          "2J",
          "\xEF\xBF\xBD"
          "2J"); /* C1 as a byte */
    shows("\xC2\x9b"
          "2J",
          "\xEF\xBF\xBD"
          "2J");                                 /* and as UTF-8 */
    shows("\xE2\x80\xAEtxt", "\xEF\xBF\xBDtxt"); /* right to left */
    shows("\xE2\x81\xA6\xE2\x80\x8F", "\xEF\xBF\xBD\xEF\xBF\xBD");
    shows("\xC2\xA0\xC3\xBC\xF0\x9F\x98\x80", "\xC2\xA0\xC3\xBC\xF0\x9F\x98\x80");
    shows("\xC3", "\xEF\xBF\xBD");
    char small[5];
    assert_int_equal(ch_shown(small, sizeof small, "ab\xE2\x82\xAC"), 2); /* whole or not at all */
}

/* ------------------------------------------------------------------ signals */

static ch_code interrupted_once(void *ctx, ch_err *e)
{
    (void)ctx;
    assert_false(ch_interrupted());
    raise(SIGINT);
    return ch_interrupted() ? ch_fail(e, CH_ESTOP, "stopped") : CH_OK;
}

static void the_call_after_a_stopped_one_works(void **state)
{
    (void)state;
    ch_interrupt_install();
    for (int i = 0; i < 3; i++)
        assert_int_equal(ch_enter(interrupted_once, NULL, NULL), CH_ESTOP);
    assert_false(ch_interrupted());
    ch_interrupt_restore();
}

static volatile sig_atomic_t host_saw;

static void host_handler(int sig)
{
    host_saw = sig;
}

static void between_calls_signals_are_the_programs(void **state)
{
    (void)state;
    struct sigaction now;
    signal(SIGTERM, host_handler);
    ch_interrupt_install();
    raise(SIGTERM);
    assert_int_equal(host_saw, SIGTERM);
    host_saw = 0;
    assert_int_equal(ch_enter(interrupted_once, NULL, NULL), CH_ESTOP);
    ch_interrupt_restore();
    sigaction(SIGTERM, NULL, &now);
    assert_true(now.sa_handler == host_handler);
    signal(SIGTERM, SIG_DFL);
}

static ch_code insists(void *ctx, ch_err *e)
{
    (void)ctx, (void)e;
    raise(SIGTERM);
    raise(SIGINT);
    return CH_OK;
}

static int end_of_child(ch_work work)
{
    int status = 0;
    pid_t child = fork();
    if (!child) {
        ch_interrupt_install();
        if (work)
            (void)!ch_enter(work, NULL, NULL);
        else
            raise(SIGINT);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_second_signal_ends_the_process(void **state)
{
    (void)state;
    int status = end_of_child(insists);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT);
    status = end_of_child(NULL); /* none under way, and no handler before ours */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_ends_is_a_code_and_a_sentence),
        cmocka_unit_test(what_is_guarded_is_released_the_last_first),
        cmocka_unit_test(a_half_written_file_is_taken_away),
        cmocka_unit_test(json_made_inside_lives_on),
        cmocka_unit_test(a_long_name_leaves_room_for_what_is_wrong),
        cmocka_unit_test(nothing_reaches_a_terminal_raw),
        cmocka_unit_test(the_call_after_a_stopped_one_works),
        cmocka_unit_test(between_calls_signals_are_the_programs),
        cmocka_unit_test(a_second_signal_ends_the_process),
    };
    return cmocka_run_group_tests_name("enter", tests, NULL, NULL);
}
