#include "run/train_arm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
#include "recipe/fields.h"
#include "run/align_arm.h"
#include "run/stage.h"

void ch_depends_on_device(ch_str *b, const ch_state *s)
{
    int bf16 = ch_device_precision(s->device) == CH_PRECISION_BF16;
    ch_str_addf(b, "precision: %s\nformat: 1\n", bf16 ? "bf16" : "f32");
}

void ch_depends_on_arm(ch_str *b, const ch_state *s, const ch_arm *a, const char *section,
                       const char *const *but)
{
    ch_recipe own = *s->r; /* shallow: only the arm's own numbers differ */
    own.train = a->train;
    own.align = a->align;
    for (const ch_field *f = ch_fields; f->key; f++) {
        int skip = strcmp(f->section, section) != 0 || !ch_field_in_arm(f);
        for (const char *const *x = but; *x; x++)
            skip |= !strcmp(*x, f->key);
        if (skip)
            continue;
        char *v = ch_field_text(&own, f);
        ch_str_addf(b, "%s.%s: %s\n", section, f->key, v);
        free(v);
    }
}

char *ch_run_model_path(const ch_state *s, int64_t arm)
{
    return arm ? ch_fmt("%s/%s/model.gguf", s->dir, s->r->arms[arm].name) : ch_dup(s->r->model);
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

/* A checkpoint of other settings than today's is of no use: ch_train would refuse it. The hash file
 * is replaced last, so that a kill in between only repeats this. */
static ch_code clean_train_dir(const char *dir, const char *hash, ch_err *e)
{
    CH_TRY(ch_make_dir(dir, e));
    char *mark = ch_path(dir, "stage.hash"), *was = NULL;
    int same =
        ch_exists(mark) && ch_file_read(mark, &was, NULL, NULL) == CH_OK && !strcmp(was, hash);
    ch_code c = CH_OK;
    char **names = NULL;
    int64_t n;
    if (!same)
        c = ch_list_dir(dir, "", &names, &n, e);
    for (char **it = names; it && *it; it++) {
        char *path = ch_path(dir, *it);
        unlink(path);
        free(path);
    }
    if (!same && c == CH_OK)
        c = ch_file_write(mark, hash, strlen(hash), e);
    ch_names_free(names);
    free(mark);
    free(was);
    return c;
}

typedef struct {
    const ch_arm *arm;
    const ch_objective *obj;
    char *dir, *train_dir, *model_path, *from_path;
    ch_stage stage;
} job;

static void release_job(job *j)
{
    free(j->dir);
    free(j->train_dir);
    free(j->model_path);
    free(j->from_path);
    ch_stage_release(&j->stage);
}

/* Keys of train that change nothing in what this arm learns, NULL-terminated. */
static void idle_keys(const char **idle, const ch_arm *a, const ch_objective *obj)
{
    *idle++ = "save_every";
    for (int i = 0; i < CH_N_CONSTANTS; i++)
        if (!ch_objective_reads(obj, ch_constant_names[i]))
            *idle++ = ch_constant_names[i];
    if (a->train.sampling == CH_DRAW_INDEPENDENT) {
        *idle++ = "sampling";
        *idle++ = "inputs_per_instruction";
    }
    *idle = NULL;
}

static ch_code make_job(job *j, const ch_state *s, int64_t arm, ch_err *e)
{
    const ch_arm *a = &s->r->arms[arm];
    int64_t from = ch_recipe_arm(s->r, a->from);
    *j = (job){.arm = a, .obj = ch_objective_find(a->objective)};
    j->dir = ch_path(s->dir, a->name);
    j->train_dir = ch_path(j->dir, "train");
    j->model_path = ch_run_model_path(s, arm);
    j->from_path = ch_run_model_path(s, from);
    ch_str b = {0};
    ch_str_addf(&b, "from: %s\nobjective: %s\naugment: %d\nseed: %lld\n", s->made[from].hex,
                a->objective, a->augment, (long long)s->r->seed);
    ch_str_addf(&b, "train side: %s\nmax_len: %lld\noverlong: %d\ndev_rows: %lld\nsave: %d\n",
                s->train_side.hex, (long long)s->r->data.max_len, s->r->data.overlong,
                (long long)s->r->dev_rows, s->r->save);
    ch_depends_on_device(&b, s);
    const char *idle[CH_N_CONSTANTS + 4];
    idle_keys(idle, a, j->obj);
    ch_depends_on_arm(&b, s, a, "train", idle);
    if (ch_objective_groups(j->obj)->own_answers) {
        ch_hash h;
        CH_TRY(ch_run_pairs_hash(s, arm, &h, e));
        ch_str_addf(&b, "pairs: %s\n", h.hex);
    }
    j->stage = ch_stage_make(j->dir, "train", &b);
    return CH_OK;
}

static ch_code save(const ch_state *s, const job *j, const ch_model *m, const ch_train_result *r,
                    const ch_groups *g, int64_t dropped, ch_err *e)
{
    ch_origin origin = {s->base_hash.hex, j->stage.hash.hex, j->arm->name};
    ch_hash h;
    CH_TRY(ch_model_save(m, j->model_path, (ch_save_type)s->r->save, &origin, e));
    CH_TRY(ch_hash_file(j->model_path, &h, e));
    json_t *v =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "model_sha256", h.hex, "steps",
                  (json_int_t)r->steps_done, "best_step", (json_int_t)r->best_step, "kept_step",
                  (json_int_t)r->kept_step, "groups", (json_int_t)g->n, "dropped_rows",
                  (json_int_t)dropped, "tokens", (json_int_t)r->tokens, "rows", (json_int_t)r->rows,
                  "last_loss", ch_json_real(r->last_loss), "best_dev", ch_json_real(r->best_dev));
    CH_TRY(ch_stage_finish(&j->stage, v, e));
    ch_train_clean(j->train_dir);
    return CH_OK;
}

