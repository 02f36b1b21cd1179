/* Runs: what must not change their bits (a second try, a death, an interrupt), and what must stop
 * them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/align.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/bench.h"

static void the_same_seed_gives_the_same_bits_and_another_does_not(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 2);
    ch_train_opts o = plain_options(&b);
    o.eval_every = 4;
    char *d1 = scratch_dir(), *d2 = scratch_dir(), *d3 = scratch_dir();
    outcome one = train(&b, ch_objective_find("sft"), &b.all, &o, d1);
    outcome two = train(&b, ch_objective_find("sft"), &b.all, &o, d2);
    check_same(&b, &two, &one);
    o.seed++;
    outcome other = train(&b, ch_objective_find("sft"), &b.all, &o, d3);
    size_t n = (size_t)ch_model_layout(b.m)->total;
    CHECK_(memcmp(other.weights, one.weights, n * sizeof *one.weights) != 0);
    outcome_release(&one);
    outcome_release(&two);
    outcome_release(&other);
    scratch_remove(d1);
    scratch_remove(d2);
    scratch_remove(d3);
    tear_down(&b);
}

static void a_loss_that_is_not_a_number_stops_the_run_and_names_step_and_rows(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_train_opts o = plain_options(&b);
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (int i = 0; i < 3; i++) {
        char *dir = scratch_dir();
        trip = (trip_wire){3 * (int)o.batch + 1, 0, bad[i]}; /* first group, fourth update */
        outcome out = train(&b, &tripping, NULL, &o, dir);
        CHECK_FAILS(out.code, CH_ENUMBER, &out.e, "step 4");
        CHECK_FAILS(out.code, CH_ENUMBER, &out.e, "row-");
        CHECK_(out.r.steps_done == 3);
        outcome_release(&out);
        scratch_remove(dir);
    }
    tear_down(&b);
}

static void a_nan_in_a_weight_stops_the_run_at_its_first_step(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    ch_train_opts o = plain_options(&b);
    o.batch = b.all.n;
    for (int64_t i = 0; i < ch_model_layout(b.m)->n; i++) {
        char *dir = scratch_dir();
        ch_train_result r;
        ch_err e = {0};
        reload(&b);
        const ch_param *p = &ch_model_layout(b.m)->list[i];
        int64_t row = p->rows == 1 ? 0 : b.t.seq[0].ids[0] % p->rows;
        ch_model_weights(b.m)[p->at + row * p->cols] = (float)NAN;
        ch_model_touch(b.m);
        ch_code c =
            ch_train(b.m, ch_objective_find("sft"), &b.all, NULL, &o, dir, BENCH_HASH, &r, &e);
        CHECK_FAILS(c, CH_ENUMBER, &e, "step 1");
        CHECK_FAILS(c, CH_ENUMBER, &e, "row-0");
        scratch_remove(dir);
    }
    tear_down(&b);
}

static void a_run_that_died_and_went_on_has_the_bits_of_one_that_did_not(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    ch_train_opts o = plain_options(&b);
    o.eval_every = 2;
    o.save_every = 3;
    ch_groups dev = {b.group + 2, 3};
    char *calm = scratch_dir(), *rough = scratch_dir();
    outcome want = train(&b, ch_objective_find("sft"), &dev, &o, calm);
    const int updates[] = {2, 5, 4}; /* of each life; the third begins at the state of update 3 */
    const int64_t done[] = {1, 4, 6};
    for (int i = 0; i < 3; i++) {
        trip = (trip_wire){updates[i] * (int)o.batch, 0, (double)NAN};
        outcome dead = train(&b, &tripping, &dev, &o, rough);
        CHECK_(dead.code == CH_ENUMBER && dead.r.steps_done == done[i]);
        outcome_release(&dead);
    }
    outcome got = train(&b, ch_objective_find("sft"), &dev, &o, rough);
    check_same(&b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    scratch_remove(calm);
    scratch_remove(rough);
    tear_down(&b);
}

static void a_state_of_another_recipe_or_cut_short_is_refused(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_train_opts o = plain_options(&b);
    o.save_every = 5;
    char *dir = scratch_dir(), *path = ch_path(dir, "state.ckpt"), *bytes = NULL;
    outcome out = train(&b, ch_objective_find("sft"), NULL, &o, dir);
    CHECK_OK(out.code, &out.e);
    outcome_release(&out);
    ch_err e = {0};
    ch_train_result r;
    ch_code c = ch_train(b.m, ch_objective_find("sft"), &b.all, NULL, &o, dir, "another", &r, &e);
    CHECK_FAILS(c, CH_EUSER, &e, "state.ckpt");
    size_t n = 0;
    e = (ch_err){0};
    CHECK_OK(ch_file_read(path, &bytes, &n, &e), &e);
    CHECK_OK(ch_file_write(path, bytes, n - 1, &e), &e);
    c = ch_train(b.m, ch_objective_find("sft"), &b.all, NULL, &o, dir, BENCH_HASH, &r, &e);
    CHECK_FAILS(c, CH_EUSER, &e, "state.ckpt");
    free(bytes);
    free(path);
    scratch_remove(dir);
    tear_down(&b);
}

/* The last test: the flag of an interrupt stays up. */
static void interrupted_after_every_update_a_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    ch_train_opts o = plain_options(&b);
    o.eval_every = 3;
    char *calm = scratch_dir(), *rough = scratch_dir();
    outcome want = train(&b, ch_objective_find("sft"), &b.all, &o, calm), got = {0};
    ch_interrupt_install();
    trip = (trip_wire){(int)o.batch * 2 - 1, 1, 0};
    int lives = 0;
    for (got.code = CH_ESTOP; got.code == CH_ESTOP && lives < 20; lives++) {
        outcome_release(&got);
        got = train(&b, &tripping, &b.all, &o, rough);
        CHECK_(got.r.steps_done >= 2 + lives || got.code == CH_OK);
    }
    CHECK_(lives == o.steps); /* two updates in the first life, one in each other, and the end */
    check_same(&b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    scratch_remove(calm);
    scratch_remove(rough);
    tear_down(&b);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bits_and_another_does_not),
        cmocka_unit_test(a_loss_that_is_not_a_number_stops_the_run_and_names_step_and_rows),
        cmocka_unit_test(a_nan_in_a_weight_stops_the_run_at_its_first_step),
        cmocka_unit_test(a_run_that_died_and_went_on_has_the_bits_of_one_that_did_not),
        cmocka_unit_test(a_state_of_another_recipe_or_cut_short_is_refused),
        cmocka_unit_test(interrupted_after_every_update_a_run_ends_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
