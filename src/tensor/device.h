/* A device: one table of operations over its own memory. The CPU's tables are the only ones yet. */
#ifndef CH_TENSOR_DEVICE_H
#define CH_TENSOR_DEVICE_H

#include <stdint.h>

#include "base/err.h"

typedef enum { CH_PRECISION_AUTO, CH_PRECISION_F32, CH_PRECISION_BF16 } ch_precision;
typedef enum { CH_ISA_AUTO, CH_ISA_PORTABLE, CH_ISA_AVX2, CH_ISA_AVX512 } ch_isa;

typedef struct ch_device ch_device;
typedef struct ch_ops ch_ops; /* tensor/ops.h */

/* Most threads of a device. */
enum { CH_MOST_THREADS = 256 };

/* threads 0: as many as there are cores. A device has as many as the process really gets, never
 * more than CH_MOST_THREADS; fewer than wanted is said in the log. AUTO chooses by CPUID (never by
 * timing, so that the same machine always chooses the same) and is logged. Errors: an instruction
 * set that this CPU lacks, a matrix product that comes out wrong. Any thread may use a device, one
 * at a time; what the program has set for OpenMP in it stays as it was. */
ch_code ch_device_open(ch_device **d, ch_precision p, ch_isa isa, int threads, ch_err *e);
void ch_device_close(ch_device *d);
ch_precision ch_device_precision(const ch_device *d); /* F32 or BF16 */
int ch_device_threads(const ch_device *d); /* buffers for each thread are sized by this */
/* Threads that a region opened now by the calling thread really has, at most ch_device_threads: 1
 * inside a parallel region, and 1 when d is NULL. Every region is opened with this number, every
 * split is by it. */
int ch_device_team(const ch_device *d);
const ch_ops *ch_device_ops(const ch_device *d);
/* "f32, avx512, 2 threads (Intel Xeon ...)": borrowed from d. */
const char *ch_device_text(const ch_device *d);

/* A number of channels, keys or floats rounded up to whole vectors and chunks of 16. */
static inline int64_t ch_round_up16(int64_t n)
{
    return (n + 15) / 16 * 16;
}

#endif
