/* What the kernel tests share: every table of operations this CPU can run, buffers with guards, and
 * random numbers that a bf16 holds exactly, so that twin and kernel see the same inputs. */
#ifndef CH_TESTS_RIG_H
#define CH_TESTS_RIG_H

#include "support/support.h"
#include "tensor/ops.h"

typedef struct {
    ch_device *d;
    const ch_ops *op;
    int bf16, threads;
    uint64_t digest; /* of every buffer released so far */
} rig;

/* f on every instruction set (the widest first) x f32, bf16 x 1, 2, 3 threads, each twice: the test
 * fails when the buffers that f releases are not the same bits both times. ctx is handed on. */
void each_rig(void (*f)(rig *r, void *ctx), void *ctx);
/* One of them; 0 when the CPU lacks the instruction set. */
int rig_open(rig *r, ch_isa isa, int bf16, int threads);
void rig_close(rig *r);

/* n numbers in (-scale, scale) with 8 significant bits, a pure function of stream. New array. */
double *some_numbers(int64_t n, uint64_t stream, double scale);
/* 0 .. n-1, every step-th: what a gradient is taken of. New array; *count its length. */
int64_t *some_places(int64_t n, int64_t step, int64_t *count);

/* n elements of 4 bytes (f32) or 2 (bf16) between guards; poisoned with NaN. */
typedef struct {
    void *p;
    int64_t n;
    size_t elem;
} buf;
buf f32_buf(int64_t n);
buf act_buf(const rig *r, int64_t n);
buf f32_from(const double *x, int64_t n);
buf act_from(const rig *r, const double *x, int64_t n);
double buf_at(const buf *b, int64_t i);
/* Fails the test when a guard was written to. */
void buf_free(rig *r, buf *b);

/* Elements [from, from + n) against want by close_f32's rule; 1 or 0. */
int buf_close(const char *what, const rig *r, const buf *b, int64_t from, const double *want,
              int64_t n, double tol);
/* The same for elements at[0..n). */
int buf_close_at(const char *what, const rig *r, const buf *b, const int64_t *at,
                 const double *want, int64_t n, double tol);
/* Elements [from, from + n), n >= 1, are zeros; 1 or 0. */
int buf_zero(const char *what, const rig *r, const buf *b, int64_t from, int64_t n);

#endif
