/* From rows and the keys they read to the tiles and blocks of an attention call. */
#ifndef CH_MODEL_PLAN_H
#define CH_MODEL_PLAN_H

#include "tensor/ops.h"

typedef struct {
    int32_t a, b; /* key slots [a, b) */
} ch_range;

/* Query rows [q0, q1), consecutive tokens of one path whose own keys are slots slot0 .. slot0 + q1
 * - q0, behind the chain's slots (root first). Pieces come in row order without a gap, so that
 * neighbours share most of their chains. */
typedef struct {
    int32_t q0, q1, slot0;
    int32_t chain, n_chain; /* into the plan's ranges */
} ch_piece;

typedef struct {
    ch_range *ranges;
    ch_piece *pieces;
    ch_tile *tiles;
    ch_block *blocks;
    int64_t n_ranges, n_pieces, n_tiles, n_blocks;
    int64_t cap_ranges, cap_pieces, cap_tiles, cap_blocks;
} ch_plan;

/* Empties the plan and keeps its memory. */
void ch_plan_clear(ch_plan *p);
/* Appends slots [a, b) to the chain of the next piece. */
void ch_plan_chain(ch_plan *p, int32_t a, int32_t b);
/* Closes a piece over the ranges added since the last one. */
void ch_plan_piece(ch_plan *p, int32_t q0, int32_t q1, int32_t slot0);
/* Tiles and blocks of at most tile_rows query rows. What all rows of a tile read is one block. */
void ch_plan_tiles(ch_plan *p, int64_t tile_rows);
void ch_plan_release(ch_plan *p);

#endif
