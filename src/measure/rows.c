#include "measure/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/mem.h"

static ch_code check_case(const ch_case *c, int64_t i, const ch_rows *p, ch_err *e)
{
    if (c->task < 0 || c->task >= p->n_tasks)
        return ch_fail(e, CH_EUSER, "case %lld: belongs to task %lld, wanted is 0 to %lld",
                       (long long)i, (long long)c->task, (long long)p->n_tasks - 1);
    if (c->n < 2)
        return ch_fail(e, CH_EUSER,
                       "case %lld: has answers under %lld wordings, consistency wants at least 2",
                       (long long)i, (long long)c->n);
    if (c->n_gold < 1)
        return ch_fail(e, CH_EUSER, "case %lld: has no right answer to compare with", (long long)i);
    int64_t n = p->task[c->task].n_wordings;
    if (n && n != c->n)
        return ch_fail(e, CH_EUSER,
                       "case %lld: has %lld answers, the cases of task %lld before it have %lld; "
                       "each wording must be asked of each input",
                       (long long)i, (long long)c->n, (long long)c->task, (long long)n);
    return CH_OK;
}

/* Pairs that agree and are right on both sides, of all pairs. */
static double cr_correct(const ch_case *c, const unsigned char *right)
{
    int64_t pairs = 0;
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t j = i + 1; j < c->n; j++)
            pairs += right[i] && right[j] && c->same[i * c->n + j];
    return (double)pairs / ((double)c->n * (double)(c->n - 1) / 2);
}

