/* Updates: ten AdamW steps against PyTorch, batches cut in pieces, learning by heart, best by dev
 * loss. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/tiny_runs.h"

/* -- against PyTorch -- */

static void follow(bench *b, const json_t *run, const ch_train_opts *o, double tol)
{
    const json_t *batches = json_at(run, "batches"),
                 *rates = json_at(json_at(b->t.json, "adamw"), "rates");
    int64_t n_losses = 0, n_norms = 0;
    double *want = json_doubles(json_at(run, "losses"), &n_losses);
    double *norms = json_doubles(json_at(run, "norms"), &n_norms);
    double losses[64], got_norms[64], after = NAN;
    ch_err e = {0};
    ch_stepper s;
    CHECK_(n_losses == o->steps + 1 && n_norms == o->steps && o->steps < 64);
    CHECK_OK(ch_stepper_init(&s, b->m, ch_objective_find("sft"), &b->all, NULL, o, &e), &e);
    for (int64_t t = 0; t < o->steps; t++) {
        const json_t *batch = json_array_get(batches, (size_t)t);
        ch_step_report r;
        CHECK_((int64_t)json_array_size(batch) == o->batch);
        for (int64_t i = 0; i < o->batch; i++)
            s.batch[i] = &b->group[json_integer_value(json_array_get(batch, (size_t)i))];
        CHECK_OK(ch_stepper_update(&s, t, &r, &e), &e);
        CHECK_NEAR(r.lr, json_number_value(json_array_get(rates, (size_t)t)), 1e-12);
        losses[t] = r.loss;
        got_norms[t] = r.norm;
    }
    ch_stepper_release(&s);
    CHECK_OK(ch_dev_loss(b->m, &b->all, o->max_rows, &after, &e), &e);
    losses[o->steps] = after;
    for (int64_t t = 0; t <= o->steps; t++)
        CHECK_NEAR(losses[t], want[t], tol);
    for (int64_t t = 0; t < o->steps; t++)
        CHECK_(close_f64("gradient norm", &got_norms[t], &norms[t], 1, 10 * tol));
    free(want);
    free(norms);
}

static void follow_both(ch_precision p, double tol)
{
    bench b;
    set_up(&b, p, 1);
    json_t *runs = json_at(json_at(b.t.json, "adamw"), "runs");
    CHECK_(json_array_size(runs) == 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *run = json_array_get(runs, i);
        ch_train_opts o = plain_options(&b);
        o.batch = (int64_t)json_array_size(json_array_get(json_at(run, "batches"), 0));
        reload(&b);
        follow(&b, run, &o, tol);
    }
    tear_down(&b);
}

static void ten_adamw_steps_follow_pytorchs_losses(void **state)
{
    (void)state;
    follow_both(CH_PRECISION_F32, 1e-4);
}

static void in_bf16_they_follow_to_two_percent(void **state)
{
    (void)state;
    if (!can_compute(CH_PRECISION_BF16, test_isa()))
        skip();
    follow_both(CH_PRECISION_BF16, 2e-2);
}

static void a_cat_update_has_pytorchs_loss_and_gradient(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    json_t *h = json_at(b.t.json, "hinge"), *bad = json_at(h, "bad");
    ch_member member[3] = {b.member[json_count_at(h, "good")]};
    ch_group group = {member, 3, b.row[0], 0};
    for (size_t i = 0; i < 2; i++) {
        member[i + 1] = b.member[json_integer_value(json_array_get(bad, i))];
        member[i + 1].role = CH_ROLE_BAD;
    }
    ch_groups all = {&group, 1};
    ch_train_opts o = plain_options(&b);
    o.batch = 1;
    o.constants.lambda = json_number_at(h, "lambda");
    ch_err e = {0};
    ch_stepper s;
    ch_step_report r;
    CHECK_OK(ch_stepper_init(&s, b.m, ch_objective_find("cat"), &all, NULL, &o, &e), &e);
    s.batch[0] = &group;
    CHECK_OK(ch_stepper_update(&s, 0, &r, &e), &e);
    CHECK_NEAR(r.loss, json_number_at(h, "loss"), 1e-5);
    CHECK_(tiny_grad_close("update", &b.t, b.m, s.grads, b.t.hinge_grad, 1e-4));
    ch_stepper_release(&s);
    tear_down(&b);
}

/* -- cutting a batch -- */

