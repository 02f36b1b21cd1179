/* Runs: what must not change their bits (a second try, a death, an interrupt), and what must stop
 * them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/tiny_runs.h"

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
    t.o.keep = CH_KEEP_BEST;
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

/* A run with states; its directory is t->calm. */
static void leave_a_state(trial *t, char **bytes, size_t *n)
{
    ch_err e = {0};
    char *path = ch_path(t->calm, "state.ckpt");
    t->o.save_every = 5;
    outcome out = sft(t, NULL, t->calm);
    CHECK_OK(out.code, &out.e);
    outcome_release(&out);
    CHECK_OK(ch_file_read(path, bytes, n, &e), &e);
    free(path);
}

static void put_state(const trial *t, const char *bytes, size_t n)
{
    ch_err e = {0};
    char *path = ch_path(t->calm, "state.ckpt");
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    free(path);
}

static void a_state_of_another_recipe_cut_short_or_damaged_is_refused(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_F32, 1);
    char *bytes = NULL;
    size_t n = 0;
    leave_a_state(&t, &bytes, &n);
    ch_err e = {0};
    CHECK_FAILS(train_here(&t, "another", &e), CH_EUSER, &e, "state.ckpt");
    const size_t lengths[] = {0, 1, 100, n / 2, n - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_state(&t, bytes, lengths[i]);
        e = (ch_err){0};
        CHECK_FAILS(train_here(&t, BENCH_HASH, &e), CH_EUSER, &e, "delete it");
    }
    size_t head = n - 3 * (size_t)ch_model_layout(t.b.m)->total * sizeof(float);
    for (size_t at = 0; at < n; at += at < head ? 3 : n / 40) { /* a bit at a time */
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        put_state(&t, bytes, n);
        e = (ch_err){0};
        CHECK_FAILS(train_here(&t, BENCH_HASH, &e), CH_EUSER, &e, "delete it");
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
    }
    put_state(&t, bytes, n);
    e = (ch_err){0};
    CHECK_OK(train_here(&t, BENCH_HASH, &e), &e);
    free(bytes);
    trial_end(&t);
}

/* Each a position that no training of these options stands at, under a digest that fits. */
static void a_states_counters_are_not_believed(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_F32, 1);
    t.o.save_every = 5;
    char *path = ch_path(t.calm, "state.ckpt");
    ch_stepper s;
    ch_err e = {0};
    CHECK_OK(ch_stepper_init(&s, t.b.m, ch_objective_find("sft"), &t.b.all, NULL, &t.o, &e), &e);
    const ch_position sound = {
        .step = 4, .best_step = 2, .tokens = 9, .rows = 5, .last = {.lr = 1}};
    ch_position got, bad[14];
    for (int i = 0; i < 14; i++)
        bad[i] = sound;
    bad[0].step = t.o.steps + 1;
    bad[1].step = -1;
    bad[2].best_step = 5;
    bad[3].best_step = -1;
    bad[4].tokens = INT64_MIN;
    bad[5].rows = -1;
    bad[6].best_dev = (double)NAN;
    bad[7].first_loss = (double)INFINITY;
    bad[8].last_dev = -(double)INFINITY;
    bad[9].seconds = -1;
    bad[10].row_due = 2;
    bad[11].keep = CH_KEEP_BEST;
    bad[12].last.norm = (double)NAN;
    bad[13].last_loss = (double)NAN;
    for (int i = 0; i < 14; i++) {
        CHECK_OK(ch_state_write(path, &s, &bad[i], BENCH_HASH, &e), &e);
        CHECK_FAILS(ch_state_read(path, &s, &got, BENCH_HASH, &e), CH_EUSER, &e, "state.ckpt");
        e = (ch_err){0};
    }
    CHECK_OK(ch_state_write(path, &s, &sound, BENCH_HASH, &e), &e);
    CHECK_OK(ch_state_read(path, &s, &got, BENCH_HASH, &e), &e);
    CHECK_SAME_BYTES(&got, &sound, sizeof got);
    ch_stepper_release(&s);
    free(path);
    trial_end(&t);
}

static void a_damaged_best_is_refused_before_the_first_update(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_F32, 1);
    t.o.eval_every = t.o.save_every = 2;
    t.o.keep = CH_KEEP_BEST;
    trip = (trip_wire){5 * (int)t.o.batch, 0, (double)NAN};
    outcome dead = train(&t.b, &tripping, &t.b.all, &t.o, t.rough);
    CHECK_(dead.code == CH_ENUMBER && dead.r.best_step > 0);
    outcome_release(&dead);
    char *path = ch_path(t.rough, "best.w"), *bytes = NULL;
    size_t n = 0;
    ch_err e = {0};
    CHECK_OK(ch_file_read(path, &bytes, &n, &e), &e);
    bytes[n - 5] ^= 4;
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    outcome out = sft(&t, &t.b.all, t.rough);
    CHECK_FAILS(out.code, CH_EUSER, &out.e, "best.w");
    CHECK_FAILS(out.code, CH_EUSER, &out.e, "delete state.ckpt");
    CHECK_(out.r.steps_done == 4);
    outcome_release(&out);
    free(bytes);
    free(path);
    trial_end(&t);
}

