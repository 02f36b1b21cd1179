/* The tables and the words of the HTML page. */
#include <stdlib.h>
#include <string.h>

#include "report/html.h"

static void add_head(ch_str *b, const ch_report_data *d, int64_t from, const char *corner)
{
    ch_str_addf(b,
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s by arm\">"
                "<table class=\"grid\"><thead><tr><th scope=\"col\">%s</th>",
                corner, corner);
    for (int64_t i = from; i < d->n_arms; i++) {
        if (from && !d->arms[i].has_diff)
            continue;
        ch_str_add(b, "<th scope=\"col\">");
        ch_html_text(b, d->arms[i].name);
        ch_str_add(b, "</th>");
    }
    ch_str_add(b, "</tr></thead><tbody>\n");
}

static void add_metric_name(ch_str *b, int metric, const char *unit)
{
    const ch_metric *m = &ch_metrics[metric];
    ch_str_add(b, "<tr><th scope=\"row\">");
    ch_html_text(b, m->title);
    if (m->percent)
        ch_str_addf(b, " <span class=\"unit\">%s</span>", unit);
    ch_str_add(b, "</th>");
}

static void add_diff_table(ch_str *b, const ch_report_data *d)
{
    ch_str_add(b, "<h3>Differences to ");
    ch_html_text(b, d->arms[0].name);
    ch_str_add(b, ", paired</h3>\n");
    add_head(b, d, 1, "Difference");
    for (int k = 0; k < CH_M_COUNT; k++) {
        add_metric_name(b, k, "points");
        for (int64_t i = 1; i < d->n_arms; i++) {
            if (!d->arms[i].has_diff)
                continue;
            ch_str_add(b, "<td>");
            ch_html_verdict(b, k, d->arms[i].diff[k]);
            ch_str_add(b, "</td>");
        }
        ch_str_add(b, "</tr>\n");
    }
    ch_str_add(b, "</tbody></table></div>\n");
}

void ch_html_metrics(ch_str *b, const ch_report_data *d)
{
    int64_t diffs = 0;
    for (int64_t i = 0; i < d->n_arms; i++)
        diffs += d->arms[i].has_diff != 0;
    ch_html_section(b, "All figures", "Shares in percent, with 95 % intervals.");
    add_head(b, d, 0, "Metric");
    for (int k = 0; k < CH_M_COUNT; k++) {
        add_metric_name(b, k, "%");
        for (int64_t i = 0; i < d->n_arms; i++) {
            ch_stat s = d->arms[i].measure.all[k];
            ch_str_add(b, "<td>");
            ch_add_value(b, k, s.value);
            ch_html_interval(b, k, s);
            ch_str_add(b, "</td>");
        }
        ch_str_add(b, "</tr>\n");
    }
    ch_str_add(b, "</tbody></table></div>\n");
    if (diffs)
        add_diff_table(b, d);
    ch_str_add(b, "</section>\n");
}

static void add_group(ch_str *b, int64_t group)
{
    if (group < 26)
        ch_str_addf(b, "%c", (char)('A' + group));
    else
        ch_str_addf(b, "A%lld", (long long)(group - 25));
}

static void add_answer(ch_str *b, const ch_report_answer *a, const char *label)
{
    ch_str_addf(b, "<td data-l=\"%s\"><div class=\"ans\"><span class=\"mark %s\">%s", label,
                a->right ? "right" : "wrong",
                a->right ? "\xE2\x9C\x93 right" : "\xE2\x9C\x97 wrong");
    ch_str_add(b, "</span><span class=\"grp\">");
    add_group(b, a->group);
    ch_str_add(b, "</span>");
    if (a->text[strspn(a->text, " \t\r\n")]) {
        ch_str_add(b, "<div class=\"txt\">");
        ch_html_folded(b, a->text, 320);
        ch_str_add(b, "</div>");
    } else {
        ch_str_add(b, "<div class=\"empty\">(empty)</div>");
    }
    ch_str_add(b, "</div></td>");
}