/* One update on all groups; a copy of its gradients. */
static float *gradients_of(bench *b, const ch_objective *obj, const ch_groups *g, int64_t max_rows,
                           double *loss)
{
    ch_err e = {0};
    ch_stepper s;
    ch_step_report r;
    ch_train_opts o = plain_options(b);
    o.batch = g->n;
    o.max_rows = max_rows;
    reload(b);
    CHECK_OK(ch_stepper_init(&s, b->m, obj, g, NULL, &o, &e), &e);
    for (int64_t i = 0; i < g->n; i++)
        s.batch[i] = &g->list[i];
    CHECK_OK(ch_stepper_update(&s, 0, &r, &e), &e);
    size_t n = (size_t)ch_model_layout(b->m)->total;
    float *grads = ch_new(n, sizeof *grads);
    memcpy(grads, s.grads, n * sizeof *grads);
    *loss = r.loss;
    ch_stepper_release(&s);
    return grads;
}

static void cut_and_whole(bench *b, const char *objective, const ch_groups *g)
{
    const ch_objective *obj = ch_objective_find(objective);
    int64_t n = ch_model_layout(b->m)->total;
    double *want = ch_new((size_t)n, sizeof *want), whole, cut;
    float *grads = gradients_of(b, obj, g, 512, &whole);
    for (int64_t i = 0; i < n; i++)
        want[i] = (double)grads[i];
    free(grads);
    for (int64_t max_rows = 1; max_rows <= 100; max_rows += 33) {
        grads = gradients_of(b, obj, g, max_rows, &cut);
        CHECK_NEAR(cut, whole, 1e-6);
        const ch_layout *l = ch_model_layout(b->m);
        for (int64_t i = 0; i < l->n; i++) {
            const ch_param *p = &l->list[i];
            CHECK_(close_f32(p->name, grads + p->at, want + p->at, p->rows * p->cols, 1e-5));
        }
        free(grads);
    }
    free(want);
}

static void a_batch_cut_in_pieces_gives_the_update_of_the_whole(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    cut_and_whole(&b, "sft", &b.all);
    ch_member pair[6];
    for (int i = 0; i < 6; i++)
        pair[i] = (ch_member){.seq = b.t.seq[i], .role = i % 2 ? CH_ROLE_BAD : CH_ROLE_GOOD};
    ch_group group[3] = {
        {pair, 2, b.row[0], 0}, {pair + 2, 2, b.row[1], 0}, {pair + 4, 2, b.row[2], 0}};
    cut_and_whole(&b, "cat", &(ch_groups){group, 3});
    cut_and_whole(&b, "listwise", &(ch_groups){group, 3});
    tear_down(&b);
}

static void many_copies_of_one_group_fit_however_few_rows_they_share(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    enum { COPIES = 5000 };
    ch_group *copy = ch_new(COPIES, sizeof *copy);
    for (int i = 0; i < COPIES; i++)
        copy[i] = b.group[0];
    ch_err e = {0};
    double many = NAN, one = NAN;
    CHECK_OK(ch_dev_loss(b.m, &(ch_groups){copy, COPIES}, 32, &many, &e), &e);
    CHECK_OK(ch_dev_loss(b.m, &(ch_groups){copy, 1}, 32, &one, &e), &e);
    CHECK_NEAR(many, one, 1e-6);
    free(copy);
    tear_down(&b);
}

static void one_batch_can_be_learned_by_heart(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    ch_member member[3];
    ch_group group[3];
    const int pick[] = {0, 3, 7}; /* no prompt of these has two answers */
    for (int i = 0; i < 3; i++) {
        member[i] = b.member[pick[i]];
        group[i] = (ch_group){&member[i], 1, b.row[i], 0};
    }
    ch_train_opts o = plain_options(&b);
    o.steps = 80;
    o.weight_decay = 0;
    b.all = (ch_groups){group, 3};
    char *dir = scratch_dir();
    outcome out = train(&b, ch_objective_find("sft"), NULL, &o, dir);
    CHECK_OK(out.code, &out.e);
    CHECK_(out.r.first_loss > 5);
    CHECK_(out.r.last_loss >= 0 && out.r.last_loss < 0.02);
    outcome_release(&out);
    scratch_remove(dir);
    tear_down(&b);
}

static void the_best_by_dev_loss_is_put_back_and_the_last_is_kept(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_groups dev = {b.group + 1, 1}; /* another answer to a prompt that is trained on */
    b.all.n = 1;
    ch_train_opts o = plain_options(&b);
    o.steps = 30;
    o.batch = 1;
    o.eval_every = 1;
    o.keep = CH_KEEP_BEST;
    char *dir = scratch_dir(), *last = ch_path(dir, "last.w");
    outcome out = train(&b, ch_objective_find("sft"), &dev, &o, dir);
    CHECK_OK(out.code, &out.e);
    CHECK_(out.r.best_step < o.steps && out.r.best_dev < out.r.last_dev);
    CHECK_(out.r.kept_step == out.r.best_step);
    double loss = NAN;
    ch_err e = {0};
    CHECK_OK(ch_dev_loss(b.m, &dev, o.max_rows, &loss, &e), &e);
    CHECK_NEAR(loss, out.r.best_dev, 1e-9);
    CHECK_OK(ch_weights_read(last, b.m, o.steps, BENCH_HASH, &e), &e);
    CHECK_OK(ch_dev_loss(b.m, &dev, o.max_rows, &loss, &e), &e);
    CHECK_NEAR(loss, out.r.last_dev, 1e-9);
    outcome_release(&out);
    free(last);
    scratch_remove(dir);
    tear_down(&b);
}

