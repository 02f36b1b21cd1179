/* What asks a model: label words, the self-reward, the judge, candidates, pairs and wordings.
 * Skipped when the demo model is not there. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/align_files.h"
#include "align/ask.h"
#include "align/judge.h"
#include "align/pairs.h"
#include "align/paraphrase.h"
#include "align/reward_self.h"
#include "align/rewards.h"
#include "align/sft.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static ch_device *device;
static ch_model *model;
static ch_tasks tasks;
static ch_share share;
static ch_split split = {.list = &share, .n = 1};
static int64_t train[] = {3, 5}, dev[] = {7}, train_w[] = {0, 2, 4};

static int open_all(void **state CH_UNUSED)
{
    char *path = model_file();
    if (!path)
        return 0;
    ch_err e = {0};
    ch_log_level(CH_WARN);
    CHECK_OK(ch_device_open(&device, CH_PRECISION_F32, CH_ISA_AUTO, 0, &e), &e);
    CHECK_OK(ch_model_load(&model, path, device, &e), &e);
    char *file = source_path("examples/demo/tasks/review_sentiment.json");
    CHECK_OK(ch_tasks_load(&tasks, file, NULL, 20, &e), &e);
    share = (ch_share){.task = &tasks.list[0],
                       .train = train,
                       .n_train = 2,
                       .dev = dev,
                       .n_dev = 1,
                       .train_w = train_w,
                       .n_train_w = 3};
    free(file);
    free(path);
    return 0;
}

static int close_all(void **state CH_UNUSED)
{
    if (model)
        ch_tasks_release(&tasks);
    ch_model_free(model);
    ch_device_close(device);
    return 0;
}

#define NEEDS_MODEL()                                                                              \
    do {                                                                                           \
        if (!model)                                                                                \
            skip();                                                                                \
    } while (0)

/* log P of a whole answer, scored alone. */
static double alone(const char *question, const char *answer, int64_t *n)
{
    ch_seq s;
    ch_err e = {0};
    double logp = NAN;
    CHECK_OK(ch_seq_make(&s, model, question, answer, 0, "q", &e), &e);
    CHECK_OK(ch_score(model, &s, 1, &(ch_gen_opts){0}, &logp, &e), &e);
    *n = s.n - s.n_prompt;
    ch_seq_release(&s);
    return logp;
}

static void a_margin_is_what_the_two_words_score_alone(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    const char *q[] = {"Is water wet? Reply valid or invalid.", "Say valid.",
                       "Is water wet? Reply valid or invalid."};
    double margin[3];
    ch_err e = {0};
    CHECK_OK(ch_ask(model, q, 3, "valid", "invalid", &(ch_gen_opts){0}, margin, &e), &e);
    for (int i = 0; i < 3; i++) {
        int64_t n_yes, n_no;
        double yes = alone(q[i], "valid", &n_yes), no = alone(q[i], "invalid", &n_no);
        assert_int_equal(n_yes, n_no);
        CHECK_NEAR(margin[i], yes - no, 1e-3);
    }
    assert_true(margin[0] == margin[2]); /* asked once */
    assert_true(margin[0] != margin[1]);
    /* Words of different lengths go by their means. */
    int64_t n_yes, n_no;
    double yes = alone(q[0], "Same", &n_yes), no = alone(q[0], "Contradicted", &n_no);
    assert_true(n_yes < n_no);
    CHECK_OK(ch_ask(model, q, 1, "Same", "Contradicted", &(ch_gen_opts){0}, margin, &e), &e);
    CHECK_NEAR(margin[0], yes / (double)n_yes - no / (double)n_no, 1e-3);
}

static void a_question_longer_than_the_context_is_unreadable_not_fatal(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    ch_str b = {0};
    for (int64_t i = 0; i < ch_model_dims(model)->n_ctx; i++)
        ch_str_add(&b, "word ");
    const char *q[] = {ch_str_get(&b), "Say valid."};
    double margin[2] = {0};
    ch_err e = {0};
    ch_log_level(CH_QUIET);
    CHECK_OK(ch_ask(model, q, 2, "valid", "invalid", &(ch_gen_opts){0}, margin, &e), &e);
    ch_log_level(CH_WARN);
    assert_true(isnan(margin[0]));
    assert_true(isfinite(margin[1]));
    ch_str_free(&b);
}

static ch_align_opts options(void)
{
    return (ch_align_opts){.samples = 1,
                           .temperature = 1.2,
                           .top_p = 1,
                           .top_k = 50, /* far down, the last bit of a sum decides who is chosen */
                           .max_new = 8,
                           .gold_target = 1,
                           .seed = 7,
                           .max_len = 512};
}

