#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/report.h"
#include "report/words.h"

/* Whole percents, or one decimal where whole ones would hide something (9.9, 99.6, 61.2
 * against 61.4). */
static int decimals(double a, double b)
{
    double lo = 100 * fmin(a, b), hi = 100 * fmax(a, b);
    int fine = (lo > 0 && lo < 10) || (hi > 99 && hi < 100) ||
               (lo < hi && lround(lo) == lround(hi)) || (lo > 99 && lo < 100) ||
               (hi > 0 && hi < 10);
    return fine ? 1 : 0;
}

/* "better by 3.1 points [1.0, 5.2]" */
static void add_clause(ch_str *b, int metric, ch_stat diff)
{
    static const char *const words[] = {[CH_V_UNCLEAR] = "no difference that this test can tell",
                                        [CH_V_BETTER] = "better",
                                        [CH_V_WORSE] = "worse",
                                        [CH_V_CHANGED] = "different"};
    ch_str_addf(b, "%s (", words[ch_diff_verdict(metric, diff)]);
    ch_add_diff(b, metric, diff, "-");
    ch_str_add(b, ch_diff_verdict(metric, diff) == CH_V_UNCLEAR ? " points, the interval holds 0)"
                                                                : " points)");
}

static void add_line(ch_str *b, const char *against, const ch_stat *diff)
{
    ch_str_add(b, "\nAgainst ");
    ch_add_clean(b, against);
    ch_str_add(b, ", on the same inputs: consistency ");
    add_clause(b, CH_M_CR, diff[CH_M_CR]);
    ch_str_add(b, ", right answers ");
    add_clause(b, CH_M_ACC, diff[CH_M_ACC]);
    ch_str_add(b, ".");
}

static void add_model(ch_str *b, const ch_report_data *d)
{
    if (ch_has_text(d->model))
        ch_add_clean(b, d->model);
    else
        ch_str_add(b, "the model");
}

/* Consistency of a collapsed model is worth nothing: said in the same breath. */
static void add_collapse(ch_str *b, const ch_report_arm *a)
{
    if (a->measure.collapsed)
        ch_str_add(b, " It repeats one answer far more often than is right: see the warning.");
}

static char *one_arm(const ch_report_data *d)
{
    const ch_stat *s = d->arms[0].measure.all;
    ch_str b = {0};
    ch_str_add(&b, "Asked the same thing in two different wordings, ");
    add_model(&b, d);
    double cr = s[CH_M_CR].value, acc = s[CH_M_ACC].value;
    ch_str_addf(&b, " gave the same answer %.*f %% of the time; %.*f %% of its answers were right.",
                decimals(cr, cr), 100 * cr, decimals(acc, acc), 100 * acc);
    add_collapse(&b, &d->arms[0]);
    return ch_str_take(&b);
}

char *ch_report_headline(const ch_report_data *d)
{
    if (d->n_arms == 1)
        return one_arm(d);
    const ch_report_arm *first = &d->arms[0], *last = &d->arms[ch_report_main_arm(d)];
    const ch_stat *x = first->measure.all, *y = last->measure.all;
    double cr0 = x[CH_M_CR].value, cr1 = y[CH_M_CR].value;
    double acc0 = x[CH_M_ACC].value, acc1 = y[CH_M_ACC].value;
    int p = decimals(cr0, cr1), q = decimals(acc0, acc1);
    ch_str b = {0};
    ch_str_add(&b, "Asked the same thing in two different wordings, ");
    add_model(&b, d);
    ch_str_addf(&b, " gave the same answer %.*f %% of the time before and %.*f %% after; ", p,
                100 * cr0, p, 100 * cr1);
    ch_str_addf(&b, "%.*f %% of its answers were right before, %.*f %% after.", q, 100 * acc0, q,
                100 * acc1);
    if (last->has_diff && ch_diff_verdict(CH_M_CR, last->diff[CH_M_CR]) == CH_V_UNCLEAR)
        ch_str_add(&b, " Whether it became more consistent cannot be told from this test.");
    add_collapse(&b, last);
    ch_str_add(&b, "\nBefore is ");
    ch_add_clean(&b, first->name);
    ch_str_add(&b, ", after is ");
    ch_add_clean(&b, last->name);
    ch_str_add(&b, last->has_diff ? "." : "; no paired difference between them was computed.");
    if (last->has_diff)
        add_line(&b, first->name, last->diff);
    if (ch_has_text(last->versus))
        add_line(&b, last->versus, last->versus_diff);
    return ch_str_take(&b);
}
