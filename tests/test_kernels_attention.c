/* Rotation, the key and value stores and attention against their double-precision twins; see
 * test_kernels.c for the method. The twin of attention reads an explicit list of keys, a row's path
 * to its root, and knows nothing of tiles and blocks. Attention's tolerances: in f32 1e-5 forward
 * and 3e-5 backward; in bf16 one rounding of the output forward, and backward 2e-2, since it starts
 * from the rounded output. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/forest.h"
#include "ref/ref.h"
#include "ref/rig.h"

static const double BF16 = 4e-3;

/* -- rotation -- */

typedef struct {
    int64_t N, n_real, H, G, D, n_rot, n_at;
    double *x, *y, *r, *cs, *grad;
    int32_t *pos;
    int64_t *at;
} rope_case;

static double rope_loss(void *ctx)
{
    rope_case *c = ctx;
    int64_t n = c->N * (c->H + 2 * c->G) * c->D;
    memcpy(c->y, c->x, (size_t)n * sizeof *c->y);
    ref_rope(c->y, c->cs, c->pos, c->N, c->H, c->G, c->D, c->n_rot);
    return ref_dot(c->y, c->r, n);
}

static void check_rope(rig *r, void *ctx)
{
    rope_case *c = ctx;
    int64_t W = (c->H + 2 * c->G) * c->D, n = c->N * W, real = c->n_real * W;
    double tol = r->bf16 ? BF16 : 2e-6;
    buf x = act_from(r, c->x, n), d = act_from(r, c->r, n), cs = f32_from(c->cs, 8 * c->n_rot);
    r->op->rope(r->d, x.p, cs.p, c->pos, c->N, c->H, c->G, c->D, c->n_rot, 0);
    CHECK_(buf_close("rope", r, &x, 0, c->y, n, tol));
    CHECK_(buf_zero("rope: ghosts", r, &x, real, n - real));
    r->op->rope(r->d, d.p, cs.p, c->pos, c->N, c->H, c->G, c->D, c->n_rot, 1);
    CHECK_(buf_close_at("rope inverse", r, &d, c->at, c->grad, c->n_at, tol));
    buf_free(r, &x);
    buf_free(r, &d);
    buf_free(r, &cs);
}

static void one_rope(int64_t n_real, int64_t H, int64_t G, int64_t D, int64_t n_rot)
{
    rope_case c = {.N = n_real + 2, .n_real = n_real, .H = H, .G = G, .D = D, .n_rot = n_rot};
    int64_t W = (H + 2 * G) * D, n = c.N * W;
    c.x = some_numbers(n, 80, 2);
    c.r = some_numbers(n, 81, 1);
    memset(c.x + n_real * W, 0, (size_t)((c.N - n_real) * W) * sizeof *c.x);
    c.y = ch_new((size_t)n, sizeof *c.y);
    c.cs = some_numbers(8 * n_rot, 82, 1); /* 8 positions; any numbers will do */
    c.pos = ch_new((size_t)c.N, sizeof *c.pos);
    for (int64_t i = 0; i < n_real; i++)
        c.pos[i] = (int32_t)(i * 3 % 8);
    c.at = some_places(n, 1, &c.n_at);
    c.grad = ch_new((size_t)n, sizeof *c.grad);
    ref_gradient(c.grad, c.x, c.at, c.n_at, 1e-4, rope_loss, &c);
    rope_loss(&c);
    each_rig(check_rope, &c);
    free(c.x);
    free(c.r);
    free(c.y);
    free(c.cs);
    free(c.pos);
    free(c.at);
    free(c.grad);
}

static void rope_is_its_twin_and_its_inverse_the_gradient(void **state)
{
    (void)state;
    one_rope(5, 3, 1, 8, 8);
    one_rope(7, 2, 2, 12, 8);
    one_rope(5, 3, 3, 80, 80);
}

/* -- a forest of exactly N rows -- */

typedef struct {
    ch_forest f;
    ch_seq *seq;
    const ch_seq **list;
    int64_t n_seqs;
    int32_t *first, *key; /* the path of every row: what the twin reads */
} wood;

