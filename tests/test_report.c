/* The report's three writers on a report built by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "report/report.h"

enum { ARMS = 5, TASKS = 3, WORDINGS = 4, UPDATES = 60, DEVS = 7 };

typedef struct {
    ch_report_data d;
    ch_report_arm arms[ARMS];
    double by_task[ARMS][TASKS][CH_M_COUNT];
    int64_t train_step[UPDATES], dev_step[DEVS];
    double train[ARMS][UPDATES], dev[ARMS][DEVS];
    char dir[64];
} fixture;

static const ch_report_task tasks[TASKS] = {
    {"ticket_routing", "exact"}, {"extract_amount", "exact"}, {"odd_word", "exact"}};
static const char *const wordings[WORDINGS] = {
    "Decide which team should get this ticket: billing, technical, sales or account.",
    "Which of billing, technical, sales, account does the message belong to?",
    "Read the customer's message & name the <team> that handles it (billing, technical, sales, "
    "account).",
    "You sort our mail. Answer with one word: billing, technical, sales or account."};
static const ch_report_answer before[WORDINGS] = {
    {"The customer's message is about a <script>alert(1)</script> payment.", 0, 0},
    {"Billing", 1, 1},
    {"", 0, 2},
    {"technical\x1b[31m \xff\"quoted\"", 0, 3}};
static const ch_report_answer after[WORDINGS] = {
    {"billing", 1, 0}, {"billing", 1, 0}, {"billing", 1, 0}, {"sales", 0, 1}};
static const ch_report_example examples[] = {{"ticket_routing",
                                              "I was charged twice in March & nobody answers.",
                                              "billing", WORDINGS, wordings, before, after}};
static const char *const warnings[] = {"The dev set has 12 inputs only."};
static const uint64_t seeds[] = {17, 18446744073709551615u};

static const struct {
    const char *name, *description;
    double cr, mcr, acc, worst;
} shape[ARMS] = {
    {"base", "the model as it came", 0.099, 0.353, 0.004, 0.0},
    {"SFT", "from base, 80 updates of 8", 0.616, 0.776, 0.616, 0.453},
    {"SFT(IA)", "from base, 80 updates of 8, 4 wordings", 0.748, 0.853, 0.647, 0.583},
    {"SFT(IA) + CAT", "from SFT(IA), 60 updates of 8", 0.768, 0.857, 0.646, 0.573},
    {"SFT(IA) + SFT", "from SFT(IA), 60 updates of 8, the control", 0.780, 0.865, 0.681, 0.609}};

static ch_stat around(double v, double w)
{
    return (ch_stat){v, fmax(0, v - w), fmin(1, v + w)};
}

static void fill_measure(fixture *x, int a)
{
    ch_measure *m = &x->arms[a].measure;
    for (int k = 0; k < CH_M_COUNT; k++)
        m->all[k] = around(0.5, 0.031);
    m->all[CH_M_CR] = around(shape[a].cr, 0.024);
    m->all[CH_M_MCR] = around(shape[a].mcr, 0.021);
    m->all[CH_M_ACC] = around(shape[a].acc, 0.028);
    m->all[CH_M_WORST] = around(shape[a].worst, 0.034);
    m->all[CH_M_LENGTH] = (ch_stat){4.25, 3.5, 5.125};
    m->n_tasks = TASKS;
    m->n_cases = 192;
    m->n_wordings = WORDINGS;
    m->by_task = x->by_task[a];
    for (int t = 0; t < TASKS; t++)
        for (int k = 0; k < CH_M_COUNT; k++)
            m->by_task[t][k] = m->all[k].value * (0.8 + 0.1 * t);
}

static void fill_arm(fixture *x, int a)
{
    ch_report_arm *arm = &x->arms[a];
    arm->name = shape[a].name;
    arm->description = shape[a].description;
    arm->hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    fill_measure(x, a);
    arm->has_diff = a > 0;
    for (int k = 0; a > 0 && k < CH_M_COUNT; k++) {
        double v = arm->measure.all[k].value - x->arms[0].measure.all[k].value;
        arm->diff[k] = (ch_stat){v, v - 0.026, v + 0.026};
    }
    if (a == 0)
        return;
    for (int i = 0; i < UPDATES; i++)
        x->train[a][i] = 0.4 / a + 2.0 * exp(-0.08 * i) + 0.07 * sin(1.7 * i + a);
    for (int i = 0; i < DEVS; i++)
        x->dev[a][i] = 0.5 / a + 1.9 * exp(-0.8 * i);
    arm->curve =
        (ch_report_curve){UPDATES, DEVS, x->train_step, x->train[a], x->dev_step, x->dev[a]};
}

static void fill(fixture *x)
{
    for (int i = 0; i < UPDATES; i++)
        x->train_step[i] = i + 1;
    for (int i = 0; i < DEVS; i++)
        x->dev_step[i] = 10 * i;
    for (int a = 0; a < ARMS; a++)
        fill_arm(x, a);
    ch_report_arm *cat = &x->arms[3];
    cat->versus = "SFT(IA) + SFT";
    for (int k = 0; k < CH_M_COUNT; k++)
        cat->versus_diff[k] = (ch_stat){-0.012, -0.031, 0.006};
    cat->versus_diff[CH_M_ACC] = (ch_stat){-0.035, -0.052, -0.019};
    x->d = (ch_report_data){
        .title = "Eight small jobs, reworded",
        .model = "SmolLM2-135M-Instruct",
        .base_hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        .recipe = "model: models/demo.gguf\narms:\n  - name: \"SFT(IA) + CAT\" # <b>\n",
        .recipe_hash = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
        .seeds = seeds,
        .n_seeds = 2,
        .bootstrap_seed = 7,
        .resamples = 1000,
        .split = "unseen wordings and unseen inputs",
        .sim_closed = "exact match after normalising",
        .n_tasks = TASKS,
        .n_inputs = 192,
        .n_wordings = WORDINGS,
        .tasks = tasks,
        .arms = x->arms,
        .n_arms = ARMS,
        .main_arm = 3,
        .examples = examples,
        .n_examples = 1,
        .warnings = warnings,
        .n_warnings = 1,
        .dropped_wordings = 2};
}

static int setup(void **state)
{
    fixture *x = ch_new(1, sizeof *x);
    fill(x);
    snprintf(x->dir, sizeof x->dir, "/tmp/chorus-report-XXXXXX");
    *state = x;
    return mkdtemp(x->dir) ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *x = *state;
    static const char *const names[] = {"r.json", "r.html", "s.html"};
    for (int i = 0; i < 3; i++) {
        char *path = ch_path(x->dir, names[i]);
        unlink(path);
        free(path);
    }
    int left = rmdir(x->dir);
    free(x);
    return left;
}

static char *terminal(const ch_report_data *d, int colour, int64_t columns)
{
    char *text = NULL;
    size_t n = 0;
    ch_err e = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(ch_report_terminal(f, d, colour, columns, &e), CH_OK);
    fclose(f);
    return text;
}

static char *html(const fixture *x, const ch_report_data *d, const char *name)
{
    ch_err e = {0};
    char *path = ch_path(x->dir, name), *text = NULL;
    if (ch_report_html(path, d, &e) != CH_OK || ch_file_read(path, &text, NULL, &e) != CH_OK)
        fail_msg("%s", e.msg);
    free(path);
    return text;
}

static void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not found: %s\nin: %.3000s", part, text);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("found: %s", part);
}

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
    contains(t, "-1.2 [-3.1, 0.6] ~");
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
    contains(h, "\xE2\x9C\x93 right");
    contains(h, "\xE2\x9C\x97 wrong");
    contains(
        h, "Before: 4 different answers, 1 of 4 right. After: 2 different answers, 3 of 4 right.");
    contains(h, "(empty)");
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

static char *round_trip_path(fixture *x, ch_report_data *back)
{
    ch_err e = {0};
    char *path = ch_path(x->dir, "r.json");
    if (ch_report_json(path, &x->d, &e) != CH_OK || ch_report_read_json(back, path, &e) != CH_OK)
        fail_msg("%s", e.msg);
    return path;
}

static void json_comes_back_as_it_was(void **state)
{
    fixture *x = *state;
    ch_report_data back;
    x->d.judge_n = 1200;
    x->d.judge_agreement = 0.1 + 0.2;
    char *path = round_trip_path(x, &back);
    assert_int_equal(back.n_arms, ARMS);
    assert_int_equal(back.main_arm, 3);
    assert_true(back.seeds[1] == seeds[1]);
    assert_true(back.judge_agreement == 0.1 + 0.2);
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
    fill(x);
    x->arms[1].diff[CH_M_ACC].value = INFINITY;
    refused(x, CH_ENUMBER, "arm \"SFT\"");
    fill(x);
    x->arms[3].versus_diff[CH_M_TOP].high = NAN;
    refused(x, CH_ENUMBER, "arm \"SFT(IA) + CAT\"");
    fill(x);
    x->by_task[4][1][CH_M_CR] = NAN;
    refused(x, CH_ENUMBER, "task \"extract_amount\"");
    fill(x);
    x->train[2][30] = NAN;
    refused(x, CH_ENUMBER, "train loss at step 31");
    fill(x);
    x->d.judge_n = 10;
    x->d.judge_agreement = NAN;
    refused(x, CH_ENUMBER, "judge");
}

static void contradictions_are_refused(void **state)
{
    fixture *x = *state;
    x->arms[2].name = "SFT";
    refused(x, CH_EUSER, "two arms are named \"SFT\"");
    fill(x);
    x->arms[3].versus = "nobody";
    refused(x, CH_EUSER, "\"nobody\"");
    fill(x);
    x->arms[1].measure.all[CH_M_ACC] = (ch_stat){61.6, 58.0, 64.0};
    refused(x, CH_EUSER, "a share 0..1 is wanted");
    fill(x);
    x->arms[1].measure.all[CH_M_ACC] = (ch_stat){0.5, 0.6, 0.4};
    refused(x, CH_EUSER, "upside down");
    fill(x);
    x->arms[1].measure.n_cases = 191;
    refused(x, CH_EUSER, "191 inputs");
    fill(x);
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
    reading_says_what_is_wrong(x, "\n}\n", "\n", "is not JSON");
    ch_report_data back;
    ch_err e = {0};
    assert_int_equal(ch_report_read_json(&back, "/nowhere/results.json", &e), CH_EUSER);
    contains(e.msg, "/nowhere/results.json");
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
        cmocka_unit_test_setup_teardown(collapse_is_said_in_words_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(headline_is_computed_and_honest, setup, teardown),
        cmocka_unit_test_setup_teardown(html_escapes_what_models_and_files_say, setup, teardown),
        cmocka_unit_test_setup_teardown(html_needs_no_network, setup, teardown),
        cmocka_unit_test_setup_teardown(html_tags_are_balanced, setup, teardown),
        cmocka_unit_test_setup_teardown(html_marks_right_and_wrong_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(reports_without_examples_curves_or_diffs_are_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(json_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_drawn_from_json_is_the_same_page, setup, teardown),
        cmocka_unit_test_setup_teardown(nan_and_infinity_are_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(contradictions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_json_is_refused_with_its_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
