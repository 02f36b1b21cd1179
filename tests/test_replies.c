/* answers.jsonl and same.jsonl there and back, what is refused of them, the rule for empty answers,
 * and the judge's check. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/judge.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/weights.h"
#include "survey/cases.h"
#include "survey/judge_check.h"

static char *dir, *answers_path, *same_path;

static int set_up(void **state CH_UNUSED)
{
    dir = scratch_dir();
    answers_path = ch_path(dir, "answers.jsonl");
    same_path = ch_path(dir, "same.jsonl");
    ch_log_level(CH_WARN);
    return 0;
}

static int tear_down(void **state CH_UNUSED)
{
    scratch_remove(dir);
    free(answers_path);
    free(same_path);
    return 0;
}

/* A case of task t with the answers "a|b|c". */
static void add_case(ch_replies *r, const char *task, const char *id, const char *gold,
                     const char *answers)
{
    static int64_t cap, cap_first;
    cap = r->n ? cap : 0;
    cap_first = r->n ? cap_first : 0;
    *CH_PUSH(r->first, r->n_cases, cap_first) = r->n;
    int64_t k = 0;
    for (const char *p = answers;; k++) {
        size_t n = strcspn(p, "|");
        ch_reply *y = CH_PUSH(r->list, r->n, cap);
        *y = (ch_reply){.task = ch_dup(task),
                        .id = ch_dup(id),
                        .wording = ch_fmt("wording %d of %s", (int)k, task),
                        .input = ch_dup("the same input"),
                        .answer = ch_dupn(p, n),
                        .gold = ch_new(1, sizeof *y->gold),
                        .n_gold = 1,
                        .wording_index = 2 * k + 1,
                        .closed = task[0] == 'c',
                        .stopped = 1,
                        .n_tokens = 3};
        y->gold[0] = ch_dup(gold);
        y->exact = ch_exact(y->answer, (const char *const *)y->gold, 1);
        if (!p[n])
            break;
        p += n + 1;
    }
    int64_t last = r->n_cases; /* for whoever reads now; the next case overwrites it */
    *CH_PUSH(r->first, last, cap_first) = r->n;
}

/* Two tasks of unlike width, with equal ids and inputs within and between them. */
static ch_replies uneven(void)
{
    ch_replies r = {0};
    add_case(&r, "closed", "1", "a", "a|b");
    add_case(&r, "closed", "1", "b", "b|b");
    add_case(&r, "closed two", "1", "x", "x|x|y|");
    return r;
}

static void write_text(const char *path, const char *text)
{
    ch_err e = {0};
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
}

/* Not inlined: gcc 12 then takes pointers into the text for pointers to the variable. */
static __attribute__((noinline)) char *read_text(const char *path)
{
    char *text;
    ch_err e = {0};
    CHECK_OK(ch_file_read(path, &text, NULL, &e), &e);
    return text;
}

static void check_alike(const ch_replies *a, const ch_replies *b)
{
    assert_true(ch_replies_alike(a, b));
    for (int64_t i = 0; i < a->n; i++) {
        assert_string_equal(a->list[i].id, b->list[i].id);
        assert_string_equal(a->list[i].answer, b->list[i].answer);
        assert_string_equal(a->list[i].gold[0], b->list[i].gold[0]);
        assert_int_equal(a->list[i].exact, b->list[i].exact);
        assert_int_equal(a->list[i].wording_index, b->list[i].wording_index);
    }
}

/* -- answers.jsonl -- */

static void answers_come_back_whatever_is_equal_in_them(void **state CH_UNUSED)
{
    ch_replies r = uneven(), back;
    ch_err e = {0};
    CHECK_OK(ch_replies_write(&r, answers_path, &e), &e);
    CHECK_OK(ch_replies_read(&back, answers_path, &e), &e);
    assert_int_equal(back.n_cases, 3);
    assert_int_equal(ch_replies_width(&back, 1), 2);
    assert_int_equal(ch_replies_width(&back, 2), 4);
    check_alike(&r, &back);
    ch_replies_release(&back);
    ch_replies_release(&r);
}

static void lines_may_come_in_any_order(void **state CH_UNUSED)
{
    ch_replies r = uneven(), back;
    ch_err e = {0};
    ch_str turned = {0};
    CHECK_OK(ch_replies_write(&r, answers_path, &e), &e);
    char *text = read_text(answers_path);
    for (char *end = text + strlen(text) - 1, *p; end > text; end = p) {
        *end = 0;
        p = strrchr(text, '\n');
        ch_str_addf(&turned, "%s\n", p ? p + 1 : text);
        p = p ? p : text;
    }
    write_text(answers_path, ch_str_get(&turned));
    CHECK_OK(ch_replies_read(&back, answers_path, &e), &e);
    check_alike(&r, &back);
    ch_str_free(&turned);
    free(text);
    ch_replies_release(&back);
    ch_replies_release(&r);
}

