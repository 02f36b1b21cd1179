/* Operations for the portable instruction set, activations in bf16. */
#include "tensor/cpu.h"
#if CH_HAVE_PORTABLE

#define CH_SUFFIX   _portable_bf16
#define CH_ACT_BF16 1
#include "tensor/vec.inc"

#include "tensor/kernels.inc"

const ch_ops ch_ops_portable_bf16 = CH_OPS_TABLE;

#endif
