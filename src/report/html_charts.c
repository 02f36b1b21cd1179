/* The pictures. Positions along a track are in percent of its width and sizes in pixels, so that a
 * picture fits any page without its dots and letters being stretched. */
#include <math.h>
#include <string.h>

#include "report/html.h"

typedef struct {
    double low, high; /* what the two ends of a track stand for */
    int64_t steps;    /* grid lines: steps + 1, evenly apart */
} axis;

static const axis shares = {0, 1, 4};

static double place(axis a, double v)
{
    double at = 100 * (v - a.low) / (a.high - a.low);
    return at < 0 ? 0 : at > 100 ? 100 : at;
}

static void open_track(ch_str *b, axis a, const char *class, int height)
{
    ch_str_addf(b, "<svg class=\"t %s\" height=\"%d\" aria-hidden=\"true\">", class, height);
    ch_str_addf(b, "<line class=\"g\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>", height / 2,
                height / 2);
    for (int64_t i = 0; i <= a.steps; i++) {
        double at = 100.0 * (double)i / (double)a.steps;
        ch_str_addf(b, "<line class=\"g\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>", at, at,
                    height);
    }
}

static void add_line(ch_str *b, const char *class, double from, double to, int y)
{
    ch_str_addf(b, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" y2=\"%d\"/>", class,
                from, to, y, y);
}

static void add_upright(ch_str *b, const char *class, double at, int height)
{
    ch_str_addf(b, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>", class, at,
                at, height);
}

static void add_dot(ch_str *b, const char *class, double at, int y, int r)
{
    ch_str_addf(b, "<circle class=\"%s\" cx=\"%.2f%%\" cy=\"%d\" r=\"%d\"/>", class, at, y, r);
}

static void add_whisker(ch_str *b, axis a, ch_stat s, const char *dot, int y)
{
    add_line(b, "w", place(a, s.low), place(a, s.high), y);
    add_dot(b, dot, place(a, s.value), y, 5);
}

/* Tick labels below a column of tracks, in points. */
static void add_ticks(ch_str *b, axis a, int is_signed)
{
    ch_str_add(b, "<svg class=\"t\" height=\"16\" aria-hidden=\"true\">");
    for (int64_t i = 0; i <= a.steps; i++) {
        double part = (double)i / (double)a.steps, v = 100 * (a.low + part * (a.high - a.low));
        int zero = fabs(v) < 1e-9;
        ch_str_addf(b, "<text x=\"%.2f%%\" y=\"12\" text-anchor=\"middle\">%s%g</text>", 100 * part,
                    zero        ? ""
                    : v < 0     ? CH_MINUS
                    : is_signed ? "+"
                                : "",
                    zero ? 0 : fabs(round(1e6 * v) / 1e6));
    }
    ch_str_add(b, "</svg>");
}

static void add_stat(ch_str *b, int metric, ch_stat s)
{
    ch_str_add(b, "<div class=\"num\">");
    ch_add_value(b, metric, s.value);
    ch_str_add(b, " ");
    ch_html_interval(b, metric, s);
    ch_str_add(b, "</div>");
}

static void add_joint(ch_str *b, double from, double to, int y)
{
    add_line(b, to < from ? "j down" : "j", place(shares, from), place(shares, to), y);
}

static void add_figure(ch_str *b, const ch_report_data *d, int metric, const char *label)
{
    const ch_report_arm *first = &d->arms[0], *last = &d->arms[ch_report_main_arm(d)];
    ch_stat x = first->measure.all[metric], y = last->measure.all[metric];
    ch_str_addf(b, "<div class=\"fig\"><p class=\"k\">%s</p><p class=\"n\">", label);
    if (d->n_arms > 1) {
        ch_str_add(b, "<span class=\"from\">");
        ch_add_value(b, metric, x.value);
        ch_str_add(b, " \xE2\x86\x92 </span>");
    }
    ch_str_add(b, "<span class=\"to\">");
    ch_add_value(b, metric, y.value);
    ch_str_add(b, "</span> <small>%</small></p>");
    open_track(b, shares, "main", 18);
    if (d->n_arms > 1) {
        add_joint(b, x.value, y.value, 9);
        add_dot(b, "o", place(shares, x.value), 9, 4);
    }
    add_whisker(b, shares, y, "d", 9);
    ch_str_add(b, "</svg>");
    if (last->has_diff)
        ch_html_verdict(b, metric, last->diff[metric]);
    ch_str_add(b, "</div>");
}