static void the_last_is_kept_unless_asked_otherwise(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_groups dev = {b.group + 1, 1};
    b.all.n = 1;
    ch_train_opts o = plain_options(&b);
    o.steps = 30;
    o.batch = 1;
    o.eval_every = 1;
    char *dir = scratch_dir(), *best = ch_path(dir, "best.w"), *last = ch_path(dir, "last.w");
    outcome out = train(&b, ch_objective_find("sft"), &dev, &o, dir);
    CHECK_OK(out.code, &out.e);
    CHECK_(out.r.best_step < o.steps && out.r.kept_step == o.steps);
    CHECK_(!ch_exists(best) && !ch_exists(last));
    double loss = NAN;
    ch_err e = {0};
    CHECK_OK(ch_dev_loss(b.m, &dev, o.max_rows, &loss, &e), &e);
    CHECK_NEAR(loss, out.r.last_dev, 1e-9);
    CHECK_(loss > out.r.best_dev);
    outcome_release(&out);
    free(best);
    free(last);
    scratch_remove(dir);
    tear_down(&b);
}

static void check_refused(bench *b, const ch_train_opts *o, const char *key)
{
    char *dir = scratch_dir(), *inside = ch_path(dir, "run");
    ch_train_result r;
    ch_err e = {0};
    CHECK_FAILS(ch_train(b->m, ch_objective_find("sft"), &b->all, NULL, o, inside, "h", &r, &e),
                CH_EUSER, &e, key);
    CHECK_(!ch_exists(inside));
    free(inside);
    scratch_remove(dir);
}

static void options_out_of_range_are_refused_before_anything_is_written(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    const double reals[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -2e6, 1e300};
    const int64_t counts[] = {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 40};
    const struct {
        const char *key;
        size_t at;
    } real[] = {{"lr", offsetof(ch_train_opts, lr)},
                {"min_lr_ratio", offsetof(ch_train_opts, min_lr_ratio)},
                {"warmup_ratio", offsetof(ch_train_opts, warmup_ratio)},
                {"beta1", offsetof(ch_train_opts, beta1)},
                {"beta2", offsetof(ch_train_opts, beta2)},
                {"eps", offsetof(ch_train_opts, eps)},
                {"weight_decay", offsetof(ch_train_opts, weight_decay)},
                {"clip", offsetof(ch_train_opts, clip)},
                {"lambda", offsetof(ch_train_opts, constants.lambda)},
                {"margin", offsetof(ch_train_opts, constants.margin)},
                {"beta", offsetof(ch_train_opts, constants.beta)}},
      count[] = {{"steps", offsetof(ch_train_opts, steps)},
                 {"batch", offsetof(ch_train_opts, batch)},
                 {"inputs_per_instruction", offsetof(ch_train_opts, inputs_per_instruction)},
                 {"eval_every", offsetof(ch_train_opts, eval_every)},
                 {"save_every", offsetof(ch_train_opts, save_every)},
                 {"max_rows", offsetof(ch_train_opts, max_rows)}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        for (size_t k = 0; k < sizeof reals / sizeof *reals; k++) {
            ch_train_opts o = plain_options(&b);
            memcpy((char *)&o + real[i].at, &reals[k], sizeof *reals);
            check_refused(&b, &o, real[i].key);
        }
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            ch_train_opts o = plain_options(&b);
            memcpy((char *)&o + count[i].at, &counts[k], sizeof *counts);
            check_refused(&b, &o, count[i].key);
        }
    ch_train_opts o = plain_options(&b);
    o.lr = 0;
    check_refused(&b, &o, "lr");
    o = plain_options(&b);
    o.eps = 0; /* 0 / 0 where a gradient is 0 */
    check_refused(&b, &o, "eps");
    o = plain_options(&b);
    o.keep = 2;
    check_refused(&b, &o, "keep");
    tear_down(&b);
}

