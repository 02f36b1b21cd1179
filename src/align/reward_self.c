#include "align/reward_self.h"

#include <math.h>
#include <stdlib.h>

#include "align/ask.h"
#include "align/gold.h"
#include "align/order.h"
#include "align/prompts.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

static const double TIE = 1e-6; /* a vote nearer to none is unreadable */

static const char WHY_TYPE_UNREAD[] = "type reply unreadable";
static const char WHY_TYPE[] = "wrong type";
static const char WHY_CORRECT[] = "right type, judged correct";
static const char WHY_INCORRECT[] = "right type, judged incorrect";
static const char WHY_CORRECT_UNREAD[] = "right type, correctness unreadable";
const char *const ch_reward_self_whys[] = {WHY_TYPE_UNREAD, WHY_TYPE,           WHY_CORRECT,
                                           WHY_INCORRECT,   WHY_CORRECT_UNREAD, NULL};

static int readable(double vote)
{
    return isfinite(vote) && fabs(vote) >= TIE;
}

int ch_reward_of_votes(double type, double correct, const char **why)
{
    if (!readable(type))
        return *why = WHY_TYPE_UNREAD, CH_DISCARD;
    if (type < 0)
        return *why = WHY_TYPE, 0;
    if (!readable(correct))
        return *why = WHY_CORRECT_UNREAD, 1;
    *why = correct > 0 ? WHY_CORRECT : WHY_INCORRECT;
    return correct > 0 ? 2 : 1;
}

static char *labels_line(const ch_task *t)
{
    ch_str b = {0};
    if (ch_labels_closed(t)) {
        for (int64_t i = 0; i < t->n_labels; i++)
            ch_str_addf(&b, "%s%s", i ? ", " : "Allowed answers: ", t->labels[i]);
        ch_str_add(&b, "\n\n");
    }
    return ch_str_take(&b);
}

static char *gold_lines(const ch_instance *item)
{
    enum { MOST = 4 }; /* as many as help; the judge's context is short */
    ch_str b = {0};
    for (int64_t i = 0; i < item->n_outputs && i < MOST; i++)
        ch_str_addf(&b, "%s%s", i ? "\nor: " : "", item->outputs[i]);
    return ch_str_take(&b);
}

/* The task's own instruction is shown under whatever wording the answer was given, so that equal
 * answers get equal rewards and are asked about once. */
char *ch_question_about(const ch_candidate *c, const ch_split *s, const char *template_text)
{
    const ch_task *t = s->list[c->task].task;
    const ch_instance *item = &t->items[c->item];
    char *labels = labels_line(t), *gold = gold_lines(item);
    const ch_slot slots[] = {
        {"{instruction}", t->instruction},
        {"{input}", item->input},
        {"{labels}", labels},
        {"{gold}", gold},
        {"{answer}", c->text},
        {"{rule}", t->kind == CH_KIND_CLOSED
                       ? "It must be the right answer and nothing else."
                       : "It must say the same as the right answer; the words may differ."},
    };
    char *q = ch_fill(template_text, slots, (int64_t)(sizeof slots / sizeof *slots));
    free(labels);
    free(gold);
    return q;
}

/* Asks one question about each candidate listed in who; the votes go to vote[0..n). */
static ch_code ask_about(const ch_candidates *c, const int64_t *who, int64_t n, ch_model *m,
                         const ch_split *s, const char *template_text, const char *yes,
                         const char *no, const ch_gen_opts *g, double *vote, ch_err *e)
{
    char **q = ch_new((size_t)n + 1, sizeof *q);
    for (int64_t i = 0; i < n; i++)
        q[i] = ch_question_about(&c->list[who[i]], s, template_text);
    ch_code code = ch_ask(m, (const char *const *)q, n, yes, no, g, vote, e);
    for (int64_t i = 0; i < n; i++)
        free(q[i]);
    free(q);
    return code;
}

/* Votes of the candidates in who (one for each distinct text) are stored in them. */
static ch_code two_questions(ch_candidates *c, int64_t *who, int64_t n, ch_model *m,
                             const ch_split *s, const ch_align_opts *o, ch_err *e)
{
    char *type = NULL, *correct = NULL;
    CH_TRY(ch_judge_questions(o->judge_template, &type, &correct, e));
    double *vote = ch_new((size_t)n + 1, sizeof *vote);
    ch_gen_opts g = {.batch = o->batch, .what = "self-reward: type"};
    ch_code code = ask_about(c, who, n, m, s, type, "valid", "invalid", &g, vote, e);
    int64_t k = 0;
    for (int64_t i = 0; i < n && code == CH_OK; i++) {
        c->list[who[i]].vote_type = vote[i];
        if (readable(vote[i]) && vote[i] > 0)
            who[k++] = who[i];
    }
    g.what = "self-reward: correctness";
    if (code == CH_OK)
        code = ask_about(c, who, k, m, s, correct, "correct", "incorrect", &g, vote, e);
    for (int64_t i = 0; i < k && code == CH_OK; i++)
        c->list[who[i]].vote_correct = vote[i];
    free(vote);
    free(type);
    free(correct);
    return code;
}

ch_code ch_reward_self(ch_candidates *c, ch_model *m, const ch_split *s, const ch_align_opts *o,
                       ch_err *e)
{
    int64_t *id = ch_new((size_t)c->n + 1, sizeof *id);
    int64_t n = ch_candidates_distinct(c, id), k = 0;
    int64_t *first = ch_new((size_t)n + 1, sizeof *first);
    int64_t *who = ch_new((size_t)n + 1, sizeof *who);
    for (int64_t i = c->n - 1; i >= 0; i--)
        first[id[i]] = i;
    for (int64_t i = 0; i < n; i++) {
        ch_candidate *a = &c->list[first[i]];
        if (ch_is_right(&s->list[a->task].task->items[a->item], a->text))
            a->reward = 2, a->why = ch_why_exact;
        else if (ch_text_empty(a->text))
            a->reward = 0, a->why = ch_why_empty;
        else
            a->why = ch_why_not_yet, who[k++] = first[i];
    }
    ch_code code = two_questions(c, who, k, m, s, o, e);
    for (int64_t i = 0; i < n && code == CH_OK; i++) {
        ch_candidate *a = &c->list[first[i]];
        if (a->why == ch_why_not_yet)
            a->reward = ch_reward_of_votes(a->vote_type, a->vote_correct, &a->why);
    }
    for (int64_t i = 0; i < c->n && code == CH_OK; i++) {
        const ch_candidate *a = &c->list[first[id[i]]];
        c->list[i].reward = a->reward;
        c->list[i].vote_type = a->vote_type;
        c->list[i].vote_correct = a->vote_correct;
        c->list[i].why = a->why;
    }
    free(id);
    free(first);
    free(who);
    return code;
}
