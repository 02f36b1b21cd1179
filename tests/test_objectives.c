/* Losses against values worked out here the long way, and weights against central differences. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/mem.h"
#include "base/rng.h"

enum { MOST = 7 };

typedef struct {
    ch_member member[MOST];
    ch_group g;
    double logp[MOST];
    int64_t n_tok[MOST];
} sample;

/* One to two good answers and some bad ones, in no order. */
static void fill(sample *s, ch_rng *r, int64_t goods, int64_t n)
{
    memset(s, 0, sizeof *s);
    for (int64_t i = 0; i < n; i++) {
        s->member[i].role = i % 3 == 1 && goods-- > 0 ? CH_ROLE_GOOD : CH_ROLE_BAD;
        s->n_tok[i] = 1 + ch_random_below(r, 9);
        s->logp[i] = -(double)s->n_tok[i] * (0.1 + 3 * ch_random_unit(r));
        s->member[i].ref_logp = s->logp[i] + ch_random_normal(r);
    }
    s->g = (ch_group){s->member, n, NULL, 0};
}

static const ch_update update = {
    .n_groups = 5, .n_good_tokens = 23, .k = {.lambda = 0.7, .margin = 0.3, .beta = 0.4}};

/* 1 when w is the gradient of the loss at logp. */
static int weights_are_the_gradient(const ch_objective *o, const sample *s)
{
    double w[MOST], numeric[MOST], scratch[MOST], logp[MOST];
    const double h = 1e-6;
    memset(w, 0x7f, sizeof w); /* what was there before must not matter */
    double loss = o->loss(&s->g, s->logp, s->n_tok, &update, w);
    if (!isfinite(loss))
        return 0;
    for (int64_t i = 0; i < s->g.n; i++) {
        memcpy(logp, s->logp, sizeof logp);
        logp[i] += h;
        numeric[i] = o->loss(&s->g, logp, s->n_tok, &update, scratch);
        logp[i] -= 2 * h;
        numeric[i] = (numeric[i] - o->loss(&s->g, logp, s->n_tok, &update, scratch)) / (2 * h);
    }
    return close_f64(o->name, w, numeric, s->g.n, 1e-6);
}

static void the_weights_of_every_objective_are_the_gradient_of_its_loss(void **state CH_UNUSED)
{
    ch_rng r = {11, 0, 0};
    int64_t tried = 0;
    for (const ch_objective *o = ch_objectives; o->name; o++) {
        for (int k = 0; k < 50; k++) {
            sample s;
            fill(&s, &r, 1 + k % 2, 3 + k % 5);
            if (!weights_are_the_gradient(o, &s))
                fail_msg("%s: sample %d", o->name, k);
            tried++;
        }
    }
    assert_true(tried >= 200);
}

static double run(const char *name, const sample *s, const ch_update *u, double *w)
{
    const ch_objective *o = ch_objective_find(name);
    assert_non_null(o);
    return o->loss(&s->g, s->logp, s->n_tok, u, w);
}

/* good: 2 tokens of log P -1 in all; bad a: 1 token, -0.2; bad b: 4 tokens, -8. */
static sample by_hand(void)
{
    sample s = {.logp = {-1.0, -0.2, -8.0}, .n_tok = {2, 1, 4}};
    s.member[1].role = s.member[2].role = CH_ROLE_BAD;
    return s;
}

static void cat_is_lambda_times_the_mean_hinge_plus_cross_entropy(void **state CH_UNUSED)
{
    sample s = by_hand();
    s.g = (ch_group){s.member, 3, NULL, 0};
    ch_update u = {.n_groups = 4, .n_good_tokens = 10, .k.lambda = 2};
    double w[3];
    /* Means -0.5, -0.2, -2: only the first bad answer stands above the good one, by 0.3. */
    CHECK_NEAR(run("cat", &s, &u, w), 2.0 / 4 * 0.3 + 1.0 / 10, 1e-12);
    CHECK_NEAR(w[0], -2.0 / 4 / 2 - 1.0 / 10, 1e-12);
    CHECK_NEAR(w[1], 2.0 / 4 / 1, 1e-12);
    assert_true(w[2] == 0);
    u.k.margin = 2; /* now both count: 2 - 0.2 + 0.5 and 2 - 2 + 0.5 */
    CHECK_NEAR(run("cat", &s, &u, w), 2.0 / 4 * (2.3 + 0.5) + 1.0 / 10, 1e-12);
    CHECK_NEAR(w[2], 2.0 / 4 / 4, 1e-12);
}

static void cat_with_lambda_0_is_sft(void **state CH_UNUSED)
{
    sample s = by_hand();
    s.g = (ch_group){s.member, 3, NULL, 0};
    ch_update u = {.n_groups = 4, .n_good_tokens = 10};
    double w[3], w_sft[3];
    CHECK_NEAR(run("cat", &s, &u, w), run("sft", &s, &u, w_sft), 1e-15);
    CHECK_NEAR(w_sft[0], -0.1, 1e-15);
    assert_memory_equal(w, w_sft, sizeof w);
}

static void cutting_a_batch_in_parts_changes_no_loss(void **state CH_UNUSED)
{
    /* Two groups under one ch_update add up to what one update of both says: nothing depends on the
     * cut. */
    ch_rng r = {5, 0, 0};
    sample a, b;
    fill(&a, &r, 1, 4);
    fill(&b, &r, 1, 5);
    double w[MOST];
    ch_update two = {.n_groups = 2, .n_good_tokens = 9, .k.lambda = 1};
    ch_update twice = {.n_groups = 4, .n_good_tokens = 18, .k.lambda = 1};
    double once = run("cat", &a, &two, w) + run("cat", &b, &two, w);
    double doubled = 2 * (run("cat", &a, &twice, w) + run("cat", &b, &twice, w));
    CHECK_NEAR(once, doubled, 1e-12);
    assert_true(once > 0);
}

