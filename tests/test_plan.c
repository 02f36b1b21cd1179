/* Forests and plans of random tries: a row reads its path, each key once, from the root on, and
 * everything a forest says about its rows and targets is what the sequences say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/forest.h"
#include "support/support.h"

enum { N_WOODS = 600, MOST_SEQS = 24, MOST_LEN = 120 };

typedef struct {
    ch_seq *list[MOST_SEQS];
    int64_t n;
    ch_rng r;
} wood;

static void add(wood *w, const int32_t *ids, int64_t n, int64_t n_prompt)
{
    ch_seq *s = w->list[w->n++] = ch_new(1, sizeof *s);
    *s = (ch_seq){ch_new((size_t)n, sizeof *s->ids), n, n_prompt};
    memcpy(s->ids, ids, (size_t)n * sizeof *ids);
}

/* Sequences of few letters, so that they share prefixes nobody planned, many of them continuations
 * of another one; some equal, some prefixes, some prompts alone. */
static wood wood_new(uint64_t seed)
{
    wood w = {.r = {.seed = seed, .stream = 1}};
    int64_t n = 1 + ch_random_below(&w.r, MOST_SEQS), letters = 1 + ch_random_below(&w.r, 4);
    int32_t ids[2 * MOST_LEN];
    while (w.n < n) {
        int64_t len = 0, more = 1 + ch_random_below(&w.r, w.n % 3 ? 8 : MOST_LEN / 2);
        if (w.n && ch_random_below(&w.r, 4)) {
            const ch_seq *from = w.list[ch_random_below(&w.r, w.n)];
            len = ch_random_below(&w.r, (from->n < MOST_LEN ? from->n : MOST_LEN) + 1);
            memcpy(ids, from->ids, (size_t)len * sizeof *ids);
            more = ch_random_below(&w.r, 5) ? more : len ? 0 : 1; /* now and then a prefix */
        }
        for (int64_t i = 0; i < more; i++)
            ids[len++] = (int32_t)ch_random_below(&w.r, letters);
        int64_t prompt = ch_random_below(&w.r, 4) ? 1 + ch_random_below(&w.r, len) : len;
        add(&w, ids, len, prompt);
    }
    return w;
}

static void wood_release(wood *w)
{
    for (int64_t i = 0; i < w->n; i++)
        free(w->list[i]->ids);
    for (int64_t i = 0; i < w->n; i++)
        free(w->list[i]);
}

static void build(ch_forest *f, const wood *w, int64_t H, int64_t G)
{
    const ch_seq *list[MOST_SEQS];
    for (int64_t i = 0; i < w->n; i++)
        list[i] = w->list[i];
    ch_forest_build(f, list, w->n, H, G);
}

/* Tokens of a sequence that get a row: its last one only when nothing is predicted behind it. */
static int64_t n_read(const ch_seq *s)
{
    return s->n == s->n_prompt ? s->n : s->n - 1;
}

/* Distinct prefixes that must have a row, by comparing each with all before it. */
static int64_t count_prefixes(const wood *w)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++) {
        int64_t seen = 0;
        for (int64_t j = 0; j < i; j++) {
            int64_t common = ch_seq_common(w->list[i], w->list[j]);
            common = common < n_read(w->list[j]) ? common : n_read(w->list[j]);
            seen = common > seen ? common : seen;
        }
        n += n_read(w->list[i]) > seen ? n_read(w->list[i]) - seen : 0;
    }
    return n;
}

/* The row of a sequence's first d tokens, found by walking down; -1 when there is none. */
static int32_t walk(const ch_forest *f, const ch_seq *s, int64_t d)
{
    int32_t at = -1;
    for (int64_t k = 0; k < d; k++) {
        int32_t next = -1;
        for (int32_t r = at + 1; r < f->n_rows && next < 0; r++)
            if (f->parent[r] == at && f->ids[r] == s->ids[k])
                next = r;
        if (next < 0)
            return -1;
        at = next;
    }
    return at;
}

/* -- rows -- */

