/* Which groups an update takes: independent draws are those of always, grouped ones are as even and
 * as repeatable, and neither depends on how a batch is cut or on what it shares. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/tiny_runs.h"

/* Groups without text: n of them, under instructions of the sizes given (a size of 0 ends). */
static ch_groups groups_of(const int64_t *size)
{
    ch_groups g = {0};
    int64_t cap = 0;
    for (int64_t k = 0; size[k]; k++)
        for (int64_t i = 0; i < size[k]; i++)
            *CH_PUSH(g.list, g.n, cap) = (ch_group){.instruction = 100 - k};
    return g;
}

static ch_train_opts drawing(int sampling, int64_t batch, int64_t at_once, uint64_t seed)
{
    return (ch_train_opts){.steps = 10,
                           .batch = batch,
                           .sampling = sampling,
                           .inputs_per_instruction = at_once,
                           .max_rows = 4096,
                           .seed = seed};
}

/* -- independent -- */

static void independent_draws_are_the_shuffles_they_always_were(void **state)
{
    (void)state;
    static const int64_t want[26] = {12, 4, 10, 6, 0, 11, 5, 3, 7,  9,  8, 1, 2,
                                     7,  9, 6,  5, 3, 10, 8, 4, 11, 12, 2, 0, 1};
    ch_groups g = groups_of((const int64_t[]){13, 0});
    ch_train_opts o = drawing(CH_DRAW_INDEPENDENT, 2, 4, 3);
    for (int64_t t = 0; t < 13; t++) {
        int64_t got[2];
        ch_train_drawn(&g, &o, t, got);
        CHECK_(got[0] == want[2 * t] && got[1] == want[2 * t + 1]);
    }
    free(g.list);
}

static void independent_draws_know_nothing_of_instructions(void **state)
{
    (void)state;
    ch_groups one = groups_of((const int64_t[]){60, 0}),
              many = groups_of((const int64_t[]){7, 20, 3, 30, 0});
    ch_train_opts o = drawing(CH_DRAW_INDEPENDENT, 8, 4, 5);
    for (int64_t t = 0; t < 30; t++) {
        int64_t a[8], b[8];
        ch_train_drawn(&one, &o, t, a);
        ch_train_drawn(&many, &o, t, b);
        CHECK_SAME_BYTES(a, b, sizeof a);
    }
    free(one.list);
    free(many.list);
}

/* -- grouped -- */

/* Every epoch holds every group once; the draws of a sampler that jumps are those of one that does
 * not. */
static void check_epochs(const ch_groups *g, const ch_train_opts *o)
{
    ch_sampler s = ch_sampler_of(g, o);
    int *seen = ch_new((size_t)g->n, sizeof *seen);
    for (int64_t epoch = 0; epoch < 4; epoch++)
        for (int64_t i = 0; i < g->n; i++) {
            int64_t k = ch_sampler_at(&s, epoch * g->n + i);
            CHECK_(k >= 0 && k < g->n && seen[k] == epoch);
            seen[k]++;
        }
    int64_t last = 4 * g->n / o->batch - 1, *jump = ch_new((size_t)o->batch, sizeof *jump);
    ch_train_drawn(g, o, last, jump);
    for (int64_t j = 0; j < o->batch; j++)
        CHECK_(jump[j] == ch_sampler_at(&s, last * o->batch + j));
    ch_sampler_release(&s);
    free(seen);
    free(jump);
}

static void an_epoch_of_grouped_draws_holds_every_group_once(void **state)
{
    (void)state;
    ch_rng r = {.seed = 1};
    for (int trial = 0; trial < 200; trial++) {
        int64_t size[12] = {0}, n = 1 + ch_random_below(&r, 11);
        for (int64_t k = 0; k < n; k++)
            size[k] = 1 + ch_random_below(&r, trial % 2 ? 4 : 40);
        ch_groups g = groups_of(size);
        ch_train_opts o = drawing(CH_DRAW_GROUPED, 1 + ch_random_below(&r, 12),
                                  ch_random_below(&r, 9), (uint64_t)trial);
        if (4 * g.n >= o.batch)
            check_epochs(&g, &o);
        free(g.list);
    }
}

