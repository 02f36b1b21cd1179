/* A report built by hand, and what the tests of its writers share. */
#ifndef CH_TESTS_REPORT_FIXTURE_H
#define CH_TESTS_REPORT_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "report/report.h"

enum { ARMS = 5, TASKS = 3, WORDINGS = 4, UPDATES = 60, DEVS = 7 };

typedef struct {
    ch_report_data d;
    ch_report_arm arms[ARMS];
    double by_task[ARMS][TASKS][CH_M_COUNT];
    int64_t train_step[UPDATES], dev_step[DEVS];
    double train[ARMS][UPDATES], dev[ARMS][DEVS];
    char dir[64];
} fixture;

extern const uint64_t report_seeds[2];

/* Fills x anew: five arms, three tasks, one example with markup and broken
 * bytes in it. dir stays. */
void report_fill(fixture *x);

static CH_UNUSED int setup(void **state)
{
    fixture *x = ch_new(1, sizeof *x);
    report_fill(x);
    snprintf(x->dir, sizeof x->dir, "/tmp/chorus-report-XXXXXX");
    *state = x;
    return mkdtemp(x->dir) ? 0 : -1;
}

static CH_UNUSED int teardown(void **state)
{
    fixture *x = *state;
    static const char *const names[] = {"r.json", "r.html", "s.html"};
    for (int i = 0; i < 3; i++) {
        char *path = ch_path(x->dir, names[i]);
        unlink(path);
        free(path);
    }
    int left = rmdir(x->dir);
    free(x);
    return left;
}

static CH_UNUSED char *terminal(const ch_report_data *d, int colour, int64_t columns)
{
    char *text = NULL;
    size_t n = 0;
    ch_err e = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(ch_report_terminal(f, d, colour, columns, &e), CH_OK);
    fclose(f);
    return text;
}

/* Not inlined: gcc 12 then takes pointers into the text for pointers to the variable. */
static CH_UNUSED __attribute__((noinline)) char *html(const fixture *x, const ch_report_data *d,
                                                      const char *name)
{
    ch_err e = {0};
    char *path = ch_path(x->dir, name), *text = NULL;
    if (ch_report_html(path, d, &e) != CH_OK || ch_file_read(path, &text, NULL, &e) != CH_OK)
        fail_msg("%s", e.msg);
    free(path);
    return text;
}

static CH_UNUSED void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not found: %s\nin: %.3000s", part, text);
}

static CH_UNUSED void lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("found: %s", part);
}

#endif