#define ROW(more, answer)                                                                          \
    "{\"task\": \"t\", \"id\": \"1\", " more                                                       \
    "\"wording\": \"w\", \"input\": \"i\", \"gold\": [\"a\"], \"answer\": \"" answer "\"}\n"
#define AT(c, w) ROW("\"case\": " #c ", \"w\": " #w ", ", "a")

static void older_files_are_taken_as_they_stand(void **state CH_UNUSED)
{
    ch_replies r;
    ch_err e = {0};
    write_text(answers_path, ROW("", "a") ROW("", "b") ROW("", ""));
    CHECK_OK(ch_replies_read(&r, answers_path, &e), &e);
    assert_int_equal(r.n_cases, 1);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.list[0].exact, 1);
    assert_int_equal(r.list[2].exact, 0);
    ch_replies_release(&r);
}

static void what_cannot_be_read_is_refused_with_its_line(void **state CH_UNUSED)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "no answer"},
        {ROW("", "a"), "groups of 1"},
        {ROW("", "a") ROW("", "a") ROW("\"case\": 0, \"w\": 0, ", "a"), "line 3"},
        {AT(0, 0) ROW("", "a"), "line 2"},
        {AT(0, 0) ROW("\"case\": 0, ", "a"), "line 2"},
        {AT(0, 0) AT(0, 0), "lines 1 and 2 are both case 0, w 0"},
        {AT(0, 0) AT(0, 2), "no line is case 0, w 1"},
        {AT(0, 0) AT(0, 1) AT(2, 0) AT(2, 1), "no line is case 1, w 0"},
        {AT(1, 0) AT(1, 1), "no line is case 0, w 0"},
        {AT(0, 0) AT(0, 1) AT(1, 0), "line 3 is all there is of case 1"},
        {AT(0, 0) AT(1, 0) AT(1, 1), "line 1 is all there is of case 0"},
        {AT(0, 0) AT(0, -1), "line 2: \"w\""},
        {AT(0, 0) AT(0, 1024), "line 2: \"w\""},
        {AT(0, 0) AT(99999999999, 1), "line 2: \"case\""},
        {AT(0, 0) AT(0, 1.5), "line 2: \"w\""},
        {AT(0, 0) AT("0", 1), "line 2: \"case\""},
        {AT(0, 0) ROW("\"case\": 0, \"w\": 1, \"n_tokens\": 4294967297, ", "a"), "n_tokens"},
        {AT(0, 0) ROW("\"case\": 0, \"w\": 1, \"wording_index\": -3, ", "a"), "wording_index"},
        {AT(0, 0) "{\"task\": \"u\", \"id\": \"1\", \"case\": 0, \"w\": 1, \"wording\": \"w\", "
                  "\"input\": \"i\", \"gold\": [\"a\"], \"answer\": \"a\"}\n",
         "another \"task\""},
        {AT(0, 0) "{\"task\": \"t\", \"id\": \"1\", \"case\": 0, \"w\": 1, \"wording\": \"w\", "
                  "\"input\": \"j\", \"gold\": [\"a\"], \"answer\": \"a\"}\n",
         "another \"input\""},
        {AT(0, 0) "{\"task\": \"t\", \"id\": \"1\", \"case\": 0, \"w\": 1, \"wording\": \"w\", "
                  "\"input\": \"i\", \"gold\": [\"b\"], \"answer\": \"a\"}\n",
         "another \"gold\""},
        {AT(0, 0) "{\"task\": \"t\", \"id\": \"2\", \"case\": 0, \"w\": 1, \"wording\": \"w\", "
                  "\"input\": \"i\", \"gold\": [\"a\"], \"answer\": \"a\"}\n",
         "another \"id\""},
        {AT(0, 0) ROW("\"case\": 0, \"w\": 1, \"closed\": true, ", "a"), "another \"closed\""},
        {AT(0, 0) AT(0, 1) AT(1, 0) AT(1, 1) AT(1, 2), "case 1 has other wordings than case 0"},
        {"{\"task\": \"t\", \"id\": \"1\", \"wording\": \"w\", \"input\": \"i\", \"gold\": [1], "
         "\"answer\": \"a\"}\n",
         "line 1: \"gold\""},
        {"[1]\n", "line 1: no text \"task\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ch_replies r;
        ch_err e = {0};
        write_text(answers_path, bad[i].text);
        CHECK_FAILS(ch_replies_read(&r, answers_path, &e), CH_EUSER, &e, bad[i].says);
        assert_non_null(strstr(e.msg, "answers.jsonl"));
        assert_null(r.list);
    }
}

