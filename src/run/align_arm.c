#include "run/align_arm.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/stage.h"
#include "run/train_arm.h"

/* Where the candidates and the pairs of an arm are, and what they depend on. Arms that start from
 * the same model with the same settings share them, so a second objective costs its training alone.
 */
typedef struct {
    char *dir_c, *dir_p, *candidates, *rewards, *pairs;
    ch_stage stage_c, stage_p;
    char *questions; /* text of align.judge_prompt, NULL the built-in */
    ch_align_opts how;
} place;

static void release_place(place *p)
{
    free(p->dir_c);
    free(p->dir_p);
    free(p->candidates);
    free(p->rewards);
    free(p->pairs);
    free(p->questions);
    ch_stage_release(&p->stage_c);
    ch_stage_release(&p->stage_p);
}

static ch_stage make_stage(const ch_state *s, const ch_arm *a, const char *name, ch_str *b,
                           char **dir)
{
    ch_hash h = ch_hash_bytes(ch_str_get(b), b->n);
    *dir = ch_fmt("%s/align/%s-%.8s", s->dir, a->from, h.hex);
    return ch_stage_make(*dir, name, b);
}

static ch_code find_place(place *p, const ch_state *s, int64_t arm, ch_err *e)
{
    static const char *const not_c[] = {"reward", "pool", "gold_target", "max_bad", NULL};
    static const char *const none[] = {NULL};
    const ch_arm *a = &s->r->arms[arm];
    int64_t from = ch_recipe_arm(s->r, a->from);
    ch_str c = {0}, b = {0};
    *p = (place){.how = a->align};
    if (s->r->judge_prompt[0])
        CH_TRY(ch_file_read(s->r->judge_prompt, &p->questions, NULL, e));
    p->how.judge_template = p->questions;
    ch_str_addf(&c, "model: %s\ntrain side: %s\nseed: %lld\nmax_len: %lld\n", s->made[from].hex,
                s->train_side.hex, (long long)s->r->seed, (long long)s->r->data.max_len);
    ch_depends_on_device(&c, s);
    ch_depends_on_arm(&c, s, a, "align", not_c);
    p->stage_c = make_stage(s, a, "candidates", &c, &p->dir_c);
    ch_str_addf(&b, "candidates: %s\nquestions: %s\n", p->stage_c.hash.hex,
                p->questions ? ch_hash_bytes(p->questions, strlen(p->questions)).hex : "built in");
    ch_depends_on_arm(&b, s, a, "align", none);
    p->stage_p = make_stage(s, a, "pairs", &b, &p->dir_p);
    p->candidates = ch_path(p->dir_c, "candidates.jsonl");
    p->rewards = ch_path(p->dir_p, "rewards.jsonl");
    p->pairs = ch_path(p->dir_p, "pairs.jsonl");
    return CH_OK;
}

ch_code ch_run_pairs_hash(const ch_state *s, int64_t arm, ch_hash *hash, ch_err *e)
{
    place p;
    ch_code c = find_place(&p, s, arm, e);
    *hash = p.stage_p.hash;
    release_place(&p);
    return c;
}

static ch_code candidates(ch_candidates *c, const place *p, const ch_state *s, ch_model *m,
                          ch_err *e)
{
    const char *const files[] = {p->candidates, NULL};
    if (ch_stage_is_done(&p->stage_c, files))
        return ch_candidates_read(c, &s->split, p->candidates, e);
    CH_TRY(ch_make_dir(p->dir_c, e));
    CH_TRY(ch_candidates_make(c, m, &s->split, &p->how, e));
    CH_TRY(ch_candidates_write(c, &s->split, p->candidates, e));
    return ch_stage_finish(&p->stage_c, json_pack("{s:I}", "candidates", (json_int_t)c->n), e);
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

/* Rewards and groups; g comes from the same ch_pairs on the same rows whether they were read or
 * just made. */
static ch_code pairs(ch_groups *g, ch_candidates *c, const place *p, const ch_state *s, ch_model *m,
                     ch_err *e)
{
    const char *const files[] = {p->rewards, p->pairs, NULL};
    if (ch_stage_is_done(&p->stage_p, files)) {
        CH_TRY(ch_candidates_read(c, &s->split, p->rewards, e));
        return ch_pairs(g, c, m, &s->split, &p->how, e);
    }
    CH_TRY(candidates(c, p, s, m, e));
    CH_TRY(ch_make_dir(p->dir_p, e));
    CH_TRY(ch_rewards(c, m, &s->split, &p->how, e));
    CH_TRY(ch_candidates_write(c, &s->split, p->rewards, e));
    CH_TRY(ch_pairs(g, c, m, &s->split, &p->how, e));
    CH_TRY(ch_pairs_write(g, m, p->pairs, e));
    return ch_stage_finish(&p->stage_p, counts(c, g), e);
}

ch_code ch_run_pairs(ch_state *s, int64_t arm, ch_groups *g, ch_model *from, ch_hash *hash,
                     ch_err *e)
{
    place p;
    ch_candidates c = {0};
    *g = (ch_groups){0};
    ch_code code = find_place(&p, s, arm, e);
    if (code == CH_OK)
        code = pairs(g, &c, &p, s, from, e);
    *hash = p.stage_p.hash;
    ch_candidates_release(&c);
    release_place(&p);
    return code;
}
