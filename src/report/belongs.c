#define _GNU_SOURCE
#include "report/belongs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/measure_arm.h"
#include "run/run_dir.h"

ch_code ch_belongs_open(ch_belongs *b, const char *dir, const ch_recipe *r, const json_t *info,
                        const char *path, ch_seen *seen, ch_err *e)
{
    *b = (ch_belongs){.dir = dir, .r = r, .seen = seen};
    b->made = ch_new((size_t)r->n_arms, sizeof *b->made);
    return ch_facts_read(&b->facts, r, info, path, e);
}

void ch_belongs_close(ch_belongs *b)
{
    ch_facts_release(&b->facts);
    ch_seen_release(&b->own_seen);
    free(b->made);
    *b = (ch_belongs){0};
}

void ch_standing_release(ch_standing *s)
{
    free(s->why);
    free(s->note);
    free(s->sameness);
    json_decref(s->train);
    json_decref(s->answers);
    json_decref(s->judge);
    *s = (ch_standing){0};
}

static ch_seen *seen_of(ch_belongs *b)
{
    return b->seen ? b->seen : &b->own_seen;
}

/* Takes over why; 1 when the stage belongs. */
static int judge_stage(ch_standing *s, const ch_stage *stage, ch_stage_state state, char *why)
{
    if (state == CH_STAGE_DONE) {
        free(why);
        return 1;
    }
    s->state = state;
    s->why = state == CH_STAGE_OTHER
                 ? ch_fmt("%s does not belong to this recipe: %s", stage->label, why)
                 : ch_dup(why);
    free(why);
    return 0;
}

static int check(ch_belongs *b, ch_standing *s, ch_stage *stage)
{
    char *why = NULL;
    ch_stage_state state = ch_stage_check(stage, seen_of(b), &why);
    return judge_stage(s, stage, state, why);
}

/* A model that was deleted takes nothing from its figures; one that was replaced does. */
static int training(ch_belongs *b, int64_t arm, ch_standing *s)
{
    const ch_arm *a = &b->r->arms[arm];
    if (arm == 0 || a->model[0]) {
        ch_hash h = arm ? b->facts.models[arm] : b->facts.base;
        b->made[arm] = (ch_made){h, h};
        return 1;
    }
    const ch_made *from = &b->made[ch_recipe_arm(b->r, a->from)];
    ch_stage t = ch_stage_of(b->dir, a->name, CH_S_TRAIN, ch_key_train(b->r, &b->facts, a, from));
    char *why = NULL;
    ch_stage_state state = ch_stage_check(&t, seen_of(b), &why);
    b->made[arm] = (ch_made){t.hash, t.file[0]};
    s->train = json_incref(t.result);
    if (state == CH_STAGE_LOST) {
        s->note = why;
        why = NULL;
        state = CH_STAGE_DONE;
    }
    if (state == CH_STAGE_DONE)
        s->curve = ch_stage_shown(&t, seen_of(b));
    int good = judge_stage(s, &t, state, why);
    ch_stage_release(&t);
    return good;
}

static char *sameness_of(const ch_stage *same)
{
    size_t n_sim = 0, n_judge = 0;
    const char *sim = ch_key_value(same->key, "measure.sim", &n_sim),
               *judge = ch_key_value(same->key, "judge", &n_judge);
    return ch_fmt("sim %.*s, judge %.*s", (int)n_sim, sim ? sim : "", n_judge ? (int)n_judge : 4,
                  n_judge ? judge : "none");
}

static void judge_check(ch_belongs *b, const ch_arm *a, ch_standing *s, const ch_hash *same)
{
    ch_stage j = ch_stage_of(b->dir, a->name, CH_S_JUDGE, ch_key_judge(same, CH_JUDGE_PAIRS));
    if (ch_stage_check(&j, seen_of(b), NULL) == CH_STAGE_DONE)
        s->judge = json_incref(j.result);
    ch_stage_release(&j);
}

static void measuring(ch_belongs *b, int64_t arm, ch_standing *s)
{
    const ch_arm *a = &b->r->arms[arm];
    ch_stage answers = ch_stage_of(b->dir, a->name, CH_S_ANSWERS,
                                   ch_key_answers(b->r, &b->facts, &b->made[arm])),
             same = {0};
    if (check(b, s, &answers)) {
        s->answers = json_incref(answers.result);
        same = ch_stage_of(b->dir, a->name, CH_S_SAME,
                           ch_key_same(b->r, &b->facts, &answers.hash, &answers.file[0]));
        if (check(b, s, &same)) {
            s->sameness = sameness_of(&same);
            judge_check(b, a, s, &same.hash);
        }
    }
    ch_stage_release(&answers);
    ch_stage_release(&same);
}

