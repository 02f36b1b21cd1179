#include "report/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/words.h"

static const double POOR_KAPPA = 0.8, MANY_EMPTY = 0.03;
enum { FEW_TASKS = 10 };

typedef struct {
    char **list;
    int64_t n, cap;
} lines;

static void push(lines *l, char *text)
{
    *CH_PUSH(l->list, l->n, l->cap) = text;
}

/* ------------------------------------------------------------------ warnings */

static void warn_of_arm(lines *l, const ch_report_arm *a)
{
    const ch_measure *m = &a->measure;
    char *name = ch_clean_line(a->name), *alarm = ch_clean_line(m->alarm);
    double empty = m->all[CH_M_EMPTY].value;
    if (m->collapsed)
        push(l, ch_fmt("%s has collapsed, so its consistency is worth nothing%s%s", name,
                       *alarm ? ": " : ".", alarm));
    else if (*alarm)
        push(l, ch_fmt("%s has collapsed in part, so its consistency there is worth nothing: %s",
                       name, alarm));
    if (empty > MANY_EMPTY)
        push(l, ch_fmt("%s: %.1f %% of its answers are empty; these count as wrong and as equal to "
                       "nothing.",
                       name, 100 * empty));
    free(name);
    free(alarm);
}

/* "right on 93.0 % of 100 pairs that are the same and on 61.0 % of 100 that differ, Cohen's kappa
 * 0.54" */
static void add_verdicts(ch_str *b, const ch_verdicts *v)
{
    double same = 100 * (double)v->right_same / (double)v->n_same;
    double differ = 100 * (double)v->right_differ / (double)v->n_differ;
    if (v->n_same && v->n_differ)
        ch_str_addf(b,
                    "right on %.1f %% of %lld pairs that are the same and on %.1f %% of %lld that "
                    "differ, Cohen's kappa %.2f",
                    same, (long long)v->n_same, differ, (long long)v->n_differ, ch_kappa(v));
    else if (v->n_same)
        ch_str_addf(
            b,
            "right on %.1f %% of %lld pairs that are the same; there was none that differs, "
            "so no kappa",
            same, (long long)v->n_same);
    else if (v->n_differ)
        ch_str_addf(b,
                    "right on %.1f %% of %lld pairs that differ; there was none that is the same, "
                    "so no kappa",
                    differ, (long long)v->n_differ);
    else
        ch_str_add(b, "no pair with a known verdict, so it was not checked");
}

/* Kappa; where a side has no pairs, what it would be if that side were as the other. */
static double merit(const ch_verdicts *v)
{
    if (v->n_same && v->n_differ)
        return ch_kappa(v);
    int64_t n = v->n_same + v->n_differ;
    return n ? 2 * (double)(v->right_same + v->right_differ) / (double)n - 1 : 1;
}

static void warn_of_judge(lines *l, const ch_report_data *d)
{
    const ch_report_arm *worst = NULL;
    for (int64_t i = 0; i < d->n_arms; i++)
        if (merit(&d->arms[i].judge) < (worst ? merit(&worst->judge) : POOR_KAPPA))
            worst = &d->arms[i];
    if (!worst)
        return;
    ch_str b = {0};
    char *name = ch_clean_line(worst->name);
    ch_str_addf(&b, "The judge is a poor one: on closed tasks, with the answers of %s, ", name);
    add_verdicts(&b, &worst->judge);
    ch_str_add(&b, ".");
    push(l, ch_str_take(&b));
    free(name);
}

int64_t ch_report_warnings(const ch_report_data *d, char ***list)
{
    lines l = {0};
    for (int64_t i = 0; i < d->n_arms; i++)
        warn_of_arm(&l, &d->arms[i]);
    for (int64_t i = 0; i < d->n_warnings; i++)
        push(&l, ch_clean_line(d->warnings[i]));
    if (d->dropped_wordings > 0)
        push(&l, ch_fmt("Wordings dropped before the run: %lld.", (long long)d->dropped_wordings));
    if (d->dropped_rows > 0)
        push(&l, ch_fmt("Rows dropped before the run: %lld.", (long long)d->dropped_rows));
    warn_of_judge(&l, d);
    *list = l.list;
    return l.n;
}

/* ------------------------------------------------------------------ notes */

char *ch_wordings_text(int64_t fewest, int64_t most)
{
    return fewest < most ? ch_fmt("%lld to %lld wordings", (long long)fewest, (long long)most)
                         : ch_fmt("%lld wordings", (long long)fewest);
}

char *ch_interval_note(int64_t n_tasks)
{
    if (n_tasks >= FEW_TASKS)
        return NULL;
    if (n_tasks == 1)
        return ch_dup("There is one task, so the intervals come from drawing its inputs anew and "
                      "say nothing about other tasks.");
    return ch_fmt("The intervals come from drawing anew among %lld tasks only; from fewer than %d "
                  "they are as a rule too narrow and say little about other tasks.",
                  (long long)n_tasks, FEW_TASKS);
}

static void note_wordings(lines *l, const ch_report_data *d)
{
    ch_str b = {0};
    if (d->n_wordings == d->most_wordings)
        return;
    ch_str_add(&b, "Tasks differ in wordings, and each is measured under all of its own: ");
    for (int64_t t = 0; t < d->n_tasks; t++) {
        char *name = ch_clean_line(d->tasks[t].name);
        ch_str_addf(&b, "%s%s %lld", t ? ", " : "", name, (long long)d->tasks[t].n_wordings);
        free(name);
    }
    ch_str_add(&b, ".");
    push(l, ch_str_take(&b));
}

static void note_judge(lines *l, const ch_report_data *d)
{
    ch_str b = {0};
    int64_t asked = 0;
    for (int64_t i = 0; i < d->n_arms; i++)
        asked += d->arms[i].judge.n_same + d->arms[i].judge.n_differ;
    if (!asked && ch_has_text(d->sim_free))
        push(l,
             ch_dup("The judge could not be checked: there is no closed task whose right answers "
                    "tell which answers are the same."));
    if (!asked)
        return;
    ch_str_add(&b,
               "The judge was also asked where right answers of closed tasks tell what is true. ");
    for (int64_t i = 0; i < d->n_arms; i++) {
        char *name = ch_clean_line(d->arms[i].name);
        ch_str_addf(&b, "%s%s: ", i ? "; " : "With the answers of ", name);
        add_verdicts(&b, &d->arms[i].judge);
        free(name);
    }
    ch_str_add(&b, ".");
    push(l, ch_str_take(&b));
}

int64_t ch_report_notes(const ch_report_data *d, char ***list)
{
    lines l = {0};
    for (int64_t i = 0; i < d->n_notes; i++)
        push(&l, ch_clean_line(d->notes[i]));
    note_wordings(&l, d);
    char *few = ch_interval_note(d->n_tasks);
    if (few)
        push(&l, few);
    note_judge(&l, d);
    *list = l.list;
    return l.n;
}