static void grouped_draws_are_a_few_instructions_and_several_groups_of_each(void **state)
{
    (void)state;
    ch_groups g = groups_of((const int64_t[]){12, 8, 20, 4, 40, 16, 0});
    ch_train_opts o = drawing(CH_DRAW_GROUPED, 8, 4, 7);
    int64_t met[6] = {0};
    for (int64_t t = 0; t < 50; t++) { /* four epochs */
        int64_t got[8];
        ch_train_drawn(&g, &o, t, got);
        for (int64_t j = 0; j < 8; j++) { /* bunches of four */
            CHECK_(g.list[got[j]].instruction == g.list[got[j - j % 4]].instruction);
            met[100 - g.list[got[j]].instruction]++;
        }
    }
    CHECK_(met[0] == 48 && met[1] == 32 && met[2] == 80 && met[3] == 16 && met[4] == 160 &&
           met[5] == 64);
    free(g.list);
}

/* The instruction of an update's first group, and which others are drawn with group 30 of 96. */
static void every_epoch_and_every_seed_draws_anew(void **state)
{
    (void)state;
    ch_groups g = groups_of((const int64_t[]){24, 24, 24, 24, 0});
    ch_train_opts o = drawing(CH_DRAW_GROUPED, 4, 4, 7);
    int first[4] = {0}, n_first = 0;
    int64_t with[24] = {0}, n_with = 0;
    for (int64_t epoch = 0; epoch < 12; epoch++)
        for (int64_t t = 0; t < 24; t++) {
            int64_t got[4];
            ch_train_drawn(&g, &o, epoch * 24 + t, got);
            int has = got[0] == 30 || got[1] == 30 || got[2] == 30 || got[3] == 30;
            first[got[0] / 24] += t == 0;
            for (int64_t j = 0; has && j < 4; j++)
                with[got[j] - 24] += got[j] >= 24 && got[j] < 48;
        }
    for (int k = 0; k < 4; k++)
        n_first += first[k] > 0;
    for (int k = 0; k < 24; k++)
        n_with += with[k] > 0;
    CHECK_(with[6] == 12); /* once an epoch */
    CHECK_(n_first >= 3 && n_with > 12);
    int64_t a[4], b[4];
    ch_train_drawn(&g, &o, 0, a);
    o.seed++;
    ch_train_drawn(&g, &o, 0, b);
    CHECK_(memcmp(a, b, sizeof a) != 0);
    free(g.list);
}

static void bunches_of_odd_sizes_are_put_where_they_fit(void **state)
{
    (void)state;
    ch_groups g = groups_of((const int64_t[]){5, 5, 6, 9, 10, 11, 13, 5, 3, 0});
    ch_train_opts o = drawing(CH_DRAW_GROUPED, 8, 4, 2); /* 67 groups: epochs begin anywhere */
    ch_sampler s = ch_sampler_of(&g, &o);
    int64_t n = 0;
    for (int64_t t = 0; t < 80; t++)
        for (int64_t j = 0; j < 8; j++) {
            const ch_group *a = g.list + ch_sampler_at(&s, 8 * t + j);
            n += !j || g.list[ch_sampler_at(&s, 8 * t + j - 1)].instruction != a->instruction;
        }
    CHECK_(n < 80 * 2.8); /* instructions an update; above 3 when bunches are cut as they come */
    ch_sampler_release(&s);
    free(g.list);
}

/* -- what is shared -- */

enum {
    WORDINGS = 6,
    INPUTS = 8,
    PREFIX = 20,
    INPUT = 5,
    ANSWER = 2,
    LEN = PREFIX + INPUT + ANSWER
};

