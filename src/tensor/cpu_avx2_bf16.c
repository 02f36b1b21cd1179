/* Operations for the avx2 instruction set, activations in bf16. */
#include "tensor/cpu.h"
#if CH_HAVE_AVX2

#define CH_SUFFIX   _avx2_bf16
#define CH_ACT_BF16 1
#include "tensor/vec.inc"

#include "tensor/kernels.inc"

const ch_ops ch_ops_avx2_bf16 = CH_OPS_TABLE;

#endif