static void candidates_depend_on_their_own_place_only(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    ch_candidates all, some;
    ch_align_opts o = options();
    ch_err e = {0};
    CHECK_OK(ch_candidates_make(&all, model, &split, &o, &e), &e);
    assert_int_equal(all.n, 2 * 3 * 2);
    for (int64_t i = 0; i < all.n; i++) {
        assert_int_equal(all.list[i].item, train[i / 6]);
        assert_int_equal(all.list[i].wording, train_w[i / 2 % 3]);
        assert_int_equal(all.list[i].sample, i % 2);
        assert_true(isfinite(all.list[i].logp) && all.list[i].logp < 0);
        assert_int_equal(all.list[i].reward, CH_DISCARD);
    }
    o.items = 1;
    CHECK_OK(ch_candidates_make(&some, model, &split, &o, &e), &e);
    assert_int_equal(some.n, 3 * 2);
    const ch_candidate *same = &all.list[some.list[0].item == train[0] ? 0 : 6];
    for (int64_t i = 0; i < some.n; i++)
        assert_string_equal(some.list[i].text, same[i].text);
    ch_candidates_release(&all);
    ch_candidates_release(&some);
}

static void self_rewards_follow_from_the_votes_and_give_pairs(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    ch_candidates c;
    ch_align_opts o = options();
    ch_err e = {0};
    CHECK_OK(ch_candidates_make(&c, model, &split, &o, &e), &e);
    const ch_instance *item = &tasks.list[0].items[c.list[0].item];
    free(c.list[0].text);
    c.list[0].text = ch_dup(item->outputs[0]);
    free(c.list[1].text);
    c.list[1].text = ch_dup("");
    CHECK_OK(ch_rewards(&c, model, &split, &o, &e), &e);
    assert_int_equal(c.list[0].reward, 2);
    assert_true(isnan(c.list[0].vote_type));
    assert_int_equal(c.list[1].reward, 0);
    int64_t asked = 0;
    for (int64_t i = 2; i < c.n; i++) {
        const char *why;
        if (isnan(c.list[i].vote_type))
            continue;
        asked++;
        assert_int_equal(c.list[i].reward,
                         ch_reward_of_votes(c.list[i].vote_type, c.list[i].vote_correct, &why));
        assert_string_equal(c.list[i].why, why);
        assert_int_equal(isnan(c.list[i].vote_correct), c.list[i].vote_type < 0);
    }
    assert_true(asked > 0);
    ch_groups g;
    CHECK_OK(ch_pairs(&g, &c, model, &split, &o, &e), &e);
    for (int64_t i = 0; i < g.n; i++) {
        const ch_group *k = &g.list[i];
        assert_true(k->n >= 2);
        for (int64_t j = 0; j < k->n; j++) {
            assert_int_equal(k->list[j].role, j ? CH_ROLE_BAD : CH_ROLE_GOOD);
            assert_int_equal(k->list[j].seq.n_prompt, k->list[0].seq.n_prompt);
            assert_memory_equal(k->list[j].seq.ids, k->list[0].seq.ids,
                                (size_t)k->list[0].seq.n_prompt * sizeof(int32_t));
        }
    }
    char *dir = scratch_dir(), *path = ch_path(dir, "pairs.jsonl"), *text;
    CHECK_OK(ch_pairs_write(&g, model, path, &e), &e);
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    json_t *row = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    assert_string_equal(json_string_value(json_array_get(json_object_get(row, "good"), 0)),
                        item->outputs[0]);
    assert_non_null(strstr(json_string_value(json_object_get(row, "prompt")), item->input));
    json_decref(row);
    free(text);
    free(path);
    scratch_remove(dir);
    o.max_len = 20;
    ch_groups_release(&g);
    ch_log_level(CH_QUIET);
    CHECK_FAILS(ch_pairs(&g, &c, model, &split, &o, &e), CH_EEMPTY, &e, "max_len");
    ch_log_level(CH_WARN);
    ch_candidates_release(&c);
}

