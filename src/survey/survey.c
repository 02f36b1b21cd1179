#include "survey/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "generate/generate.h"
#include "measure/measure.h"
#include "model/forest.h"

/* All prompts of a test, in the order of the replies; items under which one did not fit are left
 * out. */
typedef struct {
    ch_seq *list;
    const ch_task **of; /* the task whose labels the answer is one of; NULL: written freely */
    int64_t n, cap, cap_of;
} prompts;

static void release_prompts(prompts *p)
{
    for (int64_t i = 0; i < p->n; i++)
        ch_seq_release(&p->list[i]);
    free(p->list);
    free(p->of);
    *p = (prompts){0};
}

static int by_labels(const ch_task *t, const ch_answer_how *how)
{
    return how->decode == CH_DECODE_LABELS && ch_task_has_set(t);
}

/* Tokens of a task's labels with their ends of turn: of all, and of the longest. */
static ch_code label_tokens(int64_t *all, int64_t *longest, const ch_model *m, const ch_task *t,
                            ch_err *e)
{
    *all = *longest = 0;
    for (int64_t k = 0; k < t->n_labels; k++) {
        ch_seq q = {0};
        CH_TRY(ch_seq_make(&q, m, t->instruction, t->spelled[k], 0, t->path, e));
        *all += q.n - q.n_prompt;
        *longest = q.n - q.n_prompt > *longest ? q.n - q.n_prompt : *longest;
        ch_seq_release(&q);
    }
    return CH_OK;
}

/* Tokens that an answer may have: also the longest label, so that both ways of decoding are asked
 * the same prompts. */
static ch_code answer_room(int64_t *room, const ch_model *m, const ch_task *t,
                           const ch_answer_how *how, ch_err *e)
{
    int64_t all, longest = 0;
    if (by_labels(t, how))
        CH_TRY(label_tokens(&all, &longest, m, t, e));
    *room = longest > how->max_new ? longest : how->max_new;
    return CH_OK;
}

/* *fits 0: the prompt and room tokens exceed the context. */
static ch_code make_prompt(ch_seq *q, int *fits, ch_model *m, const ch_share *sh, int64_t item,
                           int64_t w, int64_t room, const ch_answer_how *how, ch_err *e)
{
    const ch_task *t = sh->task;
    char *text = ch_prompt_text(ch_task_wording(t, w), t->items[item].input);
    char *row = ch_fmt("%s: instance %s, wording %lld", t->path, t->items[item].id, (long long)w);
    int64_t ctx = ch_model_dims(m)->n_ctx;
    ch_err why = {0};
    ch_code c = ch_seq_make(q, m, text, NULL, 0, row, &why);
    int drop = how->overlong == CH_OVERLONG_DROP;
    *fits = c == CH_OK && q->n + room <= ctx;
    if (c == CH_ELONG && drop) /* longer than the context even without an answer */
        c = CH_OK;
    else if (c != CH_OK)
        ch_fail(e, c, "%s", why.msg);
    else if (!*fits && !drop)
        c = ch_fail(e, CH_ELONG,
                    "%s: the prompt has %lld tokens and the answer may have %lld, the model's "
                    "context holds "
                    "%lld; shorten it, lower generate.max_new, or set data.overlong to drop",
                    row, (long long)q->n, (long long)room, (long long)ctx);
    if (!*fits)
        ch_seq_release(q);
    free(text);
    free(row);
    return c;
}

static ch_code one_case(prompts *p, int *kept, ch_model *m, const ch_share *sh, int64_t item,
                        int64_t room, const ch_answer_how *how, ch_err *e)
{
    int64_t first = p->n;
    *kept = 1;
    for (int64_t k = 0; k < sh->n_test_w && *kept; k++) {
        ch_seq q = {0};
        CH_TRY(make_prompt(&q, kept, m, sh, item, sh->test_w[k], room, how, e));
        if (!*kept)
            continue;
        int64_t at = p->n;
        *CH_PUSH(p->list, p->n, p->cap) = q;
        *CH_PUSH(p->of, at, p->cap_of) = by_labels(sh->task, how) ? sh->task : NULL;
    }
    while (!*kept && p->n > first)
        ch_seq_release(&p->list[--p->n]);
    return CH_OK;
}

/* What grows with a plan beside the replies' texts. */
typedef struct {
    int64_t cap, cap_first;
    ch_intern tasks;
    ch_str dropped;
} growth;

