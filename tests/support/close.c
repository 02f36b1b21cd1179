#include "support/close.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    double worst, big;
    int64_t at, bad; /* worst element; first element that is not finite, or -1 */
} gap;

static void gap_add(gap *g, int64_t i, double got, double want)
{
    if (!isfinite(got) || !isfinite(want)) {
        if (g->bad < 0)
            g->bad = i;
        return;
    }
    if (fabs(got - want) > g->worst) {
        g->worst = fabs(got - want);
        g->at = i;
    }
    g->big = fmax(g->big, fabs(want));
}

static int gap_judge(const char *what, const gap *g, int64_t n, double tol, double got, double want)
{
    if (n < 1 || !(tol > 0)) {
        fprintf(stderr, "%s: nothing to compare (%lld elements, tolerance %g)\n", what,
                (long long)n, tol);
        return 0;
    }
    if (g->bad >= 0) {
        fprintf(stderr, "%s[%lld]: not finite on one side\n", what, (long long)g->bad);
        return 0;
    }
    if (!(g->big > 1e-6)) {
        fprintf(stderr, "%s: the reference is zero all over (largest %g)\n", what, g->big);
        return 0;
    }
    if (g->worst <= tol * g->big)
        return 1;
    fprintf(stderr, "%s[%lld]: got %.9g, want %.9g; off by %.3g of the largest, %.3g allowed\n",
            what, (long long)g->at, got, want, g->worst / g->big, tol);
    return 0;
}

int close_f32(const char *what, const float *got, const double *want, int64_t n, double tol)
{
    gap g = {0, 0, 0, -1};
    for (int64_t i = 0; i < n; i++)
        gap_add(&g, i, (double)got[i], want[i]);
    return gap_judge(what, &g, n, tol, n > 0 ? (double)got[g.at] : 0, n > 0 ? want[g.at] : 0);
}

int close_f64(const char *what, const double *got, const double *want, int64_t n, double tol)
{
    gap g = {0, 0, 0, -1};
    for (int64_t i = 0; i < n; i++)
        gap_add(&g, i, got[i], want[i]);
    return gap_judge(what, &g, n, tol, n > 0 ? got[g.at] : 0, n > 0 ? want[g.at] : 0);
}

int close_one(const char *what, double got, double want, double tol)
{
    if (isfinite(got) && isfinite(want) && tol > 0 && fabs(got - want) <= tol * fmax(1, fabs(want)))
        return 1;
    fprintf(stderr, "%s: got %.9g, want %.9g, %.3g allowed\n", what, got, want, tol);
    return 0;
}

int same_bytes(const char *what, const void *got, const void *want, size_t n)
{
    const unsigned char *g = got, *w = want;
    if (n < 1) {
        fprintf(stderr, "%s: nothing to compare\n", what);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (g[i] != w[i]) {
            fprintf(stderr, "%s: byte %zu of %zu is %02x, want %02x\n", what, i, n, g[i], w[i]);
            return 0;
        }
    }
    return 1;
}

void check_(int ok, const char *what, const char *file, int line)
{
    _assert_true(ok != 0, what, file, line);
}

void check_ok_(ch_code code, const ch_err *e, const char *what, const char *file, int line)
{
    if (code != CH_OK)
        fprintf(stderr, "%s: code %d: %s\n", what, (int)code, e ? e->msg : "");
    _assert_true(code == CH_OK, what, file, line);
}

void check_fails_(ch_code code, ch_code want, const ch_err *e, const char *word, const char *what,
                  const char *file, int line)
{
    int ok = code == want && strstr(e->msg, word) != NULL;
    if (!ok)
        fprintf(stderr, "%s: code %d (want %d), \"%s\" (want \"%s\" in it)\n", what, (int)code,
                (int)want, e->msg, word);
    _assert_true(ok != 0, what, file, line);
}