/* "4 different answers, 1 of 8 right" */
static void add_count(ch_str *b, const ch_report_answer *list, int64_t n)
{
    int64_t groups = 0, right = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t seen = 0;
        for (int64_t k = 0; k < i; k++)
            seen += list[k].group == list[i].group;
        groups += seen == 0;
        right += list[i].right != 0;
    }
    if (groups == 1)
        ch_str_add(b, "one answer to all wordings");
    else
        ch_str_addf(b, "%lld different answers", (long long)groups);
    ch_str_addf(b, ", %lld of %lld right", (long long)right, (long long)n);
}

static void add_example_head(ch_str *b, const ch_report_data *d, const ch_report_example *x)
{
    ch_str_add(b, "<article class=\"ex\"><h3>");
    ch_html_text(b, x->task);
    ch_str_add(b, "</h3><div class=\"q\">");
    ch_html_folded(b, x->input, 700);
    ch_str_add(b, "</div><div class=\"gold\">Right answer: <span class=\"is\">");
    ch_html_folded(b, x->gold, 320);
    ch_str_add(b, "</span></div><p class=\"sum\">");
    ch_str_add(b, d->n_arms > 1 ? "Before: " : "");
    add_count(b, x->before, x->n);
    if (x->after) {
        ch_str_add(b, ". After: ");
        add_count(b, x->after, x->n);
    }
    ch_str_add(b, ".</p>\n<table><thead><tr><th scope=\"col\">Wording</th><th scope=\"col\">");
    ch_str_add(b, x->after ? "Before: " : "");
    ch_html_text(b, d->arms[0].name);
    if (x->after) {
        ch_str_add(b, "</th><th scope=\"col\">After: ");
        ch_html_text(b, d->arms[ch_report_main_arm(d)].name);
    }
    ch_str_add(b, "</th></tr></thead><tbody>\n");
}

void ch_html_examples(ch_str *b, const ch_report_data *d)
{
    if (d->n_examples < 1)
        return;
    ch_html_section(b, "The same question in other words",
                    "Answers of one model that share a letter mean the same.");
    for (int64_t i = 0; i < d->n_examples; i++) {
        const ch_report_example *x = &d->examples[i];
        add_example_head(b, d, x);
        for (int64_t k = 0; k < x->n; k++) {
            ch_str_add(b, "<tr><th scope=\"row\">");
            ch_html_folded(b, x->wordings[k], 320);
            ch_str_add(b, "</th>");
            add_answer(b, &x->before[k], x->after ? "Before" : "Answer");
            if (x->after)
                add_answer(b, &x->after[k], "After");
            ch_str_add(b, "</tr>\n");
        }
        ch_str_add(b, "</tbody></table></article>\n");
    }
    ch_str_add(b, "</section>\n");
}

void ch_html_terms(ch_str *b)
{
    static const char *const meaning[CH_M_COUNT] = {
        [CH_M_CR] =
            "consistency rate: of all pairs of wordings of one question, the share answered "
            "alike",
        [CH_M_MCR] =
            "maximum consistency rate: the share of wordings that get the most common answer",
        [CH_M_ACC] = "the share of right answers over all wordings and inputs (exact match after "
                     "normalising)",
        [CH_M_WORST] = "accuracy under each task's unluckiest wording",
        [CH_M_BEST] = "accuracy under each task's luckiest wording",
        [CH_M_SPREAD] = "best less worst wording: what luck with the wording is worth",
        [CH_M_ALL_CORRECT] = "the share of inputs answered right under every wording",
        [CH_M_CR_CORRECT] = "pairs of wordings that are both answered right, of all pairs",
        [CH_M_ROUGE1] = "words in common with the reference answer, 0 to 100",
        [CH_M_ROUGEL] = "the same, for words in the same order",
        [CH_M_LENGTH] = "tokens an answer has on average",
        [CH_M_STOP] = "the share of answers that ended by themselves, not at the length limit",
        [CH_M_TOP] = "how often the model's most frequent answer comes, mean over tasks",
        [CH_M_TOP_GOLD] =
            "how often the most frequent right answer comes; far below the model's own "
            "figure means collapse",
        [CH_M_EMPTY] = "answers without any text; they are never right and agree with nothing"};
    ch_html_section(b, "What the words mean", NULL);
    ch_str_add(
        b,
        "<dl>\n<dt>Arm</dt><dd>one model that was measured: the base model or one trained from "
        "it</dd>\n<dt>95 % interval</dt><dd>where the figure lies in 95 of 100 resamplings of the "
        "tasks and inputs</dd>\n");
    for (int k = 0; k < CH_M_COUNT; k++) {
        ch_str_add(b, "<dt>");
        ch_html_text(b, ch_metrics[k].title);
        ch_str_addf(b, "</dt><dd>%s</dd>\n", meaning[k]);
    }
    ch_str_add(b, "</dl>\n</section>\n");
}

