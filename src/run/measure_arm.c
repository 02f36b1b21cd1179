#include "run/measure_arm.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/stage.h"
#include "run/train_arm.h"
#include "survey/cases.h"
#include "survey/judge_check.h"

enum { JUDGE_CHECK_PAIRS = 200 };

static void depends_on_labels(ch_str *b, const ch_task *t)
{
    ch_str all = {0};
    for (int64_t k = 0; ch_task_has_set(t) && k < t->n_labels; k++)
        ch_str_addf(&all, "%s\n", t->spelled[k]);
    ch_str_addf(b, "labels of %s: %s\n", t->name, ch_hash_bytes(ch_str_get(&all), all.n).hex);
    ch_str_free(&all);
}

static json_t *left_out(const ch_replies *r)
{
    json_t *v = json_object();
    ch_json_set(v, "dropped_inputs", json_integer(r->n_dropped));
    if (r->dropped)
        ch_json_set(v, "dropped", ch_json_text(r->dropped));
    return v;
}

static ch_code answers(ch_state *s, int64_t arm, const char *dir, ch_replies *r, ch_hash *hash,
                       ch_err *e)
{
    const ch_arm *a = &s->r->arms[arm];
    char *path = ch_path(dir, "answers.jsonl"), *label = ch_fmt("%s: answers", a->name);
    ch_str b = {0};
    ch_str_addf(&b, "model: %s\ntest side: %s\nmax_new: %lld\noverlong: %d\n", s->made[arm].hex,
                s->test_side.hex, (long long)s->r->generate.max_new, s->r->data.overlong);
    for (int64_t t = 0; s->r->generate.decode == CH_DECODE_LABELS && t < s->split.n; t++)
        depends_on_labels(&b, s->split.list[t].task);
    ch_depends_on_device(&b, s);
    ch_stage stage = ch_stage_make(dir, "answers", &b);
    *hash = stage.hash;
    ch_code c;
    if (ch_stage_is_done(&stage, (const char *const[]){path, NULL})) {
        c = ch_replies_read(r, path, e);
    } else {
        ch_model *m = NULL, *own = NULL;
        char *file = ch_run_model_path(s, arm);
        if (arm)
            ch_run_drop_base(s);
        c = arm ? ch_model_load(&own, file, s->device, e) : ch_run_base(s, &m, e);
        ch_answer_how how = ch_answer_how_of(s->r, label);
        if (c == CH_OK)
            c = ch_replies_make(r, arm ? own : m, &s->split, &how, e);
        if (c == CH_OK)
            c = ch_replies_write(r, path, e);
        if (c == CH_OK)
            c = ch_stage_finish(&stage, left_out(r), e);
        ch_model_free(own);
        free(file);
    }
    ch_stage_release(&stage);
    free(path);
    free(label);
    return c;
}

/* The judge stays loaded between arms only when it is the base model. */
static ch_code judge_hash(const ch_state *s, ch_hash *h, ch_err *e)
{
    *h = s->base_hash;
    return strcmp(s->r->measure.judge, "base") ? ch_hash_file(s->r->measure.judge, h, e) : CH_OK;
}

static ch_code open_judge(ch_state *s, ch_model **judge, ch_model **own, ch_err *e)
{
    if (!strcmp(s->r->measure.judge, "base"))
        return ch_run_base(s, judge, e);
    ch_run_drop_base(s);
    CH_TRY(ch_model_load(own, s->r->measure.judge, s->device, e));
    *judge = *own;
    return CH_OK;
}

static ch_code check_judge(const char *dir, const ch_replies *r, const ch_hash *same,
                           ch_model *judge, ch_err *e)
{
    ch_str b = {0};
    ch_str_addf(&b, "same: %s\npairs: %d\n", same->hex, JUDGE_CHECK_PAIRS);
    ch_stage stage = ch_stage_make(dir, "judge", &b);
    ch_verdicts v;
    ch_code c = ch_judge_check(r, judge, JUDGE_CHECK_PAIRS, &v, e);
    if (c == CH_OK)
        c = ch_stage_finish(&stage,
                            json_pack("{s:I,s:I,s:I,s:I}", "same", (json_int_t)v.n_same,
                                      "right_on_same", (json_int_t)v.right_same, "different",
                                      (json_int_t)v.n_differ, "right_on_different",
                                      (json_int_t)v.right_differ),
                            e);
    ch_stage_release(&stage);
    return c;
}

static ch_code sameness(ch_state *s, const char *dir, const ch_replies *r,
                        const ch_hash *answers_hash, ch_err *e)
{
    ch_sim sim = (ch_sim)s->r->measure.sim;
    int judged = ch_sim_needs_judge(sim, r);
    char *path = ch_path(dir, "same.jsonl");
    ch_model *judge = NULL, *own = NULL;
    ch_hash h = {{0}};
    ch_cases cases = {0};
    ch_str b = {0};
    ch_code c = judged ? judge_hash(s, &h, e) : CH_OK;
    ch_str_addf(&b, "answers: %s\nsim: %d\njudge: %s\n", answers_hash->hex, (int)sim, h.hex);
    ch_stage stage = ch_stage_make(dir, "same", &b);
    if (c == CH_OK && !ch_stage_is_done(&stage, (const char *const[]){path, NULL})) {
        if (judged)
            c = open_judge(s, &judge, &own, e);
        if (c == CH_OK)
            c = ch_cases_make(&cases, r, sim, judge, e);
        if (c == CH_OK && judged)
            c = check_judge(dir, r, &stage.hash, judge, e);
        if (c == CH_OK)
            c = ch_same_write(&cases, r, path, e);
        if (c == CH_OK)
            c = ch_stage_finish(&stage, NULL, e);
        ch_cases_release(&cases);
        ch_model_free(own);
    }
    ch_stage_release(&stage);
    free(path);
    return c;
}

ch_code ch_run_measure(ch_state *s, int64_t arm, ch_err *e)
{
    ch_replies r = {0};
    ch_hash hash;
    char *dir = ch_path(s->dir, s->r->arms[arm].name);
    ch_code c = ch_make_dir(dir, e);
    if (c == CH_OK)
        c = answers(s, arm, dir, &r, &hash, e);
    if (c == CH_OK)
        c = sameness(s, dir, &r, &hash, e);
    ch_replies_release(&r);
    free(dir);
    return c;
}