static void rows_are_the_distinct_prefixes_and_a_position_is_a_depth(void **state)
{
    (void)state;
    ch_forest f = {0};
    int64_t shared = 0;
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 3, 1);
        int64_t tokens = 0;
        assert_int_equal(f.n_rows, count_prefixes(&w));
        for (int64_t r = 0; r < f.n_rows; r++) {
            CHECK_(f.parent[r] < r && f.parent[r] >= -1);
            assert_int_equal(f.pos[r], f.parent[r] < 0 ? 0 : f.pos[f.parent[r]] + 1);
            for (int64_t q = 0; q < r; q++) /* each prefix once */
                CHECK_(f.parent[q] != f.parent[r] || f.ids[q] != f.ids[r]);
        }
        for (int64_t i = 0; i < w.n; i++) {
            tokens += w.list[i]->n;
            assert_int_equal(f.leaf[i], walk(&f, w.list[i], n_read(w.list[i])));
            CHECK_(f.leaf[i] >= 0);
        }
        assert_int_equal(f.n_tokens, tokens);
        CHECK_(f.n_pad >= f.n_rows && f.n_pad % 32 == 0 && f.n_pad < f.n_rows + 32);
        for (int64_t r = f.n_rows; r < f.n_pad; r++)
            CHECK_(f.ids[r] == -1 && f.pos[r] == 0 && f.parent[r] == -1);
        shared += tokens - f.n_rows;
        wood_release(&w);
    }
    ch_forest_release(&f);
    CHECK_(shared > 1000);
}

/* Rows behind a row, up to the next one that does not descend from it, all descend from it. */
static void rows_stand_depth_first(void **state)
{
    (void)state;
    ch_forest f = {0};
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 1, 1);
        for (int64_t r = 0; r < f.n_rows; r++) {
            int ended = 0;
            for (int64_t q = r + 1; q < f.n_rows; q++) {
                int32_t up = f.parent[q];
                while (up > r)
                    up = f.parent[up];
                ended |= up != r;
                CHECK_(!ended || up != r);
            }
        }
        wood_release(&w);
    }
    ch_forest_release(&f);
}

static void every_answer_token_is_one_target_at_the_row_before_it(void **state)
{
    (void)state;
    ch_forest f = {0};
    int64_t many = 0;
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 3, 1);
        int64_t want = 0, seen[MOST_SEQS] = {0};
        for (int64_t i = 0; i < w.n; i++)
            want += w.list[i]->n - w.list[i]->n_prompt;
        assert_int_equal(f.n_targets, want);
        assert_int_equal(f.first[f.n_lrows], f.n_targets);
        for (int64_t l = 0; l < f.n_lrows; l++) {
            CHECK_(!l || f.lrows[l] > f.lrows[l - 1]);
            CHECK_(f.first[l] < f.first[l + 1]);
            many += f.first[l + 1] - f.first[l] > 1;
            for (int32_t t = f.first[l]; t < f.first[l + 1]; t++) {
                const ch_seq *s = w.list[f.seq[t]];
                int64_t at = f.pos[f.lrows[l]] + 1; /* the token predicted */
                CHECK_(at >= s->n_prompt && at < s->n);
                assert_int_equal(f.token[t], s->ids[at]);
                assert_int_equal(f.lrows[l], walk(&f, s, at));
                seen[f.seq[t]]++;
            }
        }
        for (int64_t i = 0; i < w.n; i++)
            assert_int_equal(seen[i], w.list[i]->n - w.list[i]->n_prompt);
        wood_release(&w);
    }
    ch_forest_release(&f);
    CHECK_(many > 100);
}

static void sums_go_to_the_sequence_of_each_target(void **state)
{
    (void)state;
    ch_forest f = {0};
    for (int seed = 0; seed < 20; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 1, 1);
        float *x = ch_new((size_t)f.n_targets + 1, sizeof *x);
        double sum[MOST_SEQS], want[MOST_SEQS] = {0};
        int64_t count[MOST_SEQS];
        for (int64_t t = 0; t < f.n_targets; t++) {
            x[t] = (float)(t + 1);
            want[f.seq[t]] += (double)(t + 1);
        }
        ch_forest_sum(&f, x, w.n, sum, count);
        for (int64_t i = 0; i < w.n; i++) {
            CHECK_(sum[i] == want[i]);
            assert_int_equal(count[i], w.list[i]->n - w.list[i]->n_prompt);
        }
        free(x);
        wood_release(&w);
    }
    ch_forest_release(&f);
}

