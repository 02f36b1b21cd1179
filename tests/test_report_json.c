/* results.json there and back, and what no writer accepts. */
#include "support/report_fixture.h"
#include "support/results_read.h"

static char *round_trip_path(fixture *x, ch_report_data *back)
{
    ch_err e = {0};
    char *path = ch_path(x->dir, "r.json");
    if (ch_report_json(path, &x->d, &e) != CH_OK || ch_report_read_json(back, path, &e) != CH_OK)
        fail_msg("%s", e.msg);
    return path;
}

static const ch_report_task uneven[TASKS] = {{"ticket_routing", "exact", 64, 2},
                                             {"extract_amount", "exact", 64, 4},
                                             {"odd_word", "exact", 64, 16}};

static void set_wordings(fixture *x, int64_t fewest, int64_t most)
{
    x->d.n_wordings = fewest;
    x->d.most_wordings = most;
    for (int a = 0; a < ARMS; a++) {
        x->arms[a].measure.n_wordings = fewest;
        x->arms[a].measure.most_wordings = most;
    }
}

static void json_comes_back_as_it_was(void **state)
{
    fixture *x = *state;
    ch_report_data back;
    const ch_verdicts judge = {100, 93, 97, 11};
    x->d.sim_free = "judge tiny";
    x->arms[0].judge = judge;
    x->arms[2].judge = (ch_verdicts){0, 0, 50, 50};
    x->d.tasks = uneven;
    set_wordings(x, 2, 16);
    char *path = round_trip_path(x, &back);
    assert_int_equal(back.n_arms, ARMS);
    assert_int_equal(back.main_arm, 3);
    assert_true(back.seeds[1] == report_seeds[1]);
    assert_memory_equal(&back.arms[0].judge, &judge, sizeof judge);
    assert_int_equal(back.arms[2].judge.n_differ, 50);
    assert_int_equal(back.tasks[2].n_wordings, 16);
    assert_int_equal(back.n_warnings, 1);
    assert_int_equal(back.n_notes, 0);
    for (int a = 0; a < ARMS; a++)
        for (int k = 0; k < CH_M_COUNT; k++) {
            assert_memory_equal(&back.arms[a].measure.all[k], &x->arms[a].measure.all[k],
                                sizeof(ch_stat));
            for (int t = 0; t < TASKS; t++)
                assert_true(back.arms[a].measure.by_task[t][k] == x->by_task[a][t][k]);
        }
    char *first, *second;
    ch_err e = {0};
    assert_int_equal(ch_report_json_text(&first, &x->d, &e), CH_OK);
    assert_int_equal(ch_report_json_text(&second, &back, &e), CH_OK);
    assert_string_equal(first, second);
    contains(first, "\"rouge\": \"rouge_score-compatible, stemmed\"");
    free(first);
    free(second);
    free(path);
    ch_report_release(&back);
    assert_null(back.arms);
}

static void a_page_drawn_from_json_is_the_same_page(void **state)
{
    fixture *x = *state;
    ch_report_data back;
    free(round_trip_path(x, &back));
    char *a = html(x, &x->d, "r.html"), *b = html(x, &back, "s.html");
    assert_string_equal(a, b);
    free(a);
    free(b);
    ch_report_release(&back);
}

static void notes_are_in_all_three_and_come_back(void **state)
{
    fixture *x = *state;
    static const char *const notes[] = {"The answers are labels <here>.", "Grouped\nsampling."};
    ch_report_data back;
    char *none = html(x, &x->d, "r.html"), *bare = terminal(&x->d, 0, 0);
    lacks(none, "labels");
    lacks(bare, "labels");
    x->d.notes = notes;
    x->d.n_notes = 2;
    char *path = round_trip_path(x, &back);
    assert_int_equal(back.n_notes, 2);
    assert_string_equal(back.notes[1], "Grouped sampling.");
    char *text = terminal(&back, 0, 0), *page = html(x, &back, "s.html");
    contains(text, "note: The answers are labels <here>.\n");
    contains(text, "note: Grouped sampling.\n");
    contains(page, "<b>Note:</b> The answers are labels &lt;here&gt;.</p>");
    free(none);
    free(bare);
    free(text);
    free(page);
    free(path);
    ch_report_release(&back);
}

static void refused(fixture *x, ch_code code, const char *says)
{
    ch_err e[4] = {{0}};
    char *json = ch_path(x->dir, "r.json"), *page = ch_path(x->dir, "r.html"), *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_int_equal(ch_report_check(&x->d, &e[0]), code);
    assert_int_equal(ch_report_json(json, &x->d, &e[1]), code);
    assert_int_equal(ch_report_html(page, &x->d, &e[2]), code);
    assert_int_equal(ch_report_terminal(f, &x->d, 0, 0, &e[3]), code);
    fclose(f);
    assert_int_equal(n, 0);
    assert_false(ch_exists(json));
    assert_false(ch_exists(page));
    for (int i = 0; i < 4; i++)
        contains(e[i].msg, says);
    free(json);
    free(page);
    free(text);
}

