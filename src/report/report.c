/* What no report may say. */
#include "report/report.h"

#include <math.h>
#include <string.h>

#include "report/words.h"

static const char *name_of(const ch_report_arm *a)
{
    return ch_has_text(a->name) ? a->name : "(unnamed)";
}

static ch_code check_stat(const ch_report_arm *a, const char *what, int metric, ch_stat s,
                          ch_err *e)
{
    const char *key = ch_metrics[metric].key;
    if (!isfinite(s.value) || !isfinite(s.low) || !isfinite(s.high))
        return ch_fail(e, CH_ENUMBER,
                       "report: arm \"%s\", %s%s is %g [%g, %g], finite numbers are wanted",
                       name_of(a), what, key, s.value, s.low, s.high);
    if (s.low > s.high)
        return ch_fail(e, CH_EUSER,
                       "report: arm \"%s\", %s%s: the interval [%g, %g] is upside down", name_of(a),
                       what, key, s.low, s.high);
    if (s.value < s.low || s.value > s.high)
        return ch_fail(e, CH_EUSER,
                       "report: arm \"%s\", %s%s: the interval [%g, %g] does not hold %g",
                       name_of(a), what, key, s.low, s.high, s.value);
    return CH_OK;
}

/* A share given as 76.8 instead of 0.768 would be shown as 7680. */
static ch_code check_share(const ch_report_arm *a, int metric, ch_stat s, ch_err *e)
{
    if (ch_metrics[metric].percent && (s.value < 0 || s.value > 1 || s.low < 0 || s.high > 1))
        return ch_fail(e, CH_EUSER, "report: arm \"%s\", %s is %g [%g, %g], a share 0..1 is wanted",
                       name_of(a), ch_metrics[metric].key, s.value, s.low, s.high);
    return CH_OK;
}

static ch_code check_losses(const ch_report_arm *a, const char *what, const double *loss,
                            const int64_t *step, int64_t n, ch_err *e)
{
    if (n < 0 || (n > 0 && (!loss || !step)))
        return ch_fail(e, CH_EUSER, "report: arm \"%s\": the %s losses are missing", name_of(a),
                       what);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(loss[i]))
            return ch_fail(
                e, CH_ENUMBER,
                "report: arm \"%s\": the %s loss at step %lld is %g, a finite number is wanted",
                name_of(a), what, (long long)step[i], loss[i]);
        if (i && step[i] <= step[i - 1])
            return ch_fail(e, CH_EUSER,
                           "report: arm \"%s\": %s step %lld does not come after step %lld",
                           name_of(a), what, (long long)step[i], (long long)step[i - 1]);
    }
    return CH_OK;
}

static ch_code check_verdicts(const ch_report_arm *a, ch_err *e)
{
    const ch_verdicts *v = &a->judge;
    if (v->right_same < 0 || v->right_same > v->n_same || v->right_differ < 0 ||
        v->right_differ > v->n_differ)
        return ch_fail(e, CH_EUSER,
                       "report: arm \"%s\": the judge is right on %lld of %lld and %lld of %lld "
                       "pairs, counts 0..all are wanted",
                       name_of(a), (long long)v->right_same, (long long)v->n_same,
                       (long long)v->right_differ, (long long)v->n_differ);
    return CH_OK;
}

static ch_code check_by_task(const ch_report_data *d, const ch_report_arm *a, ch_err *e)
{
    const ch_measure *m = &a->measure;
    if (m->n_tasks != d->n_tasks || m->n_cases != d->n_inputs || m->n_wordings != d->n_wordings ||
        m->most_wordings != d->most_wordings || !m->by_task)
        return ch_fail(
            e, CH_EUSER,
            "report: arm \"%s\" was measured on %lld tasks, %lld inputs and %lld to %lld wordings, "
            "the report is about %lld, %lld and %lld to %lld",
            name_of(a), (long long)m->n_tasks, (long long)m->n_cases, (long long)m->n_wordings,
            (long long)m->most_wordings, (long long)d->n_tasks, (long long)d->n_inputs,
            (long long)d->n_wordings, (long long)d->most_wordings);
    for (int64_t t = 0; t < d->n_tasks; t++)
        for (int k = 0; k < CH_M_COUNT; k++)
            if (!isfinite(m->by_task[t][k]))
                return ch_fail(
                    e, CH_ENUMBER,
                    "report: arm \"%s\", task \"%s\": %s is %g, a finite number is wanted",
                    name_of(a), d->tasks[t].name, ch_metrics[k].key, m->by_task[t][k]);
    return CH_OK;
}

static const ch_report_arm *arm_named(const ch_report_data *d, const char *name)
{
    for (int64_t i = 0; i < d->n_arms; i++)
        if (ch_has_text(d->arms[i].name) && strcmp(d->arms[i].name, name) == 0)
            return &d->arms[i];
    return NULL;
}