void ch_html_figures(ch_str *b, const ch_report_data *d)
{
    ch_str_add(b, "<div class=\"figs\">\n");
    add_figure(b, d, CH_M_CR, "Same answer under two wordings (CR)");
    add_figure(b, d, CH_M_ACC, "Right answers (accuracy)");
    add_figure(b, d, CH_M_WORST, "Right under the worst wording");
    ch_str_add(b, "\n</div>\n");
}

static void add_arm_name(ch_str *b, const ch_report_data *d, int64_t i)
{
    const ch_report_arm *a = &d->arms[i];
    ch_str_add(b, "<th scope=\"row\"><span class=\"name\">");
    ch_html_text(b, a->name);
    if (d->n_arms > 1 && i == 0)
        ch_str_add(b, "<span class=\"tag\">before</span>");
    if (d->n_arms > 1 && i == ch_report_main_arm(d))
        ch_str_add(b, "<span class=\"tag\">after</span>");
    ch_str_add(b, "</span>");
    if (ch_has_text(a->description)) {
        ch_str_add(b, "<span class=\"desc\">");
        ch_html_text(b, a->description);
        ch_str_add(b, "</span>");
    }
    ch_str_add(b, "</th>");
}

static void add_arm_cell(ch_str *b, const ch_report_data *d, int64_t i, int metric,
                         const char *label)
{
    ch_stat s = d->arms[i].measure.all[metric];
    int main_arm = i == ch_report_main_arm(d);
    ch_str_addf(b, "<td data-l=\"%s\">", label);
    open_track(b, shares, main_arm ? "main" : "", 22);
    if (i > 0)
        add_upright(b, "ref", place(shares, d->arms[0].measure.all[metric].value), 22);
    add_whisker(b, shares, s, i == 0 && !main_arm ? "o" : "d", 11);
    ch_str_add(b, "</svg>");
    add_stat(b, metric, s);
    ch_str_add(b, "</td>");
}

static void open_plot(ch_str *b, const char *class, const char *first, const char *unit)
{
    ch_str_addf(b,
                "<table class=\"plot %s\"><thead><tr><th scope=\"col\">%s</th>"
                "<th scope=\"col\">Consistency (CR), %s</th><th scope=\"col\">Accuracy, "
                "%s</th></tr></thead><tbody>\n",
                class, first, unit, unit);
}

/* The tick row; open and close stand around each. Closes the section too. */
static void close_plot(ch_str *b, axis a, int is_signed, const char *open, const char *close)
{
    ch_str_add(b, "</tbody><tfoot><tr><th></th>");
    for (int i = 0; i < 2; i++) {
        ch_str_addf(b, "<td>%s", open);
        add_ticks(b, a, is_signed);
        ch_str_addf(b, "%s</td>", close);
    }
    ch_str_add(b, "</tr></tfoot></table>\n</section>\n");
}

void ch_html_arms(ch_str *b, const ch_report_data *d)
{
    ch_html_section(
        b, "Every arm, measured the same way",
        "Dot: what was measured. Bar: its 95 % interval. Dotted line: where the first arm "
        "stands.");
    open_plot(b, "", "Arm", "%");
    for (int64_t i = 0; i < d->n_arms; i++) {
        ch_str_add(b, "<tr>");
        add_arm_name(b, d, i);
        add_arm_cell(b, d, i, CH_M_CR, "Consistency (CR)");
        add_arm_cell(b, d, i, CH_M_ACC, "Accuracy");
        ch_str_add(b, "</tr>\n");
    }
    close_plot(b, shares, 0, "", "");
}

