/* The prefix forest: whole token sequences in a radix tree, laid out depth first. What sequences
 * share is one set of rows; a row's position is its depth. See docs/forest.md. */
#ifndef CH_MODEL_FOREST_H
#define CH_MODEL_FOREST_H

#include "model/model.h"
#include "model/plan.h"

typedef struct {
    int64_t n_rows; /* unique tokens that predict or are read */
    int64_t n_pad;  /* rows of the matrices: n_rows and ghosts up to a multiple of 32 */
    int32_t *ids, *pos, *parent; /* n_pad; ghosts have id -1, pos 0; parent of a root -1 */
    int64_t n_lrows;             /* rows whose logits are needed */
    int32_t *lrows, *first; /* their rows, ascending; targets of lrow i: [first[i], first[i+1]) */
    int64_t n_targets;
    int32_t *token, *seq; /* of each target, in lrow order */
    int32_t *leaf;        /* of each sequence: the row of its last token that has one */
    int64_t n_tokens;     /* what the sequences would be unshared, last tokens included */
    ch_plan plan;
    int64_t cap_rows, cap_lrows, cap_targets, cap_path;
    int32_t *path;        /* scratch: row of every depth of the sequence at hand */
    int32_t *order, *seg; /* scratch */
    int64_t cap_order, cap_seg, cap_leaf;
} ch_forest;

/* seqs[n] is borrowed. Targets are ids[n_prompt..n) of each; n_prompt >= 1. The last token of a
 * sequence is predicted but read by nobody: it has no row unless another sequence goes on from it.
 * Keeps memory between calls; zero-initialise before the first. H, G: heads, which decide the size
 * of tiles. */
void ch_forest_build(ch_forest *f, const ch_seq *const *seqs, int64_t n, int64_t H, int64_t G);
/* Rows [a, b) alone, as rows 0 .. b - a of a call whose key slots are the forest's rows: for
 * reading a forest in pieces. */
void ch_forest_plan(ch_forest *f, int64_t a, int64_t b, ch_plan *p, int64_t tile_rows);
/* Adds the slots of a row's path, itself included, to the next piece of p. */
void ch_forest_chain(const ch_forest *f, int32_t row, ch_plan *p);
/* Sums values over each sequence's targets: sum[seq]; also counts (may be NULL). */
void ch_forest_sum(const ch_forest *f, const float *per_target, int64_t n_seqs, double *sum,
                   int64_t *count);
void ch_forest_release(ch_forest *f);

/* Indices of seqs in lexicographic order: neighbours share the longest prefixes. */
void ch_seq_sort(int32_t *order, const ch_seq *const *seqs, int64_t n);

/* How many leading tokens two sequences share. */
int64_t ch_seq_common(const ch_seq *a, const ch_seq *b);
/* Sorted sequences [from, end) that need at most max_rows rows together, or one that needs more;
 * returns the end, and in *rows (may be NULL) an upper bound of the rows. */
int64_t ch_seq_fit(const ch_seq *const *sorted, int64_t from, int64_t n, int64_t max_rows,
                   int64_t *rows);
/* Rows of n sequences when what they begin with in common counts once. */
int64_t ch_seq_shared_rows(const ch_seq *seqs, int64_t n);

#endif
