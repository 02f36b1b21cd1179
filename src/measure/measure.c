#include "measure/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"
#include "measure/rows.h"

enum { DEFAULT_RESAMPLES = 1000, NAMED_TASKS = 3 };
static const double ROUNDING = 1e-12; /* more than any sum of shares here is off by */

const ch_metric ch_metrics[CH_M_COUNT] = {
    [CH_M_CR] = {"cr", "CR", 1, 1},
    [CH_M_MCR] = {"mcr", "MCR", 1, 1},
    [CH_M_ACC] = {"accuracy", "accuracy", 1, 1},
    [CH_M_WORST] = {"worst", "worst wording", 1, 1},
    [CH_M_BEST] = {"best", "best wording", 1, 1},
    [CH_M_SPREAD] = {"spread", "best - worst", 1, 0},
    [CH_M_ALL_CORRECT] = {"all_correct", "right under all", 1, 1},
    [CH_M_CR_CORRECT] = {"cr_correct", "CR of right answers", 1, 1},
    [CH_M_ROUGE1] = {"rouge1", "ROUGE-1", 1, 1},
    [CH_M_ROUGEL] = {"rougeL", "ROUGE-L", 1, 1},
    [CH_M_LENGTH] = {"length", "tokens an answer", 0, -1},
    [CH_M_STOP] = {"stop", "ended by itself", 1, 1},
    [CH_M_TOP] = {"top", "most frequent answer", 1, -1},
    [CH_M_TOP_GOLD] = {"top_gold", "most frequent gold", 1, -1},
    [CH_M_EMPTY] = {"empty", "empty answers", 1, 0},
};

static int over_tasks(int metric)
{
    return metric == CH_M_WORST || metric == CH_M_BEST || metric == CH_M_SPREAD ||
           metric == CH_M_TOP || metric == CH_M_TOP_GOLD;
}

/* ------------------------------------------------------------------ a sample */

/* Tasks, and for each the cases picked of it; the tasks' picks lie one after another. */
typedef struct {
    int64_t *task, *pick, n_tasks;
} sample;

static sample sample_new(const ch_rows *p)
{
    int64_t most = 0;
    for (int64_t k = 0; k < p->n_tasks; k++)
        most = p->task[k].n > most ? p->task[k].n : most;
    /* A draw may take the largest task every time. */
    return (sample){.task = ch_new((size_t)p->n_measured, sizeof(int64_t)),
                    .pick = ch_new((size_t)(p->n_measured * most), sizeof(int64_t)),
                    .n_tasks = p->n_measured};
}

static void sample_free(sample *s)
{
    free(s->task);
    free(s->pick);
}

static void take_all(sample *s, const ch_rows *p)
{
    int64_t at = 0;
    for (int64_t k = 0; k < s->n_tasks; k++) {
        s->task[k] = p->measured[k];
        for (int64_t i = 0; i < p->task[s->task[k]].n; i++)
            s->pick[at++] = i;
    }
}

static void draw(sample *s, const ch_rows *p, uint64_t seed, uint64_t resample)
{
    ch_rng r = ch_rng_of(seed, CH_USE_RESAMPLES, resample);
    int64_t at = 0;
    for (int64_t k = 0; k < s->n_tasks; k++) {
        s->task[k] = p->measured[ch_random_below(&r, p->n_measured)];
        int64_t n = p->task[s->task[k]].n;
        for (int64_t i = 0; i < n; i++)
            s->pick[at++] = ch_random_below(&r, n);
    }
}

static void metrics_of(ch_rows *p, const sample *s, double out[CH_M_COUNT])
{
    double one[CH_M_COUNT];
    int64_t at = 0;
    memset(out, 0, CH_M_COUNT * sizeof *out);
    for (int64_t k = 0; k < s->n_tasks; k++) {
        int64_t n = p->task[s->task[k]].n;
        ch_rows_task(p, s->task[k], s->pick + at, n, one);
        for (int m = 0; m < CH_M_COUNT; m++)
            out[m] += over_tasks(m) ? one[m] : one[m] * (double)n;
        at += n;
    }
    for (int m = 0; m < CH_M_COUNT; m++)
        out[m] /= (double)(over_tasks(m) ? s->n_tasks : at);
}