static void reach(const ch_stat *diff, double *low, double *high)
{
    static const int metrics[] = {CH_M_CR, CH_M_ACC};
    for (int i = 0; i < 2; i++) {
        *low = fmin(*low, diff[metrics[i]].low);
        *high = fmax(*high, diff[metrics[i]].high);
    }
}

/* An axis around 0 with at most 6 even steps. */
static axis around_zero(double low, double high)
{
    static const double step[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25};
    const int n = (int)(sizeof step / sizeof *step);
    for (int i = 0; i < n; i++) {
        double below = ceil(-low / step[i]), above = ceil(high / step[i]);
        if (below + above > 0 && below + above <= 6)
            return (axis){-below * step[i], above * step[i], (int64_t)(below + above)};
    }
    return low == high ? (axis){-0.01, 0.01, 2} : (axis){-1, 1, 4};
}

static void add_diff_cell(ch_str *b, axis a, int metric, ch_stat s, int main_arm, const char *label)
{
    ch_str_addf(b, "<td data-l=\"%s\">", label);
    open_track(b, a, main_arm ? "main" : "", 22);
    add_upright(b, "z", place(a, 0), 22);
    add_whisker(b, a, s, "d", 11);
    ch_str_add(b, "</svg><div class=\"num\">");
    ch_html_verdict(b, metric, s);
    ch_str_add(b, "</div></td>");
}

static void add_diff_row(ch_str *b, axis a, const char *name, const char *other,
                         const ch_stat *diff, int main_arm)
{
    ch_str_add(b, "<tr><th scope=\"row\"><span class=\"name\">");
    ch_html_text(b, name);
    ch_str_add(b, "</span><span class=\"desc\">against ");
    ch_html_text(b, other);
    ch_str_add(b, "</span></th>");
    add_diff_cell(b, a, CH_M_CR, diff[CH_M_CR], main_arm, "Consistency (CR)");
    add_diff_cell(b, a, CH_M_ACC, diff[CH_M_ACC], main_arm, "Accuracy");
    ch_str_add(b, "</tr>\n");
}

/* One table with its own axis, since differences to the first arm dwarf those
 * between trained arms. */
static void add_diff_table(ch_str *b, const ch_report_data *d, int versus)
{
    double low = 0, high = 0;
    for (int64_t i = 0; i < d->n_arms; i++) {
        const ch_report_arm *a = &d->arms[i];
        if (versus && ch_has_text(a->versus))
            reach(a->versus_diff, &low, &high);
        else if (!versus && a->has_diff)
            reach(a->diff, &low, &high);
    }
    axis around = around_zero(low, high);
    open_plot(b, "", versus ? "Against another arm" : "Against the first arm", "points");
    for (int64_t i = 0; i < d->n_arms; i++) {
        const ch_report_arm *a = &d->arms[i];
        int main_arm = i == ch_report_main_arm(d);
        if (versus && ch_has_text(a->versus))
            add_diff_row(b, around, a->name, a->versus, a->versus_diff, main_arm);
        else if (!versus && a->has_diff)
            add_diff_row(b, around, a->name, d->arms[0].name, a->diff, main_arm);
    }
    close_plot(b, around, 1, "", "");
}

void ch_html_diffs(ch_str *b, const ch_report_data *d)
{
    int64_t to_first = 0, to_other = 0;
    for (int64_t i = 0; i < d->n_arms; i++) {
        to_first += d->arms[i].has_diff != 0;
        to_other += ch_has_text(d->arms[i].versus);
    }
    if (to_first) {
        ch_html_section(
            b, "Is it a real change?",
            "Paired differences on the same inputs, in points. A bar that crosses the 0 line "
            "is a difference that this test cannot tell.");
        add_diff_table(b, d, 0);
    }
    if (to_other) {
        ch_html_section(b, "Held against another trained arm",
                        "The same between two trained arms. Against a control that had as many "
                        "updates, this is what the method itself brings.");
        add_diff_table(b, d, 1);
    }
}

