#include "run/setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "align/sft.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/answer_how.h"
#include "run/know.h"
#include "run/models.h"
#include "run/preflight.h"

ch_code ch_run_say_stopped(const ch_recipe *r, ch_err *e)
{
    if (r->split.by == CH_SPLIT_NONE)
        return ch_fail(e, CH_ESTOP,
                       "stopped; all that was done so far is kept in %s: the same training, not "
                       "--fresh, goes on",
                       r->run);
    return ch_fail(e, CH_ESTOP,
                   "stopped; all that was done so far is kept: chorus run %s/recipe.yaml goes on",
                   r->run);
}

ch_code ch_run_stopped(const ch_state *s, ch_err *e)
{
    if (!ch_interrupted())
        return CH_OK;
    return ch_run_say_stopped(s->r, e);
}

ch_code ch_state_load(ch_state *s, const ch_recipe *r, ch_err *e)
{
    const char *side = r->data.wordings;
    *s = (ch_state){.r = r, .dir = r->run, .lock = -1};
    s->seen = &s->own_seen;
    s->made = ch_new((size_t)r->n_arms, sizeof *s->made);
    if (!side[0] || !strcmp(side, "paraphrase"))
        side = NULL;
    CH_TRY(ch_tasks_load(&s->tasks, r->data.tasks, side, r->data.max_items, e));
    if (r->split.by == CH_SPLIT_FILES)
        CH_TRY(ch_tasks_load(&s->test_tasks, r->data.test_tasks, side, r->data.max_items, e));
    CH_TRY(
        ch_device_open(&s->device, (ch_precision)r->precision, (ch_isa)r->isa, (int)r->threads, e));
    ch_model *m;
    CH_TRY(ch_run_base(s, &m, e));
    ch_know_start(s, m);
    return CH_OK;
}

/* A training alone watches the dev loss only where inputs are asked for, or the best is kept. */
static void say_held_back(const ch_state *s)
{
    int64_t inputs = 0, dev = 0, wordings = 0;
    if (s->r->split.by != CH_SPLIT_NONE)
        return;
    for (int64_t i = 0; i < s->split.n; i++) {
        inputs += s->split.list[i].n_train;
        dev += s->split.list[i].n_dev;
        wordings += s->split.list[i].n_train_w;
    }
    ch_log(CH_INFO,
           "trains on %lld inputs under %lld wordings, instructions among them; %lld inputs are "
           "held back for the dev loss%s",
           (long long)inputs, (long long)wordings, (long long)dev,
           dev ? "" : " (split.dev_inputs holds some back)");
}

void ch_state_say(const ch_state *s)
{
    ch_log(CH_INFO, "computes in %s", ch_device_text(s->device));
    say_held_back(s);
}

ch_code ch_state_deal(ch_state *s, ch_err *e)
{
    const ch_recipe *r = s->r;
    int files = r->split.by == CH_SPLIT_FILES;
    ch_split_opts o = r->split;
    if (o.by == CH_SPLIT_NONE && !o.dev_inputs && r->train.keep != CH_KEEP_BEST)
        o.dev_inputs = -1;
    CH_TRY(ch_split_make(&s->split, &s->tasks, files ? &s->test_tasks : NULL, &o, e));
    return ch_split_check(&s->split, r->split.by, e);
}

ch_code ch_state_split(ch_state *s, ch_err *e)
{
    CH_TRY(ch_state_deal(s, e));
    return ch_preflight_lengths(s, e);
}

void ch_state_release(ch_state *s)
{
    ch_split_release(&s->split);
    ch_tasks_release(&s->tasks);
    ch_tasks_release(&s->test_tasks);
    ch_model_free(s->base);
    if (s->device)
        ch_device_close(s->device);
    ch_facts_release(&s->facts);
    ch_seen_release(&s->own_seen);
    free(s->prompt);
    free(s->questions);
    free(s->made);
    ch_fd_close(s->lock);
    *s = (ch_state){.lock = -1};
}