/* Lives until a run ends, each with an interrupt at the same number of calls of the loss. */
static int64_t lives_of(trial *t, const ch_objective *obj, int calls, outcome *got)
{
    int64_t lives = 0;
    for (got->code = CH_ESTOP; got->code == CH_ESTOP && lives < 30; lives++) {
        outcome_release(got);
        trip = (trip_wire){calls, 1, 0};
        *got = train(&t->b, obj, &t->b.all, &t->o, t->rough);
        ch_interrupt_end(); /* lowers the flag */
        ch_interrupt_begin();
        CHECK_(got->r.steps_done >= 1 + lives || got->code == CH_OK);
    }
    return lives;
}

static void interrupted_in_every_update_a_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_AUTO, 1);
    t.o.eval_every = 3;
    outcome want = sft(&t, &t.b.all, t.calm), got = {0};
    /* each life has a whole update and dies in the second */
    CHECK_(lives_of(&t, &tripping, (int)t.o.batch * 2 - 1, &got) == t.o.steps);
    check_same(&t.b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    trial_end(&t);
}

/* The objective that is told its weights beforehand calls the loss twice; the last call of an update
 * is behind its last product, so that the interrupt is seen in the dev loss. */
static void interrupted_in_every_dev_loss_a_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    trial t;
    ch_objective linear = tripping;
    trial_begin(&t, CH_PRECISION_AUTO, 1);
    linear.linear = 1;
    t.o.eval_every = 1;
    t.o.keep = CH_KEEP_BEST;
    outcome want = sft(&t, &t.b.all, t.calm), got = {0};
    CHECK_(lives_of(&t, &linear, (int)t.o.batch * 2, &got) == t.o.steps + 1);
    check_same(&t.b, &got, &want);
    outcome_release(&got);
    outcome_release(&want);
    trial_end(&t);
}

/* An update of many pieces ends with the piece at hand, and a forward pass with the layer. */
static void an_interrupt_is_seen_between_pieces_and_layers(void **state)
{
    (void)state;
    trial t;
    trial_begin(&t, CH_PRECISION_F32, 1);
    t.o.batch = t.b.all.n;
    t.o.max_rows = 1; /* a piece a group */
    trip = (trip_wire){2, 1, 0};
    outcome out = train(&t.b, &tripping, NULL, &t.o, t.calm);
    CHECK_(out.code == CH_ESTOP && out.r.steps_done == 0 && trip.calls == 0);
    outcome_release(&out);
    float logp[256];
    const ch_seq *one = &t.b.t.seq[0];
    ch_forest f = {0};
    ch_net *net;
    ch_err e = {0};
    const ch_dims *z = ch_model_dims(t.b.m);
    for (int i = 0; i < 256; i++)
        logp[i] = 7;
    ch_forest_build(&f, &one, 1, z->H, z->G);
    CHECK_OK(ch_net_new(&net, t.b.m, CH_NET_SCORE, 256, 0, &e), &e);
    CHECK_(ch_interrupted() && f.n_targets > 0 && f.n_targets < 256);
    ch_net_forward(net, &f, logp);
    for (int i = 0; i < 256; i++)
        CHECK_(logp[i] == 7);
    ch_interrupt_end(); /* lowers the flag */
    ch_interrupt_begin();
    ch_net_forward(net, &f, logp);
    CHECK_(logp[0] < 0 && logp[f.n_targets - 1] < 0);
    ch_net_free(net);
    ch_forest_release(&f);
    trial_end(&t);
}

int main(void)
{
    ch_log_level(CH_WARN);
    ch_interrupt_install();
    ch_interrupt_begin();
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bits_and_another_does_not),
        cmocka_unit_test(a_loss_that_is_not_a_number_stops_the_run_and_names_step_and_rows),
        cmocka_unit_test(a_nan_in_a_weight_stops_the_run_at_its_first_step),
        cmocka_unit_test(a_run_that_died_and_went_on_has_the_bits_of_one_that_did_not),
        cmocka_unit_test(a_state_of_another_recipe_cut_short_or_damaged_is_refused),
        cmocka_unit_test(a_states_counters_are_not_believed),
        cmocka_unit_test(a_damaged_best_is_refused_before_the_first_update),
        cmocka_unit_test(interrupted_in_every_update_a_run_ends_with_the_same_bits),
        cmocka_unit_test(interrupted_in_every_dev_loss_a_run_ends_with_the_same_bits),
        cmocka_unit_test(an_interrupt_is_seen_between_pieces_and_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
