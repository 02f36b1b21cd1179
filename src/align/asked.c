/* What can be known of candidates' rewards and of judges before there is an answer: whether every
 * question fits, and whether the prompts that people wrote hold what they must. */
#include "align/asked.h"

#include <stdlib.h>
#include <string.h>

#include "align/judge.h"
#include "align/prompts.h"
#include "align/reward_self.h"
#include "base/mem.h"
#include "base/str.h"

static int64_t times(const char *text, const char *what)
{
    int64_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* Tokens of the question, which holds no answer yet, with the longer of two replies; 0 in *fits
 * when they and `room` more exceed the context. */
static ch_code measure(int64_t *n, int *fits, const ch_model *m, const char *question,
                       const char *const *replies, int64_t room, ch_err *e)
{
    *n = 0;
    *fits = 1;
    for (int i = 0; i < 2 && *fits; i++) {
        ch_seq s = {0};
        ch_err why = {0};
        ch_code c = ch_seq_make(&s, m, question, replies[i], 0, "a judge's question", &why);
        if (c != CH_OK && c != CH_ELONG)
            return ch_fail(e, c, "%s", why.msg);
        *n = s.n > *n ? s.n : *n;
        *fits = c == CH_OK && s.n + room <= ch_model_dims(m)->n_ctx;
        ch_seq_release(&s);
    }
    return CH_OK;
}

ch_code ch_same_fits(int *fits, const ch_model *m, const char *question, int64_t max_new, ch_err *e)
{
    static const char *const replies[] = {"Same", "Contradicted"};
    const ch_judge_pair none = {question, "", ""};
    int64_t n;
    char *q = ch_question_same(&none, 0);
    ch_code c = measure(&n, fits, m, q, replies, 2 * max_new, e);
    free(q);
    return c;
}

/* One question of one input. */
static ch_code check_one(int *fits, const ch_model *m, const ch_split *s, const ch_candidate *of,
                         const char *template_text, const char *const *replies,
                         const ch_align_opts *o, ch_err *e)
{
    int64_t n, room = times(template_text, "{answer}") * o->max_new;
    char *q = ch_question_about(of, s, template_text);
    ch_code c = measure(&n, fits, m, q, replies, room, e);
    free(q);
    if (c != CH_OK || *fits || o->drop_overlong)
        return c;
    const ch_task *t = s->list[of->task].task;
    return ch_fail(
        e, CH_ELONG,
        "%s, input %s: a question of the self-reward has %lld tokens and the answer in it "
        "may have %lld, the model's context holds %lld; shorten it, lower align.max_new, "
        "or set data.overlong to drop",
        t->name, t->items[of->item].id, (long long)n, (long long)room,
        (long long)ch_model_dims(m)->n_ctx);
}

ch_code ch_reward_check(int64_t *n_long, const ch_model *m, const ch_split *s,
                        const ch_align_opts *o, ch_err *e)
{
    static const char *const types[] = {"valid", "invalid"}, *const right[] = {"correct",
                                                                               "incorrect"};
    char empty[] = "", *type = NULL, *correct = NULL;
    *n_long = 0;
    CH_TRY(ch_judge_questions(o->judge_template, &type, &correct, e));
    ch_code c = CH_OK;
    for (int64_t t = 0; t < s->n && c == CH_OK; t++)
        for (int64_t i = 0; i < s->list[t].n_train && c == CH_OK; i++) {
            const ch_candidate of = {.task = t, .item = s->list[t].train[i], .text = empty};
            int fits;
            c = check_one(&fits, m, s, &of, type, types, o, e);
            if (c == CH_OK && fits)
                c = check_one(&fits, m, s, &of, correct, right, o, e);
            *n_long += c == CH_OK && !fits;
        }
    free(type);
    free(correct);
    return c;
}

/* -- prompts that people write -- */

/* Anything in braces that is nearly, but not quite, one of the placeholders. */
static ch_code check_placeholders(const char *text, const char *const *known, const char *where,
                                  ch_err *e)
{
    for (const char *p = text; (p = strchr(p, '{')); p++) {
        size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if (!n || p[n + 1] != '}')
            continue;
        char *word = ch_dupn(p + 1, n);
        int is_known = 0;
        for (int i = 0; known[i]; i++)
            is_known |= !strcmp(known[i], word);
        const char *near = is_known ? NULL : ch_nearest(word, known);
        ch_code c =
            near ? ch_fail(e, CH_EUSER, "%s: there is no placeholder {%.64s}; did you mean {%s}?",
                           where, word, near)
                 : CH_OK;
        free(word);
        CH_TRY(c);
    }
    return CH_OK;
}

ch_code ch_judge_template_check(const char *text, const char *where, ch_err *e)
{
    static const char *const known[] = {"instruction", "input", "labels", "gold",
                                        "answer",      "rule",  NULL};
    char *type, *correct;
    ch_err why = {0};
    ch_code c = ch_judge_questions(text, &type, &correct, &why);
    free(type);
    free(correct);
    if (c != CH_OK)
        return ch_fail(e, c, "%s: %s", where, why.msg);
    return check_placeholders(text, known, where, e);
}

ch_code ch_paraphrase_template_check(const char *text, const char *where, ch_err *e)
{
    static const char *const known[] = {"n", "instruction", "example_instruction", "example", NULL};
    CH_TRY(check_placeholders(text, known, where, e));
    if (strstr(text, "{instruction}"))
        return CH_OK;
    return ch_fail(e, CH_EUSER,
                   "%s: no {instruction} in it, and it is wanted: the model would not see what to "
                   "reword",
                   where);
}
