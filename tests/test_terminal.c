/* The program on a terminal: whatever file names, task names and texts hold, nothing of it moves the
 * cursor or speaks to the terminal; in a pipe texts come out as they are. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#define HOSTILE_TEXT                                                                               \
    "x\x1b]0;t\a\xC2\x9b"                                                                          \
    "3J\x7f\r\xE2\x80\xAEy"
/* Escape, title, C1 as a byte and as UTF-8, DEL, carriage return, bidi override. */
#define HOSTILE                                                                                    \
    "x\x1b]0;t\a\x9b"                                                                              \
    "2J\xC2\x9b"                                                                                   \
    "3J\x7f\r\xE2\x80\xAEy"

static const char rows[] =
    "{\"Definition\": [\"Say \\u001b[2J\\u009b1m a or b.\"], "
    "\"Paraphrases\": [\"Give a or b.\", \"Name a or b.\", \"Tell \\u202e a or b.\"], "
    "\"Instances\": ["
    "{\"id\": \"1\", \"input\": \"one\\u001b[31m\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"two\\u0085\", \"output\": [\"b\"]},"
    "{\"id\": \"3\", \"input\": \"three\", \"output\": [\"a\"]},"
    "{\"id\": \"4\", \"input\": \"four\", \"output\": [\"b\"]}]}";

static const char *program;
static char *dir, *model, *task, *named; /* task: hostile texts; named: and a hostile name */

static void go(const char *const *args)
{
    const char *argv[32] = {program};
    int n = 1;
    for (; *args && n < 31; args++)
        argv[n++] = *args;
    execv(program, (char **)(uintptr_t)argv);
    _exit(127);
}

/* All that the program says, on both streams, to a terminal or to a pipe. New string. */
static char *said(const char *const *args, int terminal, int *code)
{
    int fd = -1, ends[2] = {-1, -1}, status = 0;
    ch_str all = {0};
    char buf[4096];
    if (!terminal)
        assert_int_equal(pipe(ends), 0);
    pid_t child = terminal ? forkpty(&fd, NULL, NULL, NULL) : fork();
    assert_true(child >= 0);
    if (!child) {
        if (!terminal) {
            dup2(ends[1], 1);
            dup2(ends[1], 2);
            close(ends[0]);
        }
        go(args);
    }
    if (!terminal) {
        close(ends[1]);
        fd = ends[0];
    }
    ch_str_add(&all, "");
    for (ssize_t k; (k = read(fd, buf, sizeof buf)) > 0 || (k < 0 && errno == EINTR);)
        ch_str_addn(&all, buf, k > 0 ? (size_t)k : 0);
    close(fd);
    waitpid(child, &status, 0);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ch_str_take(&all);
}

/* Ours are: clearing the progress line, colours, and the terminal's own \r\n. */
static void take_out(char *s, const char *what)
{
    size_t n = strlen(what);
    for (char *p = s; (p = strstr(p, what));)
        memmove(p, p + n, strlen(p + n) + 1);
}

static void is_tame(char *s)
{
    static const char *const ours[] = {"\r\x1b[K", "\x1b[0m",  "\x1b[1m",  "\x1b[2m",
                                       "\x1b[31m", "\x1b[32m", "\x1b[33m", NULL};
    for (int i = 0; ours[i]; i++)
        take_out(s, ours[i]);
    for (const unsigned char *p = (unsigned char *)s; *p; p++) {
        int low = *p < 0x20 && *p != '\n' && *p != '\t' && !(*p == '\r' && p[1] == '\n');
        int c1 = (*p == 0xC2 && p[1] < 0xA0) || (p[0] == 0xE2 && p[1] == 0x80 && p[2] == 0xAE);
        if (low || c1 || *p == 0x7f)
            fail_msg("byte %02x at %ld of: %s", *p, (long)(p - (unsigned char *)s), s);
    }
    assert_true(ch_utf8_valid(s, strlen(s)));
}

static void tame(int want, const char *const *args)
{
    int code;
    char *s = said(args, 1, &code);
    if (code != want)
        fail_msg("exit code %d: %s", code, s);
    is_tame(s);
    free(s);
}
#define TAME(code, ...) tame((code), (const char *const[]){__VA_ARGS__, NULL})

static void names_that_do_not_exist(void **state)
{
    (void)state;
    TAME(2, HOSTILE);
    TAME(2, "report", HOSTILE);
    TAME(2, "compare", HOSTILE, HOSTILE);
    TAME(2, "run", HOSTILE);
    TAME(2, "run", "--set", HOSTILE);
    TAME(2, "measure", "--" HOSTILE);
    TAME(2, "generate", "--model", model, HOSTILE);
    TAME(2, "measure", "--model", HOSTILE, "--tasks", HOSTILE);
    TAME(2, "measure", "--model", model, "--tasks", HOSTILE);
}

static void texts_and_names_that_do(void **state)
{
    (void)state;
    TAME(0, "measure", "--model", model, "--tasks", task, "--max-new", "4", "--threads", "1");
    TAME(0, "measure", "--model", model, "--tasks", task, "--max-new", "4", "--json");
    TAME(2, "measure", "--model", model, "--tasks", named);
    TAME(2, "measure", "--model", model, "--tasks", dir);
    TAME(0, "show-batch", "--model", model, "--tasks", task, "--set", "align.reward=reference");
    TAME(0, "show-batch", "--model", model, "--tasks", task, "--json", "--set",
         "align.reward=reference");
    TAME(0, "generate", "--model", model, "--max-new", "4", HOSTILE_TEXT, "b");
    TAME(0, "generate", "--model", model, "--max-new", "4", "--json", HOSTILE_TEXT, "b");
    TAME(0, "run", "--model", model, "--tasks", task, "--dry-run", "--set",
         "align.reward=reference", "--set", "split.train_wordings=1", "--set",
         "split.test_wordings=2");
    TAME(0, "run", "--help");
}

static void in_a_pipe_a_text_is_as_it_is(void **state)
{
    (void)state;
    int code;
    char *s = said((const char *const[]){"generate", "--model", model, "--max-new", "4",
                                         "a \x1b[1m", "b", "-q", NULL},
                   0, &code);
    assert_int_equal(code, 0);
    assert_non_null(strstr(s, "a \x1b[1m"));
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_do_not_exist),
        cmocka_unit_test(texts_and_names_that_do),
        cmocka_unit_test(in_a_pipe_a_text_is_as_it_is),
    };
    ch_err e = {0};
    program = getenv("CHORUS");
    if (!program) {
        fprintf(stderr, "CHORUS names no program\n");
        return 1;
    }
    setenv("TERM", "xterm", 1);
    dir = scratch_dir();
    model = source_path("tests/data/tiny/tiny.gguf");
    task = ch_path(dir, "x.json");
    named = ch_fmt("%s/%s.json", dir,
                   "x\x1b[2J\xC2\x9b"
                   "2J\r");
    if (ch_file_write(task, rows, sizeof rows - 1, &e) != CH_OK ||
        ch_file_write(named, rows, sizeof rows - 1, &e) != CH_OK) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    int bad = cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
    free(task);
    free(named);
    free(model);
    scratch_remove(dir);
    return bad;
}