/* -- what rows read -- */

/* The blocks of a plan against the keys that every row must read, in order: row i reads
 * path[i][0 .. n_path[i]). */
static void check_reads(const ch_plan *p, int64_t n_rows, int32_t *const *path,
                        const int64_t *n_path, int64_t tile_rows)
{
    int64_t *done = ch_new((size_t)n_rows + 1, sizeof *done), row = 0, block = 0;
    for (int64_t t = 0; t < p->n_tiles; t++) {
        const ch_tile *tile = p->tiles + t;
        CHECK_(tile->q0 == row && tile->q1 > tile->q0 && tile->q1 - tile->q0 <= tile_rows);
        CHECK_(tile->block == block && tile->n_blocks >= 1);
        row = tile->q1;
        block += tile->n_blocks;
        for (int32_t b = 0; b < tile->n_blocks; b++) {
            const ch_block *x = p->blocks + tile->block + b;
            CHECK_(x->qa >= tile->q0 && x->qb <= tile->q1 && x->qa < x->qb && x->k0 < x->k1);
            CHECK_(!x->causal || x->qb - x->qa == x->k1 - x->k0);
            for (int32_t q = x->qa; q < x->qb; q++)
                for (int32_t k = x->k0; k < (x->causal ? x->k0 + (q - x->qa) + 1 : x->k1); k++) {
                    CHECK_(done[q] < n_path[q]);
                    assert_int_equal(k, path[q][done[q]]);
                    done[q]++;
                }
        }
    }
    assert_int_equal(row, n_rows);
    assert_int_equal(block, p->n_blocks);
    for (int64_t i = 0; i < n_rows; i++)
        assert_int_equal(done[i], n_path[i]);
    free(done);
}

/* Rows from the root down to `row`; n of them. New array with room for `extra` more. */
static int32_t *path_of(const ch_forest *f, int32_t row, int64_t extra, int64_t *n)
{
    *n = f->pos[row] + 1;
    int32_t *path = ch_new((size_t)(*n + extra), sizeof *path);
    for (int64_t k = *n - 1; k >= 0; k--) {
        path[k] = row;
        row = f->parent[row];
    }
    assert_int_equal(row, -1);
    return path;
}

static void check_piece(const ch_forest *f, const ch_plan *p, int64_t a, int64_t b,
                        int64_t tile_rows)
{
    int32_t **path = ch_new((size_t)(b - a), sizeof *path);
    int64_t *n = ch_new((size_t)(b - a), sizeof *n);
    for (int64_t r = a; r < b; r++)
        path[r - a] = path_of(f, (int32_t)r, 0, &n[r - a]);
    check_reads(p, b - a, path, n, tile_rows);
    for (int64_t r = a; r < b; r++)
        free(path[r - a]);
    free(path);
    free(n);
}

static void every_row_reads_exactly_its_path_from_the_root_on(void **state)
{
    (void)state;
    static const int64_t heads[][2] = {{1, 1}, {3, 1}, {9, 3}, {64, 1}, {32, 8}};
    ch_forest f = {0};
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        const int64_t *h = heads[seed % 5];
        build(&f, &w, h[0], h[1]);
        check_piece(&f, &f.plan, 0, f.n_rows, ch_tile_rows(h[0], h[1]));
        wood_release(&w);
    }
    ch_forest_release(&f);
}

static void so_do_the_rows_of_any_piece_of_a_forest_in_tiles_of_any_size(void **state)
{
    (void)state;
    static const int64_t tile_rows[] = {1, 2, 5, 16, 21, 64};
    ch_forest f = {0};
    ch_plan p = {0};
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 3, 1);
        for (int k = 0; k < 6; k++) {
            int64_t a = ch_random_below(&w.r, f.n_rows);
            int64_t b = a + 1 + ch_random_below(&w.r, f.n_rows - a);
            ch_forest_plan(&f, a, b, &p, tile_rows[k]);
            check_piece(&f, &p, a, b, tile_rows[k]);
        }
        wood_release(&w);
    }
    ch_forest_release(&f);
    ch_plan_release(&p);
}