static void grouped_updates_share_their_instructions(void **state)
{
    (void)state;
    static int32_t ids[WORDINGS * INPUTS][LEN];
    static char row[WORDINGS * INPUTS][8];
    ch_member member[WORDINGS * INPUTS];
    ch_group group[WORDINGS * INPUTS];
    for (int k = 0; k < WORDINGS * INPUTS; k++) {
        for (int i = 0; i < LEN; i++)
            ids[k][i] = i < PREFIX ? k / INPUTS * 100 + i : 10000 + k * 100 + i;
        snprintf(row[k], sizeof row[k], "%d", k);
        member[k] = (ch_member){.seq = {ids[k], LEN, PREFIX + INPUT}};
        group[k] = (ch_group){&member[k], 1, row[k], k / INPUTS};
    }
    ch_groups g = {group, WORDINGS * INPUTS};
    ch_train_opts o = drawing(CH_DRAW_GROUPED, 8, 4, 1);
    o.steps = 6; /* an epoch */
    ch_train_load together = ch_train_look(&g, NULL, &o);
    o.sampling = CH_DRAW_INDEPENDENT;
    ch_train_load apart = ch_train_look(&g, NULL, &o);
    CHECK_(together.tokens == 48 * LEN && apart.tokens == 48 * LEN);
    CHECK_(together.instructions >= 6 && together.instructions <= 12);
    CHECK_(together.rows == together.instructions * PREFIX + 48 * (LEN - PREFIX));
    CHECK_(apart.rows == apart.instructions * PREFIX + 48 * (LEN - PREFIX));
    CHECK_(apart.instructions > 2 * together.instructions);
    o.max_rows = 16; /* each group alone: nothing is shared */
    apart = ch_train_look(&g, NULL, &o);
    CHECK_(apart.rows == 48 * LEN);
}

/* -- what is learned -- */

static int64_t seen[64], n_seen;

static double recording_loss(const ch_group *g, const double *logp, const int64_t *n_tok,
                             const ch_update *u, double *w)
{
    CHECK_(n_seen < 64);
    seen[n_seen++] = strtol(g->row + 4, NULL, 10);
    return ch_loss_sft(g, logp, n_tok, u, w);
}

static const ch_objective recording = {.name = "sft", .what = "records", .loss = recording_loss};

static int by_value(const void *a, const void *b)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    return (i > j) - (i < j);
}

/* The gradient of update t as ch_train would make it first; checks which groups it was made of. */
static float *gradient_of_update(bench *b, const ch_train_opts *o, int64_t t)
{
    ch_err e = {0};
    ch_stepper s;
    ch_step_report r;
    int64_t want[64];
    reload(b);
    CHECK_OK(ch_stepper_init(&s, b->m, &recording, &b->all, NULL, o, &e), &e);
    ch_train_drawn(&b->all, o, t, want);
    for (int64_t j = 0; j < o->batch; j++)
        s.batch[j] = &b->group[want[j]];
    n_seen = 0;
    CHECK_OK(ch_stepper_update(&s, 0, &r, &e), &e);
    qsort(want, (size_t)o->batch, sizeof *want, by_value);
    qsort(seen, (size_t)n_seen, sizeof *seen, by_value);
    CHECK_(n_seen == o->batch);
    CHECK_SAME_BYTES(seen, want, (size_t)o->batch * sizeof *want);
    size_t n = (size_t)ch_model_layout(b->m)->total;
    float *grads = ch_new(n, sizeof *grads);
    memcpy(grads, s.grads, n * sizeof *grads);
    ch_stepper_release(&s);
    return grads;
}

static void give_instructions(bench *b)
{
    for (int64_t i = 0; i < b->all.n; i++)
        b->group[i].instruction = i / 3;
}

