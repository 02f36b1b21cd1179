/* Pairs [I]: r = 2 against r < 2 of the same (task, input), scored under the wording that the bad
 * answers were given to. One group holds one good answer and its bad ones. */
#include "align/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "align/order.h"
#include "align/sft.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

/* What one (task, item) has: candidates order[from..to), and their normalised texts by position. */
typedef struct {
    const ch_candidates *c;
    const int64_t *order;
    int64_t from, to;
    char **plain; /* of order[from + i] */
} field;

static const ch_candidate *at(const field *f, int64_t i)
{
    return &f->c->list[f->order[f->from + i]];
}

/* An answer that the length limit cut short would teach the model to stop in mid-sentence. */
static int is_good(const ch_candidate *a)
{
    return a->reward == 2 && a->stopped;
}

/* Greedy before sampled, then the more probable one. */
static int better(const ch_candidate *a, const ch_candidate *b)
{
    if ((a->sample == 0) != (b->sample == 0))
        return a->sample == 0;
    return a->logp > b->logp;
}

/* The good answer for a wording: its own first, else (pool) another wording's. Position, or -1. */
static int64_t find_good(const field *f, int64_t wording, int pool)
{
    int64_t best = -1;
    for (int64_t i = 0; i < f->to - f->from; i++) {
        const ch_candidate *a = at(f, i);
        if (!is_good(a) || (a->wording != wording && !pool))
            continue;
        int own = a->wording == wording;
        int best_own = best >= 0 && at(f, best)->wording == wording;
        if (best < 0 || own > best_own || (own == best_own && better(a, at(f, best))))
            best = i;
    }
    return best;
}

/* Bad answers under one wording, equal texts once, greedy first and then the more probable ones. */
static void collect_bad(ch_pick *p, const field *f, int64_t i0, int64_t i1, const char *good_plain,
                        int64_t most)
{
    int64_t n = i1 - i0;
    p->bad = ch_new((size_t)n + 1, sizeof *p->bad);
    unsigned char *used = ch_new((size_t)n + 1, 1);
    for (;;) {
        int64_t best = -1;
        for (int64_t i = i0; i < i1; i++) {
            const ch_candidate *a = at(f, i);
            int bad = a->reward == 0 || a->reward == 1;
            if (bad && !used[i - i0] && (best < 0 || better(a, at(f, best))))
                best = i;
        }
        if (best < 0 || (most > 0 && p->n_bad == most))
            break;
        used[best - i0] = 1;
        int twice = strcmp(f->plain[best], good_plain) == 0;
        for (int64_t i = i0; i < i1 && !twice; i++)
            twice = used[i - i0] == 2 && strcmp(f->plain[i], f->plain[best]) == 0;
        if (twice)
            continue;
        used[best - i0] = 2;
        p->bad[p->n_bad++] = f->order[f->from + best];
    }
    free(used);
}

/* The groups of one (task, item). */
static void pick_item(ch_picks *p, int64_t *cap, const field *f, const ch_split *s,
                      const ch_align_opts *o)
{
    int64_t n = f->to - f->from;
    for (int64_t i0 = 0, i1; i0 < n; i0 = i1) {
        const ch_candidate *a = at(f, i0);
        for (i1 = i0 + 1; i1 < n && at(f, i1)->wording == a->wording;)
            i1++;
        int64_t g = find_good(f, a->wording, o->pool);
        const char *good = g >= 0 ? at(f, g)->text : NULL;
        if (o->gold_target)
            good = s->list[a->task].task->items[a->item].outputs[0];
        if (!good)
            continue;
        ch_pick pick = {a->task, a->item, a->wording, good, NULL, 0};
        char *plain = ch_text_key(good);
        collect_bad(&pick, f, i0, i1, plain, o->max_bad);
        free(plain);
        if (pick.n_bad > 0)
            *CH_PUSH(p->list, p->n, *cap) = pick;
        else
            free(pick.bad);
    }
}

static ch_code no_pair(const ch_candidates *c, const ch_align_opts *o, ch_err *e)
{
    int64_t n[4] = {0}, cut = 0; /* discard, 0, 1, 2 */
    for (int64_t i = 0; i < c->n; i++) {
        n[c->list[i].reward + 1]++;
        cut += c->list[i].reward == 2 && !c->list[i].stopped;
    }
    const char *hint =
        n[1] + n[2] == 0
            ? "there is no bad answer to learn from; sample more, hotter answers (samples, "
              "temperature)"
        : n[3] == 0 && !o->gold_target
            ? "there is no good answer; let the right answer be the target (gold_target), or train "
              "stage 1 longer"
        : cut == n[3] && !o->gold_target
            ? "every good answer was cut off by the length limit; raise max_new"
        : o->pool ? "no input has a good and a bad answer; sample more answers (samples)"
                  : "no input has both under one wording; sample more answers (samples) or share "
                    "good answers between wordings (pool)";
    return ch_fail(e, CH_EEMPTY,
                   "pairs: none found among %lld candidates (reward 2: %lld, 1: %lld, 0: %lld, "
                   "discarded: %lld); %s",
                   (long long)c->n, (long long)n[3], (long long)n[2], (long long)n[1],
                   (long long)n[0], hint);
}

