/* What the tests share: comparisons that fail closed, fixtures, and the tiny models' PyTorch
 * references. The comparisons return 1 or 0 and say on stderr what differs, so that
 * scripts/selftest.sh can demand a 0; the CHECK macros turn a 0 into a failed cmocka test. */
#ifndef CH_TESTS_SUPPORT_H
#define CH_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above. */
#include <cmocka.h>

#include <jansson.h>

#include "base/err.h"
#include "model/model.h"
#include "tensor/device.h"

/* -- comparing -- */

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

/* -- instruction sets -- */

/* The one that $TEST_ISA names; without it auto. A test that runs in a process of its own for each
 * has oneDNN's products in it, too, which are fixed with the first product of a process. */
ch_isa test_isa(void);
/* 0, said on stderr, where this CPU lacks the instruction set or what the precision needs. */
int can_compute(ch_precision p, ch_isa isa);
/* For main: the test is left out (return SKIPPED) on a CPU that lacks what $TEST_ISA names. */
int isa_is_here(void);
enum { SKIPPED = 77 };

/* -- files -- */

/* A path inside the source tree (CH_SRC_DIR, else $SRC, else "."). New string. */
char *source_path(const char *name);
/* An empty directory of its own under $TMPDIR or /tmp. New string; scratch_remove deletes it all
 * and frees it. */
char *scratch_dir(void);
void scratch_remove(char *dir);
/* The demo model: $CHORUS_MODEL, else models/SmolLM2-135M-Instruct.Q4_1.gguf. New string; NULL when
 * there is none, said on stderr. */
char *model_file(void);

/* -- JSON: each fails the test when the thing is not there or is of another kind -- */

json_t *read_json(const char *name); /* name inside the source tree */
json_t *json_at(const json_t *o, const char *key);
double json_number_at(const json_t *o, const char *key);
int64_t json_count_at(const json_t *o, const char *key);
/* An array of numbers, at least one. New array; *n its length. */
double *json_doubles(const json_t *a, int64_t *n);

/* -- the tiny models of tests/oracle/tiny_llama.py -- */

/* One weight: elements [at, at + rows * cols) of the references. */
typedef struct {
    const char *name;
    int64_t at, rows, cols;
} tiny_tensor;

typedef struct {
    json_t *json;
    char *gguf;
    tiny_tensor *tensor;
    int64_t n_tensors, n_elems;
    ch_seq *seq;
    double **logp; /* of each sequence's answer tokens */
    int64_t n_seqs;
    double loss;        /* -mean log P over all answer tokens */
    double *grad;       /* its gradient, n_elems */
    double *hinge_grad; /* NULL when the variant has none; the rest is in json's "hinge" */
} tiny;

/* variant: "tiny" or "tiny_untied". */
tiny tiny_read(const char *variant);
void tiny_release(tiny *t);
/* The model "tiny" alone, in f32 on two threads and $TEST_ISA. */
void tiny_open(ch_device **d, ch_model **m);
/* A gradient block against a reference: every tensor of the layout, each to tol of its own largest
 * element; the layout must have all of the reference's tensors. 1 or 0. */
int tiny_grad_close(const char *what, const tiny *t, const ch_model *m, const float *block,
                    const double *want, double tol);

#endif