/* ------------------------------------------------------------------ intervals */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the neighbours in rank, linearly. v is sorted. */
static double quantile(const double *v, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* The metrics of p, less those of base when it is not NULL. */
static void metrics_less(ch_rows *base, ch_rows *p, const sample *s, double out[CH_M_COUNT])
{
    double less[CH_M_COUNT] = {0};
    metrics_of(p, s, out);
    if (base)
        metrics_of(base, s, less);
    for (int m = 0; base && m < CH_M_COUNT; m++)
        out[m] = fabs(out[m] - less[m]) < ROUNDING ? 0 : out[m] - less[m];
}

/* base, NULL or rows of the same tasks and cases, is resampled in step with p. */
static ch_code bootstrap(ch_rows *base, ch_rows *p, int64_t resamples, uint64_t seed,
                         ch_stat out[CH_M_COUNT], ch_err *e)
{
    sample s = sample_new(p);
    double value[CH_M_COUNT], *seen = ch_new((size_t)(CH_M_COUNT * resamples), sizeof *seen);
    take_all(&s, p);
    metrics_less(base, p, &s, value);
    for (int m = 0; m < CH_M_COUNT; m++)
        out[m].value = value[m];
    for (int64_t r = 0; r < resamples && !ch_interrupted(); r++) {
        draw(&s, p, seed, (uint64_t)r);
        metrics_less(base, p, &s, value);
        for (int m = 0; m < CH_M_COUNT; m++)
            seen[m * resamples + r] = value[m];
    }
    for (int m = 0; m < CH_M_COUNT && !ch_interrupted(); m++) {
        double *v = seen + m * resamples;
        qsort(v, (size_t)resamples, sizeof *v, by_value);
        out[m].low = fmin(out[m].value, quantile(v, resamples, 0.025));
        out[m].high = fmax(out[m].value, quantile(v, resamples, 0.975));
    }
    free(seen);
    sample_free(&s);
    return ch_interrupted() ? ch_fail(e, CH_ESTOP, "interrupted while measuring") : CH_OK;
}

/* ------------------------------------------------------------------ collapse */

static const char *top_answer(const ch_rows *p, const ch_task_rows *t)
{
    int64_t *count = ch_new((size_t)t->answers.n, sizeof *count), top = 0;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t k = 0; k < t->n_wordings; k++)
            count[p->row[t->rows[i]].answer[k]]++;
    for (int64_t k = 1; k < t->answers.n; k++)
        top = count[k] > count[top] ? k : top;
    free(count);
    return t->answers.text[top];
}

int ch_is_collapsed(const double of_task[CH_M_COUNT])
{
    return of_task[CH_M_TOP] - of_task[CH_M_TOP_GOLD] > CH_COLLAPSE_EXCESS;
}

static int by_excess(const void *a, const void *b)
{
    const ch_collapse *x = a, *y = b;
    double u = x->share - x->gold, v = y->share - y->gold;
    return u != v ? (u < v) - (u > v) : (x->task > y->task) - (x->task < y->task);
}

static void find_collapsed(ch_measure *m, const ch_rows *p)
{
    int64_t cap = 0;
    m->collapsed = m->all[CH_M_TOP].value - m->all[CH_M_TOP_GOLD].value > CH_COLLAPSE_EXCESS;
    for (int64_t k = 0; k < p->n_measured; k++) {
        int64_t t = p->measured[k];
        ch_collapse c = {t, m->by_task[t][CH_M_TOP], m->by_task[t][CH_M_TOP_GOLD], ""};
        if (!ch_is_collapsed(m->by_task[t]))
            continue;
        const char *text = top_answer(p, &p->task[t]);
        size_t n = strlen(text), most = sizeof c.answer - 1;
        memcpy(c.answer, text, n > most ? ch_utf8_whole(text, most) : n);
        *CH_PUSH(m->collapse, m->n_collapsed, cap) = c;
    }
    if (m->n_collapsed)
        qsort(m->collapse, (size_t)m->n_collapsed, sizeof *m->collapse, by_excess);
}