void ch_belongs_arm(ch_belongs *b, int64_t arm, ch_standing *s)
{
    *s = (ch_standing){.state = CH_STAGE_DONE};
    int good = training(b, arm, s);
    s->model = b->made[arm].file;
    if (good)
        measuring(b, arm, s);
}

/* -- a file of answers -- */

/* An arm's directory by itself: only its records can be asked. */
static ch_code alone(const char *dir, const char *answers, ch_seen *seen, char **sameness,
                     ch_err *e)
{
    ch_stage a = ch_stage_of(dir, "", CH_S_ANSWERS, NULL),
             s = ch_stage_of(dir, "", CH_S_SAME, NULL);
    char *why = NULL, *why_same = NULL;
    ch_stage_state got = ch_stage_check(&a, seen, &why), same = CH_STAGE_NEVER;
    ch_code c = CH_OK;
    size_t n = 0;
    if (got == CH_STAGE_DONE)
        same = ch_stage_check(&s, seen, &why_same);
    const char *of = same == CH_STAGE_DONE ? ch_key_value(s.key, "answers.jsonl", &n) : NULL;
    if (got != CH_STAGE_DONE && got != CH_STAGE_NEVER)
        c = ch_fail(e, CH_EUSER, "%s: does not belong to the record beside it: %s", answers, why);
    else if (same != CH_STAGE_DONE && same != CH_STAGE_NEVER)
        c = ch_fail(e, CH_EUSER, "%s: what is the same among its answers is not known: %s", answers,
                    why_same);
    else if (same == CH_STAGE_DONE && (n != 64 || strncmp(of, a.file[0].hex, n)))
        c = ch_fail(e, CH_EUSER, "%s: same.jsonl beside it belongs to other answers", answers);
    else if (same == CH_STAGE_DONE)
        *sameness = sameness_of(&s);
    free(why);
    free(why_same);
    ch_stage_release(&a);
    ch_stage_release(&s);
    return c;
}

static ch_code ask_run(ch_belongs *b, const char *name, const char *answers, char **sameness,
                       ch_err *e)
{
    int64_t arm = ch_recipe_arm(b->r, name);
    ch_standing s = {0};
    if (arm < 0)
        return ch_fail(e, CH_EUSER, "%s: %s is no arm of the recipe of its run", answers, name);
    for (int64_t i = 0; i <= arm; i++) {
        ch_standing_release(&s);
        ch_belongs_arm(b, i, &s);
    }
    ch_code c = CH_OK;
    if (s.state == CH_STAGE_DONE)
        *sameness = ch_dup(s.sameness);
    else
        c = ch_fail(e, CH_EUSER,
                    "%s: cannot be compared: %s; chorus run on the run's recipe.yaml "
                    "makes it again",
                    answers, s.why);
    ch_standing_release(&s);
    return c;
}

static ch_code in_run(const char *run, const char *name, const char *answers, ch_seen *seen,
                      char **sameness, ch_err *e)
{
    char *recipe = ch_path(run, "recipe.yaml"), *info = ch_path(run, "run.json");
    json_t *v = NULL;
    ch_recipe r;
    ch_belongs b = {0};
    ch_code c = ch_recipe_read(&r, recipe, e);
    if (c == CH_OK)
        c = ch_recipe_finish(&r, recipe, e);
    if (c == CH_OK)
        c = ch_json_load(&v, info, e);
    if (c == CH_OK)
        c = ch_belongs_open(&b, run, &r, v, info, seen, e);
    if (c == CH_OK)
        c = ask_run(&b, name, answers, sameness, e);
    ch_belongs_close(&b);
    ch_recipe_release(&r);
    json_decref(v);
    free(recipe);
    free(info);
    return c;
}

ch_code ch_belongs_file(const char *answers, ch_seen *seen, char **sameness, ch_err *e)
{
    *sameness = NULL;
    char *path = realpath(answers, NULL), *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || strcmp(slash + 1, "answers.jsonl")) {
        free(path);
        return CH_OK;
    }
    *slash = 0;
    char *name = strrchr(path, '/');
    char *run = name ? ch_dupn(path, (size_t)(name - path)) : ch_dup("");
    ch_code c = name && ch_dir_is_run(run) ? in_run(run, name + 1, answers, seen, sameness, e)
                                           : alone(path, answers, seen, sameness, e);
    free(run);
    free(path);
    return c;
}
