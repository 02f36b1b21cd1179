#include "run/setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"

ch_answer_how ch_answer_how_of(const ch_recipe *r, const char *what)
{
    return (ch_answer_how){.max_new = r->generate.max_new,
                           .batch = r->generate.batch,
                           .max_rows = r->generate.max_rows,
                           .overlong = r->data.overlong,
                           .decode = r->generate.decode,
                           .what = what};
}

ch_code ch_run_stopped(const ch_state *s, ch_err *e)
{
    if (!ch_interrupted())
        return CH_OK;
    return ch_fail(e, CH_ESTOP,
                   "stopped; everything done so far is kept: chorus run %s/recipe.yaml goes on",
                   s->dir);
}

ch_code ch_run_base(ch_state *s, ch_model **m, ch_err *e)
{
    if (!s->base)
        CH_TRY(ch_model_load(&s->base, s->r->model, s->device, e));
    *m = s->base;
    return CH_OK;
}

void ch_run_drop_base(ch_state *s)
{
    ch_model_free(s->base);
    s->base = NULL;
}

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
        for (int64_t g = 0; g < it->n_outputs; g++)
            add_text(b, "output", it->outputs[g]);
    }
}

static ch_hash side_hash(const ch_split *s, int test)
{
    ch_str b = {0};
    for (int64_t i = 0; i < s->n; i++) {
        const ch_share *sh = &s->list[i];
        const int64_t *w = test ? sh->test_w : sh->train_w;
        int64_t n_w = test ? sh->n_test_w : sh->n_train_w;
        if (!n_w)
            continue;
        add_text(&b, "task", sh->task->name);
        ch_str_addf(&b, "kind %d\n", (int)sh->task->kind);
        for (int64_t l = 0; l < sh->task->n_labels; l++)
            add_text(&b, "label", sh->task->labels[l]);
        for (int64_t k = 0; k < n_w; k++)
            add_text(&b, "wording", ch_task_wording(sh->task, w[k]));
        if (test) {
            add_items(&b, "test", sh->task, sh->test, sh->n_test);
        } else {
            add_items(&b, "train", sh->task, sh->train, sh->n_train);
            add_items(&b, "dev", sh->task, sh->dev, sh->n_dev);
        }
    }
    ch_hash h = ch_hash_bytes(ch_str_get(&b), b.n);
    ch_str_free(&b);
    return h;
}

ch_code ch_state_load(ch_state *s, const ch_recipe *r, ch_err *e)
{
    const char *side = r->data.wordings;
    *s = (ch_state){.r = r, .dir = r->run, .lock = -1};
    s->made = ch_new((size_t)r->n_arms, sizeof *s->made);
    if (!side[0] || !strcmp(side, "paraphrase"))
        side = NULL;
    CH_TRY(ch_tasks_load(&s->tasks, r->data.tasks, side, r->data.max_items, e));
    if (r->split.by == CH_SPLIT_FILES)
        CH_TRY(ch_tasks_load(&s->test_tasks, r->data.test_tasks, side, r->data.max_items, e));
    CH_TRY(
        ch_device_open(&s->device, (ch_precision)r->precision, (ch_isa)r->isa, (int)r->threads, e));
    ch_log(CH_INFO, "computes in %s", ch_device_text(s->device));
    ch_model *m;
    CH_TRY(ch_run_base(s, &m, e));
    s->base_hash = ch_model_hash(m);
    s->made[0] = s->base_hash;
    return CH_OK;
}

static ch_code check_rows(ch_state *s, ch_err *e)
{
    ch_answer_how how = ch_answer_how_of(s->r, NULL);
    ch_prompt_load l;
    int64_t n;
    CH_TRY(ch_prompts_check(s->base, &s->split, &how, &l, e));
    if (s->r->n_arms < 2)
        return CH_OK;
    ch_groups g;
    int drop = s->r->data.overlong == CH_OVERLONG_DROP;
    CH_TRY(
        ch_sft_groups(&g, s->base, &s->split, 1, 0, s->r->data.max_len, drop, &s->dropped_rows, e));
    ch_groups_release(&g);
    CH_TRY(ch_sft_groups(&g, s->base, &s->split, 1, 1, s->r->data.max_len, drop, &n, e));
    ch_groups_release(&g);
    if (s->dropped_rows)
        ch_log(CH_WARN, "%lld training rows longer than %lld tokens are left out",
               (long long)s->dropped_rows, (long long)s->r->data.max_len);
    return CH_OK;
}

ch_code ch_state_split(ch_state *s, ch_err *e)
{
    const ch_recipe *r = s->r;
    int files = r->split.by == CH_SPLIT_FILES;
    CH_TRY(ch_split_make(&s->split, &s->tasks, files ? &s->test_tasks : NULL, &r->split, e));
    CH_TRY(ch_split_check(&s->split, r->split.by, e));
    CH_TRY(check_rows(s, e));
    s->train_side = side_hash(&s->split, 0);
    s->test_side = side_hash(&s->split, 1);
    return CH_OK;
}

void ch_state_release(ch_state *s)
{
    ch_split_release(&s->split);
    ch_tasks_release(&s->tasks);
    ch_tasks_release(&s->test_tasks);
    ch_model_free(s->base);
    if (s->device)
        ch_device_close(s->device);
    free(s->made);
    ch_fd_close(s->lock);
    *s = (ch_state){.lock = -1};
}