/* -- measuring -- */

static void each_task_is_measured_under_all_of_its_own_wordings(void **state CH_UNUSED)
{
    ch_replies r = uneven();
    ch_cases c;
    ch_measure m;
    ch_err e = {0};
    CHECK_OK(ch_cases_make(&c, &r, CH_SIM_EXACT, NULL, &e), &e);
    assert_int_equal(c.n_tasks, 2);
    assert_int_equal(c.task[0].n_wordings, 2);
    assert_int_equal(c.task[0].n_inputs, 2);
    assert_int_equal(c.task[1].n_wordings, 4);
    CHECK_OK(ch_measure_make(&m, c.list, c.n, c.n_tasks, c.names, 50, 1, &e), &e);
    assert_int_equal(m.n_wordings, 2);
    assert_int_equal(m.most_wordings, 4);
    CHECK_NEAR(m.all[CH_M_CR].value, (0 + 1 + 1 / 6.0) / 3, 1e-12);
    CHECK_NEAR(m.all[CH_M_MCR].value, (1 / 2.0 + 1 + 2 / 4.0) / 3, 1e-12);
    CHECK_NEAR(m.all[CH_M_ACC].value, (1 / 2.0 + 1 + 2 / 4.0) / 3, 1e-12);
    CHECK_NEAR(m.all[CH_M_WORST].value, (1 / 2.0 + 0) / 2, 1e-12);
    CHECK_NEAR(m.all[CH_M_BEST].value, (1 + 1) / 2.0, 1e-12);
    CHECK_NEAR(m.all[CH_M_ALL_CORRECT].value, 1 / 3.0, 1e-12);
    CHECK_NEAR(m.all[CH_M_EMPTY].value, (0 + 0 + 1 / 4.0) / 3, 1e-12);
    ch_measure_release(&m);
    ch_cases_release(&c);
    ch_replies_release(&r);
}

/* -- same.jsonl -- */

static void sameness_comes_back_and_belongs_to_its_case(void **state CH_UNUSED)
{
    ch_replies r = uneven();
    ch_cases c, back;
    ch_err e = {0};
    CHECK_OK(ch_cases_make(&c, &r, CH_SIM_EXACT, NULL, &e), &e);
    CHECK_OK(ch_same_write(&c, &r, same_path, &e), &e);
    CHECK_OK(ch_cases_read(&back, &r, same_path, &e), &e);
    for (int64_t k = 0; k < c.n; k++)
        CHECK_SAME_BYTES(back.list[k].same, c.list[k].same, (size_t)(c.list[k].n * c.list[k].n));
    ch_cases_release(&back);
    char *text = read_text(same_path), *at = strstr(text, "\"case\":1");
    assert_non_null(at);
    at[7] = '0';
    write_text(same_path, text);
    CHECK_FAILS(ch_cases_read(&back, &r, same_path, &e), CH_EUSER, &e, "line 2");
    at[7] = '1';
    e = (ch_err){0};
    *strrchr(text, '{') = 0;
    write_text(same_path, text);
    CHECK_FAILS(ch_cases_read(&back, &r, same_path, &e), CH_EUSER, &e, "2 lines for 3 inputs");
    free(text);
    ch_cases_release(&c);
    ch_replies_release(&r);
}

/* Exact pairs follow from the answers, whatever the file says; a judge's are what it said. */
static void exact_pairs_are_computed_and_judged_ones_taken(void **state CH_UNUSED)
{
    ch_replies r = {0};
    ch_cases c;
    ch_err e = {0};
    add_case(&r, "closed", "1", "a", "a|b|");
    add_case(&r, "free", "1", "a", "a|b|c");
    write_text(same_path, "{\"task\":\"closed\",\"id\":\"1\",\"sim\":\"exact\",\"same\":\"111\"}\n"
                          "{\"task\":\"free\",\"id\":\"1\",\"sim\":\"judge\",\"same\":\"010\"}\n");
    CHECK_OK(ch_cases_read(&c, &r, same_path, &e), &e);
    CHECK_NEAR(ch_cr(c.list[0].same, 3), 0, 1e-12);
    CHECK_NEAR(ch_cr(c.list[1].same, 3), 1 / 3.0, 1e-12);
    assert_int_equal(c.list[1].same[2], 1);
    assert_int_equal(c.task[0].judged, 0);
    assert_int_equal(c.task[1].judged, 1);
    ch_cases_release(&c);
    ch_replies_release(&r);
}

