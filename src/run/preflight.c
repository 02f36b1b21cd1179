#define _GNU_SOURCE
#include "run/preflight.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "align/asked.h"
#include "align/objectives.h"
#include "align/rewards.h"
#include "align/sft.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/text_file.h"
#include "run/answer_how.h"

/* ------------------------------------------------------------------ files */

static ch_code check_input(const char *what, const char *path, ch_err *e)
{
    if (!path[0])
        return CH_OK;
    if (ch_is_dir(path) && strcmp(what, "data.tasks") && strcmp(what, "data.test_tasks"))
        return ch_fail(e, CH_EUSER, "%s: %s is a directory, a file is wanted", what, path);
    if (access(path, R_OK))
        return ch_fail(e, CH_EUSER, "%s: %s cannot be read: %s", what, path, strerror(errno));
    return CH_OK;
}

static ch_code check_inputs(const ch_recipe *r, ch_err *e)
{
    const struct {
        const char *what, *path;
    } in[] = {
        {"model", r->model},
        {"data.tasks", r->data.tasks},
        {"data.test_tasks", r->data.test_tasks},
        {"data.wordings", strcmp(r->data.wordings, "paraphrase") ? r->data.wordings : ""},
        {"paraphrase.prompt", r->paraphrase.prompt},
        {"align.judge_prompt", r->judge_prompt},
        {"measure.judge", strcmp(r->measure.judge, "base") ? r->measure.judge : ""},
    };
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        CH_TRY(check_input(in[i].what, in[i].path, e));
    for (int64_t i = 1; i < r->n_arms; i++) {
        char *what = ch_fmt("model of arm %s", r->arms[i].name);
        ch_code c = check_input(what, r->arms[i].model, e);
        free(what);
        CH_TRY(c);
    }
    return CH_OK;
}

ch_code ch_preflight_prompt(const ch_recipe *r, char **text, ch_err *e)
{
    char *have = NULL;
    if (text)
        *text = NULL;
    if (!r->paraphrase.prompt[0])
        return CH_OK;
    CH_TRY(ch_text_read(r->paraphrase.prompt, &have, NULL, e));
    ch_code c = ch_paraphrase_template_check(have, r->paraphrase.prompt, e);
    if (c == CH_OK && text)
        *text = have;
    else
        free(have);
    return c;
}

static ch_code check_judge_prompt(const ch_recipe *r, ch_err *e)
{
    char *text;
    if (!r->judge_prompt[0])
        return CH_OK;
    CH_TRY(ch_text_read(r->judge_prompt, &text, NULL, e));
    ch_code c = ch_judge_template_check(text, r->judge_prompt, e);
    free(text);
    return c;
}

/* Makes what is not there of path and takes it away again: only the system knows for certain. */
static ch_code try_dir(const char *path, ch_err *e)
{
    char *p = ch_dup(path);
    size_t n = strlen(p), first = 0; /* length of the shortest part that was made */
    int why = 0;
    for (size_t i = 1; i <= n && !why; i++) {
        if (p[i] && p[i] != '/')
            continue;
        char keep = p[i];
        p[i] = 0;
        if (!mkdir(p, 0777))
            first = first ? first : i;
        else if (errno != EEXIST)
            why = errno;
        else if (!ch_is_dir(p))
            why = ENOTDIR;
        p[i] = keep;
    }
    if (!why && access(path, W_OK | X_OK))
        why = errno;
    for (size_t i = n; first && i >= first; i--) {
        if (p[i] && p[i] != '/')
            continue;
        char keep = p[i];
        p[i] = 0;
        rmdir(p);
        p[i] = keep;
    }
    free(p);
    return why ? ch_fail(e, CH_EUSER, "%s: the directory cannot be written: %s", path,
                         strerror(why))
               : CH_OK;
}

