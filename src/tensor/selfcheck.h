/* One product of a device against plain sums, before anything is computed with it. */
#ifndef CH_TENSOR_SELFCHECK_H
#define CH_TENSOR_SELFCHECK_H

#include "tensor/device.h"

/* Multiplies in every way that the network does; milliseconds. Error (CH_ENUMBER): one that comes
 * out wrong, as where oneDNN counts on more threads than it gets. */
ch_code ch_selfcheck(ch_device *d, ch_err *e);

#endif