/* Rates that blow the weights up in the last update, whose loss was still a number. */
static void a_model_whose_weights_are_not_numbers_is_not_handed_over(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_train_opts o = plain_options(&b);
    o.steps = 1;
    o.warmup_ratio = 0;
    char *dir = scratch_dir();
    ch_err e = {0};
    ch_train_result r;
    for (int i = 0; i < 2; i++) { /* decay makes a great weight a hundred times as great */
        reload(&b);
        const ch_param *p = &ch_model_layout(b.m)->list[0];
        o.lr = o.weight_decay = i ? 10 : plain_options(&b).lr;
        ch_model_weights(b.m)[p->at + (p->rows - 1) * p->cols] = i ? 1e18f : 1.f;
        ch_model_touch(b.m);
        e = (ch_err){0};
        char *sub = ch_path(dir, i ? "b" : "a");
        ch_code c =
            ch_train(b.m, ch_objective_find("sft"), &b.all, NULL, &o, sub, BENCH_HASH, &r, &e);
        if (i)
            CHECK_FAILS(c, CH_ENUMBER, &e, "behind step 1: a weight");
        else
            CHECK_OK(c, &e);
        free(sub);
    }
    scratch_remove(dir);
    tear_down(&b);
}

/* Every sequence of an update may count a row more than it has: its last token
 * is read by nobody. */
static void what_training_computes_is_known_before(void **state)
{
    (void)state;
    bench b;
    set_up(&b, CH_PRECISION_AUTO, 1);
    ch_train_opts o = plain_options(&b);
    ch_groups dev = {b.group + 1, 4};
    size_t n = (size_t)ch_model_layout(b.m)->total;
    float *weights = ch_new(n, sizeof *weights);
    memcpy(weights, ch_model_weights(b.m), n * sizeof *weights);
    for (int64_t max_rows = 30; max_rows <= 400; max_rows += 185) {
        o.max_rows = max_rows;
        o.eval_every = 3;
        char *dir = scratch_dir();
        outcome out = train(&b, ch_objective_find("sft"), &dev, &o, dir);
        ch_train_load l = ch_train_look(&b.all, &dev, &o), alone = ch_train_look(&dev, NULL, &o);
        CHECK_OK(out.code, &out.e);
        CHECK_(l.rows >= out.r.rows && l.rows <= out.r.rows + o.steps * o.batch);
        CHECK_(l.largest <= max_rows && l.largest > 20);
        CHECK_(l.dev_rows > 0 && l.dev_rows % 4 == 0 &&
               alone.dev_rows == 0); /* at 3, 6, 9 and 10 */
        outcome_release(&out);
        scratch_remove(dir);
    }
    reload(&b);
    ch_train_load l;
    ch_err e = {0};
    double seconds = NAN;
    CHECK_OK(ch_train_time(b.m, ch_objective_find("sft"), &b.all, &o, 30, &seconds, &l, &e), &e);
    CHECK_(seconds > 0 && seconds < 60 && l.rows >= 30 && l.rows < 200);
    CHECK_SAME_BYTES(ch_model_weights(b.m), weights, n * sizeof *weights);
    free(weights);
    tear_down(&b);
}

static void an_epoch_draws_every_group_once(void **state)
{
    (void)state;
    ch_sampler s = {.n = 13, .seed = 3};
    int64_t first[13], same = 0;
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        int seen[13] = {0};
        for (int64_t i = 0; i < 13; i++) {
            int64_t k = ch_sampler_at(&s, epoch * 13 + i);
            CHECK_(k >= 0 && k < 13 && !seen[k]);
            seen[k] = 1;
            same += epoch > 0 && first[i] == k;
            if (!epoch)
                first[i] = k;
        }
    }
    CHECK_(same < 26); /* each epoch has an order of its own */
    CHECK_(ch_sampler_at(&s, 4) == first[4]);
    free(s.order);
}

int main(void)
{
    ch_log_level(CH_WARN);
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_adamw_steps_follow_pytorchs_losses),
        cmocka_unit_test(in_bf16_they_follow_to_two_percent),
        cmocka_unit_test(a_cat_update_has_pytorchs_loss_and_gradient),
        cmocka_unit_test(a_batch_cut_in_pieces_gives_the_update_of_the_whole),
        cmocka_unit_test(many_copies_of_one_group_fit_however_few_rows_they_share),
        cmocka_unit_test(one_batch_can_be_learned_by_heart),
        cmocka_unit_test(the_best_by_dev_loss_is_put_back_and_the_last_is_kept),
        cmocka_unit_test(the_last_is_kept_unless_asked_otherwise),
        cmocka_unit_test(options_out_of_range_are_refused_before_anything_is_written),
        cmocka_unit_test(a_model_whose_weights_are_not_numbers_is_not_handed_over),
        cmocka_unit_test(what_training_computes_is_known_before),
        cmocka_unit_test(an_epoch_draws_every_group_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