/* What a block saves: keys that several rows of a tile share are read as one block. */
static void rows_under_one_prompt_read_it_in_one_block(void **state)
{
    (void)state;
    ch_plan p = {0};
    for (int32_t lane = 0; lane < 8; lane++) {
        ch_plan_chain(&p, 0, 100);
        ch_plan_chain(&p, 200 + 10 * lane, 203 + 10 * lane);
        ch_plan_piece(&p, lane, lane + 1, 203 + 10 * lane);
    }
    ch_plan_tiles(&p, 16);
    assert_int_equal(p.n_tiles, 1);
    assert_int_equal(p.n_blocks, 1 + 8); /* the prompt; own keys up to itself for each */
    ch_block want = {0, 8, 0, 100, 0};
    CHECK_SAME_BYTES(p.blocks, &want, sizeof want);
    ch_plan_release(&p);
}

/* Lanes as decoding has them: one row each, behind a leaf of the forest and own slots anywhere. */
static void rows_of_lanes_read_their_prompt_and_their_own_tokens(void **state)
{
    (void)state;
    ch_forest f = {0};
    ch_plan p = {0};
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        build(&f, &w, 3, 1);
        int32_t **path = ch_new((size_t)w.n, sizeof *path);
        int64_t n[MOST_SEQS], order[MOST_SEQS];
        for (int64_t i = 0; i < w.n; i++)
            order[i] = i;
        ch_shuffle(&w.r, order, w.n);
        ch_plan_clear(&p);
        for (int64_t i = 0; i < w.n; i++) {
            int32_t base = (int32_t)(f.n_rows + order[i] * 30);
            int32_t own = (int32_t)ch_random_below(&w.r, 20);
            path[i] = path_of(&f, f.leaf[i], own + 1, &n[i]);
            for (int32_t k = 0; k <= own; k++)
                path[i][n[i]++] = base + k;
            ch_forest_chain(&f, f.leaf[i], &p);
            ch_plan_chain(&p, base, base + own);
            ch_plan_piece(&p, (int32_t)i, (int32_t)i + 1, base + own);
        }
        int64_t tile_rows = 1 + seed % 21;
        ch_plan_tiles(&p, tile_rows);
        check_reads(&p, w.n, path, n, tile_rows);
        for (int64_t i = 0; i < w.n; i++)
            free(path[i]);
        free(path);
        wood_release(&w);
    }
    ch_forest_release(&f);
    ch_plan_release(&p);
}

/* -- cutting a batch -- */

static void a_sorted_batch_is_cut_where_the_rows_run_out(void **state)
{
    (void)state;
    ch_forest f = {0};
    for (int seed = 0; seed < N_WOODS; seed++) {
        wood w = wood_new((uint64_t)seed);
        int32_t order[MOST_SEQS];
        const ch_seq *list[MOST_SEQS], *sorted[MOST_SEQS];
        for (int64_t i = 0; i < w.n; i++)
            list[i] = w.list[i];
        ch_seq_sort(order, list, w.n);
        for (int64_t i = 0; i < w.n; i++)
            sorted[i] = list[order[i]];
        int64_t most = 1 + ch_random_below(&w.r, 200), rows;
        for (int64_t a = 0, b; a < w.n; a = b) {
            b = ch_seq_fit(sorted, a, w.n, most, &rows);
            CHECK_(b > a && b <= w.n);
            ch_forest_build(&f, sorted + a, b - a, 1, 1);
            CHECK_(f.n_rows <= rows);
            CHECK_(rows <= most || b == a + 1);
        }
        wood_release(&w);
    }
    ch_forest_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_distinct_prefixes_and_a_position_is_a_depth),
        cmocka_unit_test(rows_stand_depth_first),
        cmocka_unit_test(every_answer_token_is_one_target_at_the_row_before_it),
        cmocka_unit_test(sums_go_to_the_sequence_of_each_target),
        cmocka_unit_test(every_row_reads_exactly_its_path_from_the_root_on),
        cmocka_unit_test(so_do_the_rows_of_any_piece_of_a_forest_in_tiles_of_any_size),
        cmocka_unit_test(rows_under_one_prompt_read_it_in_one_block),
        cmocka_unit_test(rows_of_lanes_read_their_prompt_and_their_own_tokens),
        cmocka_unit_test(a_sorted_batch_is_cut_where_the_rows_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
