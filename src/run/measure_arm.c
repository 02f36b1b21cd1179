#include "run/measure_arm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/answer_how.h"
#include "run/know.h"
#include "run/models.h"
#include "run/stage.h"
#include "run/train_arm.h"
#include "survey/cases.h"
#include "survey/judge_check.h"

/* Answers, which of them are the same, and for the base what the judge is worth: three stages. */
typedef struct {
    ch_state *s;
    int64_t arm;
    ch_replies r;
    ch_model *judge, *own; /* judge: once it was needed; own: it, when it is not the base model */
    char *answers, *same;  /* paths */
} job;

static ch_stage stage_of(const job *j, ch_stage_id id, char *key)
{
    return ch_stage_of(j->s->dir, j->s->r->arms[j->arm].name, id, key);
}

static ch_code write_answers(job *j, ch_model *m, ch_err *e)
{
    char *label = ch_fmt("%s: answers", j->s->r->arms[j->arm].name);
    ch_answer_how how = ch_answer_how_of(j->s->r, label);
    ch_code c = ch_replies_make(&j->r, m, &j->s->split, &how, e);
    if (c == CH_OK)
        c = ch_replies_write(&j->r, j->answers, e);
    free(label);
    return c;
}

static json_t *left_out(const ch_replies *r)
{
    json_t *v = json_object();
    ch_json_set(v, "dropped_inputs", json_integer(r->n_dropped));
    if (r->dropped)
        ch_json_set(v, "dropped", ch_json_text(r->dropped));
    return v;
}

static ch_code make_answers(void *job_, json_t **result, ch_err *e)
{
    job *j = job_;
    ch_model *m = NULL, *own = NULL;
    char *file = ch_run_model_path(j->s, j->arm);
    if (j->arm)
        ch_run_drop_base(j->s);
    ch_code c = j->arm ? ch_know_load(&own, j->s, file, &j->s->made[j->arm].file, e)
                       : ch_run_base(j->s, &m, e);
    if (c == CH_OK)
        c = write_answers(j, j->arm ? own : m, e);
    if (c == CH_OK)
        *result = left_out(&j->r);
    ch_model_free(own);
    free(file);
    return c;
}

/* The judge stays loaded between arms only when it is the base model. */
static ch_code open_judge(job *j, ch_err *e)
{
    ch_state *s = j->s;
    if (j->judge || !ch_sim_needs_judge((ch_sim)s->r->measure.sim, &j->r))
        return CH_OK;
    if (!strcmp(s->r->measure.judge, "base"))
        return ch_run_base(s, &j->judge, e);
    ch_run_drop_base(s);
    CH_TRY(ch_know_load(&j->own, s, s->r->measure.judge, &s->facts.judge, e));
    j->judge = j->own;
    return CH_OK;
}

static ch_code make_same(void *job_, json_t **result CH_UNUSED, ch_err *e)
{
    job *j = job_;
    ch_cases cases = {0};
    CH_TRY(open_judge(j, e));
    CH_TRY(ch_cases_make(&cases, &j->r, (ch_sim)j->s->r->measure.sim, j->judge, e));
    ch_code c = ch_same_write(&cases, &j->r, j->same, e);
    ch_cases_release(&cases);
    return c;
}

static ch_code make_judge(void *job_, json_t **result, ch_err *e)
{
    job *j = job_;
    ch_verdicts v;
    CH_TRY(open_judge(j, e));
    CH_TRY(ch_judge_check(&j->r, j->judge, CH_JUDGE_PAIRS, &v, e));
    *result = json_pack("{s:I,s:I,s:I,s:I}", "same", (json_int_t)v.n_same, "right_on_same",
                        (json_int_t)v.right_same, "different", (json_int_t)v.n_differ,
                        "right_on_different", (json_int_t)v.right_differ);
    return CH_OK;
}

static ch_code judge(job *j, const ch_hash *same, ch_err *e)
{
    if (!ch_sim_needs_judge((ch_sim)j->s->r->measure.sim, &j->r))
        return CH_OK;
    ch_stage stage = stage_of(j, CH_S_JUDGE, ch_key_judge(same, CH_JUDGE_PAIRS));
    ch_code c = ch_stage_run(&stage, j->s->seen, make_judge, j, e);
    ch_stage_release(&stage);
    return c;
}

static ch_code sameness(job *j, const ch_stage *answers, ch_err *e)
{
    const ch_state *s = j->s;
    char *key = ch_key_same(s->r, &s->facts, &answers->hash, &answers->file[0]);
    ch_stage stage = stage_of(j, CH_S_SAME, key);
    ch_code c = ch_stage_run(&stage, s->seen, make_same, j, e);
    if (c == CH_OK)
        c = judge(j, &stage.hash, e);
    ch_stage_release(&stage);
    return c;
}

ch_code ch_run_measure(ch_state *s, int64_t arm, ch_err *e)
{
    job j = {.s = s, .arm = arm};
    ch_stage stage = stage_of(&j, CH_S_ANSWERS, ch_key_answers(s->r, &s->facts, &s->made[arm]));
    j.answers = ch_path(stage.dir, "answers.jsonl");
    j.same = ch_path(stage.dir, "same.jsonl");
    ch_code c = ch_make_dir(stage.dir, e);
    if (c == CH_OK)
        c = ch_stage_run(&stage, s->seen, make_answers, &j, e);
    if (c == CH_OK && stage.was_done)
        c = ch_replies_read(&j.r, j.answers, e);
    if (c == CH_OK)
        c = sameness(&j, &stage, e);
    ch_stage_release(&stage);
    ch_replies_release(&j.r);
    ch_model_free(j.own);
    free(j.answers);
    free(j.same);
    return c;
}