static ch_code check_versus(const ch_report_data *d, const ch_report_arm *a, ch_err *e)
{
    if (!ch_has_text(a->versus))
        return CH_OK;
    const ch_report_arm *other = arm_named(d, a->versus);
    if (!other || other == a)
        return ch_fail(
            e, CH_EUSER,
            "report: arm \"%s\" is compared to \"%s\", the name of another arm is wanted", a->name,
            a->versus);
    for (int k = 0; k < CH_M_COUNT; k++)
        CH_TRY(check_stat(a, "difference to the other arm in ", k, a->versus_diff[k], e));
    return CH_OK;
}

static ch_code check_arm(const ch_report_data *d, int64_t i, ch_err *e)
{
    const ch_report_arm *a = &d->arms[i];
    if (!ch_has_text(a->name))
        return ch_fail(e, CH_EUSER, "report: arm %lld has no name", (long long)i + 1);
    if (arm_named(d, a->name) != a)
        return ch_fail(e, CH_EUSER, "report: two arms are named \"%s\"", a->name);
    if (a->has_diff && i == 0)
        return ch_fail(e, CH_EUSER, "report: the first arm \"%s\" is compared to itself", a->name);
    for (int k = 0; k < CH_M_COUNT; k++) {
        CH_TRY(check_stat(a, "", k, a->measure.all[k], e));
        CH_TRY(check_share(a, k, a->measure.all[k], e));
    }
    for (int k = 0; a->has_diff && k < CH_M_COUNT; k++)
        CH_TRY(check_stat(a, "difference in ", k, a->diff[k], e));
    CH_TRY(check_verdicts(a, e));
    CH_TRY(check_by_task(d, a, e));
    CH_TRY(check_versus(d, a, e));
    CH_TRY(check_losses(a, "train", a->curve.train, a->curve.train_step, a->curve.n_train, e));
    return check_losses(a, "dev", a->curve.dev, a->curve.dev_step, a->curve.n_dev, e);
}

static ch_code check_answers(const ch_report_example *x, const ch_report_answer *list, int64_t nth,
                             ch_err *e)
{
    for (int64_t i = 0; i < x->n; i++)
        if (!list[i].text || list[i].group < 0 || list[i].group >= x->n)
            return ch_fail(
                e, CH_EUSER,
                "report: example %lld has no answer or no group 0..%lld for wording %lld",
                (long long)nth + 1, (long long)x->n - 1, (long long)i + 1);
    return CH_OK;
}

static ch_code check_example(const ch_report_data *d, int64_t nth, ch_err *e)
{
    const ch_report_example *x = &d->examples[nth];
    if (!x->task || !x->input || !x->gold || x->n < 1 || !x->wordings || !x->before)
        return ch_fail(e, CH_EUSER,
                       "report: example %lld lacks its task, input, gold, wordings or answers",
                       (long long)nth + 1);
    CH_TRY(check_answers(x, x->before, nth, e));
    return x->after ? check_answers(x, x->after, nth, e) : CH_OK;
}

static ch_code check_tasks(const ch_report_data *d, ch_err *e)
{
    for (int64_t i = 0; i < d->n_tasks; i++) {
        if (!ch_has_text(d->tasks[i].name))
            return ch_fail(e, CH_EUSER, "report: task %lld has no name", (long long)i + 1);
        for (int64_t j = 0; j < i; j++)
            if (strcmp(d->tasks[i].name, d->tasks[j].name) == 0)
                return ch_fail(e, CH_EUSER, "report: two tasks are named \"%s\"", d->tasks[i].name);
    }
    return CH_OK;
}

ch_code ch_report_check(const ch_report_data *d, ch_err *e)
{
    if (d->n_arms < 1 || !d->arms)
        return ch_fail(e, CH_EEMPTY,
                       "report: there is no arm, at least one measured model is wanted");
    if (d->n_tasks < 1 || !d->tasks || d->n_inputs < 1 || d->n_wordings < 2)
        return ch_fail(
            e, CH_EEMPTY,
            "report: %lld tasks, %lld inputs and %lld wordings were measured, at least 1, 1 and 2 "
            "are wanted",
            (long long)d->n_tasks, (long long)d->n_inputs, (long long)d->n_wordings);
    if (d->main_arm < 0 || d->main_arm >= d->n_arms)
        return ch_fail(e, CH_EUSER, "report: the main arm is %lld, 0..%lld is wanted",
                       (long long)d->main_arm, (long long)d->n_arms - 1);
    CH_TRY(check_tasks(d, e));
    for (int64_t i = 0; i < d->n_arms; i++)
        CH_TRY(check_arm(d, i, e));
    for (int64_t i = 0; i < d->n_examples; i++)
        CH_TRY(check_example(d, i, e));
    return CH_OK;
}

int64_t ch_report_main_arm(const ch_report_data *d)
{
    return d->main_arm > 0 ? d->main_arm : d->n_arms - 1;
}
