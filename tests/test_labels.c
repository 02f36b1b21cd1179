/* Answers that are one of a closed set: the labels of a task, and which of them is the most
 * probable, against scoring one at a time on the tiny model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/task.h"
#include "generate/generate.h"
#include "model/weights.h"
#include "support/support.h"

static ch_device *device;
static ch_model *model;

static int set_up(void **state)
{
    (void)state;
    ch_log_level(CH_WARN);
    tiny_open(&device, &model);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_model_free(model);
    ch_device_close(device);
    return 0;
}

/* -- choosing -- */

enum { MANY = 6 };
static const char *const labels[MANY] = {"positive", "no", "not sure", "negative", "n", "yes, no"};

/* log P of a label and its end of turn, alone; *n its tokens. */
static double alone(const char *user, const char *label, int64_t *n)
{
    ch_err e = {0};
    ch_seq s = {0};
    double logp = NAN;
    CHECK_OK(ch_seq_make(&s, model, user, label, 0, "alone", &e), &e);
    CHECK_OK(ch_score(model, &s, 1, NULL, &logp, &e), &e);
    CHECK_(isfinite(logp) && logp < 0);
    *n = s.n - s.n_prompt;
    ch_seq_release(&s);
    return logp;
}

static char *random_text(ch_rng *r, int64_t most)
{
    int64_t n = 1 + ch_random_below(r, most);
    char *s = ch_new((size_t)n + 1, 1);
    for (int64_t i = 0; i < n; i++)
        s[i] = (char)('a' + ch_random_below(r, 20));
    return s;
}

static void the_choice_is_that_of_scoring_one_label_at_a_time(void **state)
{
    (void)state;
    enum { N = 40 };
    ch_choice q[N];
    ch_chosen got[N];
    char *user[N];
    ch_rng r = {.seed = 4};
    ch_err e = {0};
    for (int i = 0; i < N; i++) {
        char *word = random_text(&r, 12);
        user[i] = ch_fmt("Say %s.\n%s", i % 2 ? "which" : "whether", word);
        q[i] = (ch_choice){user[i], labels, 2 + i % (MANY - 1), "row"};
        free(word);
    }
    CHECK_OK(ch_choose_labels(model, q, N, NULL, got, &e), &e);
    int64_t by_mean = 0, met = 0;
    for (int i = 0; i < N; i++) {
        int64_t best = 0, mean = 0, n[MANY];
        double logp[MANY];
        for (int64_t k = 0; k < q[i].n_labels; k++) {
            logp[k] = alone(user[i], labels[k], &n[k]);
            best = logp[k] > logp[best] ? k : best;
            mean = logp[k] / (double)n[k] > logp[mean] / (double)n[mean] ? k : mean;
        }
        CHECK_(got[i].label == best);
        CHECK_NEAR(got[i].logp, logp[best], 1e-5);
        CHECK_(got[i].n_tokens == n[best]);
        by_mean += mean != best;
        met |= 1 << best;
        free(user[i]);
    }
    CHECK_(by_mean > 0);            /* the mean a token would have chosen others */
    CHECK_((met & (met - 1)) != 0); /* more than one label was chosen */
}

static void whatever_the_prompt_the_answer_is_one_of_the_set(void **state)
{
    (void)state;
    enum { N = 2500 }; /* more than are scored at once */
    ch_choice *q = ch_new(N, sizeof *q);
    ch_chosen *got = ch_new(N, sizeof *got), few;
    char **user = ch_new(N, sizeof *user);
    ch_rng r = {.seed = 9};
    ch_err e = {0};
    for (int i = 0; i < N; i++) {
        user[i] = random_text(&r, 30);
        q[i] = (ch_choice){user[i], labels + i % 3, 1 + i % (MANY - 2), "row"};
        got[i].label = -1;
    }
    CHECK_OK(ch_choose_labels(model, q, N, NULL, got, &e), &e);
    for (int i = 0; i < N; i++)
        CHECK_(got[i].label >= 0 && got[i].label < q[i].n_labels && isfinite(got[i].logp));
    for (int i = 0; i < N; i += 100) {
        CHECK_OK(ch_choose_labels(model, q + i, 1, NULL, &few, &e), &e);
        CHECK_(few.label == got[i].label);
        CHECK_NEAR(few.logp, got[i].logp, 1e-5);
    }
    for (int i = 0; i < N; i++)
        free(user[i]);
    free(user);
    free(got);
    free(q);
}

static void among_equals_the_lowest_label_is_taken_and_their_order_changes_no_text(void **state)
{
    (void)state;
    static const char *const twice[] = {"no", "maybe", "no", "maybe"};
    static const char *const turned[] = {"maybe", "no"};
    for (int i = 0; i < 20; i++) {
        char *user = ch_fmt("Is %d so?", i);
        ch_err e = {0};
        ch_chosen a, b;
        ch_choice q = {user, twice, 4, "row"};
        CHECK_OK(ch_choose_labels(model, &q, 1, NULL, &a, &e), &e);
        CHECK_(a.label < 2);
        q = (ch_choice){user, turned, 2, "row"};
        CHECK_OK(ch_choose_labels(model, &q, 1, NULL, &b, &e), &e);
        CHECK_(!strcmp(twice[a.label], turned[b.label]));
        free(user);
    }
}