/* Each sequence leaves the one before at a random depth and goes on with new tokens. */
static wood wood_new(int64_t N, int64_t H, int64_t G, uint64_t seed)
{
    static const int64_t lengths[] = {1, 1, 2, 5, 9, 40};
    wood w = {.seq = ch_new((size_t)N, sizeof *w.seq), .list = ch_new((size_t)N, sizeof *w.list)};
    ch_rng r = {.seed = seed, .stream = 3};
    int32_t next = 0;
    for (int64_t left = N; left > 0; w.n_seqs++) {
        const ch_seq *before = w.n_seqs ? &w.seq[w.n_seqs - 1] : NULL;
        int64_t keep = before ? ch_random_below(&r, before->n + 1) : 0;
        int64_t more = lengths[ch_random_below(&r, 6)];
        more = more < left ? more : left;
        ch_seq *s = &w.seq[w.n_seqs];
        s->ids = ch_new((size_t)(keep + more), sizeof *s->ids);
        s->n = s->n_prompt = keep + more;
        if (keep)
            memcpy(s->ids, before->ids, (size_t)keep * sizeof *s->ids);
        for (int64_t i = keep; i < s->n; i++)
            s->ids[i] = next++;
        w.list[w.n_seqs] = s;
        left -= more;
    }
    ch_forest_build(&w.f, w.list, w.n_seqs, H, G);
    CHECK_(w.f.n_rows == N);
    w.first = ch_new((size_t)N + 1, sizeof *w.first);
    w.key = ch_new((size_t)(N * (N + 1)), sizeof *w.key);
    for (int64_t i = 0; i < N; i++) {
        int32_t n = w.first[i];
        for (int32_t k = (int32_t)i; k >= 0; k = w.f.parent[k])
            w.key[n++] = k;
        w.first[i + 1] = n;
    }
    return w;
}

static void wood_release(wood *w)
{
    for (int64_t i = 0; i < w->n_seqs; i++)
        free(w->seq[i].ids);
    free(w->seq);
    free(w->list);
    free(w->first);
    free(w->key);
    ch_forest_release(&w->f);
}

/* -- attention over a forest, and its gradient -- */

typedef struct {
    ref_attn ref;
    ch_attn at;
    wood w;
    int64_t n_at;
    double *qkv, *r, *o, *lse, *grad; /* n_real rows */
    int64_t *at_place;
} attn_case;

static double attn_loss(void *ctx)
{
    attn_case *c = ctx;
    ref_attention(c->o, c->lse, c->qkv, &c->ref);
    return ref_dot(c->o, c->r, c->ref.N * c->ref.H * c->ref.D);
}

/* x as n_real rows of a buffer of N; the ghosts hold NaN, so that whoever reads them shows it. */
static buf with_ghosts(const rig *r, const double *x, const ch_attn *at, int64_t width)
{
    buf part = act_from(r, x, at->n_real * width), all = act_buf(r, at->N * width);
    memcpy(all.p, part.p, (size_t)(at->n_real * width) * part.elem);
    rig unused = *r;
    buf_free(&unused, &part);
    return all;
}

