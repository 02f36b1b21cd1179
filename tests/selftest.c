/* The checkers of tests/support under test: each case is one cmocka test whose data is good or bad,
 * and scripts/selftest.sh demands green for the good ones and red for the bad ones.
 *   selftest list             the cases, a line "good NAME" or "bad NAME" each
 *   selftest run NAME         runs one; exit code as any cmocka test
 *   selftest spoil HOW FILE   float32 file in place: zero, nan, inf, scale (by 1.01), swap (two
 *                             elements) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#define NaN ((double)NAN)
#define Inf ((double)INFINITY)

static const double want[5] = {1, -2, 3, 0.5, -0.25};

static void same_values(void **s)
{
    (void)s;
    float got[5] = {1, -2, 3, 0.5f, -0.25f};
    CHECK_CLOSE(got, want, 5, 1e-6);
    CHECK_CLOSE_F64(want, want, 5, 1e-12);
    CHECK_NEAR(1.0, 1.0 + 1e-7, 1e-6);
    CHECK_SAME_BYTES(want, want, sizeof want);
    CHECK_OK(CH_OK, &(ch_err){0});
    ch_err e = {.code = CH_EUSER, .msg = "x.json: no such file"};
    CHECK_FAILS(CH_EUSER, CH_EUSER, &e, "x.json");
}

static void f32_with(double value, int at)
{
    float got[5];
    for (int i = 0; i < 5; i++)
        got[i] = (float)(i == at ? value : want[i]);
    CHECK_CLOSE(got, want, 5, 1e-4);
}

static void f64_with(double value, int at)
{
    double got[5];
    for (int i = 0; i < 5; i++)
        got[i] = i == at ? value : want[i];
    CHECK_CLOSE_F64(got, want, 5, 1e-4);
}

static void f32_reference_with(double value, int at)
{
    float got[5];
    double other[5];
    for (int i = 0; i < 5; i++) {
        other[i] = i == at ? value : want[i];
        got[i] = (float)other[i]; /* the same on both sides, and still red */
    }
    CHECK_CLOSE(got, other, 5, 1e-4);
}

#define CASE(name, ...)                                                                            \
    static void name(void **s)                                                                     \
    {                                                                                              \
        (void)s;                                                                                   \
        __VA_ARGS__;                                                                               \
    }

CASE(f32_off_by_one_thousandth, f32_with(3.003, 2))
CASE(f32_wrong_sign, f32_with(2, 1))
CASE(f32_nan_first, f32_with(NaN, 0))
CASE(f32_nan_last, f32_with(NaN, 4))
CASE(f32_infinity, f32_with(Inf, 2))
CASE(f32_minus_infinity, f32_with(-Inf, 2))
CASE(f32_nan_on_both_sides, f32_reference_with(NaN, 3))
CASE(f32_infinity_on_both_sides, f32_reference_with(Inf, 3))
CASE(f32_empty, float got[1] = {1}; CHECK_CLOSE(got, want, 0, 1e-4))
CASE(f32_negative_count, float got[1] = {1}; CHECK_CLOSE(got, want, -1, 1e-4))
CASE(f32_all_zero, float got[3] = {0}; double zero[3] = {0}; CHECK_CLOSE(got, zero, 3, 1e-4))
CASE(f32_all_nan, float got[2] = {NAN, NAN}; double nan[2] = {NaN, NaN};
     CHECK_CLOSE(got, nan, 2, 1e-4))
