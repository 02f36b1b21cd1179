#include "run/train_arm.h"

#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "align/sft.h"
#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
#include "run/align_arm.h"
#include "run/know.h"
#include "run/models.h"
#include "run/stage.h"
#include "run/wipe.h"

char *ch_run_model_path(const ch_state *s, int64_t arm)
{
    const ch_arm *a = &s->r->arms[arm];
    if (!arm)
        return ch_dup(s->r->model);
    return a->model[0] ? ch_dup(a->model) : ch_fmt("%s/%s/model.gguf", s->dir, a->name);
}

static void thin(ch_groups *g, int64_t most)
{
    if (!most || g->n <= most)
        return;
    ch_groups kept = {ch_new((size_t)most, sizeof *kept.list), most};
    int64_t at = 0;
    for (int64_t i = 0; i < g->n; i++) {
        if (at < most && i == at * g->n / most) {
            kept.list[at++] = g->list[i];
            g->list[i] = (ch_group){0};
        }
    }
    ch_groups_release(g);
    *g = kept;
}

ch_code ch_run_rows(const ch_state *s, const ch_model *m, const ch_arm *a, ch_groups *train,
                    ch_groups *dev, int64_t *dropped, ch_err *e)
{
    const ch_objective *obj = ch_objective_find(a->objective);
    int drop = s->r->data.overlong == CH_OVERLONG_DROP;
    int64_t n = 0;
    if (dropped)
        *dropped = 0;
    if (train)
        CH_TRY(ch_sft_groups(train, m, &s->split, a->augment, 0, s->r->data.max_len, drop, dropped,
                             e));
    if (!dev)
        return CH_OK;
    int augment = a->augment || ch_objective_groups(obj)->every_wording;
    CH_TRY(ch_sft_groups(dev, m, &s->split, augment, 1, s->r->data.max_len, drop, &n, e));
    thin(dev, s->r->dev_rows);
    return CH_OK;
}

ch_code ch_run_reference(ch_groups *g, ch_model *from, const ch_recipe *r, ch_err *e)
{
    int64_t n = 0, cap = 0;
    ch_seq *seqs = NULL;
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t k = 0; k < g->list[i].n; k++)
            *CH_PUSH(seqs, n, cap) = g->list[i].list[k].seq;
    double *logp = ch_new((size_t)n + 1, sizeof *logp);
    ch_gen_opts how = {.batch = r->generate.batch,
                       .max_rows = r->generate.max_rows,
                       .what = "reference log-probabilities"};
    ch_code c = ch_score(from, seqs, n, &how, logp, e);
    for (int64_t i = 0, at = 0; c == CH_OK && i < g->n; i++)
        for (int64_t k = 0; k < g->list[i].n; k++)
            g->list[i].list[k].ref_logp = logp[at++];
    free(seqs);
    free(logp);
    return c;
}

typedef struct {
    ch_state *s;
    int64_t arm, from;
    const ch_arm *a;
    const ch_objective *obj;
    char *train_dir, *mark, *model_path, *from_path;
    ch_stage stage;
} job;

static void release_job(job *j)
{
    free(j->train_dir);
    free(j->mark);
    free(j->model_path);
    free(j->from_path);
    ch_stage_release(&j->stage);
}

static job make_job(ch_state *s, int64_t arm)
{
    const ch_arm *a = &s->r->arms[arm];
    job j = {.s = s,
             .arm = arm,
             .from = ch_recipe_arm(s->r, a->from),
             .a = a,
             .obj = ch_objective_find(a->objective)};
    char *key = ch_key_train(s->r, &s->facts, a, &s->made[j.from]);
    j.stage = ch_stage_of(s->dir, a->name, CH_S_TRAIN, key);
    j.train_dir = ch_path(j.stage.dir, "train");
    j.mark = ch_path(j.train_dir, "stage.hash");
    j.model_path = ch_run_model_path(s, arm);
    j.from_path = ch_run_model_path(s, j.from);
    return j;
}

