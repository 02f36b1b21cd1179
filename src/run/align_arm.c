#include "run/align_arm.h"

#include <stdlib.h>
#include <string.h>

#include "align/align_files.h"
#include "align/pairs.h"
#include "align/rewards.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/stage.h"

/* Two stages. Arms that start from the same model with the same settings share them, since their
 * directories are named by their keys: a second objective costs its training alone. */
typedef struct {
    ch_state *s;
    ch_model *m;
    ch_groups *g;
    ch_stage stage_c, stage_p;
    char *candidates, *rewards, *pairs; /* paths */
    ch_align_opts how;
    ch_candidates c;
} job;

static ch_stage stage_of(const ch_state *s, const ch_arm *a, ch_stage_id id, char *key)
{
    char *sub = ch_align_sub(a, key);
    ch_stage stage = ch_stage_of(s->dir, sub, id, key);
    free(sub);
    return stage;
}

static job make_job(ch_state *s, int64_t arm, ch_model *m, ch_groups *g)
{
    const ch_arm *a = &s->r->arms[arm];
    const ch_made *from = &s->made[ch_recipe_arm(s->r, a->from)];
    job j = {.s = s, .m = m, .g = g, .how = a->align};
    j.how.judge_template = s->questions;
    j.stage_c = stage_of(s, a, CH_S_CANDIDATES, ch_key_candidates(s->r, &s->facts, a, from));
    j.stage_p = stage_of(s, a, CH_S_PAIRS, ch_key_pairs(s->r, &s->facts, a, from));
    j.candidates = ch_path(j.stage_c.dir, "candidates.jsonl");
    j.rewards = ch_path(j.stage_p.dir, "rewards.jsonl");
    j.pairs = ch_path(j.stage_p.dir, "pairs.jsonl");
    return j;
}

static void release_job(job *j)
{
    ch_candidates_release(&j->c);
    ch_stage_release(&j->stage_c);
    ch_stage_release(&j->stage_p);
    free(j->candidates);
    free(j->rewards);
    free(j->pairs);
}

static ch_code make_candidates(void *job_, json_t **result, ch_err *e)
{
    job *j = job_;
    CH_TRY(ch_make_dir(j->stage_c.dir, e));
    CH_TRY(ch_candidates_make(&j->c, j->m, &j->s->split, &j->how, e));
    *result = json_pack("{s:I}", "candidates", (json_int_t)j->c.n);
    return ch_candidates_write(&j->c, &j->s->split, j->candidates, e);
}

static json_t *counts(const ch_candidates *c, const ch_groups *g)
{
    int64_t n[4] = {0}, bad = 0;
    for (int64_t i = 0; i < c->n; i++)
        n[c->list[i].reward == CH_DISCARD ? 3 : c->list[i].reward]++;
    for (int64_t i = 0; i < g->n; i++)
        bad += g->list[i].n - 1;
    ch_log(CH_INFO,
           "rewards: %lld right, %lld of the right type, %lld of another type, %lld unreadable; "
           "%lld groups with %lld pairs",
           (long long)n[2], (long long)n[1], (long long)n[0], (long long)n[3], (long long)g->n,
           (long long)bad);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "reward_2", (json_int_t)n[2], "reward_1",
                     (json_int_t)n[1], "reward_0", (json_int_t)n[0], "discarded", (json_int_t)n[3],
                     "groups", (json_int_t)g->n, "pairs", (json_int_t)bad);
}

static ch_code make_pairs(void *job_, json_t **result, ch_err *e)
{
    job *j = job_;
    const ch_split *split = &j->s->split;
    CH_TRY(ch_stage_run(&j->stage_c, j->s->seen, make_candidates, j, e));
    if (j->stage_c.was_done)
        CH_TRY(ch_candidates_read(&j->c, split, j->candidates, e));
    CH_TRY(ch_make_dir(j->stage_p.dir, e));
    CH_TRY(ch_rewards(&j->c, j->m, split, &j->how, e));
    CH_TRY(ch_candidates_write(&j->c, split, j->rewards, e));
    CH_TRY(ch_pairs(j->g, &j->c, j->m, split, &j->how, e));
    *result = counts(&j->c, j->g);
    return ch_pairs_write(j->g, j->m, j->pairs, e);
}

/* g comes from the same ch_pairs on the same rows whether they were read or just made. */
static ch_code pairs(job *j, ch_err *e)
{
    CH_TRY(ch_stage_run(&j->stage_p, j->s->seen, make_pairs, j, e));
    if (!j->stage_p.was_done)
        return CH_OK;
    CH_TRY(ch_candidates_read(&j->c, &j->s->split, j->rewards, e));
    return ch_pairs(j->g, &j->c, j->m, &j->s->split, &j->how, e);
}

ch_code ch_run_pairs(ch_groups *g, ch_state *s, int64_t arm, ch_model *m, ch_err *e)
{
    *g = (ch_groups){0};
    job j = make_job(s, arm, m, g);
    ch_code c = pairs(&j, e);
    release_job(&j);
    return c;
}