static void listwise_is_the_softmax_over_mean_log_probabilities(void **state CH_UNUSED)
{
    sample s = by_hand();
    s.g = (ch_group){s.member, 3, NULL, 0};
    ch_update u = {.n_groups = 4, .n_good_tokens = 10, .k.lambda = 2};
    double w[3];
    double p = exp(-0.5) / (exp(-0.5) + exp(-0.2) + exp(-2.0));
    CHECK_NEAR(run("listwise", &s, &u, w), 0.5 * -log(p) + 0.1, 1e-12);
    /* Far-off log-probabilities must not overflow. */
    s.logp[0] = -4000;
    CHECK_NEAR(run("listwise", &s, &u, w), 0.5 * (2000 - 0.2 + log1p(exp(-1.8))) + 400, 1e-9);
}

static void dpo_at_the_reference_is_log_2_and_pulls_by_half_beta(void **state CH_UNUSED)
{
    sample s = by_hand();
    s.g = (ch_group){s.member, 3, NULL, 0};
    for (int i = 0; i < 3; i++)
        s.member[i].ref_logp = s.logp[i];
    ch_update u = {.n_groups = 1, .n_good_tokens = 2, .k.beta = 0.1};
    double w[3];
    CHECK_NEAR(run("dpo", &s, &u, w), log(2), 1e-12);
    CHECK_NEAR(w[0], -0.05, 1e-12);
    CHECK_NEAR(w[1], 0.025, 1e-12);
    CHECK_NEAR(w[2], 0.025, 1e-12);
    s.logp[0] = 1e5; /* far on either side stays finite */
    assert_true(isfinite(run("dpo", &s, &u, w)));
    s.logp[0] = -1e5;
    CHECK_NEAR(run("dpo", &s, &u, w), 0.1 * (1e5 - 1), 1e-9);
}

static void a_nan_reaches_the_trainer_through_every_objective(void **state CH_UNUSED)
{
    int64_t tried = 0;
    for (const ch_objective *o = ch_objectives; o->name; o++) {
        for (int i = 0; i < (ch_objective_groups(o)->own_answers ? 3 : 1); i++) {
            sample s = by_hand();
            s.g = (ch_group){s.member, 3, NULL, 0};
            s.logp[i] = NAN;
            double w[3];
            if (!isnan(o->loss(&s.g, s.logp, s.n_tok, &update, w)))
                fail_msg("%s hides a NaN in member %d", o->name, i);
            tried++;
        }
    }
    assert_true(tried >= 10);
}

/* The constant called key, by the table that names them. */
static double *constant(ch_constants *k, int i)
{
    return (double *)(void *)k + i;
}

static void every_loss_reads_the_constants_its_row_names_and_no_other(void **state CH_UNUSED)
{
    ch_rng r = {17, 0, 0};
    for (const ch_objective *o = ch_objectives; o->name; o++) {
        for (int i = 0; i < CH_N_CONSTANTS; i++) {
            int moved = 0;
            for (int k = 0; k < 20; k++) {
                sample s;
                double w[MOST];
                fill(&s, &r, 1, 4);
                ch_update u = update;
                double before = o->loss(&s.g, s.logp, s.n_tok, &u, w);
                *constant(&u.k, i) += 0.25;
                moved |= before < o->loss(&s.g, s.logp, s.n_tok, &u, w) ||
                         before > o->loss(&s.g, s.logp, s.n_tok, &u, w);
            }
            if (moved != ch_objective_reads(o, ch_constant_names[i]))
                fail_msg("%s and its constant %s", o->name, ch_constant_names[i]);
        }
        assert_true(ch_objective_reads(o, "lr")); /* no constant of a loss: it always counts */
    }
    char *who = ch_objective_readers("lambda");
    assert_string_equal(who, "cat, listwise");
    free(who);
}

static void the_table_names_its_objectives_and_nothing_else(void **state CH_UNUSED)
{
    assert_ptr_equal(ch_objective_find("sft")->loss, ch_loss_sft);
    assert_false(ch_objective_groups(ch_objective_find("sft"))->own_answers);
    assert_true(ch_objective_groups(ch_objective_find("cat"))->own_answers);
    assert_true(ch_objective_find("dpo")->needs_reference);
    assert_string_equal(ch_objective_groups(NULL)->unit, "rows"); /* an arm that is not trained */
    assert_null(ch_objective_find("ca"));
    assert_null(ch_objective_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_weights_of_every_objective_are_the_gradient_of_its_loss),
        cmocka_unit_test(cat_is_lambda_times_the_mean_hinge_plus_cross_entropy),
        cmocka_unit_test(cat_with_lambda_0_is_sft),
        cmocka_unit_test(cutting_a_batch_in_parts_changes_no_loss),
        cmocka_unit_test(listwise_is_the_softmax_over_mean_log_probabilities),
        cmocka_unit_test(dpo_at_the_reference_is_log_2_and_pulls_by_half_beta),
        cmocka_unit_test(a_nan_reaches_the_trainer_through_every_objective),
        cmocka_unit_test(every_loss_reads_the_constants_its_row_names_and_no_other),
        cmocka_unit_test(the_table_names_its_objectives_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