ch_code ch_preflight_files(const ch_recipe *r, int train_only, ch_err *e)
{
    if (r->split.by == CH_SPLIT_NONE && !train_only)
        return ch_fail(e, CH_EUSER,
                       "split.by is none, so nothing would be tested; that is for chorus train, a "
                       "run wants another");
    CH_TRY(check_inputs(r, e));
    CH_TRY(ch_preflight_prompt(r, NULL, e));
    CH_TRY(check_judge_prompt(r, e));
    return try_dir(r->run, e);
}

/* ------------------------------------------------------------------ lengths */

static int is_judged(const ch_share *h, const ch_recipe *r)
{
    int any = h->n_test > 0 && h->n_test_w > 0;
    return any && (r->measure.sim == CH_SIM_JUDGE ||
                   (r->measure.sim == CH_SIM_AUTO && h->task->kind != CH_KIND_CLOSED));
}

int ch_preflight_judged(const ch_split *s, const ch_recipe *r)
{
    for (int64_t t = 0; t < s->n; t++)
        if (is_judged(&s->list[t], r))
            return 1;
    return 0;
}

static ch_code judge_task(ch_share *h, const ch_recipe *r, const ch_model *judge, int64_t *n_out,
                          ch_err *e)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < h->n_test; i++) {
        const ch_instance *it = &h->task->items[h->test[i]];
        char *question = ch_prompt_text(ch_task_wording(h->task, h->test_w[0]), it->input);
        int fits = 1;
        ch_code c = ch_same_fits(&fits, judge, question, r->generate.max_new, e);
        free(question);
        CH_TRY(c);
        if (!fits && r->data.overlong != CH_OVERLONG_DROP)
            return ch_fail(e, CH_ELONG,
                           "%s: instance %s: the judge's question with two answers of %lld tokens "
                           "does not fit into the context of %s, %lld tokens; shorten it, lower "
                           "generate.max_new, or set data.overlong to drop",
                           h->task->path, it->id, (long long)r->generate.max_new,
                           ch_model_name(judge), (long long)ch_model_dims(judge)->n_ctx);
        if (fits)
            h->test[kept++] = h->test[i];
    }
    *n_out += h->n_test - kept;
    h->n_test = kept;
    return CH_OK;
}

ch_code ch_preflight_judge(ch_split *s, const ch_recipe *r, const ch_model *judge, int64_t *n,
                           ch_err *e)
{
    *n = 0;
    for (int64_t t = 0; t < s->n; t++)
        if (is_judged(&s->list[t], r))
            CH_TRY(judge_task(&s->list[t], r, judge, n, e));
    return CH_OK;
}

/* The judge is loaded for this even when the base stays, as it is while training. */
static ch_code check_judge(ch_state *s, ch_err *e)
{
    const ch_recipe *r = s->r;
    ch_model *own = NULL;
    int named = strcmp(r->measure.judge, "base") != 0, asked = ch_preflight_judged(&s->split, r);
    if (named && r->split.by != CH_SPLIT_NONE)
        CH_TRY(ch_model_load(&own, r->measure.judge, s->device, e));
    ch_code c = asked ? ch_preflight_judge(&s->split, r, own ? own : s->base, &s->dropped.judged, e)
                      : CH_OK;
    ch_model_free(own);
    return c;
}

static ch_code check_rows(ch_state *s, int augment, int side, int64_t *dropped, ch_err *e)
{
    ch_groups g;
    CH_TRY(ch_sft_groups(&g, s->base, &s->split, augment, side, s->r->data.max_len,
                         s->r->data.overlong == CH_OVERLONG_DROP, dropped, e));
    ch_groups_release(&g);
    return CH_OK;
}