CASE(f32_tolerance_nan, float got[1] = {1}; CHECK_CLOSE(got, want, 1, NaN))
CASE(f32_tolerance_zero, float got[1] = {1}; CHECK_CLOSE(got, want, 1, 0.0))
CASE(f64_off_by_one_thousandth, f64_with(3.003, 2))
CASE(f64_nan, f64_with(NaN, 4))
CASE(f64_infinity, f64_with(Inf, 0))
CASE(f64_empty, CHECK_CLOSE_F64(want, want, 0, 1e-4))
CASE(f64_all_zero, double zero[3] = {0}; CHECK_CLOSE_F64(zero, zero, 3, 1e-4))
CASE(near_wrong, CHECK_NEAR(1.001, 1.0, 1e-4))
CASE(near_nan, CHECK_NEAR(NaN, NaN, 1e-4))
CASE(near_infinity, CHECK_NEAR(Inf, Inf, 1e-4))
CASE(near_tolerance_nan, CHECK_NEAR(1.0, 1.0, NaN))
CASE(bytes_differ, CHECK_SAME_BYTES("abcd", "abce", 4))
CASE(bytes_empty, CHECK_SAME_BYTES("abcd", "abcd", 0))
CASE(ok_was_an_error, CHECK_OK(CH_EIO, &(ch_err){.msg = "disk full"}))
CASE(failure_was_ok, CHECK_FAILS(CH_OK, CH_EUSER, &(ch_err){0}, ""))
CASE(failure_of_another_kind, CHECK_FAILS(CH_EIO, CH_EUSER, &(ch_err){.msg = "x"}, "x"))
CASE(failure_without_its_word, CHECK_FAILS(CH_EIO, CH_EIO, &(ch_err){.msg = "x"}, "y"))

typedef struct {
    int good;
    struct CMUnitTest test;
} trial;

#define BAD(name)                                                                                  \
    {                                                                                              \
        0, cmocka_unit_test(name)                                                                  \
    }
static const trial trials[] = {
    {1, cmocka_unit_test(same_values)},
    BAD(f32_off_by_one_thousandth),
    BAD(f32_wrong_sign),
    BAD(f32_nan_first),
    BAD(f32_nan_last),
    BAD(f32_infinity),
    BAD(f32_minus_infinity),
    BAD(f32_nan_on_both_sides),
    BAD(f32_infinity_on_both_sides),
    BAD(f32_empty),
    BAD(f32_negative_count),
    BAD(f32_all_zero),
    BAD(f32_all_nan),
    BAD(f32_tolerance_nan),
    BAD(f32_tolerance_zero),
    BAD(f64_off_by_one_thousandth),
    BAD(f64_nan),
    BAD(f64_infinity),
    BAD(f64_empty),
    BAD(f64_all_zero),
    BAD(near_wrong),
    BAD(near_nan),
    BAD(near_infinity),
    BAD(near_tolerance_nan),
    BAD(bytes_differ),
    BAD(bytes_empty),
    BAD(ok_was_an_error),
    BAD(failure_was_ok),
    BAD(failure_of_another_kind),
    BAD(failure_without_its_word),
};
enum { N_TRIALS = sizeof trials / sizeof *trials };

static int run_one(const char *name)
{
    for (int i = 0; i < N_TRIALS; i++)
        if (!strcmp(trials[i].test.name, name)) {
            const struct CMUnitTest tests[] = {trials[i].test};
            return cmocka_run_group_tests(tests, NULL, NULL);
        }
    fprintf(stderr, "selftest: no case %s\n", name);
    return 99;
}

static void spoil_values(const char *how, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(how, "zero"))
            x[i] = 0;
        else if (!strcmp(how, "scale"))
            x[i] *= 1.01f;
    }
    if (!strcmp(how, "nan"))
        x[n / 2] = NAN;
    if (!strcmp(how, "inf"))
        x[n / 2] = INFINITY;
    if (!strcmp(how, "swap")) {
        float first = x[n - 100];
        x[n - 100] = x[n / 3];
        x[n / 3] = first;
    }
}

static int spoil(const char *how, const char *path)
{
    static float x[1 << 20];
    FILE *f = fopen(path, "r+b");
    size_t n = f ? fread(x, sizeof *x, 1 << 20, f) : 0;
    int ok = n >= 300;
    if (ok) {
        spoil_values(how, x, n);
        rewind(f);
        ok = fwrite(x, sizeof *x, n, f) == n;
    }
    if (f && fclose(f))
        ok = 0;
    if (!ok)
        fprintf(stderr, "selftest: %s could not be spoiled\n", path);
    return ok ? 0 : 99;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "list")) {
        for (int i = 0; i < N_TRIALS; i++)
            printf("%s %s\n", trials[i].good ? "good" : "bad", trials[i].test.name);
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "run"))
        return run_one(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "spoil"))
        return spoil(argv[2], argv[3]);
    fprintf(stderr, "usage: selftest list | run NAME | spoil HOW FILE\n");
    return 99;
}
