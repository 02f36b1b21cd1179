/* The tiny models of tests/oracle/tiny_llama.py and their PyTorch references. */
#ifndef CH_TESTS_TINY_H
#define CH_TESTS_TINY_H

#include <jansson.h>

#include "model/model.h"

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
