/* Runs: what must not change their bits (a second try, a death, an interrupt), and what must stop
 * them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/align.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/bench.h"

/* A model, options, and two directories for its runs. */
typedef struct {
    bench b;
    ch_train_opts o;
    char *calm, *rough;
} trial;

static void trial_begin(trial *t, ch_precision p, int threads)
{
    set_up(&t->b, p, threads);
    t->o = plain_options(&t->b);
    t->calm = scratch_dir();
    t->rough = scratch_dir();
}

static void trial_end(trial *t)
{
    scratch_remove(t->calm);
    scratch_remove(t->rough);
    tear_down(&t->b);
}

static outcome sft(trial *t, const ch_groups *dev, const char *dir)
{
    return train(&t->b, ch_objective_find("sft"), dev, &t->o, dir);
}

static void runs_are_equal(ch_precision p, int threads)
{
    trial t;
    trial_begin(&t, p, threads);
    t.o.eval_every = 4;
    char *third = scratch_dir();
    outcome one = sft(&t, &t.b.all, t.calm);
    outcome two = sft(&t, &t.b.all, t.rough);
    check_same(&t.b, &two, &one);
    t.o.seed++;
    outcome other = sft(&t, &t.b.all, third);
    size_t n = (size_t)ch_model_layout(t.b.m)->total;
    CHECK_(memcmp(other.weights, one.weights, n * sizeof *one.weights) != 0);
    outcome_release(&one);
    outcome_release(&two);
    outcome_release(&other);
    scratch_remove(third);
    trial_end(&t);
}

static void the_same_seed_gives_the_same_bits_and_another_does_not(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        runs_are_equal(CH_PRECISION_F32, threads);
        if (can_compute(CH_PRECISION_BF16, test_isa()))
            runs_are_equal(CH_PRECISION_BF16, threads);
    }
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

/* ch_train as it is called, from whatever weights and state are there. */
static ch_code train_here(trial *t, const char *hash, ch_err *e)
{
    ch_train_result r;
    return ch_train(t->b.m, ch_objective_find("sft"), &t->b.all, NULL, &t->o, t->calm, hash, &r, e);
}

static void a_nan_in_a_weight_stops_the_run_at_its_first_step(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_AUTO, 1);
    t.o.batch = t.b.all.n;
    for (int64_t i = 0; i < ch_model_layout(t.b.m)->n; i++) {
        ch_err e = {0};
        reload(&t.b);
        const ch_param *p = &ch_model_layout(t.b.m)->list[i];
        int64_t row = p->rows == 1 ? 0 : t.b.t.seq[0].ids[0] % p->rows;
        ch_model_weights(t.b.m)[p->at + row * p->cols] = (float)NAN;
        ch_model_touch(t.b.m);
        ch_code c = train_here(&t, BENCH_HASH, &e);
        CHECK_FAILS(c, CH_ENUMBER, &e, "step 1");
        CHECK_FAILS(c, CH_ENUMBER, &e, "row-0");
    }
    trial_end(&t);
}

static void a_run_that_died_and_went_on_has_the_bits_of_one_that_did_not(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_AUTO, 1);
    t.o.eval_every = 2;
    t.o.save_every = 3;
    ch_groups dev = {t.b.group + 2, 3};
    outcome want = sft(&t, &dev, t.calm);
    const int updates[] = {2, 5, 4}; /* of each life; the third begins at the state of update 3 */
    const int64_t done[] = {1, 4, 6};
    for (int i = 0; i < 3; i++) {
        trip = (trip_wire){updates[i] * (int)t.o.batch, 0, (double)NAN};
        outcome dead = train(&t.b, &tripping, &dev, &t.o, t.rough);
        CHECK_(dead.code == CH_ENUMBER && dead.r.steps_done == done[i]);
        outcome_release(&dead);
    }
    outcome got = sft(&t, &dev, t.rough);
    check_same(&t.b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    trial_end(&t);
}

static void a_state_of_another_recipe_or_cut_short_is_refused(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_F32, 1);
    t.o.save_every = 5;
    char *path = ch_path(t.calm, "state.ckpt"), *bytes = NULL;
    outcome out = sft(&t, NULL, t.calm);
    CHECK_OK(out.code, &out.e);
    outcome_release(&out);
    ch_err e = {0};
    CHECK_FAILS(train_here(&t, "another", &e), CH_EUSER, &e, "state.ckpt");
    size_t n = 0;
    e = (ch_err){0};
    CHECK_OK(ch_file_read(path, &bytes, &n, &e), &e);
    CHECK_OK(ch_file_write(path, bytes, n - 1, &e), &e);
    CHECK_FAILS(train_here(&t, BENCH_HASH, &e), CH_EUSER, &e, "state.ckpt");
    free(bytes);
    free(path);
    trial_end(&t);
}

/* The last test: the flag of an interrupt stays up. */
static void interrupted_after_every_update_a_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_AUTO, 1);
    t.o.eval_every = 3;
    outcome want = sft(&t, &t.b.all, t.calm), got = {0};
    ch_interrupt_install();
    ch_interrupt_begin();
    trip = (trip_wire){(int)t.o.batch * 2 - 1, 1, 0};
    int lives = 0;
    for (got.code = CH_ESTOP; got.code == CH_ESTOP && lives < 20; lives++) {
        outcome_release(&got);
        got = train(&t.b, &tripping, &t.b.all, &t.o, t.rough);
        CHECK_(got.r.steps_done >= 2 + lives || got.code == CH_OK);
    }
    ch_interrupt_end();
    ch_interrupt_restore();
    CHECK_(lives == t.o.steps); /* two updates in the first life, one in each other, and the end */
    check_same(&t.b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    trial_end(&t);
}

int main(void)
{
    ch_log_level(CH_WARN);
    if (!isa_is_here())
        return SKIPPED;
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
