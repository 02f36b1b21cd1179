/* log.jsonl: rows that are read back, written in C's form, and not lost in silence. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "align/objectives.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/tiny_runs.h"
#include "train/train_log.h"

#define ROW(step)                                                                                  \
    "{\"step\": " step ", \"loss\": 1.5, \"lr\": 1e-05, \"norm\": 2, \"tokens\": 9, \"rows\": "    \
    "7}\n"
#define ROW_DEV(step)                                                                              \
    "{\"step\": " step ", \"loss\": 1.5, \"lr\": 1e-05, \"norm\": 2, \"tokens\": 9, \"rows\": 7, " \
    "\"dev\": 3.25}\n"

static void keeps(const char *text, int64_t last, const char *want, int64_t want_lost)
{
    ch_str keep = {0};
    int64_t lost = -1;
    ch_train_log_keep(&keep, text, strlen(text), last, &lost);
    assert_string_equal(ch_str_get(&keep), want);
    assert_int_equal(lost, want_lost);
    ch_str_free(&keep);
}

static void whole_rows_of_the_updates_done_are_kept_and_nothing_else(void **state)
{
    (void)state;
    keeps("", 0, "", 0);
    keeps(ROW("1") ROW_DEV("2") ROW("3"), 3, ROW("1") ROW_DEV("2") ROW("3"), 0);
    keeps(ROW("1") ROW("2") ROW("3"), 2, ROW("1") ROW("2"), 0);
    keeps(ROW("1") ROW("1") ROW("2"), 2, ROW("1") ROW("2"), 0);
    keeps(ROW("2") ROW("1"), 2, ROW("2"), 1);
    keeps(ROW("1") ROW("2x") ROW("3"), 3, ROW("1") ROW("3"), 1);
    keeps(ROW("0") ROW("-1") ROW("99999999999999999999") ROW("1.0"), 5, "", 5);
    keeps("{\"step\": 1, \"loss\": 1,5}\n{\"step\": 1}\n[1]\n1\n\n{\"step\": 1", 1, "", 1);
    keeps("{\"step\": 1, \"step\": 1, \"loss\": 1, \"lr\": 1, \"norm\": 1, \"tokens\": 1, "
          "\"rows\": 1}\n",
          1, "", 1);
    const char *row = ROW("1");
    for (size_t n = 0; n < strlen(row); n++) { /* cut anywhere */
        char *cut = ch_dupn(row, n);
        keeps(cut, 1, "", 1);
        free(cut);
    }
}

/* One with a decimal comma, made where there is none: dir has its files. */
static void comma_locale(const char *dir)
{
    char *make = ch_fmt("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/made 2>&1", dir, dir);
    setenv("LOCPATH", dir, 1);
    if (system(make) || !setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        fprintf(stderr, "no locale with a decimal comma here\n");
    else
        assert_string_equal(localeconv()->decimal_point, ",");
    free(make);
}

static void numbers_have_a_point_whatever_the_locale(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *path = ch_path(dir, "log.jsonl"), *text = NULL;
    const ch_position p = {.step = 3, .last_dev = 0.5, .last = {1.25, 2.5, 1e-5, 9, 7}};
    ch_err e = {0};
    FILE *f = NULL;
    comma_locale(dir);
    CHECK_OK(ch_train_log_open(&f, path, 0, &e), &e);
    CHECK_OK(ch_train_log_row(f, path, &p, 1, &e), &e);
    CHECK_OK(ch_train_log_close(f, path, &e), &e);
    setlocale(LC_NUMERIC, "C");
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    assert_string_equal(text, "{\"step\": 3, \"loss\": 1.25, \"lr\": 1e-05, \"norm\": 2.5, "
                              "\"tokens\": 9, \"rows\": 7, \"dev\": 0.5}\n");
    free(text);
    free(path);
    scratch_remove(dir);
}

/* The file may not grow beyond its first row. */
static void a_row_that_cannot_be_written_stops_the_training_and_says_why(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_train_opts o = plain_options(&b);
    ch_train_result r;
    ch_err e = {0};
    char *dir = scratch_dir();
    struct rlimit was, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 150;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ch_code c = ch_train(b.m, ch_objective_find("sft"), &b.all, NULL, &o, dir, BENCH_HASH, &r, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    CHECK_FAILS(c, CH_EIO, &e, "log.jsonl: writing failed: File too large");
    CHECK_(r.steps_done == 2);
    scratch_remove(dir);
    FILE *full = fopen("/dev/full", "ab");
    if (full) {
        e = (ch_err){0};
        c = ch_train_log_row(full, "log.jsonl", &(ch_position){.step = 1}, 0, &e);
        CHECK_FAILS(c, CH_EIO, &e, "No space left");
        fclose(full);
    }
    tear_down(&b);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_rows_of_the_updates_done_are_kept_and_nothing_else),
        cmocka_unit_test(numbers_have_a_point_whatever_the_locale),
        cmocka_unit_test(a_row_that_cannot_be_written_stops_the_training_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
