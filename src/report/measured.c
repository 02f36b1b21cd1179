#include "report/measured.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "report/found_parts.h"
#include "run/preflight.h"
#include "survey/cases.h"
#include "survey/judge_check.h"
#include "survey/survey.h"

enum { JUDGE_CHECK_PAIRS = 200 };

struct ch_measured {
    ch_tasks tasks;
    ch_split split;
    ch_replies replies;
    ch_cases cases;
    ch_report_task *kinds;
    ch_report_arm arm;
    ch_report_data data;
    ch_hash hash;
    char *title, *name, *sim_free, *note;
    char *warnings[2];
    uint64_t seed;
};

/* The judge is the measured model itself when the recipe says base: there is no training it could
 * leak into. */
static ch_code same(ch_measured *x, const ch_recipe *r, ch_device *d, ch_model *m, ch_err *e)
{
    ch_sim sim = (ch_sim)r->measure.sim;
    int judged = ch_sim_needs_judge(sim, &x->replies);
    int own = !strcmp(r->measure.judge, "base");
    ch_model *judge = m;
    if (judged && !own)
        CH_TRY(ch_model_load(&judge, r->measure.judge, d, e));
    ch_code c = ch_cases_make(&x->cases, &x->replies, sim, judge, e);
    if (c == CH_OK && judged)
        c = ch_judge_check(&x->replies, judge, JUDGE_CHECK_PAIRS, &x->arm.judge, e);
    if (c == CH_OK && judged)
        x->sim_free = ch_fmt("judge %s%s: Same or Contradicted, by log-probability, both orders",
                             ch_model_name(judge), own ? " (the measured model itself)" : "");
    if (c == CH_OK && judged && own)
        x->warnings[x->data.n_warnings++] = ch_dup("On free-form tasks the model judges its own "
                                                   "answers; name a stronger judge with --judge.");
    if (judge != m)
        ch_model_free(judge);
    return c;
}

/* Before anything is answered: the judge is a model, and can be asked about every input. */
static ch_code check_judge(ch_measured *x, const ch_recipe *r, ch_device *d, const ch_model *m,
                           ch_err *e)
{
    ch_model *own = NULL;
    int64_t n = 0;
    if (strcmp(r->measure.judge, "base"))
        CH_TRY(ch_model_load(&own, r->measure.judge, d, e));
    ch_code c = ch_preflight_judge(&x->split, r, own ? own : m, &n, e);
    ch_model_free(own);
    if (c == CH_OK && n)
        ch_log(CH_WARN, "%lld inputs are left out: the judge could not be asked about them",
               (long long)n);
    return c;
}

static ch_code collect(ch_measured *x, const ch_recipe *r, ch_device *d, ch_model *m, ch_err *e)
{
    const char *side = r->data.wordings[0] ? r->data.wordings : NULL;
    CH_TRY(ch_tasks_load(&x->tasks, r->data.tasks, side, r->data.max_items, e));
    CH_TRY(ch_tasks_need_wordings(&x->tasks, 1, e));
    ch_split_all(&x->split, &x->tasks);
    ch_answer_how how = {.max_new = r->generate.max_new,
                         .batch = r->generate.batch,
                         .max_rows = r->generate.max_rows,
                         .overlong = r->data.overlong,
                         .decode = r->generate.decode,
                         .what = "answers"};
    ch_prompt_load load;
    CH_TRY(ch_prompts_check(m, &x->split, &how, &load, e));
    CH_TRY(check_judge(x, r, d, m, e));
    ch_log(CH_INFO, "computes in %s", ch_device_text(d));
    CH_TRY(ch_replies_make(&x->replies, m, &x->split, &how, e));
    if (x->replies.n_dropped)
        x->warnings[x->data.n_warnings++] =
            ch_dropped_note(x->replies.n_dropped, x->replies.dropped);
    CH_TRY(same(x, r, d, m, e));
    return ch_measure_make(&x->arm.measure, x->cases.list, x->cases.n, x->cases.n_tasks,
                           x->cases.names, r->measure.resamples, (uint64_t)r->seed, e);
}

static void fill(ch_measured *x, const ch_recipe *r, const ch_model *m)
{
    int exact = 0;
    x->hash = ch_model_hash(m);
    x->name = ch_dup(ch_model_name(m));
    x->title = ch_fmt("Consistency of %s", x->name);
    x->kinds = ch_report_tasks(&x->cases);
    for (int64_t t = 0; t < x->cases.n_tasks; t++)
        exact |= !x->cases.task[t].judged;
    for (int64_t i = 0; i < x->tasks.n; i++)
        x->data.dropped_wordings += x->tasks.list[i].n_dropped_wordings;
    x->seed = (uint64_t)r->seed;
    x->arm.name = x->name;
    x->arm.description = "as it is";
    x->arm.hash = x->hash.hex;
    ch_report_data *d = &x->data;
    d->title = x->title;
    d->model = x->name;
    d->base_hash = x->hash.hex;
    d->seeds = &x->seed;
    d->n_seeds = 1;
    d->bootstrap_seed = x->seed;
    d->resamples = r->measure.resamples;
    d->split = "every input under every wording, the instruction among them";
    d->sim_closed = exact ? "exact match after normalising" : NULL;
    d->sim_free = x->sim_free;
    d->n_tasks = x->cases.n_tasks;
    d->n_inputs = x->cases.n;
    d->n_wordings = x->arm.measure.n_wordings;
    d->most_wordings = x->arm.measure.most_wordings;
    d->tasks = x->kinds;
    d->arms = &x->arm;
    d->n_arms = 1;
    d->warnings = (const char *const *)x->warnings;
    x->note = ch_decode_note(&x->replies);
    d->notes = (const char *const *)&x->note;
    d->n_notes = x->note != NULL;
}

ch_code ch_measure_model(ch_measured **out, const ch_recipe *r, ch_device *d, ch_model *m,
                         const char *answers_path, ch_err *e)
{
    ch_measured *x = ch_new(1, sizeof *x);
    ch_code c = collect(x, r, d, m, e);
    if (c == CH_OK && answers_path)
        c = ch_replies_write(&x->replies, answers_path, e);
    if (c == CH_OK) {
        fill(x, r, m);
        *out = x;
        return CH_OK;
    }
    ch_measured_free(x);
    *out = NULL;
    return c;
}

const ch_report_data *ch_measured_data(const ch_measured *x)
{
    return &x->data;
}

void ch_measured_free(ch_measured *x)
{
    if (!x)
        return;
    ch_measure_release(&x->arm.measure);
    ch_cases_release(&x->cases);
    ch_replies_release(&x->replies);
    ch_split_release(&x->split);
    ch_tasks_release(&x->tasks);
    free(x->kinds);
    free(x->title);
    free(x->name);
    free(x->sim_free);
    free(x->note);
    free(x->warnings[0]);
    free(x->warnings[1]);
    free(x);
}
