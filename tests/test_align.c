/* Rewards, pairs and their files, on candidates written by hand. No model. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/align_files.h"
#include "align/order.h"
#include "align/pairs.h"
#include "align/prompts.h"
#include "align/reward_self.h"
#include "align/rewards.h"
#include "base/mem.h"
#include "base/str.h"

#define S(text)                                                                                    \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    } /* the structs hold char *, literals are const */

/* Two tasks: a closed one with labels, a free one; inputs 0 and 1; wordings 0..3. */
static char *closed_gold[] = {S("spam")}, *free_gold[] = {S("Paris"), S("the city of Paris")};
static char *labels[] = {S("ham"), S("spam")};
static char *wordings[] = {S("wording one"), S("wording two"), S("wording three")};
static ch_instance closed_items[] = {{S("c-0"), S("win money"), closed_gold, 1},
                                     {S("c-1"), S("prize now"), closed_gold, 1}};
static ch_instance free_items[] = {{S("f-0"), S("capital of France?"), free_gold, 2}};
static const ch_task tasks[] = {
    {.name = S("closed"),
     .instruction = S("Say spam or ham."),
     .wordings = wordings,
     .n_wordings = 3,
     .items = closed_items,
     .n_items = 2,
     .kind = CH_KIND_CLOSED,
     .labels = labels,
     .n_labels = 2},
    {.name = S("free"),
     .instruction = S("Answer the question."),
     .wordings = wordings,
     .n_wordings = 3,
     .items = free_items,
     .n_items = 1,
     .kind = CH_KIND_FREE},
};
static ch_share shares[] = {{.task = &tasks[0]}, {.task = &tasks[1]}};
static const ch_split split = {.list = shares, .n = 2};

typedef struct {
    int64_t task, item, wording, sample;
    const char *text;
    double logp;
    int reward;
} row;

static ch_candidates made(const row *r, int64_t n)
{
    ch_candidates c = {ch_new((size_t)n, sizeof *c.list), n};
    for (int64_t i = 0; i < n; i++)
        c.list[i] = (ch_candidate){.task = r[i].task,
                                   .item = r[i].item,
                                   .wording = r[i].wording,
                                   .sample = r[i].sample,
                                   .text = ch_dup(r[i].text),
                                   .stopped = 1,
                                   .logp = r[i].logp,
                                   .reward = r[i].reward,
                                   .vote_type = NAN,
                                   .vote_correct = NAN,
                                   .why = ch_why_named("")};
    return c;
}
#define MADE(...)                                                                                  \
    made((const row[]){__VA_ARGS__}, (int64_t)(sizeof((const row[]){__VA_ARGS__}) / sizeof(row)))

static void expect_rewards(ch_candidates *c, ch_reward_mode mode, const int *want)
{
    ch_align_opts o = {.reward = mode};
    ch_err e = {0};
    CHECK_OK(ch_rewards(c, NULL, &split, &o, &e), &e);
    for (int64_t i = 0; i < c->n; i++) {
        if (c->list[i].reward != want[i])
            fail_msg("candidate %d \"%s\": reward %d (%s), wanted %d", (int)i, c->list[i].text,
                     c->list[i].reward, c->list[i].why, want[i]);
    }
    assert_true(c->n > 0);
    ch_candidates_release(c);
}
#define REWARDS(c, mode, ...) expect_rewards(c, mode, (const int[]){__VA_ARGS__})

/* -- rewards -- */

