/* Comparisons that fail closed. They return 1 or 0 and say on stderr what differs, so that
 * scripts/selftest.sh can demand a 0; the CHECK macros turn a 0 into a failed cmocka test. */
#ifndef CH_TESTS_CLOSE_H
#define CH_TESTS_CLOSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above. */
#include <cmocka.h>

#include "base/err.h"

/* max |got - want| <= tol * max |want|. 0 for a NaN or an infinity on either side, for n < 1, for a
 * reference that is zero all over (max |want| <= 1e-6), for a tolerance that is not positive. Names
 * the worst element. */
int close_f32(const char *what, const float *got, const double *want, int64_t n, double tol);
int close_f64(const char *what, const double *got, const double *want, int64_t n, double tol);
/* |got - want| <= tol * max(1, |want|); 0 for NaN and infinity. */
int close_one(const char *what, double got, double want, double tol);
/* The same bits in n bytes; 0 for n < 1. Names the first byte that differs. */
int same_bytes(const char *what, const void *got, const void *want, size_t n);

/* got float *, want double *. */
#define CHECK_CLOSE(got, want, n, tol)     CHECK_(close_f32(#got, (got), (want), (n), (tol)))
#define CHECK_CLOSE_F64(got, want, n, tol) CHECK_(close_f64(#got, (got), (want), (n), (tol)))
#define CHECK_NEAR(got, want, tol)         CHECK_(close_one(#got, (got), (want), (tol)))
#define CHECK_SAME_BYTES(got, want, n)     CHECK_(same_bytes(#got, (got), (want), (n)))
/* A call returned CH_OK; else the sentence of e is shown and the test fails. */
#define CHECK_OK(call, e) check_ok_((call), (e), #call, __FILE__, __LINE__)
/* A call returned the code wanted and its sentence holds `word`. */
#define CHECK_FAILS(call, code, e, word)                                                           \
    check_fails_((call), (code), (e), (word), #call, __FILE__, __LINE__)
#define CHECK_(ok) check_((ok), #ok, __FILE__, __LINE__)

void check_(int ok, const char *what, const char *file, int line);
void check_ok_(ch_code code, const ch_err *e, const char *what, const char *file, int line);
void check_fails_(ch_code code, ch_code want, const ch_err *e, const char *word, const char *what,
                  const char *file, int line);

#endif
