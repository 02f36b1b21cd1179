/* Whole runs with every reward and every rule of pairs: what the files of align/ hold is worked out
 * again from the answers alone. */
#include "support/whole.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/ask.h"
#include "base/mem.h"
#include "chorus.h"
#include "data/intern.h"

static const char arms[] = "[{name: sft, title: S, objective: sft, augment: true}, "
                           "{name: cat, title: C, objective: cat, from: sft}]";

static int64_t count_of(const json_t *row, const char *key)
{
    return json_count_at(row, key);
}

static char *key_of(const json_t *row)
{
    return ch_text_key(whole_word(row, "answer"));
}

/* -2: the row was discarded. */
static int reward_of(const json_t *row)
{
    const json_t *v = json_at(row, "reward");
    return json_is_integer(v) ? (int)json_integer_value(v) : -2;
}

static int same_item(const json_t *a, const json_t *b)
{
    return count_of(a, "item") == count_of(b, "item");
}

static int same_place(const json_t *a, const json_t *b)
{
    return same_item(a, b) && count_of(a, "wording") == count_of(b, "wording");
}

static json_t *rewards_of(const whole *w, const char *run)
{
    char *pattern = ch_fmt("%s/align/*/rewards.jsonl", run), *name = whole_find(w, pattern);
    json_t *rows = whole_rows(w, name);
    free(pattern);
    free(name);
    return rows;
}

/* -- rewards -- */

static int by_reference(const json_t *row)
{
    char *mine = key_of(row), *gold = ch_text_key(whole_word(row, "gold"));
    int label = !strcmp(mine, "a") || !strcmp(mine, "b");
    int want = !strcmp(mine, gold) ? 2 : !mine[0] || !label ? 0 : 1;
    free(mine);
    free(gold);
    return want;
}

/* The share of the other wordings' greedy answers that say what `say` says is above a half. */
static int wins(const json_t *rows, const json_t *row, const char *say)
{
    size_t i;
    json_t *other;
    int others = 0, votes = 0;
    json_array_foreach(rows, i, other)
    {
        if (count_of(other, "sample") || !same_item(row, other) || same_place(row, other))
            continue;
        char *theirs = key_of(other);
        others++;
        votes += !strcmp(theirs, say);
        free(theirs);
    }
    return say[0] && 2 * votes > others;
}

static int by_consensus(const json_t *rows, const json_t *row)
{
    size_t i;
    json_t *other;
    int someone = 0;
    char *mine = key_of(row);
    json_array_foreach(rows, i, other)
    {
        char *theirs = key_of(other);
        someone |= same_item(row, other) && wins(rows, row, theirs);
        free(theirs);
    }
    int want = !someone ? -2 : wins(rows, row, mine) ? 2 : 1;
    free(mine);
    return want;
}

static int by_votes(const json_t *row)
{
    char *mine = key_of(row), *gold = ch_text_key(whole_word(row, "gold"));
    const json_t *type = json_at(row, "vote_type"), *correct = json_at(row, "vote_correct");
    int right = !strcmp(mine, gold), empty = !mine[0], want = right ? 2 : 0;
    CHECK_(!(right || empty) == json_is_number(type));
    if (json_is_number(type) && json_number_value(type) > 0)
        want = json_number_value(correct) > 0 ? 2 : 1;
    free(mine);
    free(gold);
    return want;
}

/* Every candidate's reward is what the rule gives it; at least two different ones are among them. */
static void check_rewards(const json_t *rows, const char *reward)
{
    size_t i;
    json_t *row;
    int seen[5] = {0};
    json_array_foreach(rows, i, row)
    {
        int want = !strcmp(reward, "reference")   ? by_reference(row)
                   : !strcmp(reward, "consensus") ? by_consensus(rows, row)
                                                  : by_votes(row);
        assert_int_equal(reward_of(row), want);
        seen[want + 2] = 1;
    }
    CHECK_(seen[0] + seen[2] + seen[3] + seen[4] > 1);
}

/* 5 inputs under the instruction and two wordings, a greedy answer and five others each. */
static void check_places(const json_t *rows)
{
    size_t i, k;
    json_t *a, *b;
    assert_int_equal(json_array_size(rows), 5 * 3 * 6);
    json_array_foreach(rows, i, a)
    {
        int twice = 0, of_place = 0;
        json_array_foreach(rows, k, b)
        {
            of_place += same_place(a, b);
            twice += same_place(a, b) && count_of(a, "sample") == count_of(b, "sample");
        }
        CHECK_(twice == 1 && of_place == 6 && count_of(a, "sample") < 6);
    }
}

