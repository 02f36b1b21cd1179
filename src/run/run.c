#include "run/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/describe.h"
#include "run/know.h"
#include "run/measure_arm.h"
#include "run/preflight.h"
#include "run/run_dir.h"
#include "run/stage.h"
#include "run/train_arm.h"
#include "run/write_wordings.h"

static ch_code reload(ch_tasks *t, const char *from, const char *side, int64_t max_items, ch_err *e)
{
    ch_tasks_release(t);
    return ch_tasks_load(t, from, side, max_items, e);
}

typedef struct {
    ch_state *s;
    char *path, *bin; /* wordings, and what was dropped */
} job;

/* The list of a task depends on its instruction, so both sides are asked for at once. */
static ch_code make_wordings(void *job_, json_t **result, ch_err *e)
{
    const job *j = job_;
    const ch_state *s = j->s;
    const ch_recipe *r = s->r;
    int64_t kept = 0, dropped = 0;
    ch_tasks all = {ch_new((size_t)(s->tasks.n + s->test_tasks.n), sizeof(ch_task)), 0};
    for (int64_t i = 0; i < s->tasks.n; i++)
        all.list[all.n++] = s->tasks.list[i];
    for (int64_t i = 0; i < s->test_tasks.n; i++)
        all.list[all.n++] = s->test_tasks.list[i];
    ch_code c = ch_paraphrase_tasks(s->base, &all, r->paraphrase.n, r->paraphrase.max_new,
                                    s->prompt, j->path, j->bin, &kept, &dropped, e);
    free(all.list); /* borrowed tasks */
    *result = json_pack("{s:I,s:I}", "kept", (json_int_t)kept, "dropped", (json_int_t)dropped);
    return c;
}

/* data.wordings: paraphrase. *dropped: wordings that the filter did. */
static ch_code write_wordings(ch_state *s, int64_t *dropped, ch_err *e)
{
    const ch_recipe *r = s->r;
    job j = {s, ch_path(s->dir, "wordings.json"), ch_path(s->dir, "wordings_dropped.json")};
    ch_stage stage = ch_stage_of(s->dir, "", CH_S_WORDINGS, ch_key_wordings(r, &s->facts));
    ch_code c = ch_stage_run(&stage, s->seen, make_wordings, &j, e);
    *dropped = json_integer_value(json_object_get(stage.result, "dropped"));
    if (c == CH_OK)
        c = reload(&s->tasks, r->data.tasks, j.path, r->data.max_items, e);
    if (c == CH_OK && s->test_tasks.n)
        c = reload(&s->test_tasks, r->data.test_tasks, j.path, r->data.max_items, e);
    ch_stage_release(&stage);
    free(j.path);
    free(j.bin);
    return c;
}

static ch_code split(ch_state *s, ch_err *e)
{
    CH_TRY(ch_state_split(s, e));
    CH_TRY(ch_know_split(s, e));
    CH_TRY(ch_know_measured(s, e));
    ch_state_say(s);
    return CH_OK;
}

/* recipe.yaml and run.json may be of a later recipe than what else stands there: every stage's
 * record tells by its key whether it belongs to them. */
static ch_code prepare(ch_state *s, const ch_recipe *r, const ch_run_opts *o, ch_err *e)
{
    int asks = !strcmp(r->data.wordings, "paraphrase");
    int64_t dropped = 0;
    CH_TRY(ch_state_load(s, r, e));
    if (o->seen)
        s->seen = o->seen;
    if (!o->fresh)
        CH_TRY(ch_dir_check_model(s, e));
    CH_TRY(ch_know_files(s, e));
    if (!asks)
        CH_TRY(split(s, e));
    CH_TRY(ch_dir_enter(s, o->fresh, e));
    CH_TRY(ch_describe_recipe(s, e));
    if (asks) {
        CH_TRY(write_wordings(s, &dropped, e));
        CH_TRY(split(s, e));
    }
    CH_TRY(ch_describe_run(s, dropped, e));
    return ch_describe_split(s, e);
}

static ch_code arms(ch_state *s, const ch_run_opts *o, ch_err *e)
{
    for (int64_t i = 0; i < s->r->n_arms; i++) {
        CH_TRY(ch_run_stopped(s, e));
        if (i)
            CH_TRY(ch_run_train(s, i, e));
        CH_TRY(ch_run_stopped(s, e));
        if (!o->train_only)
            CH_TRY(ch_run_measure(s, i, e));
    }
    return CH_OK;
}

ch_code ch_run(const ch_recipe *r, const ch_run_opts *o, ch_err *e)
{
    ch_state s = {.lock = -1};
    CH_TRY(ch_dir_check(r, o->fresh, e));
    CH_TRY(ch_preflight_files(r, o->train_only, e));
    ch_code c = prepare(&s, r, o, e);
    if (c == CH_OK)
        c = arms(&s, o, e);
    if (c == CH_ESTOP && e) {
        *e = (ch_err){0};
        c = ch_run_say_stopped(r, e);
    }
    ch_state_release(&s);
    return c;
}