/* Candidates and the questions about them. */
static ch_code check_own_answers(ch_state *s, const ch_arm *a, ch_err *e)
{
    enum { MOST = 100000000 };
    int64_t n, prompts, questions = 0;
    ch_align_opts o = a->align;
    char *text = NULL;
    CH_TRY(ch_candidates_check(&n, &prompts, s->base, &s->split, &o, e));
    if (n > MOST)
        return ch_fail(e, CH_EUSER,
                       "arm %s: %lld candidates would be made, at most %d are possible; lower "
                       "align.samples or align.items",
                       a->name, (long long)n, MOST);
    ch_code c = CH_OK;
    int asks = ch_reward_table[o.reward].questions > 0;
    if (asks && s->r->judge_prompt[0])
        c = ch_text_read(s->r->judge_prompt, &text, NULL, e);
    o.judge_template = text;
    if (c == CH_OK && asks)
        c = ch_reward_check(&questions, s->base, &s->split, &o, e);
    free(text);
    ch_dropped *d = &s->dropped;
    d->candidates = prompts > d->candidates ? prompts : d->candidates;
    d->rewards = questions > d->rewards ? questions : d->rewards;
    return c;
}

static ch_code check_arms(ch_state *s, ch_err *e)
{
    const double most = 1e12; /* rows of a training; years */
    int plain = 0, wordings = 0;
    for (int64_t i = 1; i < s->r->n_arms; i++) {
        const ch_arm *a = &s->r->arms[i];
        const ch_objective *o = ch_objective_find(a->objective);
        if (!o)
            continue;
        if ((double)a->train.steps * (double)a->train.batch > most)
            return ch_fail(e, CH_EUSER,
                           "arm %s: train.steps %lld times train.batch %lld is more than %g rows; "
                           "lower one of them",
                           a->name, (long long)a->train.steps, (long long)a->train.batch, most);
        int own = ch_objective_groups(o)->own_answers;
        wordings |= a->augment || own;
        plain |= !a->augment && !own;
        if (own)
            CH_TRY(check_own_answers(s, a, e));
    }
    if (plain)
        CH_TRY(check_rows(s, 0, 0, &s->dropped.rows, e));
    if (wordings)
        CH_TRY(check_rows(s, 1, 0, &s->dropped.rows, e));
    return plain || wordings ? check_rows(s, wordings, 1, &s->dropped.dev, e) : CH_OK;
}

ch_code ch_preflight_lengths(ch_state *s, ch_err *e)
{
    ch_answer_how how = ch_answer_how_of(s->r, NULL);
    ch_prompt_load l;
    s->dropped = (ch_dropped){0};
    CH_TRY(check_arms(s, e));
    if (s->r->split.by != CH_SPLIT_NONE) {
        CH_TRY(check_judge(s, e));
        CH_TRY(ch_prompts_check(s->base, &s->split, &how, &l, e));
        s->dropped.test = l.dropped;
    }
    s->dropped_rows = s->dropped.rows;
    char *text = ch_dropped_text(&s->dropped);
    if (text[0])
        ch_log(CH_WARN, "too long and left out: %s", text);
    free(text);
    return CH_OK;
}

/* ------------------------------------------------------------------ what was dropped */

typedef struct {
    const char *key, *words;
    size_t at;
} kind;

#define KIND(member, words)                                                                        \
    {                                                                                              \
#member, words, offsetof(ch_dropped, member)                                               \
    }
static const kind kinds[] = {
    KIND(rows, "training rows"),
    KIND(dev, "dev rows"),
    KIND(test, "test inputs"),
    KIND(judged, "test inputs about which the judge could not be asked"),
    KIND(candidates, "prompts for candidates"),
    KIND(rewards, "inputs about which the self-reward may be unreadable"),
    {NULL, NULL, 0},
};

static int64_t count_of(const ch_dropped *d, const kind *k)
{
    return *(const int64_t *)(const void *)((const char *)d + k->at);
}

json_t *ch_dropped_json(const ch_dropped *d)
{
    json_t *v = json_object();
    for (const kind *k = kinds; k->key; k++)
        ch_json_set(v, k->key, json_integer(count_of(d, k)));
    return v;
}

char *ch_dropped_text(const ch_dropped *d)
{
    ch_str b = {0};
    for (const kind *k = kinds; k->key; k++)
        if (count_of(d, k))
            ch_str_addf(&b, "%s%lld %s", b.n ? ", " : "", (long long)count_of(d, k), k->words);
    return ch_str_take(&b);
}