/* The greedy ones are what the arm's own start says, asked by the library's front door. */
static void check_greedy(const whole *w, const char *run, const json_t *rows)
{
    ch_err e = {0};
    chorus_model *m;
    chorus_device_opts device = {1, "f32", "auto"};
    chorus_generate_opts how;
    char *name = ch_fmt("%s/sft/model.gguf", run), *gguf = whole_path(w, name);
    size_t i;
    json_t *row;
    int n = 0;
    CHECK_OK(chorus_open(&m, gguf, &device, &e), &e);
    chorus_generate_defaults(&how);
    how.max_new = 6;
    json_array_foreach(rows, i, row)
    {
        chorus_answer y;
        if (count_of(row, "sample"))
            continue;
        char *prompt = ch_fmt("%s\n%s", whole_word(row, "instruction"), whole_word(row, "input"));
        CHECK_OK(chorus_generate(m, (const char *const *)&prompt, 1, &how, &y, &e), &e);
        assert_string_equal(y.text, whole_word(row, "answer"));
        CHECK_NEAR(json_number_at(row, "logp"), y.logp, 1e-4);
        chorus_answers_release(&y, 1);
        free(prompt);
        n++;
    }
    assert_int_equal(n, 15);
    chorus_close(m);
    free(gguf);
    free(name);
}

static const char hot[] = "align.samples=5 align.temperature=1.5";

static void reference_rewards_follow_from_the_gold(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", hot, arms);
    json_t *rows = rewards_of(&w, "r");
    check_places(rows);
    check_greedy(&w, "r", rows);
    check_rewards(rows, "reference");
    json_decref(rows);
    whole_close(&w);
}

static void consensus_rewards_follow_from_the_other_wordings(void **state)
{
    (void)state;
    whole w = whole_open();
    char *keys = ch_fmt("%s align.reward=consensus align.gold_target=true split.train_wordings=3 "
                        "split.test_wordings=2 train.steps=7 seed=5",
                        hot);
    whole_ran(&w, "r", keys, arms);
    json_t *rows = rewards_of(&w, "r");
    check_rewards(rows, "consensus");
    json_decref(rows);
    free(keys);
    whole_close(&w);
}

/* The votes are those of the model that the arm starts from; of another they would be others. */
static void check_judge(const whole *w, const char *gguf, const json_t *rows, int is_judge)
{
    ch_err e = {0};
    ch_device *d;
    ch_model *m;
    ch_gen_opts g = {.batch = 64, .what = "votes"};
    size_t i;
    json_t *row;
    int asked = 0, equal = 0;
    char *path = whole_path(w, gguf);
    CHECK_OK(ch_device_open(&d, CH_PRECISION_F32, CH_ISA_AUTO, 1, &e), &e);
    CHECK_OK(ch_model_load(&m, path, d, &e), &e);
    json_array_foreach(rows, i, row)
    {
        double vote, got = json_number_value(json_at(row, "vote_type"));
        if (json_is_null(json_at(row, "vote_type")))
            continue;
        char *q = ch_fmt("Type of %s?", whole_word(row, "answer"));
        CHECK_OK(ch_ask(m, (const char *const *)&q, 1, "valid", "invalid", &g, &vote, &e), &e);
        free(q);
        asked++;
        equal += fabs(vote - got) <= 1e-4 * fmax(1, fabs(vote));
    }
    CHECK_(asked > 0);
    assert_int_equal(equal, is_judge ? asked : 0);
    ch_model_free(m);
    ch_device_close(d);
    free(path);
}

static void self_rewards_are_the_votes_of_the_arms_own_start(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_put(&w, "q.txt", "Type of {answer}?\n---\nIs {answer} {gold}?\n");
    char *q = whole_path(&w, "q.txt");
    char *keys =
        ch_fmt("%s align.reward=self align.gold_target=true align.judge_prompt=%s", hot, q);
    whole_ran(&w, "r", keys, arms);
    json_t *rows = rewards_of(&w, "r");
    check_rewards(rows, "self");
    check_judge(&w, "r/sft/model.gguf", rows, 1);
    check_judge(&w, w.gguf, rows, 0);
    json_decref(rows);
    free(keys);
    free(q);
    whole_close(&w);
}