static void sft_rows_are_the_wordings_of_their_side(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    const struct {
        int augment, side;
        int64_t want;
    } t[] = {{0, 0, 2}, {1, 0, 6}, {0, 1, 1}, {1, 1, 3}};
    ch_err e = {0};
    ch_groups g;
    int64_t dropped = -1;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        CHECK_OK(ch_sft_groups(&g, model, &split, t[i].augment, t[i].side, 512, 0, &dropped, &e),
                 &e);
        assert_int_equal(g.n, t[i].want);
        assert_int_equal(dropped, 0);
        const ch_seq *s = &g.list[g.n - 1].list[0].seq;
        const ch_instance *item = &tasks.list[0].items[t[i].side ? dev[0] : train[1]];
        char *answer = ch_detokenize(model, s->ids + s->n_prompt, s->n - s->n_prompt, 0);
        char *trimmed = ch_trim(answer);
        assert_string_equal(trimmed, item->outputs[0]);
        free(answer);
        free(trimmed);
        ch_groups_release(&g);
    }
    CHECK_FAILS(ch_sft_groups(&g, model, &split, 1, 0, 20, 0, &dropped, &e), CH_ELONG, &e,
                "wording 0");
    e = (ch_err){0};
    CHECK_FAILS(ch_sft_groups(&g, model, &split, 1, 0, 20, 1, &dropped, &e), CH_EEMPTY, &e,
                "6 were longer");
    assert_int_equal(dropped, 6);
}

/* Dropping what is too long drops nothing else. */
static void a_row_that_is_not_utf8_is_named_and_not_dropped(void **state)
{
    (void)state;
    ch_groups g;
    ch_err e = {0};
    int64_t dropped;
    char **input = &tasks.list[0].items[split.list[0].train[0]].input, *keep = *input;
    char bad[] = "caf\xe9";
    *input = bad;
    ch_code c = ch_sft_groups(&g, model, &split, 1, 0, 0, 1, &dropped, &e);
    *input = keep;
    CHECK_FAILS(c, CH_EUSER, &e, "is not UTF-8");
    const char *questions[] = {"caf\xe9", "a"};
    double margin[2];
    ch_err e2 = {0};
    CHECK_FAILS(ch_ask(model, questions, 2, "valid", "invalid", &(ch_gen_opts){0}, margin, &e2),
                CH_EUSER, &e2, "is not UTF-8");
}

static void the_judge_asks_in_both_orders_and_only_where_it_must(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    const ch_judge_pair p[] = {{"Capital of France?", "Paris", " paris."},
                               {"Capital of France?", "", ""},
                               {"Capital of France?", "Paris", "It is Paris"},
                               {"Capital of France?", "It is Paris", "Paris"},
                               {NULL, "yes", "no"}};
    unsigned char same[5];
    double margin[5];
    ch_err e = {0};
    CHECK_OK(ch_judge_same(model, p, 5, same, margin, &e), &e);
    assert_int_equal(same[0], 1);
    assert_int_equal(same[1], 0);
    assert_true(isnan(margin[0]) && isnan(margin[1]));
    assert_true(isfinite(margin[2]) && isfinite(margin[4]));
    assert_true(margin[2] == margin[3]); /* the order of the two does not matter */
    for (int i = 2; i < 5; i++)
        assert_int_equal(same[i], margin[i] > 0);
}

static void a_small_model_writes_a_list_that_is_taken_apart(void **state CH_UNUSED)
{
    NEEDS_MODEL();
    ch_wordings w;
    ch_err e = {0};
    CHECK_OK(ch_paraphrase(&w, model, &tasks.list[0], 3, NULL, 0, &e), &e);
    assert_true(w.raw && *w.raw);
    assert_true(w.n >= 1);
    int64_t kept = 0;
    for (int64_t i = 0; i < w.n; i++) {
        print_message("%s: %s\n", w.list[i].dropped ? w.list[i].dropped : "kept", w.list[i].text);
        kept += !w.list[i].dropped;
    }
    assert_int_equal(kept, w.n_kept);
    assert_true(w.n_kept <= 3);
    ch_wordings_release(&w);
    CHECK_FAILS(ch_paraphrase(&w, model, &tasks.list[0], 3, "Reword it!", 0, &e), CH_EUSER, &e,
                "{instruction}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_margin_is_what_the_two_words_score_alone),
        cmocka_unit_test(a_question_longer_than_the_context_is_unreadable_not_fatal),
        cmocka_unit_test(candidates_depend_on_their_own_place_only),
        cmocka_unit_test(self_rewards_follow_from_the_votes_and_give_pairs),
        cmocka_unit_test(sft_rows_are_the_wordings_of_their_side),
        cmocka_unit_test(a_row_that_is_not_utf8_is_named_and_not_dropped),
        cmocka_unit_test(the_judge_asks_in_both_orders_and_only_where_it_must),
        cmocka_unit_test(a_small_model_writes_a_list_that_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
