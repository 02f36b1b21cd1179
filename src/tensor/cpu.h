/* Inside the tensor room: the CPU's tables and its matrix product. */
#ifndef CH_TENSOR_CPU_H
#define CH_TENSOR_CPU_H

#include "tensor/ops.h"

#define CH_HAVE_PORTABLE 1
#ifdef __x86_64__
#define CH_HAVE_AVX2   1
#define CH_HAVE_AVX512 1
#else
#define CH_HAVE_AVX2   0
#define CH_HAVE_AVX512 0
#endif

extern const ch_ops ch_ops_portable_f32, ch_ops_portable_bf16;
extern const ch_ops ch_ops_avx2_f32, ch_ops_avx2_bf16;
extern const ch_ops ch_ops_avx512_f32, ch_ops_avx512_bf16;

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

ch_gemm_cache *ch_device_gemm(ch_device *d);
/* room_bytes of the table for thread t of a team: a host's threads may have small stacks. */
void *ch_device_room(ch_device *d, int t);
/* gemm of the tables, for f32 and bf16 activations. */
void ch_cpu_gemm(ch_device *d, void *c, int c_f32, const void *a, int ta, const void *b, int tb,
                 int64_t M, int64_t N, int64_t K, int add);

size_t ch_cpu_packed_bytes(ch_device *d, int64_t N, int64_t K);
void ch_cpu_pack(ch_device *d, void *out, const float *w, int tb, int64_t N, int64_t K);

/* Fills a table from the kernels of this translation unit. */
#define CH_OPS_TABLE                                                                               \
    {                                                                                              \
        .gemm = ch_cpu_gemm, .packed_bytes = ch_cpu_packed_bytes, .pack = ch_cpu_pack,             \
        .gemm_few = K(gemm_few), .embed = K(embed), .embed_backward = K(embed_backward),           \
        .add_norm = K(add_norm), .norm_again = K(norm_again), .norm_backward = K(norm_backward),   \
        .rope = K(rope), .kv_store = K(kv_store), .attention = K(attention),                       \
        .attention_backward = K(attention_backward), .swiglu = K(swiglu),                          \
        .swiglu_backward = K(swiglu_backward), .logsumexp = K(logsumexp),                          \
        .loss_backward = K(loss_backward), .to_act = K(to_act), .gather = K(gather),               \
        .scatter = K(scatter), .sum_squares = K(sum_squares), .adamw = K(adamw),                   \
        .room_bytes = sizeof(bwd_room), .act_bytes = sizeof(act),                                  \
    }

#endif