static void check_attention(rig *r, void *ctx)
{
    attn_case *c = ctx;
    ch_attn *at = &c->at;
    int64_t W = (at->H + 2 * at->G) * at->D, HD = at->H * at->D, real = at->n_real;
    int64_t Dp = (at->D + 15) / 16 * 16, ghosts = at->N - real;
    buf qkv = with_ghosts(r, c->qkv, at, W), dout = with_ghosts(r, c->r, at, HD);
    buf k = act_buf(r, ch_kstore_elems(at->n_slots, at->G, at->D));
    buf v = act_buf(r, ch_vstore_elems(at->n_slots, at->G, at->D));
    buf o = act_buf(r, at->N * HD), o2 = act_buf(r, at->N * HD), lse = f32_buf(at->N * at->H);
    CHECK_(k.n == at->n_slots * at->G * at->D && v.n == at->n_slots * at->G * Dp);
    r->op->kv_store(r->d, k.p, v.p, qkv.p, NULL, at);
    r->op->attention(r->d, o.p, lse.p, qkv.p, k.p, v.p, at);
    CHECK_(buf_close("attention", r, &o, 0, c->o, real * HD, r->bf16 ? BF16 : 1e-5));
    CHECK_(buf_close("attention lse", r, &lse, 0, c->lse, real * at->H, 1e-5));
    CHECK_(buf_zero("attention: ghosts", r, &o, real * HD, ghosts * HD));
    r->op->attention(r->d, o2.p, NULL, qkv.p, k.p, v.p, at);
    CHECK_SAME_BYTES(o2.p, o.p, (size_t)o.n * o.elem);
    buf d = act_buf(r, at->N * W);
    buf scratch = f32_buf(ch_attn_scratch(r->d, at->n_slots, at->H, at->G, at->D));
    r->op->attention_backward(r->d, d.p, dout.p, qkv.p, o.p, lse.p, scratch.p, at);
    CHECK_(buf_close_at("attention_backward", r, &d, c->at_place, c->grad, c->n_at,
                        r->bf16 ? 2e-2 : 3e-5));
    CHECK_(buf_zero("attention_backward: ghosts", r, &d, real * W, ghosts * W));
    buf *all[] = {&qkv, &dout, &k, &v, &o, &o2, &lse, &d, &scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(r, all[i]);
}

/* step: every step-th element of the gradient is compared. tile_rows 0: as ch_tile_rows says. */
static void one_attention(int64_t N, int64_t H, int64_t G, int64_t D, int64_t step,
                          int64_t tile_rows)
{
    attn_case c = {.w = wood_new(N, H, G, (uint64_t)(N * 100 + D))};
    ch_plan plan = {0};
    ch_forest_plan(&c.w.f, 0, N, &plan, tile_rows ? tile_rows : ch_tile_rows(H, G));
    c.ref = (ref_attn){N, H, G, D, c.w.first, c.w.key};
    c.at = (ch_attn){.N = N + 3,
                     .H = H,
                     .G = G,
                     .D = D,
                     .n_slots = (N + 3 + 15) / 16 * 16,
                     .tiles = plan.tiles,
                     .blocks = plan.blocks,
                     .n_tiles = plan.n_tiles,
                     .n_real = N};
    int64_t n = N * (H + 2 * G) * D;
    c.qkv = some_numbers(n, 90, 2);
    c.r = some_numbers(N * H * D, 91, 1);
    c.o = ch_new((size_t)(N * H * D), sizeof *c.o);
    c.lse = ch_new((size_t)(N * H), sizeof *c.lse);
    c.at_place = some_places(n, step, &c.n_at);
    c.grad = ch_new((size_t)c.n_at, sizeof *c.grad);
    ref_gradient(c.grad, c.qkv, c.at_place, c.n_at, 1e-4, attn_loss, &c);
    attn_loss(&c);
    each_rig(check_attention, &c);
    free(c.qkv);
    free(c.r);
    free(c.o);
    free(c.lse);
    free(c.at_place);
    free(c.grad);
    ch_plan_release(&plan);
    wood_release(&c.w);
}

static void attention_is_its_twin_and_backward_its_gradient(void **state)
{
    (void)state;
    one_attention(5, 3, 1, 8, 1, 0);
    one_attention(7, 3, 3, 12, 1, 0);
    one_attention(33, 3, 1, 12, 7, 0);
    one_attention(7, 2, 2, 64, 3, 0);
    one_attention(5, 3, 1, 80, 1, 0);
    one_attention(33, 3, 3, 8, 5, 3);
    one_attention(1, 1, 1, 8, 1, 1);
}

static void so_they_are_over_many_tiles_and_runs_of_keys(void **state)
{
    (void)state;
    one_attention(150, 3, 1, 8, 61, 0);
    one_attention(201, 2, 2, 12, 131, 32);
}

/* -- the stores, and rows read at slots of their own, as decoding does -- */

enum { N_OLD = 41, LANES = 5, OWN = 3, N_ALL = N_OLD + LANES * OWN, SLOTS = 96 };

typedef struct {
    int64_t H, G, D;
    double *qkv, *o, *lse; /* N_ALL rows: the forest's, then each lane's tokens */
    wood w;
    int32_t first[N_ALL + 1], key[N_ALL * (N_OLD + OWN)], slot[N_ALL], leaf[LANES];
    ch_plan plan;
} decode_case;

static int32_t lane_slot(int lane, int token)
{
    return N_OLD + 7 + (LANES - 1 - lane) * 5 + token; /* gaps between the lanes, last lane first */
}

/* Lane i goes on from leaf[i]; its last token is the row that asks. */
static void plan_lanes(decode_case *c)
{
    int32_t n = c->w.first[N_OLD];
    memcpy(c->key, c->w.key, (size_t)n * sizeof *c->key);
    memcpy(c->first, c->w.first, (N_OLD + 1) * sizeof *c->first);
    for (int32_t i = 0; i < N_OLD; i++)
        c->slot[i] = i;
    for (int lane = 0; lane < LANES; lane++) {
        c->leaf[lane] = (int32_t)(lane * 9); /* two of them on one path, as it may be */
        for (int token = 0; token < OWN; token++) {
            int32_t row = N_OLD + lane * OWN + token;
            c->slot[row] = lane_slot(lane, token);
            for (int32_t k = c->leaf[lane]; k >= 0; k = c->w.f.parent[k])
                c->key[n++] = k;
            for (int t = 0; t <= token; t++)
                c->key[n++] = N_OLD + lane * OWN + t;
            c->first[row + 1] = n;
        }
        ch_forest_chain(&c->w.f, c->leaf[lane], &c->plan);
        ch_plan_chain(&c->plan, lane_slot(lane, 0), lane_slot(lane, OWN - 1));
        ch_plan_piece(&c->plan, lane, lane + 1, lane_slot(lane, OWN - 1));
    }
    ch_plan_tiles(&c->plan, ch_tile_rows(c->H, c->G));
}

/* Rows of the stores stand where the layout says, and nothing else was written. */
static void check_stores(const rig *r, const decode_case *c, const buf *k, const buf *v)
{
    int64_t W = (c->H + 2 * c->G) * c->D, Dp = (c->D + 15) / 16 * 16, n_k = 0, n_v = 0;
    for (int64_t i = 0; i < N_ALL; i++)
        for (int64_t g = 0; g < c->G; g++)
            for (int64_t e = 0; e < Dp; e++) {
                const double *x = c->qkv + i * W + (c->H + g) * c->D + e;
                int64_t at = ref_value_at(c->slot[i], g, e, SLOTS, c->D, r->bf16);
                CHECK_(buf_at(v, at) == (e < c->D ? x[c->G * c->D] : 0));
                n_v++;
                if (e >= c->D)
                    continue;
                CHECK_(buf_at(k, ref_key_at(c->slot[i], g, e, SLOTS, c->D, r->bf16)) == x[0]);
                n_k++;
            }
    for (int64_t i = 0; i < k->n; i++)
        n_k -= !isnan(buf_at(k, i));
    for (int64_t i = 0; i < v->n; i++)
        n_v -= !isnan(buf_at(v, i));
    if (n_k || n_v)
        fprintf(stderr, "%s: the stores hold %lld, %lld elements too few\n", ch_device_text(r->d),
                (long long)n_k, (long long)n_v);
    CHECK_(n_k == 0 && n_v == 0);
}

static void check_decode(rig *r, void *ctx)
{
    decode_case *c = ctx;
    int64_t W = (c->H + 2 * c->G) * c->D, HD = c->H * c->D;
    ch_attn all = {.N = N_ALL, .H = c->H, .G = c->G, .D = c->D, .n_slots = SLOTS, .n_real = N_ALL};
    buf qkv = act_from(r, c->qkv, N_ALL * W);
    buf k = act_buf(r, ch_kstore_elems(SLOTS, c->G, c->D));
    buf v = act_buf(r, ch_vstore_elems(SLOTS, c->G, c->D));
    r->op->kv_store(r->d, k.p, v.p, qkv.p, c->slot, &all);
    check_stores(r, c, &k, &v);
    double *asks = ch_new((size_t)(LANES * W), sizeof *asks);
    double *want = ch_new((size_t)(LANES * HD), sizeof *want);
    for (int64_t i = 0; i < LANES; i++) {
        int64_t row = N_OLD + i * OWN + OWN - 1;
        memcpy(asks + i * W, c->qkv + row * W, (size_t)W * sizeof *asks);
        memcpy(want + i * HD, c->o + row * HD, (size_t)HD * sizeof *want);
    }
    ch_attn at = all;
    at.N = 8;
    at.n_real = LANES;
    at.tiles = c->plan.tiles;
    at.blocks = c->plan.blocks;
    at.n_tiles = c->plan.n_tiles;
    buf q = with_ghosts(r, asks, &at, W), o = act_buf(r, at.N * HD);
    r->op->attention(r->d, o.p, NULL, q.p, k.p, v.p, &at);
    CHECK_(buf_close("attention at slots", r, &o, 0, want, LANES * HD, r->bf16 ? BF16 : 1e-5));
    CHECK_(buf_zero("attention at slots: ghosts", r, &o, LANES * HD, (at.N - LANES) * HD));
    buf *bufs[] = {&qkv, &k, &v, &q, &o};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_free(r, bufs[i]);
    free(asks);
    free(want);
}

static void one_decode(int64_t H, int64_t G, int64_t D)
{
    decode_case c = {.H = H, .G = G, .D = D, .w = wood_new(N_OLD, H, G, 5)};
    plan_lanes(&c);
    c.qkv = some_numbers(N_ALL * (H + 2 * G) * D, 95, 2);
    c.o = ch_new((size_t)(N_ALL * H * D), sizeof *c.o);
    c.lse = ch_new((size_t)(N_ALL * H), sizeof *c.lse);
    ref_attn ref = {N_ALL, H, G, D, c.first, c.key};
    ref_attention(c.o, c.lse, c.qkv, &ref);
    each_rig(check_decode, &c);
    free(c.qkv);
    free(c.o);
    free(c.lse);
    ch_plan_release(&c.plan);
    wood_release(&c.w);
}

static void
rows_at_slots_of_their_own_read_their_path_and_no_slot_that_was_never_written(void **state)
{
    (void)state;
    one_decode(3, 1, 8);
    one_decode(2, 2, 12);
    one_decode(3, 1, 64);
    one_decode(3, 3, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rope_is_its_twin_and_its_inverse_the_gradient),
        cmocka_unit_test(attention_is_its_twin_and_backward_its_gradient),
        cmocka_unit_test(so_they_are_over_many_tiles_and_runs_of_keys),
        cmocka_unit_test(
            rows_at_slots_of_their_own_read_their_path_and_no_slot_that_was_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