static void fill_row(ch_row *r, const ch_case *c, ch_task_rows *t)
{
    double n = (double)c->n, *mean = r->mean;
    int all = 1;
    r->right = ch_new((size_t)c->n, 1);
    r->answer = ch_new((size_t)c->n, sizeof *r->answer);
    r->gold = ch_intern_key(&t->golds, c->gold[0]);
    for (int64_t k = 0; k < c->n; k++) {
        r->right[k] = (unsigned char)ch_exact(c->answers[k], c->gold, c->n_gold);
        r->answer[k] = ch_intern_key(&t->answers, c->answers[k]);
        mean[CH_M_EMPTY] += ch_text_empty(c->answers[k]);
        all &= r->right[k];
        mean[CH_M_ACC] += r->right[k];
        mean[CH_M_ROUGE1] += ch_rouge1(c->answers[k], c->gold, c->n_gold);
        mean[CH_M_ROUGEL] += ch_rougeL(c->answers[k], c->gold, c->n_gold);
        mean[CH_M_LENGTH] += c->n_tokens[k];
        mean[CH_M_STOP] += c->stopped[k] != 0;
    }
    for (int k = 0; k < CH_M_COUNT; k++) /* sums first: a share of 1 is then exactly 1 */
        mean[k] /= n;
    mean[CH_M_CR] = ch_cr(c->same, c->n);
    mean[CH_M_MCR] = ch_mcr(c->same, c->n);
    mean[CH_M_ALL_CORRECT] = all;
    mean[CH_M_CR_CORRECT] = cr_correct(c, r->right);
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void survey(ch_rows *p)
{
    int64_t room = 1;
    p->measured = ch_new((size_t)p->n_tasks, sizeof *p->measured);
    for (int64_t k = 0; k < p->n_tasks; k++) {
        const ch_task_rows *t = &p->task[k];
        if (!t->n)
            continue;
        p->measured[p->n_measured++] = k;
        if (p->n_measured == 1 || t->n_wordings < p->fewest_wordings)
            p->fewest_wordings = t->n_wordings;
        p->most_wordings = most(p->most_wordings, t->n_wordings);
        room = most(room, most(t->n_wordings, most(t->answers.n, t->golds.n)));
    }
    p->count = ch_new((size_t)room, sizeof *p->count);
}

ch_code ch_rows_make(ch_rows *p, const ch_case *cases, int64_t n, int64_t n_tasks, ch_err *e)
{
    *p = (ch_rows){.n_tasks = n_tasks};
    if (n < 1 || n_tasks < 1)
        return ch_fail(e, CH_EEMPTY, "there are no answers to measure");
    p->row = ch_new((size_t)n, sizeof *p->row);
    p->task = ch_new((size_t)n_tasks, sizeof *p->task);
    for (int64_t i = 0; i < n; i++) {
        ch_code code = ch_interrupted() ? ch_fail(e, CH_ESTOP, "interrupted while measuring")
                                        : check_case(&cases[i], i, p, e);
        if (code != CH_OK) {
            ch_rows_release(p);
            return code;
        }
        ch_task_rows *t = &p->task[cases[i].task];
        t->n_wordings = cases[i].n;
        *CH_PUSH(t->rows, t->n, t->cap) = i;
        fill_row(&p->row[p->n++], &cases[i], t);
    }
    survey(p);
    return CH_OK;
}

void ch_rows_release(ch_rows *p)
{
    for (int64_t i = 0; i < p->n; i++) {
        free(p->row[i].right);
        free(p->row[i].answer);
    }
    for (int64_t k = 0; p->task && k < p->n_tasks; k++) {
        free(p->task[k].rows);
        ch_intern_free(&p->task[k].answers);
        ch_intern_free(&p->task[k].golds);
    }
    free(p->row);
    free(p->task);
    free(p->measured);
    free(p->count);
    *p = (ch_rows){0};
}

static int64_t *cleared(ch_rows *p, int64_t n)
{
    memset(p->count, 0, (size_t)n * sizeof *p->count);
    return p->count;
}

static int64_t largest(const int64_t *count, int64_t n)
{
    int64_t top = count[0];
    for (int64_t k = 1; k < n; k++)
        top = most(top, count[k]);
    return top;
}

/* Accuracy by wording: its largest, smallest and their distance. */
static void by_wording(ch_rows *p, const ch_task_rows *t, const int64_t *pick, int64_t n,
                       double out[CH_M_COUNT])
{
    int64_t *count = cleared(p, t->n_wordings), least;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t->n_wordings; k++)
            count[k] += p->row[t->rows[pick[i]]].right[k];
    least = count[0];
    for (int64_t k = 1; k < t->n_wordings; k++)
        least = count[k] < least ? count[k] : least;
    out[CH_M_WORST] = (double)least / (double)n;
    out[CH_M_BEST] = (double)largest(count, t->n_wordings) / (double)n;
    out[CH_M_SPREAD] = out[CH_M_BEST] - out[CH_M_WORST];
}

/* Shares of the most frequent answer and of the most frequent gold. */
static void top_shares(ch_rows *p, const ch_task_rows *t, const int64_t *pick, int64_t n,
                       double out[CH_M_COUNT])
{
    int64_t *count = cleared(p, t->answers.n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t->n_wordings; k++)
            count[p->row[t->rows[pick[i]]].answer[k]]++;
    out[CH_M_TOP] = (double)largest(count, t->answers.n) / ((double)n * (double)t->n_wordings);
    count = cleared(p, t->golds.n);
    for (int64_t i = 0; i < n; i++)
        count[p->row[t->rows[pick[i]]].gold]++;
    out[CH_M_TOP_GOLD] = (double)largest(count, t->golds.n) / (double)n;
}

void ch_rows_task(ch_rows *p, int64_t task, const int64_t *pick, int64_t n, double out[CH_M_COUNT])
{
    const ch_task_rows *t = &p->task[task];
    memset(out, 0, CH_M_COUNT * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < CH_M_COUNT; k++)
            out[k] += p->row[t->rows[pick[i]]].mean[k];
    for (int k = 0; k < CH_M_COUNT; k++)
        out[k] /= (double)n;
    by_wording(p, t, pick, n, out);
    top_shares(p, t, pick, n, out);
}
