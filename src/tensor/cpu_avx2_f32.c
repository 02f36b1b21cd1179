/* Operations for the avx2 instruction set, activations in f32. */
#include "tensor/cpu.h"
#if CH_HAVE_AVX2

#define CH_SUFFIX   _avx2_f32
#define CH_ACT_BF16 0
#include "tensor/vec.inc"

#include "tensor/kernels.inc"

const ch_ops ch_ops_avx2_f32 = CH_OPS_TABLE;

#endif
