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

ch_code ch_run_stopped(const ch_state *s, ch_err *e)
{
    if (!ch_interrupted())
        return CH_OK;
    return ch_fail(e, CH_ESTOP,
                   "stopped; everything done so far is kept: chorus run %s/recipe.yaml goes on",
                   s->dir);
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
    ch_log(CH_INFO, "computes in %s", ch_device_text(s->device));
    ch_model *m;
    CH_TRY(ch_run_base(s, &m, e));
    ch_know_start(s, m);
    return CH_OK;
}

static int trains(const ch_recipe *r)
{
    int64_t n = 0;
    for (int64_t i = 1; i < r->n_arms; i++)
        n += !r->arms[i].model[0];
    return n > 0;
}

static ch_code check_rows(ch_state *s, ch_err *e)
{
    ch_answer_how how = ch_answer_how_of(s->r, NULL);
    ch_prompt_load l;
    int64_t n;
    CH_TRY(ch_prompts_check(s->base, &s->split, &how, &l, e));
    if (!trains(s->r))
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
    return check_rows(s, e);
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