static void two_votes_give_2_1_0_or_discard(void **state CH_UNUSED)
{
    const struct {
        double type, correct;
        int want;
    } t[] = {{1, 1, 2},
             {1, -1, 1},
             {1, NAN, 1},
             {1, 1e-7, 1},
             {1, INFINITY, 1},
             {-1, 1, 0},
             {-1, NAN, 0},
             {NAN, 1, CH_DISCARD},
             {0, 1, CH_DISCARD},
             {9e-7, 1, CH_DISCARD},
             {-9e-7, 1, CH_DISCARD},
             {INFINITY, 1, CH_DISCARD},
             {-INFINITY, 1, CH_DISCARD},
             {2e-6, 2e-6, 2}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *why = NULL;
        int got = ch_reward_of_votes(t[i].type, t[i].correct, &why);
        if (got != t[i].want)
            fail_msg("votes %g and %g: reward %d, wanted %d", t[i].type, t[i].correct, got,
                     t[i].want);
        assert_non_null(why);
        assert_ptr_equal(ch_why_named(why), why);
    }
}

static void reference_rewards_compare_with_every_right_answer_and_the_labels(void **state CH_UNUSED)
{
    ch_candidates c =
        MADE({0, 0, 0, 0, " Spam. ", 0, 0}, {0, 0, 1, 0, "ham", 0, 0}, {0, 0, 2, 0, "spammy", 0, 0},
             {0, 1, 0, 0, "", 0, 0}, {1, 0, 0, 0, "the city of  paris", 0, 0},
             {1, 0, 1, 0, "London", 0, 0}, {1, 0, 2, 0, "  ", 0, 0});
    REWARDS(&c, CH_REWARD_REFERENCE, 2, 1, 0, 0, 2, 1, 0);
}

static void consensus_is_the_strict_majority_of_the_other_wordings(void **state CH_UNUSED)
{
    /* Wordings 0..3 say a a a b: for each of the first three the others hold a a b, for the last a
     * a a. A sample has no vote, and its own wording's greedy answer has none about it either. */
    ch_candidates c =
        MADE({1, 0, 0, 0, "a", 0, 0}, {1, 0, 1, 0, "A.", 0, 0}, {1, 0, 2, 0, "a", 0, 0},
             {1, 0, 3, 0, "b", 0, 0}, {1, 0, 3, 1, "a", 0, 0}, {1, 0, 0, 1, "b", 0, 0});
    REWARDS(&c, CH_REWARD_CONSENSUS, 2, 2, 2, 1, 2, 1);
    /* a a b b: the first's others hold a b b, so that b is right for it and a for the last. */
    c = MADE({1, 0, 0, 0, "a", 0, 0}, {1, 0, 1, 0, "a", 0, 0}, {1, 0, 2, 0, "b", 0, 0},
             {1, 0, 3, 0, "b", 0, 0});
    REWARDS(&c, CH_REWARD_CONSENSUS, 1, 1, 1, 1);
    /* a b c: half of two is no strict majority. */
    c = MADE({1, 0, 0, 0, "a", 0, 0}, {1, 0, 1, 0, "b", 0, 0}, {1, 0, 2, 0, "c", 0, 0});
    REWARDS(&c, CH_REWARD_CONSENSUS, CH_DISCARD, CH_DISCARD, CH_DISCARD);
    /* Silence wins nothing, alone neither; another input's answers have no vote. */
    c = MADE({0, 0, 0, 0, "", 0, 0}, {0, 0, 1, 0, "", 0, 0}, {0, 0, 2, 0, "", 0, 0},
             {0, 1, 0, 0, "ham", 0, 0});
    REWARDS(&c, CH_REWARD_CONSENSUS, CH_DISCARD, CH_DISCARD, CH_DISCARD, CH_DISCARD);
}

static void every_reward_says_what_it_is_and_its_sentences_are_known_again(void **state CH_UNUSED)
{
    for (int k = 0; k < CH_N_REWARDS; k++) {
        assert_true(ch_reward_table[k].what && ch_reward_table[k].fill);
        assert_non_null(ch_reward_table[k].whys[0]);
        for (const char *const *why = ch_reward_table[k].whys; *why; why++)
            assert_ptr_equal(ch_why_named(*why), *why);
    }
    assert_string_equal(ch_why_named("a word of somebody's"), "read from a file");
}

