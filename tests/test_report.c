/* The terminal table, the page and the headline. */
#include "support/report_fixture.h"

/* Where, in code points from the line's start, the text `part` ends in the line that begins with
 * `name`. */
static long end_in_line(const char *text, const char *name, const char *part)
{
    const char *line = text;
    while (line && strncmp(line, name, strlen(name)) != 0)
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    assert_non_null(line);
    const char *end = strchr(line, '\n'), *at = strstr(line, part);
    assert_non_null(at);
    assert_true(at < end);
    long width = 0;
    for (const char *c = line; c < at + strlen(part); c++)
        width += (*c & 0xC0) != 0x80;
    return width;
}

static void terminal_columns_end_at_the_same_place(void **state)
{
    fixture *x = *state;
    x->arms[1].name = "Größe"; /* five columns in seven bytes */
    char *t = terminal(&x->d, 0, 0);
    contains(t, "76.8 [74.4, 79.2]");
    long cr = end_in_line(t, "base", "[7.5, 12.3]");
    assert_int_equal(cr, end_in_line(t, "Größe", "[59.2, 64.0]"));
    assert_int_equal(cr, end_in_line(t, "SFT(IA) + CAT", "[74.4, 79.2]"));
    assert_int_equal(end_in_line(t, "base", "[0.0, 3.2]"),
                     end_in_line(t, "SFT(IA) + CAT", "[61.8, 67.4]"));
    lacks(t, "\x1b");
    free(t);
}

static void terminal_tells_differences_with_and_without_zero(void **state)
{
    fixture *x = *state;
    char *t = terminal(&x->d, 0, 0);
    contains(t, "+66.9 [64.3, 69.5]");
    contains(t, "~ -1.2 [-3.1, 0.6]");
    contains(t, "-3.5 [-5.2, -1.9]");
    contains(t, "no difference that this test can tell");
    free(t);
}

static void terminal_breaks_a_wide_table_and_colours_when_told(void **state)
{
    fixture *x = *state;
    char *t = terminal(&x->d, 0, 70);
    for (const char *line = t, *end; (end = strchr(line, '\n')); line = end + 1)
        if (end - line > 70)
            fail_msg("line of %ld columns: %.*s", (long)(end - line), (int)(end - line), line);
    contains(t, "76.8 [74.4, 79.2]");
    contains(t, "57.3 [53.9, 60.7]");
    free(t);
    t = terminal(&x->d, 1, 70);
    contains(t, "\x1b[32m");
    free(t);
}

static void terminal_lets_no_escape_sequence_through(void **state)
{
    fixture *x = *state;
    x->arms[4].name = "evil\x1b]0;title\x07\nname";
    x->arms[3].versus = x->arms[4].name;
    char *t = terminal(&x->d, 0, 0);
    lacks(t, "\x1b");
    lacks(t, "\x07");
    free(t);
}

static void collapse_is_said_in_words_everywhere(void **state)
{
    fixture *x = *state;
    ch_measure *m = &x->arms[3].measure;
    m->collapsed = 1;
    snprintf(m->alarm, sizeof m->alarm, "\"no\" is 97 %% of its answers & 30 %% of the right ones");
    char *t = terminal(&x->d, 0, 0), *h = html(x, &x->d, "r.html");
    contains(t, "SFT(IA) + CAT has collapsed");
    contains(t, "\"no\" is 97 % of its answers & 30 % of the right ones");
    contains(h, "SFT(IA) + CAT has collapsed");
    contains(h, "&quot;no&quot; is 97 % of its answers &amp; 30 %");
    assert_true(strstr(h, "has collapsed") < strstr(h, "Asked the same thing"));
    free(t);
    free(h);
}

static void headline_is_computed_and_honest(void **state)
{
    fixture *x = *state;
    char *s = ch_report_headline(&x->d);
    contains(s, "gave the same answer 9.9 % of the time before and 76.8 % after");
    contains(s, "0.4 % of its answers were right before, 64.6 % after");
    contains(s, "Against base, on the same inputs: consistency better (+66.9 [64.3, 69.5] points)");
    contains(s, "Against SFT(IA) + SFT, on the same inputs: consistency no difference that this "
                "test can tell");
    contains(s, "right answers worse (-3.5 [-5.2, -1.9] points)");
    lacks(s, "cannot be told");
    free(s);
    x->arms[3].diff[CH_M_CR] = (ch_stat){0.01, -0.02, 0.04};
    s = ch_report_headline(&x->d);
    contains(s, "Whether it became more consistent cannot be told from this test.");
    free(s);
}

