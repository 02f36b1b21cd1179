/* Choosing among labels: every prompt with every label and the end of turn is a sequence of the
 * forest, which is then the prompts with the labels' trie under each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"
#include "generate/generate.h"

/* Token ids held at once; a choice is never parted. */
enum { TOKENS = 1 << 17 };

typedef struct {
    ch_seq *list;
    int64_t n, cap, tokens;
    double *logp;
} sheet;

/* Prompts that begin alike become neighbours, so that they are scored together. */
static int64_t *sorted_choices(const ch_choice *c, int64_t n)
{
    const char **user = ch_new((size_t)n, sizeof *user);
    for (int64_t i = 0; i < n; i++)
        user[i] = c[i].user;
    int64_t *order = ch_text_order(user, n);
    free(user);
    return order;
}

/* A label whose first letters melt into the prompt's last token would have less to be scored: all
 * labels are counted from where the first of them leaves the prompt. */
static ch_code add_choice(sheet *s, const ch_model *m, const ch_choice *c, ch_err *e)
{
    int64_t first = s->n, n_prompt = INT64_MAX;
    if (c->n_labels < 1)
        return ch_fail(e, CH_EUSER, "%s: there is no label to choose from", c->row);
    for (int64_t k = 0; k < c->n_labels; k++) {
        ch_seq q = {0};
        CH_TRY(ch_seq_make(&q, m, c->user, c->labels[k], 0, c->row, e));
        *CH_PUSH(s->list, s->n, s->cap) = q;
        s->tokens += q.n;
        n_prompt = q.n_prompt < n_prompt ? q.n_prompt : n_prompt;
    }
    for (int64_t i = first; i < s->n; i++)
        s->list[i].n_prompt = n_prompt;
    return CH_OK;
}

static void clear(sheet *s)
{
    for (int64_t i = 0; i < s->n; i++)
        ch_seq_release(&s->list[i]);
    s->n = s->tokens = 0;
}

static ch_code choose(ch_chosen *out, const ch_choice *c, const ch_seq *seqs, const double *logp,
                      ch_err *e)
{
    int64_t best = 0;
    for (int64_t k = 0; k < c->n_labels; k++) {
        if (!isfinite(logp[k]))
            return ch_fail(
                e, CH_ENUMBER,
                "%s: the log P of the label \"%.40s\" is not a finite number; the model's "
                "weights are damaged or its training went astray",
                c->row, c->labels[k]);
        if (logp[k] > logp[best])
            best = k;
    }
    *out = (ch_chosen){best, seqs[best].n - seqs[best].n_prompt, logp[best]};
    return CH_OK;
}

/* Choices order[a .. ] until the sheet is full; *end: behind the last. */
static ch_code one_sheet(sheet *s, ch_model *m, const ch_choice *c, const int64_t *order, int64_t a,
                         int64_t n, int64_t *end, const ch_gen_opts *o, ch_chosen *out, ch_err *e)
{
    int64_t b = a, at = 0;
    for (; b < n && s->tokens < TOKENS && !ch_interrupted(); b++)
        CH_TRY(add_choice(s, m, &c[order[b]], e));
    if (ch_interrupted())
        return ch_fail(e, CH_ESTOP, "interrupted while scoring");
    ch_gen_opts silent = o ? *o : (ch_gen_opts){0};
    silent.what = NULL;
    s->logp = ch_grow(s->logp, (size_t)s->n, sizeof *s->logp);
    memset(s->logp, 0, (size_t)s->n * sizeof *s->logp);
    ch_err why = {0};
    ch_code code = ch_score(m, s->list, s->n, &silent, s->logp, &why);
    if (code != CH_OK && code != CH_ENUMBER) /* that one choose says of its row */
        return ch_fail(e, code, "%s", why.msg);
    for (int64_t i = a; i < b; at += c[order[i++]].n_labels)
        CH_TRY(choose(&out[order[i]], &c[order[i]], s->list + at, s->logp + at, e));
    *end = b;
    return CH_OK;
}

ch_code ch_choose_labels(ch_model *m, const ch_choice *c, int64_t n, const ch_gen_opts *o,
                         ch_chosen *out, ch_err *e)
{
    if (!n)
        return CH_OK;
    sheet s = {0};
    ch_progress bar;
    int shows = o && o->what;
    int64_t *order = sorted_choices(c, n);
    ch_code code = CH_OK;
    if (shows)
        ch_progress_start(&bar, o->what, "answers", n);
    for (int64_t a = 0; code == CH_OK && a < n;) {
        code = one_sheet(&s, m, c, order, a, n, &a, o, out, e);
        clear(&s);
        if (shows && code == CH_OK)
            ch_progress_at(&bar, a, NULL);
    }
    if (shows && code == CH_OK)
        ch_progress_end(&bar);
    free(s.list);
    free(s.logp);
    free(order);
    return code;
}