static void a_row_that_needs_no_gold_rewards_inputs_without_any(void **state CH_UNUSED)
{
    int64_t tried = 0;
    int64_t had = free_items[0].n_outputs;
    free_items[0].n_outputs = 0;
    for (int k = 0; k < CH_N_REWARDS; k++) {
        if (ch_reward_table[k].needs_gold || ch_reward_table[k].questions)
            continue;
        ch_candidates c =
            MADE({1, 0, 0, 0, "a", 0, 0}, {1, 0, 1, 0, "a", 0, 0}, {1, 0, 2, 0, "b", 0, 0});
        ch_align_opts o = {.reward = k};
        ch_err e = {0};
        CHECK_OK(ch_rewards(&c, NULL, &split, &o, &e), &e);
        ch_candidates_release(&c);
        tried++;
    }
    free_items[0].n_outputs = had;
    assert_true(tried > 0);
}

static void equal_texts_of_one_input_are_one_question(void **state CH_UNUSED)
{
    ch_candidates c =
        MADE({0, 0, 0, 0, "x", 0, 0}, {0, 0, 1, 1, "x", 0, 0}, {0, 1, 0, 0, "x", 0, 0},
             {1, 0, 0, 0, "x", 0, 0}, {0, 0, 0, 1, "y", 0, 0}, {0, 1, 2, 0, "x", 0, 0});
    int64_t id[6];
    assert_int_equal(ch_candidates_distinct(&c, id), 4);
    assert_int_equal(id[0], id[1]);
    assert_int_equal(id[2], id[5]);
    assert_int_not_equal(id[0], id[2]);
    assert_int_not_equal(id[0], id[3]);
    assert_int_not_equal(id[0], id[4]);
    ch_candidates_release(&c);
}