/* The row of a metric in the HTML table of differences. New string. */
static char *diff_row(const char *page, const char *title)
{
    const char *at = strstr(page, "<h3>Differences to");
    char *begin = ch_fmt("<th scope=\"row\">%s", title);
    at = at ? strstr(at, begin) : NULL;
    free(begin);
    assert_non_null(at);
    return ch_dupn(at, (size_t)(strstr(at, "</tr>") - at));
}

static void differences_are_called_what_they_are(void **state)
{
    fixture *x = *state;
    x->d.n_arms = 4;
    for (int a = 1; a < 4; a++)
        for (int k = 0; k < CH_M_COUNT; k++)
            x->arms[a].diff[k] = (ch_stat){0, -0.1, 0.1};
    ch_stat *d = x->arms[1].diff;
    d[CH_M_ACC] = d[CH_M_SPREAD] = d[CH_M_EMPTY] = d[CH_M_TOP] = (ch_stat){-0.2, -0.3, -0.1};
    x->arms[3].diff[CH_M_CR] = (ch_stat){-0.2, -0.3, -0.1};
    x->arms[3].versus = "SFT";
    for (int k = 0; k < CH_M_COUNT; k++)
        x->arms[3].versus_diff[k] = (ch_stat){0.05, 0.04, 0.06};
    char *h = html(x, &x->d, "r.html"), *t = terminal(&x->d, 1, 0), *s = ch_report_headline(&x->d);
    const struct {
        const char *title, *says;
    } rows[] = {{"accuracy", "worse</b> \xE2\x88\x92"
                             "20.0"},
                {"best - worst", "better</b> \xE2\x88\x92"
                                 "20.0"},
                {"empty answers", "better</b> \xE2\x88\x92"
                                  "20.0"},
                {"most frequent answer", "changed</b> \xE2\x88\x92"
                                         "20.0"},
                {"MCR", "~ cannot be told</b> 0.0"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *row = diff_row(h, rows[i].title);
        contains(row, rows[i].says);
        free(row);
    }
    contains(t, "\x1b[31m-20.0 [-30.0, -10.0]"); /* red: accuracy of SFT, CR of CAT */
    contains(t, "\x1b[32m+5.0 [4.0, 6.0]");
    contains(t, "SFT(IA) + CAT - SFT");
    contains(s,
             "Against base, on the same inputs: consistency worse (-20.0 [-30.0, -10.0] points), "
             "right answers no difference that this test can tell");
    contains(s,
             "Against SFT, on the same inputs: consistency better (+5.0 [4.0, 6.0] points), right "
             "answers better (+5.0");
    free(h);
    free(t);
    free(s);
}

static void a_collapsed_task_is_named_though_the_mean_is_fine(void **state)
{
    fixture *x = *state;
    ch_measure *m = &x->arms[3].measure;
    char *json;
    ch_err e = {0};
    x->by_task[3][1][CH_M_TOP] = 0.97;
    x->by_task[3][1][CH_M_TOP_GOLD] = 0.3;
    snprintf(m->alarm, sizeof m->alarm, "in extract_amount \"no\" is 97 %% of all answers");
    assert_int_equal(ch_report_json_text(&json, &x->d, &e), CH_OK);
    char *t = terminal(&x->d, 0, 0), *h = html(x, &x->d, "r.html");
    contains(t, "SFT(IA) + CAT has collapsed in part");
    contains(t, "in extract_amount \"no\" is 97 %");
    contains(h, "has collapsed in part");
    contains(h, "<b>collapsed</b>: SFT(IA) + CAT gives one answer 97 % of the time");
    contains(json, "has collapsed in part, so its consistency there is worth nothing: in extract");
    contains(json, "\"collapsed\": true");
    lacks(t, "see the warning");
    free(t);
    free(h);
    free(json);
}

/* In all three: terminal, page and results.json. */
static void in_all_three(fixture *x, const char *says)
{
    char *json;
    ch_err e = {0};
    assert_int_equal(ch_report_json_text(&json, &x->d, &e), CH_OK);
    char *t = terminal(&x->d, 0, 0), *h = html(x, &x->d, "r.html");
    contains(json, says);
    contains(t, says);
    contains(h, says);
    free(t);
    free(h);
    free(json);
}

static void what_figures_are_worth_is_said_everywhere(void **state)
{
    fixture *x = *state;
    in_all_three(x, "drawing anew among 3 tasks only");
    x->arms[1].measure.all[CH_M_EMPTY] = (ch_stat){0.125, 0.1, 0.2};
    in_all_three(x, "SFT: 12.5 % of its answers are empty");
    x->d.sim_free = "judge tiny";
    in_all_three(x, "The judge could not be checked");
    x->arms[0].judge = (ch_verdicts){40, 0, 40, 40};
    x->arms[1].judge = (ch_verdicts){0, 0, 40, 40};
    in_all_three(x, "With the answers of base: right on 0.0 % of 40 pairs that are the same and on "
                    "100.0 % of 40 that differ");
    in_all_three(x, "kappa 0.00");
    in_all_three(x,
                 "SFT: right on 100.0 % of 40 pairs that differ; there was none that is the same, "
                 "so no kappa");
    in_all_three(x, "The judge is a poor one: on closed tasks, with the answers of base, ");
    x->arms[0].judge = (ch_verdicts){40, 38, 40, 38};
    char *t = terminal(&x->d, 0, 0);
    lacks(t, "poor one");
    free(t);
    char *few = ch_interval_note(1);
    contains(few, "say nothing about other tasks");
    free(few);
    assert_null(ch_interval_note(10));
    few = ch_interval_note(9);
    contains(few, "9 tasks");
    free(few);
}

static void html_escapes_what_models_and_files_say(void **state)
{
    fixture *x = *state;
    x->arms[4].name = "\"><img src=x onerror=alert(1)>";
    x->arms[3].versus = x->arms[4].name;
    x->d.title = "</title><script>";
    char *h = html(x, &x->d, "r.html");
    contains(h, "&lt;script&gt;alert(1)&lt;/script&gt;");
    contains(h, "message &amp; name the &lt;team&gt;");
    contains(h, "&lt;/title&gt;&lt;script&gt;");
    contains(h, "&quot;&gt;&lt;img src=x");
    lacks(h, "<script");
    lacks(h, "<img");
    lacks(h, "\x1b");
    lacks(h, "\xff");
    contains(h, "technical\xE2\x90\x9B[31m \xEF\xBF\xBD&quot;quoted&quot;");
    free(h);
}

static void html_needs_no_network(void **state)
{
    fixture *x = *state;
    char *h = html(x, &x->d, "r.html");
    lacks(h, "http://");
    lacks(h, "https://");
    lacks(h, "url(");
    lacks(h, "@import");
    lacks(h, "src=");
    lacks(h, "nan");
    contains(h, "prefers-color-scheme:dark");
    contains(h, "</html>");
    free(h);
}

/* Every element that is opened is closed, in order: an answer cannot have broken the page. */
static void html_tags_are_balanced(void **state)
{
    fixture *x = *state;
    char *h = html(x, &x->d, "r.html"), *open[64];
    int depth = 0, seen = 0;
    for (char *p = strstr(h, "<html"); (p = strchr(p, '<')); p++) {
        int closing = p[1] == '/';
        char *name = p + 1 + closing, *end = strchr(p, '>');
        size_t n = strcspn(name, " >/");
        assert_non_null(end);
        seen++;
        if (end[-1] == '/' || strncmp(name, "meta", 4) == 0)
            continue;
        if (!closing) {
            assert_true(depth < 64);
            open[depth++] = name;
        } else if (!depth || strncmp(open[--depth], name, n) != 0) {
            fail_msg("</%.*s> closes <%.12s", (int)n, name, open[depth]);
        }
    }
    assert_int_equal(depth, 0);
    assert_true(seen > 300);
    free(h);
}

static void html_marks_right_and_wrong_in_words(void **state)
{
    fixture *x = *state;
    char *h = html(x, &x->d, "r.html");
    contains(h, "mark right\">\xE2\x9C\x93 right</span><span class=\"grp\">B</span>"
                "<div class=\"txt\">Billing<");
    contains(h, "mark wrong\">\xE2\x9C\x97 wrong</span><span class=\"grp\">B</span>"
                "<div class=\"txt\">sales<");
    lacks(h, "mark right\">\xE2\x9C\x97");
    lacks(h, "mark wrong\">\xE2\x9C\x93");
    contains(
        h, "Before: 4 different answers, 1 of 4 right. After: 2 different answers, 3 of 4 right.");
    contains(h, "(empty)");
    free(h);
}

static void html_pictures_stand_where_the_numbers_are(void **state)
{
    fixture *x = *state;
    char *h = html(x, &x->d, "r.html");
    /* the three figures: number, dot and whisker of the main arm, the ring of the first */
    contains(h, "9.9 \xE2\x86\x92 </span><span class=\"to\">76.8<");
    contains(h, "0.4 \xE2\x86\x92 </span><span class=\"to\">64.6<");
    contains(h, "0.0 \xE2\x86\x92 </span><span class=\"to\">57.3<");
    contains(h, "class=\"o\" cx=\"9.90%\"");
    contains(h, "class=\"w\" x1=\"74.40%\" x2=\"79.20%\"");
    contains(h, "class=\"d\" cx=\"76.80%\"");
    /* against the control the axis is -6..+2: -3.5 is at (6 - 3.5) / 8 */
    contains(h, "class=\"d\" cx=\"31.25%\"");
    contains(h, "~ cannot be told</b> \xE2\x88\x92"
                "1.2 ");
    contains(h, "worse</b> \xE2\x88\x92"
                "3.5 ");
    /* the first task: 0.8 of the arm's figure, and one that falls */
    contains(h, "7.9 \xE2\x86\x92 61.4");
    lacks(h, "class=\"j down");
    free(h);
    x->by_task[3][1][CH_M_ACC] = 0;
    h = html(x, &x->d, "r.html");
    contains(h, "class=\"j down\" x1=\"0.36%\" x2=\"0.00%\"");
    contains(h, "0.4 \xE2\x86\x92 0.0 <span class=\"bad\"><b>\xE2\x96\xBC");
    free(h);
}

static void html_draws_each_loss_at_its_height(void **state)
{
    fixture *x = *state;
    static const int64_t step[] = {0, 50, 100};
    static const double loss[] = {4, 1, 3};
    x->arms[1].curve = (ch_report_curve){3, 0, step, loss, NULL, NULL};
    x->d.n_arms = 2;
    x->d.main_arm = 1;
    char *h = html(x, &x->d, "r.html");
    contains(h, "points=\"0.0,200.0 500.0,800.0 1000.0,400.0\""); /* of 0..5, downwards */
    contains(h, "at the end: train 3.000<");
    free(h);
}

static void reports_without_examples_curves_or_diffs_are_whole(void **state)
{
    fixture *x = *state;
    x->d.n_examples = 0;
    x->d.examples = NULL;
    x->d.n_warnings = x->d.dropped_wordings = 0;
    x->d.n_arms = 1;
    x->d.main_arm = 0;
    char *h = html(x, &x->d, "r.html"), *t = terminal(&x->d, 0, 0);
    contains(h, "</html>");
    lacks(h, "in other words");
    lacks(h, "Loss while training");
    lacks(h, "real change");
    lacks(h, "class=\"warn\"");
    contains(t, "gave the same answer 9.9 % of the time; 0.4 % of its answers were right.");
    lacks(t, "difference");
    free(h);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(terminal_columns_end_at_the_same_place, setup, teardown),
        cmocka_unit_test_setup_teardown(terminal_tells_differences_with_and_without_zero, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(terminal_breaks_a_wide_table_and_colours_when_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(terminal_lets_no_escape_sequence_through, setup, teardown),
        cmocka_unit_test_setup_teardown(differences_are_called_what_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(a_collapsed_task_is_named_though_the_mean_is_fine, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_figures_are_worth_is_said_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(collapse_is_said_in_words_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(headline_is_computed_and_honest, setup, teardown),
        cmocka_unit_test_setup_teardown(html_escapes_what_models_and_files_say, setup, teardown),
        cmocka_unit_test_setup_teardown(html_needs_no_network, setup, teardown),
        cmocka_unit_test_setup_teardown(html_tags_are_balanced, setup, teardown),
        cmocka_unit_test_setup_teardown(html_marks_right_and_wrong_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(html_pictures_stand_where_the_numbers_are, setup, teardown),
        cmocka_unit_test_setup_teardown(html_draws_each_loss_at_its_height, setup, teardown),
        cmocka_unit_test_setup_teardown(reports_without_examples_curves_or_diffs_are_whole, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
