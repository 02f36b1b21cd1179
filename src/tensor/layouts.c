#include "tensor/layouts.h"

#include "tensor/ops.h"

int64_t ch_attn_scratch(const ch_device *d, int64_t n_slots, int64_t H, int64_t G, int64_t D)
{
    (void)H;
    (void)G;
    return 2 * n_slots * ((D + 1) / 2 * 2) +
           (1 + 2 * (int64_t)ch_device_threads(d)) * n_slots * ch_round_up16(D);
}

int64_t ch_kstore_elems(int64_t n_slots, int64_t G, int64_t D)
{
    return n_slots * G * ((D + 1) / 2 * 2);
}

int64_t ch_vstore_elems(int64_t n_slots, int64_t G, int64_t D)
{
    return n_slots * G * ch_round_up16(D);
}

int64_t ch_tile_rows(int64_t H, int64_t G)
{
    int64_t rows = 64 / (H / G);
    return rows < 1 ? 1 : rows > 32 ? 32 : rows;
}