static void add_task_cell(ch_str *b, const ch_report_data *d, int64_t t, int metric,
                          const char *label)
{
    double x = d->arms[0].measure.by_task[t][metric];
    double y = d->arms[ch_report_main_arm(d)].measure.by_task[t][metric];
    ch_str_addf(b, "<td data-l=\"%s\"><div class=\"cell\">", label);
    open_track(b, shares, "", 18);
    if (d->n_arms > 1) {
        add_joint(b, x, y, 9);
        add_dot(b, "o", place(shares, x), 9, 4);
    }
    add_dot(b, "a", place(shares, y), 9, 5);
    ch_str_add(b, "</svg><div class=\"num\">");
    if (d->n_arms > 1) {
        ch_add_value(b, metric, x);
        ch_str_add(b, " \xE2\x86\x92 ");
    }
    ch_add_value(b, metric, y);
    if (y < x)
        ch_str_add(b, " <span class=\"bad\"><b>\xE2\x96\xBC</b></span>");
    ch_str_add(b, "</div></div></td>");
}

/* What sets a task apart: its own number of wordings, and arms that collapsed in it. */
static void add_task_notes(ch_str *b, const ch_report_data *d, int64_t t)
{
    if (d->n_wordings < d->most_wordings)
        ch_str_addf(b, "<span class=\"desc\">%lld inputs, %lld wordings</span>",
                    (long long)d->tasks[t].n_inputs, (long long)d->tasks[t].n_wordings);
    for (int64_t i = 0; i < d->n_arms; i++) {
        const double *m = d->arms[i].measure.by_task[t];
        if (!ch_is_collapsed(m))
            continue;
        ch_str_add(b, "<span class=\"desc\"><b>collapsed</b>: ");
        ch_html_text(b, d->arms[i].name);
        ch_str_addf(b, " gives one answer %.0f %% of the time</span>", 100 * m[CH_M_TOP]);
    }
}

void ch_html_tasks(ch_str *b, const ch_report_data *d)
{
    static const char key[] =
        "<span class=\"key\"><svg width=\"10\" height=\"10\"><circle class=\"o\" cx=\"5\" cy=\"5\" "
        "r=\"4\"/></svg>before</span><span class=\"key\"><svg width=\"10\" height=\"10\"><circle "
        "class=\"a\" cx=\"5\" cy=\"5\" r=\"5\"/></svg>after</span><span class=\"key\">\xE2\x96\xBC "
        "and a "
        "broken line: it fell</span>";
    ch_html_section(b, "Task by task", d->n_arms > 1 ? key : NULL);
    open_plot(b, "small", "Task", "%");
    for (int64_t t = 0; t < d->n_tasks; t++) {
        ch_str_add(b, "<tr><th scope=\"row\">");
        ch_html_text(b, d->tasks[t].name);
        if (ch_has_text(d->tasks[t].sim) && strcmp(d->tasks[t].sim, "exact") != 0) {
            ch_str_add(b, "<span class=\"desc\">compared by ");
            ch_html_text(b, d->tasks[t].sim);
            ch_str_add(b, "</span>");
        }
        add_task_notes(b, d, t);
        ch_str_add(b, "</th>");
        add_task_cell(b, d, t, CH_M_CR, "Consistency (CR)");
        add_task_cell(b, d, t, CH_M_ACC, "Accuracy");
        ch_str_add(b, "</tr>\n");
    }
    close_plot(b, shares, 0, "<div class=\"cell\">", "<span></span></div>");
}
