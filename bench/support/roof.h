/* What the machine itself allows, measured in the run that is compared with it: reading memory, and
 * matrix products of the model's own shapes with weights packed as oneDNN likes them best. */
#ifndef BENCH_SUPPORT_ROOF_H
#define BENCH_SUPPORT_ROOF_H

#include "model/model.h"

typedef struct ch_roof ch_roof;

/* Threads and precision are the device's; rows: of the products. */
ch_roof *ch_roof_new(const ch_model *m, int64_t rows);
void ch_roof_free(ch_roof *r);

/* Elements of the matrices that a token goes through: all layers, and the head or not. */
int64_t ch_roof_weights(const ch_model *m, int with_head);
/* Bytes a second of the best of some passes over as many bytes as all those weights have. */
double ch_roof_read(ch_roof *r);
/* Operations (2 a multiplication) a second of one layer's products and the head's, the best of some
 * times. */
double ch_roof_gemm(ch_roof *r);

/* A device and a model on it, from a benchmark's arguments. precision: auto, f32 or bf16; threads:
 * a number; NULL: auto, all. Release both in any case. */
ch_code ch_bench_open(ch_device **d, ch_model **m, const char *model, const char *precision,
                      const char *threads, ch_err *e) CH_CHECK_RESULT;
/* Median of t[n]; sorts it. */
double ch_median(double *t, int64_t n);

#endif
