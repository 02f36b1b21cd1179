/* A weight that is no finite number, wherever it stands, stops everything that reads logits with
 * CH_ENUMBER and a sentence that names the model and the prompt or row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/ask.h"
#include "align/objectives.h"
#include "base/log.h"
#include "model/weights.h"
#include "support/tiny_runs.h"
#include "tensor/ops.h"

static const int32_t prompt[] = {17, 99, 204, 5, 63};
enum { N_PROMPT = 5 };

static void spoil(bench *b, int64_t at, double v)
{
    reload(b);
    ch_model_weights(b->m)[at] = (float)v;
    ch_model_touch(b->m);
}

static void answers_stop(bench *b)
{
    ch_request q[3];
    ch_answer a[3];
    for (int cold = 0; cold < 2; cold++) {
        for (int i = 0; i < 3; i++) {
            q[i] = (ch_request){prompt, N_PROMPT, {.top_p = 1, .max_new = 3}};
            q[i].how.temperature = cold ? 0 : 1;
            q[i].how.top_k = i;
        }
        ch_err e = {0};
        CHECK_FAILS(ch_generate(b->m, q, 3, NULL, a, NULL, &e), CH_ENUMBER, &e, "tiny.gguf");
        CHECK_(strstr(e.msg, "prompt ") && !a[0].text && !a[2].ids);
    }
}

static void scores_stop(bench *b)
{
    double logp[16], margin = 0;
    ch_err e = {0};
    CHECK_FAILS(ch_score(b->m, b->t.seq, b->t.n_seqs, NULL, logp, &e), CH_ENUMBER, &e, "sequence");
    static const char *const labels[] = {"yes", "no"};
    const ch_choice c = {"Say which.", labels, 2, "task one, input two"};
    ch_chosen got;
    e = (ch_err){0};
    CHECK_FAILS(ch_choose_labels(b->m, &c, 1, NULL, &got, &e), CH_ENUMBER, &e, c.row);
    const char *question = "Is it so?";
    e = (ch_err){0};
    CHECK_FAILS(ch_ask(b->m, &question, 1, "yes", "no", NULL, &margin, &e), CH_ENUMBER, &e,
                "tiny.gguf");
}

static void training_stops(bench *b, const char *objective)
{
    ch_err e = {0};
    double loss, seconds;
    ch_train_load l;
    ch_train_result r;
    ch_train_opts o = plain_options(b);
    char *dir = scratch_dir();
    CHECK_FAILS(ch_dev_loss(b->m, &b->all, 64, &loss, &e), CH_ENUMBER, &e, "row-");
    e = (ch_err){0};
    const ch_objective *obj = ch_objective_find(objective);
    CHECK_FAILS(ch_train_time(b->m, obj, &b->all, &o, 30, &seconds, &l, &e), CH_ENUMBER, &e,
                "row-");
    e = (ch_err){0};
    CHECK_FAILS(ch_train(b->m, obj, &b->all, NULL, &o, dir, BENCH_HASH, &r, &e), CH_ENUMBER, &e,
                "step 1");
    scratch_remove(dir);
}

/* All layers' weights, the norms, the embedding, which is the head; a row that no prompt has, too. */
static void nothing_reads_a_logit_that_is_not_a_number(void **state)
{
    (void)state;
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    bench b;
    set_up(&b, CH_PRECISION_F32, 2);
    for (int64_t i = 0; i < ch_model_layout(b.m)->n; i++) {
        const ch_param p = ch_model_layout(b.m)->list[i];
        spoil(&b, p.at + p.rows / 2 * p.cols + p.cols / 2, bad[i % 3]);
        answers_stop(&b);
        scores_stop(&b);
        training_stops(&b, i % 2 ? "sft" : "dpo");
    }
    tear_down(&b);
}

/* A token that is far too likely, or not likely at all, without a NaN anywhere. */
static void a_single_logit_is_enough(void **state)
{
    (void)state;
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    enum { V = 53 };
    ch_device *d;
    ch_err e = {0};
    float x[2 * V], lse[2];
    CHECK_OK(ch_device_open(&d, CH_PRECISION_F32, test_isa(), 1, &e), &e);
    for (int i = 0; i < 3 * V; i++) {
        for (int k = 0; k < 2 * V; k++)
            x[k] = (float)(k % 7) - 3;
        x[V + i % V] = (float)bad[i / V];
        ch_device_ops(d)->logsumexp(d, lse, x, 2, V);
        CHECK_(isfinite(lse[0]) && isnan(lse[1]));
    }
    ch_device_close(d);
}

/* The hinge of cat and the sums of listwise would swallow a NaN of a bad answer. */
static void a_bad_answers_log_p_is_looked_at_too(void **state)
{
    (void)state;
    static const char *const objectives[] = {"cat", "dpo", "listwise"};
    bench b;
    set_up(&b, CH_PRECISION_F32, 1);
    ch_member pair[2] = {{.seq = b.t.seq[0], .role = CH_ROLE_GOOD},
                         {.seq = b.t.seq[1], .role = CH_ROLE_BAD}};
    ch_group group = {pair, 2, b.row[4], 0};
    b.all = (ch_groups){&group, 1};
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        const ch_param p = ch_model_layout(b.m)->list[0];
        spoil(&b, p.at + b.t.seq[1].ids[b.t.seq[1].n - 1] % p.rows * p.cols, (double)NAN);
        ch_err e = {0};
        ch_train_opts o = plain_options(&b);
        ch_train_result r;
        char *dir = scratch_dir();
        CHECK_FAILS(ch_train(b.m, ch_objective_find(objectives[i]), &b.all, NULL, &o, dir,
                             BENCH_HASH, &r, &e),
                    CH_ENUMBER, &e, "row-4");
        scratch_remove(dir);
    }
    tear_down(&b);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_reads_a_logit_that_is_not_a_number),
        cmocka_unit_test(a_single_logit_is_enough),
        cmocka_unit_test(a_bad_answers_log_p_is_looked_at_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