static void add_replies(ch_replies *r, growth *g, const ch_share *sh, int64_t item,
                        const ch_answer_how *how)
{
    const ch_task *t = sh->task;
    const ch_instance *it = &t->items[item];
    *CH_PUSH(r->first, r->n_cases, g->cap_first) = r->n;
    for (int64_t k = 0; k < sh->n_test_w; k++) {
        ch_reply *y = CH_PUSH(r->list, r->n, g->cap);
        *y = (ch_reply){.task = ch_dup(t->name),
                        .id = ch_dup(it->id ? it->id : ""),
                        .wording = ch_dup(ch_task_wording(t, sh->test_w[k])),
                        .input = ch_dup(it->input),
                        .n_gold = it->n_outputs,
                        .wording_index = sh->test_w[k],
                        .closed = t->kind == CH_KIND_CLOSED,
                        .labelled = by_labels(t, how)};
        y->gold = ch_new((size_t)it->n_outputs, sizeof *y->gold);
        for (int64_t i = 0; i < it->n_outputs; i++)
            y->gold[i] = ch_dup(it->outputs[i]);
    }
}

static ch_code can_be_tested(growth *g, const ch_share *sh, ch_err *e)
{
    if (sh->n_test_w < 2 || sh->n_test_w > CH_WORDINGS_MOST)
        return ch_fail(
            e, CH_EUSER,
            "%s: consistency needs 2 to %d wordings of every tested task, there %s %lld; give it "
            "wordings, or let the model write them (data.wordings: paraphrase)",
            sh->task->path, CH_WORDINGS_MOST, sh->n_test_w == 1 ? "is" : "are",
            (long long)sh->n_test_w);
    int64_t known = g->tasks.n;
    if (ch_intern_add(&g->tasks, sh->task->name) < known)
        return ch_fail(e, CH_EUSER, "%s: another tested task is named %s too; rename one of them",
                       sh->task->path, sh->task->name);
    return CH_OK;
}

/* All of one task. */
static ch_code plan_task(prompts *p, ch_replies *r, growth *g, ch_model *m, const ch_share *sh,
                         const ch_answer_how *how, ch_err *e)
{
    int64_t room, dropped = 0;
    CH_TRY(can_be_tested(g, sh, e));
    CH_TRY(answer_room(&room, m, sh->task, how, e));
    for (int64_t i = 0; i < sh->n_test; i++) {
        int kept;
        CH_TRY(one_case(p, &kept, m, sh, sh->test[i], room, how, e));
        if (kept)
            add_replies(r, g, sh, sh->test[i], how);
        dropped += !kept;
    }
    if (dropped)
        ch_str_addf(&g->dropped, "%s%lld of %lld of %s", r->n_dropped ? ", " : "",
                    (long long)dropped, (long long)sh->n_test, sh->task->name);
    r->n_dropped += dropped;
    return CH_OK;
}

static ch_code plan_all(prompts *p, ch_replies *r, growth *g, ch_model *m, const ch_split *s,
                        const ch_answer_how *how, ch_err *e)
{
    for (int64_t t = 0; t < s->n; t++)
        if (s->list[t].n_test)
            CH_TRY(plan_task(p, r, g, m, &s->list[t], how, e));
    if (!r->n)
        return ch_fail(e, CH_EEMPTY, "no test input is left: %lld were dropped as too long",
                       (long long)r->n_dropped);
    if (how->decode == CH_DECODE_LABELS && !ch_replies_labelled(r, NULL))
        return ch_fail(e, CH_EUSER,
                       "generate.decode is labels, and no tested task's answers are a closed set: "
                       "at most 64 labels, each the answer to 3 instances or more on average; "
                       "decode free, or add instances");
    return CH_OK;
}

static ch_code plan(prompts *p, ch_replies *r, ch_model *m, const ch_split *s,
                    const ch_answer_how *how, ch_err *e)
{
    growth g = {0};
    ch_code c = plan_all(p, r, &g, m, s, how, e);
    int64_t last = r->n_cases;
    *CH_PUSH(r->first, last, g.cap_first) = r->n;
    if (r->n_dropped)
        r->dropped = ch_dup(ch_str_get(&g.dropped));
    ch_str_free(&g.dropped);
    ch_intern_free(&g.tasks);
    return c;
}

/* Those of the prompts that are answered freely. New array; *n its length. */
static ch_request *requests(const prompts *p, const ch_answer_how *how, int64_t *n)
{
    ch_request *q = ch_new((size_t)p->n + 1, sizeof *q);
    *n = 0;
    for (int64_t i = 0; i < p->n; i++)
        if (!p->of[i])
            q[(*n)++] = (ch_request){.ids = p->list[i].ids,
                                     .n = p->list[i].n,
                                     .how = {.top_p = 1, .max_new = how->max_new}};
    return q;
}

static ch_gen_opts options(const ch_answer_how *how)
{
    return (ch_gen_opts){.batch = how->batch, .max_rows = how->max_rows, .what = how->what};
}

