#include "run/know.h"

#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "align/rewards.h"
#include "base/mem.h"
#include "data/text_file.h"
#include "run/answer_how.h"
#include "run/models.h"
#include "run/preflight.h"

void ch_know_start(ch_state *s, const ch_model *base)
{
    const char *text = ch_device_text(s->device), *end = strstr(text, " thread");
    size_t n = end ? (size_t)(end - text) : strlen(text);
    ch_facts *f = &s->facts;
    snprintf(f->version, sizeof f->version, "%s", ch_version);
    snprintf(f->computes, sizeof f->computes, "%.*s%s", (int)n, text, end ? " threads" : "");
    f->base = ch_model_hash(base);
    s->made[0] = (ch_made){f->base, f->base};
}

static ch_code read_prompt(char **text, ch_hash *h, const char *path, ch_err *e)
{
    size_t n;
    CH_TRY(ch_text_read(path, text, &n, e));
    *h = ch_hash_bytes(*text, n);
    return CH_OK;
}

static int asks_questions(const ch_recipe *r)
{
    for (int64_t i = 1; i < r->n_arms; i++) {
        const ch_objective *o = ch_objective_find(r->arms[i].objective);
        if (o && ch_objective_groups(o)->own_answers &&
            ch_reward_table[r->arms[i].align.reward].questions)
            return 1;
    }
    return 0;
}

static ch_hash instructions_hash(const ch_state *s)
{
    ch_str b = {0};
    for (int64_t i = 0; i < s->tasks.n + s->test_tasks.n; i++) {
        const ch_task *t = i < s->tasks.n ? &s->tasks.list[i] : &s->test_tasks.list[i - s->tasks.n];
        ch_str_addf(&b, "%s %zu %s\n", t->name, strlen(t->instruction), t->instruction);
    }
    ch_hash h = ch_hash_bytes(ch_str_get(&b), b.n);
    ch_str_free(&b);
    return h;
}

ch_code ch_know_files(ch_state *s, ch_err *e)
{
    const ch_recipe *r = s->r;
    ch_facts *f = &s->facts;
    f->n_models = r->n_arms;
    f->models = ch_new((size_t)r->n_arms, sizeof *f->models);
    if (!strcmp(r->data.wordings, "paraphrase")) {
        f->instructions = instructions_hash(s);
        if (r->paraphrase.prompt[0])
            CH_TRY(read_prompt(&s->prompt, &f->paraphrase_prompt, r->paraphrase.prompt, e));
    }
    if (r->judge_prompt[0] && asks_questions(r))
        CH_TRY(read_prompt(&s->questions, &f->questions, r->judge_prompt, e));
    for (int64_t i = 1; i < r->n_arms; i++)
        if (r->arms[i].model[0])
            CH_TRY(ch_seen_hash(s->seen, r->arms[i].model, &f->models[i], e));
    return CH_OK;
}

/* -- the split -- */

static void add_text(ch_str *b, const char *what, const char *text)
{
    ch_str_addf(b, "%s %zu ", what, strlen(text));
    ch_str_add(b, text);
    ch_str_add(b, "\n");
}

static void add_items(ch_str *b, const char *what, const ch_task *t, const int64_t *list, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const ch_instance *it = &t->items[list[i]];
        add_text(b, what, it->input);
        add_text(b, "id", it->id ? it->id : "");
        for (int64_t g = 0; g < it->n_outputs; g++)
            add_text(b, "output", it->outputs[g]);
    }
}

static void add_share(ch_str *b, const ch_share *sh, int test)
{
    const int64_t *w = test ? sh->test_w : sh->train_w;
    int64_t n_w = test ? sh->n_test_w : sh->n_train_w;
    if (!n_w)
        return;
    add_text(b, "task", sh->task->name);
    ch_str_addf(b, "kind %d\n", (int)sh->task->kind);
    for (int64_t l = 0; l < sh->task->n_labels; l++)
        add_text(b, "label", sh->task->labels[l]);
    for (int64_t k = 0; k < n_w; k++) {
        ch_str_addf(b, "number %lld\n", (long long)w[k]);
        add_text(b, "wording", ch_task_wording(sh->task, w[k]));
    }
    if (test) {
        add_items(b, "test", sh->task, sh->test, sh->n_test);
    } else {
        add_items(b, "train", sh->task, sh->train, sh->n_train);
        add_items(b, "dev", sh->task, sh->dev, sh->n_dev);
    }
}

static ch_hash side_hash(const ch_split *s, int test)
{
    ch_str b = {0};
    for (int64_t i = 0; i < s->n; i++)
        add_share(&b, &s->list[i], test);
    ch_hash h = ch_hash_bytes(ch_str_get(&b), b.n);
    ch_str_free(&b);
    return h;
}

static ch_hash labels_hash(const ch_split *s)
{
    ch_str b = {0};
    for (int64_t i = 0; i < s->n; i++) {
        const ch_task *t = s->list[i].task;
        if (!s->list[i].n_test || !ch_task_has_set(t))
            continue;
        add_text(&b, "task", t->name);
        for (int64_t k = 0; k < t->n_labels; k++)
            add_text(&b, "label", t->spelled[k]);
    }
    ch_hash h = ch_hash_bytes(ch_str_get(&b), b.n);
    ch_str_free(&b);
    return h;
}

ch_code ch_know_split(ch_state *s, ch_err *e)
{
    ch_facts *f = &s->facts;
    f->train_side = side_hash(&s->split, 0);
    f->test_side = side_hash(&s->split, 1);
    f->labels = labels_hash(&s->split);
    if (!ch_preflight_judged(&s->split, s->r))
        return CH_OK;
    f->judge = f->base;
    return strcmp(s->r->measure.judge, "base")
               ? ch_seen_hash(s->seen, s->r->measure.judge, &f->judge, e)
               : CH_OK;
}

ch_code ch_know_measured(ch_state *s, ch_err *e)
{
    ch_answer_how how = ch_answer_how_of(s->r, NULL);
    ch_prompt_load l;
    ch_code c = CH_OK;
    for (int64_t i = 1; c == CH_OK && i < s->r->n_arms; i++) {
        ch_model *m = NULL;
        if (!s->r->arms[i].model[0])
            continue;
        ch_run_drop_base(s);
        c = ch_know_load(&m, s, s->r->arms[i].model, &s->facts.models[i], e);
        if (c == CH_OK)
            c = ch_prompts_check(m, &s->split, &how, &l, e);
        ch_model_free(m);
    }
    ch_model *base;
    return c == CH_OK ? ch_run_base(s, &base, e) : c;
}
