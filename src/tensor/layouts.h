/* How much room the device's own layouts take: key and value stores, tiles, scratch. */
#ifndef CH_TENSOR_LAYOUTS_H
#define CH_TENSOR_LAYOUTS_H

#include <stdint.h>

#include "tensor/device.h"

/* Floats of scratch that attention_backward needs. */
int64_t ch_attn_scratch(const ch_device *d, int64_t n_slots, int64_t H, int64_t G, int64_t D);
/* Act elements of one layer's key store and value store. */
int64_t ch_kstore_elems(int64_t n_slots, int64_t G, int64_t D);
int64_t ch_vstore_elems(int64_t n_slots, int64_t G, int64_t D);
/* Query rows a tile should have. */
int64_t ch_tile_rows(int64_t H, int64_t G);

#endif