static void a_judge_file_must_show_what_is_judged(void **state CH_UNUSED)
{
    char *type, *correct;
    ch_err e = {0};
    CHECK_OK(
        ch_judge_questions("Is {answer} valid?\n---\n{answer} or {gold}?\n", &type, &correct, &e),
        &e);
    assert_string_equal(type, "Is {answer} valid?");
    assert_string_equal(correct, "{answer} or {gold}?");
    free(type);
    free(correct);
    const struct {
        const char *text, *word;
    } bad[] = {{"{answer} {gold}", "---"},
               {"{answer} ----\n{answer} {gold}", "---"},
               {"x\n---\n{answer} {gold}", "{answer} in the type"},
               {"{answer}\n---\n{gold}", "{answer} in the correctness"},
               {"{answer}\n---\n{answer}", "{gold}"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (ch_err){0};
        CHECK_FAILS(ch_judge_questions(bad[i].text, &type, &correct, &e), CH_EUSER, &e,
                    bad[i].word);
    }
}

/* -- pairs -- */

static ch_picks picked(const ch_candidates *c, const ch_align_opts *o)
{
    ch_picks p;
    ch_err e = {0};
    CHECK_OK(ch_pairs_pick(&p, c, &split, o, &e), &e);
    return p;
}

static void check_pick(const ch_candidates *c, const ch_pick *p, int64_t wording, const char *good,
                       const char *const *bad)
{
    assert_int_equal(p->wording, wording);
    assert_string_equal(p->good, good);
    int64_t n = 0;
    for (; bad[n]; n++) {
        assert_true(n < p->n_bad);
        assert_string_equal(c->list[p->bad[n]].text, bad[n]);
    }
    assert_int_equal(p->n_bad, n);
}
#define PICK(c, p, wording, good, ...)                                                             \
    check_pick(c, p, wording, good, (const char *const[]){__VA_ARGS__, NULL})

static void a_group_is_one_good_answer_and_the_bad_ones_under_its_wording(void **state CH_UNUSED)
{
    /* Out of order on purpose. Wording 2 has no bad answer, wording 3 no good one; what was
     * discarded is neither. */
    ch_candidates c = MADE({1, 0, 1, 2, "Rome", -1, 0}, {1, 0, 0, 1, "Lyon", -5, 1},
                           {1, 0, 0, 2, "Nice", -2, 0}, {1, 0, 0, 0, "Paris", -3, 2},
                           {1, 0, 0, 3, "odd", -1, CH_DISCARD}, {1, 0, 1, 0, "Bonn", -9, 1},
                           {1, 0, 1, 1, "Paris!", -2, 2}, {1, 0, 1, 3, "in Paris", -1, 2},
                           {1, 0, 2, 0, "Paris", -1, 2}, {1, 0, 3, 0, "Oslo", -1, 1});
    ch_picks p = picked(&c, &(ch_align_opts){0});
    assert_int_equal(p.n, 2);
    PICK(&c, &p.list[0], 0, "Paris", "Nice", "Lyon");
    PICK(&c, &p.list[1], 1, "in Paris", "Bonn",
         "Rome"); /* no greedy good one: the likelier sample */
    ch_picks_release(&p);
    ch_candidates_release(&c);
}

static void pooling_lends_a_good_answer_to_wordings_without_one(void **state CH_UNUSED)
{
    ch_candidates c =
        MADE({0, 0, 0, 0, "spam", -3, 2}, {0, 0, 1, 0, "ham", -1, 1}, {0, 0, 2, 1, "SPAM", -1, 2},
             {0, 0, 2, 0, "ham", -1, 1}, {0, 1, 0, 0, "ham", -1, 1});
    ch_picks p = picked(&c, &(ch_align_opts){.pool = 1});
    assert_int_equal(p.n, 2);
    PICK(&c, &p.list[0], 1, "spam", "ham");
    PICK(&c, &p.list[1], 2, "SPAM", "ham"); /* its own comes first */
    ch_picks_release(&p);
    p = picked(&c, &(ch_align_opts){0});
    assert_int_equal(p.n, 1);
    ch_picks_release(&p);
    ch_candidates_release(&c);
    /* Among other wordings': a greedy one before a likelier sample. */
    c = MADE({1, 0, 0, 1, "Paris, France", -1, 2}, {1, 0, 1, 0, "Rome", -1, 1},
             {1, 0, 2, 0, "Paris", -4, 2});
    p = picked(&c, &(ch_align_opts){.pool = 1});
    assert_int_equal(p.n, 1);
    PICK(&c, &p.list[0], 1, "Paris", "Rome");
    ch_picks_release(&p);
    ch_candidates_release(&c);
}

static void the_gold_can_be_the_target(void **state CH_UNUSED)
{
    ch_candidates c = MADE({1, 0, 0, 0, "a city of Paris", -3, 2}, {1, 0, 0, 1, "Rome", -1, 1},
                           {1, 0, 1, 0, "paris.", -1, 1}, {1, 0, 2, 0, "Oslo", -1, 0});
    ch_picks p = picked(&c, &(ch_align_opts){.gold_target = 1});
    assert_int_equal(p.n, 2); /* under wording 1 the only bad answer is the gold itself */
    PICK(&c, &p.list[0], 0, "Paris", "Rome");
    PICK(&c, &p.list[1], 2, "Paris", "Oslo");
    ch_picks_release(&p);
    ch_candidates_release(&c);
}

static void equal_bad_texts_count_once_and_max_bad_keeps_the_likeliest(void **state CH_UNUSED)
{
    ch_candidates c =
        MADE({1, 0, 0, 0, "x", -9, 1}, {1, 0, 0, 1, "X.", -1, 1}, {1, 0, 0, 2, "y", -7, 0},
             {1, 0, 0, 3, "z", -2, 1}, {1, 0, 0, 4, "Paris", -2, 2}, {1, 0, 0, 5, "z", -3, 1});
    ch_picks p = picked(&c, &(ch_align_opts){0});
    assert_int_equal(p.n, 1);
    PICK(&c, &p.list[0], 0, "Paris", "x", "z", "y");
    ch_picks_release(&p);
    p = picked(&c, &(ch_align_opts){.max_bad = 2});
    PICK(&c, &p.list[0], 0, "Paris", "x", "z");
    ch_picks_release(&p);
    ch_candidates_release(&c);
}

static void an_answer_cut_off_by_the_limit_is_no_target(void **state CH_UNUSED)
{
    ch_candidates c = MADE({1, 0, 0, 0, "Paris is", -3, 2}, {1, 0, 0, 1, "Rome", -1, 1});
    c.list[0].stopped = 0;
    ch_picks p;
    ch_err e = {0};
    CHECK_FAILS(ch_pairs_pick(&p, &c, &split, &(ch_align_opts){0}, &e), CH_EEMPTY, &e, "max_new");
    ch_candidates_release(&c);
}

static void no_pair_is_said_with_the_counts_and_a_way_out(void **state CH_UNUSED)
{
    const struct {
        int a, b;
        int64_t wording_b;
        const char *word;
    } t[] = {{2, 2, 0, "no bad answer"},
             {1, 0, 0, "gold_target"},
             {2, 1, 1, "pool"},
             {CH_DISCARD, 2, 0, "discarded: 1"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ch_candidates c =
            MADE({1, 0, 0, 0, "u", -1, t[i].a}, {1, 0, t[i].wording_b, 1, "v", -1, t[i].b});
        ch_picks p;
        ch_err e = {0};
        CHECK_FAILS(ch_pairs_pick(&p, &c, &split, &(ch_align_opts){0}, &e), CH_EEMPTY, &e,
                    t[i].word);
        assert_non_null(strstr(e.msg, "2 candidates"));
        ch_candidates_release(&c);
    }
    ch_candidates none = {0};
    ch_picks p;
    ch_err e = {0};
    CHECK_FAILS(ch_pairs_pick(&p, &none, &split, &(ch_align_opts){0}, &e), CH_EEMPTY, &e,
                "0 candidates");
}

/* -- files -- */

static int same_number(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

static void candidates_come_back_from_their_file_to_the_last_bit(void **state CH_UNUSED)
{
    ch_candidates c =
        MADE({0, 1, 3, 0, "two\nlines \"q\" \xC3\xA9", -1.0 / 3, 2},
             {1, 0, 0, 7, "", -1e-300, CH_DISCARD}, {1, 0, 2, 1, "z", -12345.6789, 0});
    c.list[0].vote_type = 0.1 + 0.2;
    c.list[2].vote_correct = -1e-9;
    c.list[1].stopped = 0;
    const char *why;
    c.list[2].reward = ch_reward_of_votes(-1, NAN, &why);
    c.list[2].why = why;
    char *dir = scratch_dir(), *path = ch_path(dir, "c.jsonl");
    ch_err e = {0};
    ch_candidates d;
    CHECK_OK(ch_candidates_write(&c, &split, path, &e), &e);
    CHECK_OK(ch_candidates_read(&d, &split, path, &e), &e);
    assert_int_equal(d.n, 3);
    for (int64_t i = 0; i < 3; i++) {
        const ch_candidate *a = &c.list[i], *b = &d.list[i];
        assert_int_equal(a->task, b->task);
        assert_int_equal(a->item, b->item);
        assert_int_equal(a->wording, b->wording);
        assert_int_equal(a->sample, b->sample);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->stopped, b->stopped);
        assert_int_equal(a->reward, b->reward);
        assert_ptr_equal(a->why, b->why);
        assert_true(same_number(a->logp, b->logp));
        assert_true(same_number(a->vote_type, b->vote_type));
        assert_true(same_number(a->vote_correct, b->vote_correct));
    }
    ch_candidates_release(&c);
    ch_candidates_release(&d);
    free(path);
    scratch_remove(dir);
}

/* The file of one good row with `from` replaced by `to`. */
static void refused(const char *from, const char *to, ch_code code, const char *word)
{
    ch_candidates c = MADE({0, 1, 3, 0, "spam", -1.5, 2}), d;
    char *dir = scratch_dir(), *path = ch_path(dir, "c.jsonl"), *text;
    ch_err e = {0};
    CHECK_OK(ch_candidates_write(&c, &split, path, &e), &e);
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    const ch_slot slot = {from, to};
    char *changed = ch_fill(text, &slot, 1);
    assert_string_not_equal(changed, text);
    CHECK_OK(ch_file_write(path, changed, strlen(changed), &e), &e);
    CHECK_FAILS(ch_candidates_read(&d, &split, path, &e), code, &e, word);
    assert_non_null(strstr(e.msg, path));
    free(changed);
    free(text);
    free(path);
    ch_candidates_release(&c);
    scratch_remove(dir);
}

static void a_candidates_file_that_does_not_fit_is_refused(void **state CH_UNUSED)
{
    refused("\"reward\":2", "\"reward\":3", CH_EUSER, "reward");
    refused("\"reward\":2", "\"reward\":\"good\"", CH_EUSER, "reward");
    refused("\"task_index\":0", "\"task_index\":2", CH_EUSER, "wanted 0 to 1");
    refused("\"task_index\":0", "\"task_index\":1", CH_EUSER, "other tasks");
    refused("\"wording\":3", "\"wording\":4", CH_EUSER, "wanted 0 to 3");
    refused("\"wording\":3", "\"wording\":-1", CH_EUSER, "wanted 0 to 3");
    refused("\"item\":1", "\"item\":0", CH_EUSER, "other tasks");
    refused("\"item\":1", "\"item\":1.5", CH_EUSER, "whole number");
    refused("\"answer\":\"spam\"", "\"answer\":7", CH_EUSER, "answer");
    refused("\"ended\":true", "\"ended\":1", CH_EUSER, "ended");
    refused("\"logp\":-1.5", "\"logp\":\"x\"", CH_EUSER, "logp");
    refused("}", "", CH_EUSER, ", line 1: not JSON");
    refused("{", "[", CH_EUSER, ", line 1: not JSON");
}

static void an_empty_candidates_file_is_refused(void **state CH_UNUSED)
{
    char *dir = scratch_dir(), *path = ch_path(dir, "c.jsonl");
    ch_err e = {0};
    ch_candidates d;
    CHECK_OK(ch_file_write(path, "\n \n", 3, &e), &e);
    CHECK_FAILS(ch_candidates_read(&d, &split, path, &e), CH_EEMPTY, &e, "no candidate");
    free(path);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_votes_give_2_1_0_or_discard),
        cmocka_unit_test(reference_rewards_compare_with_every_right_answer_and_the_labels),
        cmocka_unit_test(consensus_is_the_strict_majority_of_the_other_wordings),
        cmocka_unit_test(every_reward_says_what_it_is_and_its_sentences_are_known_again),
        cmocka_unit_test(a_row_that_needs_no_gold_rewards_inputs_without_any),
        cmocka_unit_test(equal_texts_of_one_input_are_one_question),
        cmocka_unit_test(a_judge_file_must_show_what_is_judged),
        cmocka_unit_test(a_group_is_one_good_answer_and_the_bad_ones_under_its_wording),
        cmocka_unit_test(pooling_lends_a_good_answer_to_wordings_without_one),
        cmocka_unit_test(the_gold_can_be_the_target),
        cmocka_unit_test(equal_bad_texts_count_once_and_max_bad_keeps_the_likeliest),
        cmocka_unit_test(an_answer_cut_off_by_the_limit_is_no_target),
        cmocka_unit_test(no_pair_is_said_with_the_counts_and_a_way_out),
        cmocka_unit_test(candidates_come_back_from_their_file_to_the_last_bit),
        cmocka_unit_test(a_candidates_file_that_does_not_fit_is_refused),
        cmocka_unit_test(an_empty_candidates_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