static void add_fact(ch_str *b, const char *name, const char *value, int code)
{
    if (!ch_has_text(value))
        return;
    ch_str_addf(b, "<dt>%s</dt><dd>%s", name, code ? "<code>" : "");
    ch_html_text(b, value);
    ch_str_addf(b, "%s</dd>\n", code ? "</code>" : "");
}

static void add_numbers(ch_str *b, const ch_report_data *d)
{
    char *wordings = ch_wordings_text(d->n_wordings, d->most_wordings);
    ch_str_addf(b, "<dt>Size</dt><dd>%lld tasks, %lld inputs, %s an input</dd>\n",
                (long long)d->n_tasks, (long long)d->n_inputs, wordings);
    free(wordings);
    ch_str_addf(
        b,
        "<dt>Intervals</dt><dd>95 %% bootstrap, %lld resamples by task and then input, seed %llu; "
        "differences are resampled in pairs</dd>\n",
        (long long)d->resamples, (unsigned long long)d->bootstrap_seed);
    if (d->n_seeds > 0)
        ch_str_add(b, "<dt>Seeds</dt><dd>");
    for (int64_t i = 0; i < d->n_seeds; i++)
        ch_str_addf(b, "%s%llu", i ? ", " : "", (unsigned long long)d->seeds[i]);
    if (d->n_seeds > 0)
        ch_str_add(b, "</dd>\n");
    ch_str_add(b, "<dt>ROUGE</dt><dd>rouge_score-compatible, stemmed, best over references</dd>\n");
    ch_str_addf(b, "<dt>Dropped</dt><dd>%lld wordings, %lld rows</dd>\n",
                (long long)d->dropped_wordings, (long long)d->dropped_rows);
}

void ch_html_measured(ch_str *b, const ch_report_data *d)
{
    ch_html_section(b, "How it was measured", NULL);
    ch_str_add(b, "<dl>\n");
    add_fact(b, "Base model", d->model, 0);
    add_fact(b, "Tested on", d->split, 0);
    add_fact(b, "Same answer, closed tasks", d->sim_closed, 0);
    add_fact(b, "Same answer, free text", d->sim_free, 0);
    add_numbers(b, d);
    add_fact(b, "Base model SHA-256", d->base_hash, 1);
    for (int64_t i = 0; i < d->n_arms; i++) {
        if (!ch_has_text(d->arms[i].hash))
            continue;
        ch_str_add(b, "<dt>SHA-256 of ");
        ch_html_text(b, d->arms[i].name);
        ch_str_add(b, "</dt><dd><code>");
        ch_html_text(b, d->arms[i].hash);
        ch_str_add(b, "</code></dd>\n");
    }
    add_fact(b, "Recipe SHA-256", d->recipe_hash, 1);
    ch_str_add(b, "</dl>\n");
    if (ch_has_text(d->recipe)) {
        ch_str_add(b, "<details class=\"recipe\"><summary>The recipe</summary><pre>");
        ch_html_text(b, d->recipe);
        ch_str_add(b, "</pre></details>\n");
    }
    ch_str_add(b, "</section>\n");
}