static void nan_and_infinity_are_refused_by_name(void **state)
{
    fixture *x = *state;
    x->arms[2].measure.all[CH_M_MCR].low = NAN;
    refused(x, CH_ENUMBER, "arm \"SFT(IA)\", mcr");
    report_fill(x);
    x->arms[1].diff[CH_M_ACC].value = INFINITY;
    refused(x, CH_ENUMBER, "arm \"SFT\"");
    report_fill(x);
    x->arms[3].versus_diff[CH_M_TOP].high = NAN;
    refused(x, CH_ENUMBER, "arm \"SFT(IA) + CAT\"");
    report_fill(x);
    x->by_task[4][1][CH_M_CR] = NAN;
    refused(x, CH_ENUMBER, "task \"extract_amount\"");
    report_fill(x);
    x->train[2][30] = NAN;
    refused(x, CH_ENUMBER, "train loss at step 31");
    report_fill(x);
}

static void contradictions_are_refused(void **state)
{
    fixture *x = *state;
    x->arms[2].name = "SFT";
    refused(x, CH_EUSER, "two arms are named \"SFT\"");
    report_fill(x);
    x->arms[3].versus = "nobody";
    refused(x, CH_EUSER, "\"nobody\"");
    report_fill(x);
    x->arms[1].measure.all[CH_M_ACC] = (ch_stat){61.6, 58.0, 64.0};
    refused(x, CH_EUSER, "a share 0..1 is wanted");
    report_fill(x);
    x->arms[1].measure.all[CH_M_ACC] = (ch_stat){0.5, 0.6, 0.4};
    refused(x, CH_EUSER, "upside down");
    report_fill(x);
    x->arms[1].measure.n_cases = 191;
    refused(x, CH_EUSER, "191 inputs");
    report_fill(x);
    x->arms[1].measure.all[CH_M_ACC] = (ch_stat){0.7, 0.4, 0.6};
    refused(x, CH_EUSER, "does not hold 0.7");
    report_fill(x);
    x->arms[1].measure.most_wordings = 5;
    refused(x, CH_EUSER, "4 to 5 wordings");
    report_fill(x);
    x->arms[1].judge = (ch_verdicts){10, 11, 10, 5};
    refused(x, CH_EUSER, "11 of 10");
    report_fill(x);
    x->d.n_arms = 0;
    refused(x, CH_EEMPTY, "no arm");
}

static void reading_says_what_is_wrong(fixture *x, const char *old, const char *now,
                                       const char *says)
{
    ch_err e = {0};
    ch_report_data back;
    char *text, *path = ch_path(x->dir, "r.json");
    assert_int_equal(ch_report_json_text(&text, &x->d, &e), CH_OK);
    char *at = strstr(text, old);
    assert_non_null(at);
    char *bad = ch_fmt("%.*s%s%s", (int)(at - text), text, now, at + strlen(old));
    assert_int_equal(ch_file_write(path, bad, strlen(bad), &e), CH_OK);
    assert_int_not_equal(ch_report_read_json(&back, path, &e), CH_OK);
    contains(e.msg, path);
    contains(e.msg, says);
    assert_null(back.owned);
    free(bad);
    free(text);
    free(path);
}

static void broken_json_is_refused_with_its_key(void **state)
{
    fixture *x = *state;
    reading_says_what_is_wrong(x, "\"chorus_report\": 1", "\"chorus_report\": 2", "version 1");
    reading_says_what_is_wrong(x, "\"title\": \"Eight", "\"titel\": \"Eight",
                               "\"title\" is missing");
    reading_says_what_is_wrong(x, "\"right\": false", "\"right\": \"no\"", "\"right\" is a text");
    reading_says_what_is_wrong(x, "\"main_arm\": \"SFT(IA)", "\"main_arm\": \"X", "main_arm");
    reading_says_what_is_wrong(x, "\"tasks\": 3", "\"tasks\": 4", "\"tasks\"");
    reading_says_what_is_wrong(x, "\"inputs\": 192", "\"inputs\": 0", "0 inputs");
    reading_says_what_is_wrong(x, "\n}\n", "\n", "not JSON");
    ch_report_data back;
    ch_err e = {0};
    assert_int_equal(ch_report_read_json(&back, "/nowhere/results.json", &e), CH_EUSER);
    contains(e.msg, "/nowhere/results.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_drawn_from_json_is_the_same_page, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_are_in_all_three_and_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nan_and_infinity_are_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(contradictions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_json_is_refused_with_its_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