/* 1 when what stands in the training's directory is of this key. */
static int marked(const job *j)
{
    char *was = NULL;
    int yes = ch_exists(j->mark) && ch_file_read(j->mark, &was, NULL, NULL) == CH_OK &&
              !strcmp(was, j->stage.hash.hex);
    free(was);
    return yes;
}

/* A checkpoint of other settings than today's is of no use: ch_train would refuse it. The mark is
 * replaced last, so that a kill in between only repeats this. */
static ch_code clean_train_dir(const job *j, ch_err *e)
{
    CH_TRY(ch_make_dir(j->train_dir, e));
    ch_wipe_own_train(j->train_dir);
    if (marked(j))
        return CH_OK;
    CH_TRY(ch_wipe_train(j->train_dir, e));
    return ch_file_write(j->mark, j->stage.hash.hex, strlen(j->stage.hash.hex), e);
}

static json_t *result_json(const ch_train_result *r, const ch_groups *g, int64_t dropped)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "steps", (json_int_t)r->steps_done,
                     "best_step", (json_int_t)r->best_step, "kept_step", (json_int_t)r->kept_step,
                     "groups", (json_int_t)g->n, "dropped_rows", (json_int_t)dropped, "tokens",
                     (json_int_t)r->tokens, "rows", (json_int_t)r->rows, "last_loss",
                     ch_json_real(r->last_loss), "best_dev", ch_json_real(r->best_dev));
}

static ch_code train(const job *j, ch_model *m, json_t **result, ch_err *e)
{
    ch_state *s = j->s;
    ch_groups data = {0}, dev = {0};
    ch_train_result r = {0};
    ch_origin origin = {s->facts.base.hex, j->stage.hash.hex, j->a->name};
    int64_t dropped = 0;
    int own_answers = ch_objective_groups(j->obj)->own_answers;
    ch_code c = ch_run_rows(s, m, j->a, own_answers ? NULL : &data, &dev, &dropped, e);
    if (c == CH_OK && own_answers)
        c = ch_run_pairs(&data, s, j->arm, m, e);
    if (c == CH_OK && j->obj->needs_reference)
        c = ch_run_reference(&data, m, s->r, e);
    if (c == CH_OK)
        c = clean_train_dir(j, e);
    if (c == CH_OK) {
        ch_log(CH_INFO, "%s: %s on %lld groups, %lld updates of %lld", j->a->name, j->obj->name,
               (long long)data.n, (long long)j->a->train.steps, (long long)j->a->train.batch);
        ch_train_opts how = j->a->train;
        how.what = j->a->name;
        c = ch_train(m, j->obj, &data, &dev, &how, j->train_dir, j->stage.hash.hex, &r, e);
    }
    if (c == CH_OK)
        c = ch_model_save(m, j->model_path, (ch_save_type)s->r->save, &origin, e);
    if (c == CH_OK)
        *result = result_json(&r, &data, dropped);
    ch_groups_release(&data);
    ch_groups_release(&dev);
    return c;
}

static ch_code make_model(void *job_, json_t **result, ch_err *e)
{
    job *j = job_;
    ch_model *m = NULL;
    ch_run_drop_base(j->s);
    CH_TRY(ch_know_load(&m, j->s, j->from_path, &j->s->made[j->from].file, e));
    ch_code c = train(j, m, result, e);
    ch_model_free(m);
    return c;
}

ch_code ch_run_train(ch_state *s, int64_t arm, ch_err *e)
{
    if (s->r->arms[arm].model[0]) {
        s->made[arm] = (ch_made){s->facts.models[arm], s->facts.models[arm]};
        return CH_OK;
    }
    job j = make_job(s, arm);
    ch_code c = ch_stage_run(&j.stage, s->seen, make_model, &j, e);
    if (c == CH_OK && j.stage.was_done)
        ch_log(CH_INFO, "%s: trained already, nothing it depends on has changed", j.a->name);
    if (c == CH_OK && marked(&j))
        ch_train_clean(j.train_dir); /* also after a death between record and cleaning */
    s->made[arm] = (ch_made){j.stage.hash, j.stage.file[0]};
    release_job(&j);
    return c;
}