static ch_code train(ch_state *s, const job *j, int64_t arm, ch_model *m, ch_err *e)
{
    ch_groups data = {0}, dev = {0};
    ch_train_result result = {0};
    ch_hash pairs_hash;
    int64_t dropped = 0;
    int own_answers = ch_objective_groups(j->obj)->own_answers;
    ch_code c = ch_run_rows(s, m, j->arm, own_answers ? NULL : &data, &dev, &dropped, e);
    if (c == CH_OK && own_answers)
        c = ch_run_pairs(s, arm, &data, m, &pairs_hash, e);
    if (c == CH_OK && j->obj->needs_reference)
        c = ch_run_reference(&data, m, s->r, e);
    if (c == CH_OK)
        c = clean_train_dir(j->train_dir, j->stage.hash.hex, e);
    if (c == CH_OK) {
        ch_log(CH_INFO, "%s: %s on %lld groups, %lld updates of %lld", j->arm->name, j->obj->name,
               (long long)data.n, (long long)j->arm->train.steps, (long long)j->arm->train.batch);
        ch_train_opts how = j->arm->train;
        how.what = j->arm->name;
        c = ch_train(m, j->obj, &data, &dev, &how, j->train_dir, j->stage.hash.hex, &result, e);
    }
    if (c == CH_OK)
        c = save(s, j, m, &result, &data, dropped, e);
    ch_groups_release(&data);
    ch_groups_release(&dev);
    return c;
}

ch_code ch_run_train(ch_state *s, int64_t arm, ch_err *e)
{
    job j;
    ch_model *m = NULL;
    ch_code c = make_job(&j, s, arm, e);
    const char *const files[] = {j.model_path, NULL};
    if (c == CH_OK && ch_stage_is_done(&j.stage, files)) {
        ch_log(CH_INFO, "%s: trained already, nothing it depends on has changed", j.arm->name);
    } else if (c == CH_OK) {
        ch_run_drop_base(s);
        c = ch_model_load(&m, j.from_path, s->device, e);
        if (c == CH_OK)
            c = train(s, &j, arm, m, e);
        ch_model_free(m);
    }
    s->made[arm] = j.stage.hash;
    release_job(&j);
    return c;
}