/* -- the judge -- */

/* With no weights every word is as probable as any other: the judge always says no. */
static void silence(ch_model *m)
{
    float *w = ch_model_weights(m);
    size_t bytes = (size_t)ch_model_layout(m)->total * sizeof *w;
    memset(w, 0, bytes);
    ch_model_touch(m);
}

static void a_judge_that_always_says_no_is_right_on_half(void **state CH_UNUSED)
{
    ch_device *d;
    ch_model *m;
    ch_verdicts v;
    ch_err e = {0};
    ch_replies r = {0};
    tiny_open(&d, &m);
    silence(m);
    for (int i = 0; i < 12; i++)
        add_case(&r, "closed", "1", i % 2 ? "ham" : "spam", i % 3 ? "ham|Ham." : "spam|ham");
    add_case(&r, "free", "1", "a", "a|b");
    CHECK_OK(ch_judge_check(&r, m, 20, &v, &e), &e);
    assert_int_equal(v.n_same, 10);
    assert_int_equal(v.n_differ, 10);
    assert_int_equal(v.right_same, 0);
    assert_int_equal(v.right_differ, 10);
    CHECK_NEAR(ch_balanced(&v), 0.5, 1e-12);
    CHECK_NEAR(ch_kappa(&v), 0, 1e-12);
    ch_replies_release(&r);
    for (int i = 0; i < 4; i++) /* of 8 pairs that are the same as many as there are that differ */
        add_case(&r, "closed", "1", i % 2 ? "ham" : "spam", "x|x");
    CHECK_OK(ch_judge_check(&r, m, 100, &v, &e), &e);
    assert_int_equal(v.n_same, 4);
    assert_int_equal(v.n_differ, 4);
    ch_replies_release(&r);
    add_case(&r, "closed", "1", "ham", "x|y"); /* one right answer only: nothing differs for sure */
    add_case(&r, "closed", "2", "ham", "|");
    CHECK_OK(ch_judge_check(&r, m, 20, &v, &e), &e);
    assert_int_equal(v.n_same, 2);
    assert_int_equal(v.n_differ, 0);
    assert_true(isnan(ch_kappa(&v)) && isnan(ch_balanced(&v)));
    ch_replies_release(&r);
    add_case(&r, "free", "1", "a", "a|b");
    CHECK_OK(ch_judge_check(&r, m, 20, &v, &e), &e);
    assert_int_equal(v.n_same + v.n_differ, 0);
    ch_replies_release(&r);
    ch_model_free(m);
    ch_device_close(d);
}

/* Closed or free, told by match or by a judge: two empty answers do not agree. */
static void an_empty_answer_agrees_with_nothing_whoever_compares(void **state CH_UNUSED)
{
    static const char *const empty[] = {"", " \n", "\xC2\xA0", "\xE2\x80\x8B", "\xEF\xBB\xBF "};
    ch_device *d;
    ch_model *m;
    ch_err e = {0};
    tiny_open(&d, &m);
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        for (int judged = 0; judged < 2; judged++) {
            ch_replies r = {0};
            ch_cases c;
            char *all = ch_fmt("%s|%s|a|a", empty[i], empty[i]);
            add_case(&r, "closed", "1", "a", all);
            ch_sim sim = judged ? CH_SIM_JUDGE : CH_SIM_EXACT;
            CHECK_OK(ch_cases_make(&c, &r, sim, judged ? m : NULL, &e), &e);
            CHECK_NEAR(ch_cr(c.list[0].same, 4), 1 / 6.0, 1e-12);
            CHECK_NEAR(ch_mcr(c.list[0].same, 4), 2 / 4.0, 1e-12);
            assert_int_equal(r.list[0].exact, 0);
            free(all);
            ch_cases_release(&c);
            ch_replies_release(&r);
        }
    ch_model_free(m);
    ch_device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_back_whatever_is_equal_in_them),
        cmocka_unit_test(lines_may_come_in_any_order),
        cmocka_unit_test(older_files_are_taken_as_they_stand),
        cmocka_unit_test(what_cannot_be_read_is_refused_with_its_line),
        cmocka_unit_test(each_task_is_measured_under_all_of_its_own_wordings),
        cmocka_unit_test(sameness_comes_back_and_belongs_to_its_case),
        cmocka_unit_test(exact_pairs_are_computed_and_judged_ones_taken),
        cmocka_unit_test(a_judge_that_always_says_no_is_right_on_half),
        cmocka_unit_test(an_empty_answer_agrees_with_nothing_whoever_compares),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
