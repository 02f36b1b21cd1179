/* Inside the tensor room: the CPU's tables. */
#ifndef CH_TENSOR_CPU_H
#define CH_TENSOR_CPU_H

#include "tensor/device_state.h"

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