/* -- pairs -- */

typedef struct {
    const json_t *rows;
    int pool, gold_target, max_bad;
} rule;

static int is_good(const json_t *row)
{
    return reward_of(row) == 2 && json_is_true(json_at(row, "ended"));
}

/* Greedy before sampled, then the more probable one. */
static int before(const json_t *a, const json_t *b)
{
    int ga = !count_of(a, "sample"), gb = !count_of(b, "sample");
    return ga != gb ? ga : json_number_at(a, "logp") > json_number_at(b, "logp");
}

/* The text that is taught at the row's place, NULL: none. */
static const char *good_at(const rule *r, const json_t *place)
{
    size_t i;
    json_t *row;
    const json_t *best = NULL;
    if (r->gold_target)
        return whole_word(place, "gold");
    for (int own = 1; own >= 0 && !best; own -= r->pool ? 1 : 2) {
        json_array_foreach(r->rows, i, row)
        {
            int here = own ? same_place(row, place) : same_item(row, place);
            if (here && is_good(row) && (!best || before(row, best)))
                best = row;
        }
    }
    return best ? whole_word(best, "answer") : NULL;
}

static int says_in(const json_t *list, const char *key)
{
    size_t i;
    json_t *one;
    int n = 0;
    json_array_foreach(list, i, one)
    {
        char *k = ch_text_key(json_string_value(one));
        n += !strcmp(k, key);
        free(k);
    }
    return n;
}

/* Distinct bad texts at the row's place that are not the good one. New list. */
static json_t *bad_at(const rule *r, const json_t *place, const char *good)
{
    size_t i;
    json_t *row, *list = json_array();
    char *but = ch_text_key(good);
    json_array_foreach(r->rows, i, row)
    {
        char *k = key_of(row);
        int bad = reward_of(row) == 0 || reward_of(row) == 1;
        if (bad && same_place(row, place) && strcmp(k, but) && !says_in(list, k))
            json_array_append(list, json_at(row, "answer"));
        free(k);
    }
    free(but);
    return list;
}

static const json_t *group_of(const json_t *groups, const json_t *place)
{
    size_t i;
    json_t *g;
    const json_t *hit = NULL;
    char *name = ch_fmt("ab, input %s, wording %lld", whole_word(place, "id"),
                        (long long)count_of(place, "wording"));
    json_array_foreach(groups, i, g)
    {
        CHECK_(!hit || strcmp(whole_word(g, "row"), name));
        hit = strcmp(whole_word(g, "row"), name) ? hit : g;
    }
    free(name);
    return hit;
}

/* The greedy answer, when it is bad, is the first of the bad ones. */
static void check_first(const rule *r, const json_t *place, const json_t *bad, const char *good)
{
    size_t i;
    json_t *row;
    json_array_foreach(r->rows, i, row)
    {
        char *k = key_of(row), *but = ch_text_key(good);
        int bad_greedy = !count_of(row, "sample") && same_place(row, place) && strcmp(k, but) &&
                         (reward_of(row) == 0 || reward_of(row) == 1);
        char *first = ch_text_key(json_string_value(json_array_get(bad, 0)));
        CHECK_(!bad_greedy || !strcmp(first, k));
        free(k);
        free(but);
        free(first);
    }
}

/* 1: there is a group at this place, as it must be. */
static int check_place(const rule *r, const json_t *groups, const json_t *place)
{
    const json_t *g = group_of(groups, place);
    const char *good = good_at(r, place);
    if (!good) {
        CHECK_(g == NULL);
        return 0;
    }
    json_t *want = bad_at(r, place, good);
    int64_t n = (int64_t)json_array_size(want);
    CHECK_((n > 0) == (g != NULL));
    if (g) {
        const json_t *bad = json_at(g, "bad");
        assert_int_equal(json_array_size(json_at(g, "good")), 1);
        assert_string_equal(json_string_value(json_array_get(json_at(g, "good"), 0)), good);
        assert_int_equal(json_array_size(bad), r->max_bad && n > r->max_bad ? r->max_bad : n);
        check_first(r, place, bad, good);
        size_t i;
        json_t *one;
        json_array_foreach(bad, i, one)
        {
            char *k = ch_text_key(json_string_value(one));
            CHECK_(says_in(want, k) == 1 && says_in(bad, k) == 1);
            free(k);
        }
    }
    json_decref(want);
    return g != NULL;
}

