/* Inside the tensor room: matrix products of the CPU. */
#ifndef CH_TENSOR_GEMM_H
#define CH_TENSOR_GEMM_H

#include "tensor/ops.h"

/* Every matrix product of the CPU: oneDNN, one primitive a shape, kept. */
typedef struct ch_gemm_cache ch_gemm_cache;
ch_code ch_gemm_open(ch_gemm_cache **c, ch_device *d, ch_isa isa, ch_err *e);
void ch_gemm_close(ch_gemm_cache *c);
void ch_gemm_run(ch_gemm_cache *c, int bf16, void *out, int out_f32, const void *a, int ta,
                 const void *b, int tb, int64_t M, int64_t N, int64_t K, int add);

/* b (K,N), stored (N,K) when tb, in the panels that CH_PACKED means; b f32 when b_f32, else act.
 * 0 bytes: this CPU has no use for panels. */
size_t ch_gemm_packed_bytes(const ch_gemm_cache *c, int bf16, int64_t N, int64_t K);
void ch_gemm_pack(ch_gemm_cache *c, int bf16, void *out, const void *b, int b_f32, int tb,
                  int64_t N, int64_t K);

/* gemm of the tables, for f32 and bf16 activations. */
void ch_cpu_gemm(ch_device *d, void *c, int c_f32, const void *a, int ta, const void *b, int tb,
                 int64_t M, int64_t N, int64_t K, int add);

size_t ch_cpu_packed_bytes(ch_device *d, int64_t N, int64_t K);
void ch_cpu_pack(ch_device *d, void *out, const float *w, int tb, int64_t N, int64_t K);

#endif