static void what_cannot_be_chosen_is_said(void **state)
{
    (void)state;
    ch_err e = {0};
    ch_chosen got;
    ch_choice q = {"Say it.", labels, 0, "row 7"};
    CHECK_FAILS(ch_choose_labels(model, &q, 1, NULL, &got, &e), CH_EUSER, &e, "row 7");
    char *large = ch_new(400, 1);
    memset(large, 'x', 399);
    const char *const too_long[] = {"no", large};
    q = (ch_choice){"Say it.", too_long, 2, "row 8"};
    e = (ch_err){0};
    CHECK_FAILS(ch_choose_labels(model, &q, 1, NULL, &got, &e), CH_ELONG, &e, "row 8");
    free(large);
    CHECK_OK(ch_choose_labels(model, NULL, 0, NULL, NULL, &e), &e);
    float *w = ch_model_weights(model), was;
    const ch_param *norm = NULL;
    const ch_layout *l = ch_model_layout(model);
    for (int64_t i = 0; i < l->n; i++)
        norm = l->list[i].rows == 1 ? &l->list[i] : norm;
    w += norm->at;
    was = w[0];
    w[0] = (float)NAN;
    ch_model_touch(model);
    q = (ch_choice){"Say it.", labels, 2, "row 9"};
    e = (ch_err){0};
    CHECK_FAILS(ch_choose_labels(model, &q, 1, NULL, &got, &e), CH_ENUMBER, &e, "row 9");
    w[0] = was;
    ch_model_touch(model);
}

/* -- the labels of a task -- */

static ch_task one_task(const char *text)
{
    ch_err e = {0};
    char *dir = scratch_dir(), *path = ch_path(dir, "t.json");
    ch_tasks t;
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    CHECK_OK(ch_tasks_load(&t, path, NULL, 2, &e), &e);
    ch_task one = t.list[0];
    free(t.list);
    free(path);
    scratch_remove(dir);
    return one;
}

static void drop(ch_task t)
{
    ch_tasks all = {ch_new(1, sizeof t), 1};
    all.list[0] = t;
    ch_tasks_release(&all);
}

#define ITEM(answer) "{\"input\": \"i " answer "\", \"output\": [\"" answer "\"]}"
#define TASK(...)    "{\"Definition\": \"d\", \"Instances\": [" __VA_ARGS__ "]}"

static void a_closed_set_has_each_label_once_as_it_is_mostly_written(void **state)
{
    (void)state;
    ch_task t = one_task(TASK(ITEM("yes") "," ITEM("Yes") "," ITEM("No.") "," ITEM("No") "," ITEM(
        "Yes") "," ITEM("No.")));
    CHECK_(t.kind == CH_KIND_CLOSED && t.n_items == 2); /* settled before max_items cut it */
    CHECK_(ch_task_has_set(&t) && t.n_labels == 2);
    CHECK_(!strcmp(t.labels[0], "no") && !strcmp(t.spelled[0], "No."));
    CHECK_(!strcmp(t.labels[1], "yes") && !strcmp(t.spelled[1], "Yes"));
    drop(t);
    t = one_task(TASK(ITEM("b") "," ITEM("B") "," ITEM("b.")));
    CHECK_(t.n_labels == 1 && !strcmp(t.spelled[0], "b")); /* the first of equals */
    drop(t);
}

static void answers_that_differ_with_the_input_are_no_set(void **state)
{
    (void)state;
    ch_task t = one_task(TASK(ITEM("one") "," ITEM("two") "," ITEM("three") "," ITEM("one")));
    CHECK_(t.kind == CH_KIND_CLOSED && t.n_labels == 3);
    CHECK_(!ch_task_has_set(&t) && !t.spelled);
    drop(t);
    t = one_task("{\"Definition\": \"d\", \"Kind\": \"free\", \"Instances\": [" ITEM("a") "," ITEM(
        "a") "," ITEM("a") "]}");
    CHECK_(t.kind == CH_KIND_FREE && !ch_task_has_set(&t));
    drop(t);
}

int main(void)
{
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_is_that_of_scoring_one_label_at_a_time),
        cmocka_unit_test(whatever_the_prompt_the_answer_is_one_of_the_set),
        cmocka_unit_test(among_equals_the_lowest_label_is_taken_and_their_order_changes_no_text),
        cmocka_unit_test(what_cannot_be_chosen_is_said),
        cmocka_unit_test(a_closed_set_has_each_label_once_as_it_is_mostly_written),
        cmocka_unit_test(answers_that_differ_with_the_input_are_no_set),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