/* Two right answers to most inputs, so that one place's good text may be another than its
 * neighbour's. */
static const char lenient[] =
    "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Reply a or b.\","
    " \"Write a or b.\", \"Give a or b.\", \"Name a or b.\"], \"Instances\": ["
    "{\"id\": \"1\", \"input\": \"one\", \"output\": [\"a\", \"b\"]},"
    "{\"id\": \"2\", \"input\": \"two\", \"output\": [\"b\", \"a\"]},"
    "{\"id\": \"3\", \"input\": \"three\", \"output\": [\"a\", \"b\"]},"
    "{\"id\": \"4\", \"input\": \"four\", \"output\": [\"b\"]},"
    "{\"id\": \"5\", \"input\": \"five\", \"output\": [\"a\", \"b\"]},"
    "{\"id\": \"6\", \"input\": \"six\", \"output\": [\"b\", \"a\"]},"
    "{\"id\": \"7\", \"input\": \"seven\", \"output\": [\"a\"]},"
    "{\"id\": \"8\", \"input\": \"eight\", \"output\": [\"b\", \"a\"]}]}";

/* Runs cat on pairs by this rule and checks every place; the number of groups. */
static int check_pairs(const whole *w, const char *run, const char *extra, rule r)
{
    char *keys =
        ch_fmt("align.samples=5 align.temperature=1.5 align.pool=%s align.gold_target=%s "
               "align.max_bad=%d %s",
               r.pool ? "true" : "false", r.gold_target ? "true" : "false", r.max_bad, extra);
    whole_ran(w, run, keys, arms);
    json_t *rows = rewards_of(w, run);
    char *pattern = ch_fmt("%s/align/*/pairs.jsonl", run), *name = whole_find(w, pattern);
    json_t *groups = whole_rows(w, name), *row;
    size_t i;
    int n = 0;
    r.rows = rows;
    json_array_foreach(rows, i, row)
    {
        if (!count_of(row, "sample"))
            n += check_place(&r, groups, row);
    }
    assert_int_equal(n, json_array_size(groups));
    json_decref(rows);
    json_decref(groups);
    free(pattern);
    free(name);
    free(keys);
    return n;
}

static void pairs_hold_what_each_place_has(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_put(&w, "tasks/ab.json", lenient);
    int own = check_pairs(&w, "own", "", (rule){0});
    CHECK_(check_pairs(&w, "pool", "", (rule){.pool = 1}) >= own);
    CHECK_(check_pairs(&w, "gold", "", (rule){.gold_target = 1}) >= own);
    check_pairs(&w, "one", "", (rule){.max_bad = 1});
    whole_put(&w, "q.txt", "Type of {answer}?\n---\nIs {answer} {gold}?\n");
    char *q = whole_path(&w, "q.txt");
    char *voted = ch_fmt("align.reward=self align.judge_prompt=%s", q);
    check_pairs(&w, "voted", voted, (rule){0});
    check_pairs(&w, "voted_pool", voted, (rule){.pool = 1});
    free(voted);
    free(q);
    check_pairs(&w, "ranked", "align.reward=consensus", (rule){.pool = 1, .max_bad = 2});
    whole_close(&w);
}

/* align.items: so many inputs, each under all wordings. */
static void items_bounds_the_inputs(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_ran(&w, "r", "align.items=2 align.samples=5 align.gold_target=true", arms);
    json_t *rows = rewards_of(&w, "r"), *row;
    size_t i;
    int64_t other = -1, first = count_of(json_array_get(rows, 0), "item");
    assert_int_equal(json_array_size(rows), 2 * 3 * 6);
    json_array_foreach(rows, i, row)
    {
        int64_t item = count_of(row, "item");
        CHECK_(item == first || other == -1 || item == other);
        other = item == first ? other : item;
    }
    CHECK_(other >= 0);
    json_decref(rows);
    whole_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_rewards_follow_from_the_gold),
        cmocka_unit_test(consensus_rewards_follow_from_the_other_wordings),
        cmocka_unit_test(self_rewards_are_the_votes_of_the_arms_own_start),
        cmocka_unit_test(pairs_hold_what_each_place_has),
        cmocka_unit_test(items_bounds_the_inputs),
    };
    return cmocka_run_group_tests_name("whole align", tests, NULL, NULL);
}
