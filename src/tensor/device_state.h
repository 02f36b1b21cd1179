/* Inside the tensor room: a device of the CPU. The rooms above see it by functions alone. */
#ifndef CH_TENSOR_DEVICE_STATE_H
#define CH_TENSOR_DEVICE_STATE_H

#include "tensor/gemm.h"

struct ch_device {
    const ch_ops *ops;
    ch_gemm_cache *gemm;
    char *rooms;
    size_t room_bytes;
    ch_precision precision;
    int threads;
    char text[160];
};

/* room_bytes of the table for thread t of a team: a host's threads may have small stacks. */
void *ch_device_room(ch_device *d, int t);

#endif