static void
cutting_and_sharing_change_neither_the_groups_nor_the_gradient_of_an_update(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    give_instructions(&b);
    int64_t total = ch_model_layout(b.m)->total;
    double *want = ch_new((size_t)total, sizeof *want);
    for (int k = 0; k < 6; k++) {
        ch_train_opts o = plain_options(&b);
        o.batch = 5;
        o.sampling = k % 2 ? CH_DRAW_GROUPED : CH_DRAW_INDEPENDENT;
        o.inputs_per_instruction = 3;
        o.max_rows = 512;
        float *grads = gradient_of_update(&b, &o, k / 2);
        for (int64_t i = 0; i < total; i++)
            want[i] = (double)grads[i];
        free(grads);
        for (int64_t rows = 1; rows <= 61; rows += 30) { /* 1: every group in a forest of its own */
            o.max_rows = rows;
            grads = gradient_of_update(&b, &o, k / 2);
            const ch_layout *l = ch_model_layout(b.m);
            for (int64_t i = 0; i < l->n; i++) {
                const ch_param *p = &l->list[i];
                CHECK_(close_f32(p->name, grads + p->at, want + p->at, p->rows * p->cols, 1e-5));
            }
            free(grads);
        }
    }
    free(want);
    tear_down(&b);
}

/* Every update of a run learns from the groups that ch_train_drawn names. */
static void check_run(bench *b, const ch_train_opts *o)
{
    char *dir = scratch_dir();
    n_seen = 0;
    outcome out = train(b, &recording, NULL, o, dir);
    CHECK_OK(out.code, &out.e);
    CHECK_(n_seen == o->steps * o->batch);
    for (int64_t t = 0; t < o->steps; t++) {
        int64_t want[64], *got = seen + t * o->batch;
        ch_train_drawn(&b->all, o, t, want);
        qsort(want, (size_t)o->batch, sizeof *want, by_value);
        qsort(got, (size_t)o->batch, sizeof *got, by_value);
        CHECK_SAME_BYTES(got, want, (size_t)o->batch * sizeof *want);
    }
    outcome_release(&out);
    scratch_remove(dir);
}

static void a_run_learns_from_what_was_drawn_whatever_max_rows_is(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    give_instructions(&b);
    for (int k = 0; k < 6; k++) {
        ch_train_opts o = plain_options(&b);
        o.steps = 6;
        o.batch = 4;
        o.sampling = k % 2 ? CH_DRAW_GROUPED : CH_DRAW_INDEPENDENT;
        o.inputs_per_instruction = 2;
        o.max_rows = (const int64_t[]){1, 50, 512}[k / 2];
        check_run(&b, &o);
    }
    tear_down(&b);
}

static void a_grouped_run_that_died_and_went_on_has_the_bits_of_one_that_did_not(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    give_instructions(&b);
    ch_train_opts o = plain_options(&b);
    o.sampling = CH_DRAW_GROUPED;
    o.inputs_per_instruction = 2;
    o.save_every = 3;
    char *calm = scratch_dir(), *rough = scratch_dir();
    outcome want = train(&b, ch_objective_find("sft"), NULL, &o, calm);
    trip = (trip_wire){5 * (int)o.batch, 0, (double)NAN};
    outcome dead = train(&b, &tripping, NULL, &o, rough);
    CHECK_(dead.code == CH_ENUMBER && dead.r.steps_done == 4);
    outcome got = train(&b, ch_objective_find("sft"), NULL, &o, rough);
    check_same(&b, &got, &want);
    outcome_release(&dead);
    outcome_release(&got);
    outcome_release(&want);
    scratch_remove(calm);
    scratch_remove(rough);
    tear_down(&b);
}

int main(void)
{
    ch_log_level(CH_WARN);
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_draws_are_the_shuffles_they_always_were),
        cmocka_unit_test(independent_draws_know_nothing_of_instructions),
        cmocka_unit_test(an_epoch_of_grouped_draws_holds_every_group_once),
        cmocka_unit_test(grouped_draws_are_a_few_instructions_and_several_groups_of_each),
        cmocka_unit_test(every_epoch_and_every_seed_draws_anew),
        cmocka_unit_test(bunches_of_odd_sizes_are_put_where_they_fit),
        cmocka_unit_test(grouped_updates_share_their_instructions),
        cmocka_unit_test(
            cutting_and_sharing_change_neither_the_groups_nor_the_gradient_of_an_update),
        cmocka_unit_test(a_run_learns_from_what_was_drawn_whatever_max_rows_is),
        cmocka_unit_test(a_grouped_run_that_died_and_went_on_has_the_bits_of_one_that_did_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