ch_code ch_pairs_pick(ch_picks *p, const ch_candidates *c, const ch_split *s,
                      const ch_align_opts *o, ch_err *e)
{
    *p = (ch_picks){0};
    int64_t cap = 0;
    int64_t *order = ch_candidates_order(c);
    for (int64_t i = 0; i < c->n;) {
        field f = {c, order, i, ch_item_end(c, order, i), NULL};
        int64_t n = f.to - f.from;
        f.plain = ch_new((size_t)n, sizeof *f.plain);
        for (int64_t k = 0; k < n; k++)
            f.plain[k] = ch_text_key(at(&f, k)->text);
        pick_item(p, &cap, &f, s, o);
        for (int64_t k = 0; k < n; k++)
            free(f.plain[k]);
        free(f.plain);
        i = f.to;
    }
    free(order);
    return p->n ? CH_OK : no_pair(c, o, e);
}

void ch_picks_release(ch_picks *p)
{
    for (int64_t i = 0; i < p->n; i++)
        free(p->list[i].bad);
    free(p->list);
    *p = (ch_picks){0};
}

/* Adds one answer to the group; *fits is 0 when it is longer than max_len. */
static ch_code add_member(ch_group *g, const ch_model *m, const char *user, const char *answer,
                          int role, int64_t max_len, int *fits, ch_err *e)
{
    ch_err why = {0};
    ch_seq seq = {0};
    ch_code c = ch_seq_make(&seq, m, user, answer, max_len, g->row, &why);
    *fits = c == CH_OK;
    if (c == CH_OK)
        g->list[g->n++] = (ch_member){.seq = seq, .role = role};
    return c == CH_OK || c == CH_ELONG ? CH_OK : ch_fail(e, c, "%s", why.msg);
}

static void group_release(ch_group *g)
{
    ch_groups one = {ch_new(1, sizeof *g), 1};
    one.list[0] = *g;
    ch_groups_release(&one);
}

/* Tokenises one pick. *n_long counts answers that were left out; *whole is 0
 * when no pair is left. */
static ch_code make_group(ch_group *g, const ch_pick *p, const ch_candidates *c, const ch_model *m,
                          const ch_split *s, int64_t max_len, int64_t *n_long, int *whole,
                          ch_err *e)
{
    const ch_task *t = s->list[p->task].task;
    char *user = ch_prompt_text(ch_task_wording(t, p->wording), t->items[p->item].input);
    *g = (ch_group){.list = ch_new((size_t)p->n_bad + 1, sizeof *g->list),
                    .row = ch_row_name(s, p->task, p->item, p->wording),
                    .instruction = ch_instruction_id(p->task, p->wording)};
    int fits = 0;
    ch_code code = add_member(g, m, user, p->good, CH_ROLE_GOOD, max_len, &fits, e);
    int has_good = fits;
    *n_long += !fits;
    for (int64_t i = 0; i < p->n_bad && has_good && code == CH_OK; i++) {
        code = add_member(g, m, user, c->list[p->bad[i]].text, CH_ROLE_BAD, max_len, &fits, e);
        *n_long += !fits;
    }
    free(user);
    *whole = code == CH_OK && has_good && g->n > 1;
    if (!*whole)
        group_release(g);
    return code;
}

ch_code ch_pairs(ch_groups *g, const ch_candidates *c, const ch_model *m, const ch_split *s,
                 const ch_align_opts *o, ch_err *e)
{
    *g = (ch_groups){0};
    ch_picks p = {0};
    CH_TRY(ch_pairs_pick(&p, c, s, o, e));
    g->list = ch_new((size_t)p.n, sizeof *g->list);
    int64_t n_long = 0;
    ch_code code = CH_OK;
    for (int64_t i = 0; i < p.n && code == CH_OK; i++) {
        int whole = 0;
        code = make_group(&g->list[g->n], &p.list[i], c, m, s, o->max_len, &n_long, &whole, e);
        g->n += whole;
    }
    if (code == CH_OK && n_long)
        ch_log(CH_WARN, "pairs: %lld answers longer than %lld tokens left out", (long long)n_long,
               (long long)o->max_len);
    if (code == CH_OK && g->n == 0)
        code =
            ch_fail(e, CH_EEMPTY, "pairs: none of %lld groups fits into %lld tokens; raise max_len",
                    (long long)p.n, (long long)o->max_len);
    ch_picks_release(&p);
    if (code != CH_OK)
        ch_groups_release(g);
    return code;
}