/* The prompts whose answers are labels, and the bytes that scoring these takes. */
static ch_code add_labelled(ch_prompt_load *l, int64_t *bytes, const prompts *p, const ch_model *m,
                            ch_err *e)
{
    int64_t all = 0, longest = 0;
    ch_seq most = {0};
    for (int64_t i = 0; i < p->n; i++) {
        if (!p->of[i])
            continue;
        if (i == 0 || p->of[i] != p->of[i - 1])
            CH_TRY(label_tokens(&all, &longest, m, p->of[i], e));
        l->labelled++;
        l->scored += all;
        most.n = p->list[i].n + longest > most.n ? p->list[i].n + longest : most.n;
    }
    *bytes = most.n ? ch_score_bytes(m, &most, 1) : 0;
    return CH_OK;
}

ch_code ch_prompts_check(ch_model *m, const ch_split *s, const ch_answer_how *how,
                         ch_prompt_load *l, ch_err *e)
{
    prompts p = {0};
    ch_replies r = {0};
    int64_t n_free, scoring = 0;
    ch_code c = plan(&p, &r, m, s, how, e);
    *l = (ch_prompt_load){.n = p.n, .dropped = r.n_dropped};
    for (int64_t i = 0; i < p.n; i++)
        l->tokens += p.list[i].n;
    l->rows = ch_seq_shared_rows(p.list, p.n);
    l->labelled_tasks = ch_replies_labelled(&r, &l->tasks);
    if (c == CH_OK)
        c = add_labelled(l, &scoring, &p, m, e);
    ch_request *q = requests(&p, how, &n_free);
    const ch_gen_opts o = options(how);
    l->bytes = ch_generate_bytes(m, q, n_free, &o);
    l->bytes = scoring > l->bytes ? scoring : l->bytes;
    free(q);
    release_prompts(&p);
    ch_replies_release(&r);
    return c;
}

static void take_answer(ch_reply *y, const char *text, int stopped, int64_t n_tokens)
{
    y->answer = ch_dup(text);
    y->stopped = stopped;
    y->n_tokens = (int)n_tokens;
    y->exact = ch_exact(y->answer, (const char *const *)y->gold, y->n_gold);
}

static ch_code write_freely(ch_replies *r, const prompts *p, ch_model *m, const ch_answer_how *how,
                            ch_err *e)
{
    int64_t n;
    ch_request *q = requests(p, how, &n);
    ch_answer *a = ch_new((size_t)n + 1, sizeof *a);
    const ch_gen_opts g = options(how);
    ch_code c = ch_generate(m, q, n, &g, a, NULL, e);
    for (int64_t i = 0, k = 0; i < p->n; i++) {
        if (p->of[i])
            continue;
        if (c == CH_OK)
            take_answer(&r->list[i], a[k].text, a[k].stopped, a[k].n);
        ch_answer_release(&a[k++]);
    }
    free(q);
    free(a);
    return c;
}

static ch_code choose_labels(ch_replies *r, const prompts *p, ch_model *m, const ch_answer_how *how,
                             ch_err *e)
{
    ch_choice *q = ch_new((size_t)p->n, sizeof *q);
    ch_chosen *out = ch_new((size_t)p->n, sizeof *out);
    int64_t n = 0;
    for (int64_t i = 0; i < p->n; i++) {
        const ch_reply *y = &r->list[i];
        if (p->of[i])
            q[n++] = (ch_choice){.user = ch_prompt_text(y->wording, y->input),
                                 .labels = (const char *const *)p->of[i]->spelled,
                                 .n_labels = p->of[i]->n_labels,
                                 .row = p->of[i]->path};
    }
    const ch_gen_opts g = options(how);
    ch_code c = ch_choose_labels(m, q, n, &g, out, e);
    for (int64_t i = 0, k = 0; i < p->n; i++) {
        if (!p->of[i])
            continue;
        if (c == CH_OK)
            take_answer(&r->list[i], q[k].labels[out[k].label], 1, out[k].n_tokens);
        free((void *)(uintptr_t)q[k++].user);
    }
    free(q);
    free(out);
    return c;
}

ch_code ch_replies_make(ch_replies *r, ch_model *m, const ch_split *s, const ch_answer_how *how,
                        ch_err *e)
{
    prompts p = {0};
    *r = (ch_replies){0};
    ch_code c = plan(&p, r, m, s, how, e);
    if (c == CH_OK)
        c = write_freely(r, &p, m, how, e);
    if (c == CH_OK)
        c = choose_labels(r, &p, m, how, e);
    release_prompts(&p);
    if (c != CH_OK)
        ch_replies_release(r);
    return c;
}