/* The worst tasks by name; all of them stand in m->collapse. */
static void sound_alarm(ch_measure *m, const char *const *names)
{
    ch_str b = {0};
    ch_str_addf(&b, "in %lld of %lld tasks one answer is given far too often: ",
                (long long)m->n_collapsed, (long long)m->n_measured);
    for (int64_t k = 0; k < m->n_collapsed && k < NAMED_TASKS; k++) {
        const ch_collapse *c = &m->collapse[k];
        char *name = names ? ch_dup(names[c->task]) : ch_fmt("task %lld", (long long)c->task);
        name[ch_utf8_whole(name, strnlen(name, sizeof c->answer))] = 0;
        ch_str_addf(&b, "%sin %s ", k ? "; " : "", name);
        if (c->answer[0])
            ch_str_addf(&b, "\"%s\"", c->answer);
        else
            ch_str_add(&b, "an empty one");
        ch_str_addf(&b,
                    " is %.0f %% of all answers, where the most frequent right answer is %.0f %%",
                    100 * c->share, 100 * c->gold);
        free(name);
    }
    if (m->n_collapsed > NAMED_TASKS)
        ch_str_addf(&b, "; and %lld more", (long long)(m->n_collapsed - NAMED_TASKS));
    if (m->n_collapsed)
        snprintf(m->alarm, sizeof m->alarm, "%s", ch_str_get(&b));
    ch_str_free(&b);
}

/* ------------------------------------------------------------------ entry points */

static ch_code count_resamples(int64_t *resamples, ch_err *e)
{
    if (*resamples < 0)
        return ch_fail(e, CH_EUSER, "%lld bootstrap resamples are asked for, wanted is 1 or more",
                       (long long)*resamples);
    if (*resamples == 0)
        *resamples = DEFAULT_RESAMPLES;
    return CH_OK;
}

ch_code ch_measure_make(ch_measure *m, const ch_case *cases, int64_t n, int64_t n_tasks,
                        const char *const *names, int64_t resamples, uint64_t seed, ch_err *e)
{
    ch_rows p;
    *m = (ch_measure){0};
    CH_TRY(count_resamples(&resamples, e));
    CH_TRY(ch_rows_make(&p, cases, n, n_tasks, e));
    m->n_tasks = n_tasks;
    m->n_measured = p.n_measured;
    m->n_cases = n;
    m->n_wordings = p.fewest_wordings;
    m->most_wordings = p.most_wordings;
    m->by_task = ch_new((size_t)n_tasks, sizeof *m->by_task);
    sample s = sample_new(&p);
    take_all(&s, &p);
    for (int64_t k = 0, at = 0; k < n_tasks; k++) {
        for (int j = 0; j < CH_M_COUNT && !p.task[k].n; j++)
            m->by_task[k][j] = NAN;
        if (p.task[k].n)
            ch_rows_task(&p, k, s.pick + at, p.task[k].n, m->by_task[k]);
        at += p.task[k].n;
    }
    sample_free(&s);
    ch_code c = bootstrap(NULL, &p, resamples, seed, m->all, e);
    if (c == CH_OK) {
        find_collapsed(m, &p);
        sound_alarm(m, names);
    } else {
        ch_measure_release(m);
    }
    ch_rows_release(&p);
    return c;
}

void ch_measure_release(ch_measure *m)
{
    free(m->by_task);
    free(m->collapse);
    *m = (ch_measure){0};
}

static ch_code same_cases(const ch_case *a, const ch_case *b, int64_t n, ch_err *e)
{
    for (int64_t i = 0; i < n; i++) {
        int same = a[i].task == b[i].task && a[i].n == b[i].n && a[i].n_gold == b[i].n_gold;
        for (int64_t k = 0; same && k < a[i].n_gold; k++)
            same = !strcmp(a[i].gold[k], b[i].gold[k]);
        if (!same)
            return ch_fail(e, CH_EUSER,
                           "case %lld: task, wordings or right answers differ between the two "
                           "sides; a paired difference wants the same cases in the same order",
                           (long long)i);
    }
    return CH_OK;
}

ch_code ch_measure_diff(ch_stat diff[CH_M_COUNT], const ch_case *a, const ch_case *b, int64_t n,
                        int64_t n_tasks, int64_t resamples, uint64_t seed, ch_err *e)
{
    ch_rows before, after;
    CH_TRY(count_resamples(&resamples, e));
    CH_TRY(same_cases(a, b, n, e));
    CH_TRY(ch_rows_make(&before, a, n, n_tasks, e));
    ch_code c = ch_rows_make(&after, b, n, n_tasks, e);
    if (c == CH_OK) {
        c = bootstrap(&before, &after, resamples, seed, diff, e);
        ch_rows_release(&after);
    }
    ch_rows_release(&before);
    return c;
}
