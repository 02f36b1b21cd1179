#include "run/keys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "align/rewards.h"
#include "base/mem.h"
#include "base/str.h"
#include "recipe/fields.h"
#include "run/sealed.h"
#include "run/stage.h"

const char ch_version[] = "0.1.0";

/* -- facts -- */

static const struct {
    const char *name;
    size_t at;
} hashes[] = {
    {"base_sha256", offsetof(ch_facts, base)},
    {"train_side", offsetof(ch_facts, train_side)},
    {"test_side", offsetof(ch_facts, test_side)},
    {"labels", offsetof(ch_facts, labels)},
    {"judge_sha256", offsetof(ch_facts, judge)},
    {"instructions", offsetof(ch_facts, instructions)},
    {"paraphrase_prompt", offsetof(ch_facts, paraphrase_prompt)},
    {"questions", offsetof(ch_facts, questions)},
};
enum { N_HASHES = sizeof hashes / sizeof *hashes };

void ch_facts_release(ch_facts *f)
{
    free(f->models);
    *f = (ch_facts){0};
}

/* A value of the recipe by its name. */
static void add_value(ch_str *b, const ch_recipe *r, const char *dotted)
{
    const ch_field *f = ch_field_find(dotted);
    CH_MUST(f);
    char *v = ch_field_text(r, f);
    ch_str_addf(b, "%s: %s\n", dotted, v);
    free(v);
}

/* What of a recipe the facts were found from, as lines. */
static char *origin(const ch_recipe *r)
{
    static const char *const more[] = {"threads",       "precision", "isa", "align.judge_prompt",
                                       "measure.judge", NULL};
    char *identity = ch_recipe_identity(r);
    ch_str b = {0};
    ch_str_add(&b, identity);
    free(identity);
    for (const char *const *it = more; *it; it++)
        add_value(&b, r, *it);
    for (int64_t i = 0; i < r->n_arms; i++)
        if (r->arms[i].model[0])
            ch_str_addf(&b, "model of %s: %s\n", r->arms[i].name, r->arms[i].model);
    return ch_str_take(&b);
}

void ch_facts_write(const ch_facts *f, const ch_recipe *r, json_t *v)
{
    json_t *models = json_object();
    char *from = origin(r);
    ch_json_set(v, "depends", ch_key_lines(from));
    free(from);
    ch_json_set(v, "chorus", ch_json_text(f->version));
    ch_json_set(v, "keys", json_integer(CH_KEY_FORMAT));
    ch_json_set(v, "computes", ch_json_text(f->computes));
    for (int i = 0; i < N_HASHES; i++) {
        const ch_hash *h = (const ch_hash *)(const void *)((const char *)f + hashes[i].at);
        ch_json_set(v, hashes[i].name, ch_json_text(h->hex));
    }
    for (int64_t i = 0; i < f->n_models; i++)
        if (f->models[i].hex[0])
            ch_json_set(models, r->arms[i].name, ch_json_text(f->models[i].hex));
    ch_json_set(v, "measured_models", models);
}

/* recipe.yaml may have been edited since, or be of a run that was killed before it wrote on. */
static ch_code check_origin(const ch_recipe *r, const json_t *v, const char *path, ch_err *e)
{
    char *was = ch_key_recorded(v), *now = origin(r);
    ch_code c = CH_OK;
    if (strcmp(was, now)) {
        char *what = ch_key_difference(was, now);
        c = ch_fail(e, CH_EUSER,
                    "%s: does not belong to the recipe.yaml beside it: %s; chorus run on that "
                    "renews it",
                    path, what);
        free(what);
    }
    free(was);
    free(now);
    return c;
}

static void take(char *out, size_t size, const json_t *v, const char *name)
{
    const char *s = json_string_value(json_object_get(v, name));
    snprintf(out, size, "%s", s ? s : "");
}

ch_code ch_facts_read(ch_facts *f, const ch_recipe *r, const json_t *v, const char *path, ch_err *e)
{
    *f = (ch_facts){0};
    const json_t *keys = json_object_get(v, "keys");
    take(f->version, sizeof f->version, v, "chorus");
    if (json_integer_value(keys) != CH_KEY_FORMAT)
        return ch_fail(
            e, CH_EUSER,
            "%s: was written by another version of chorus%s%s, what belongs to it cannot "
            "be told by this one (%s); chorus run on the directory's recipe.yaml renews "
            "it",
            path, f->version[0] ? ", " : "", f->version, ch_version);
    if (!ch_sealed(v))
        return ch_fail(e, CH_EUSER,
                       "%s: is not what the run wrote; chorus run on the directory's recipe.yaml "
                       "renews it",
                       path);
    CH_TRY(check_origin(r, v, path, e));
    take(f->computes, sizeof f->computes, v, "computes");
    for (int i = 0; i < N_HASHES; i++) {
        ch_hash *h = (ch_hash *)(void *)((char *)f + hashes[i].at);
        take(h->hex, sizeof h->hex, v, hashes[i].name);
    }
    f->n_models = r->n_arms;
    f->models = ch_new((size_t)r->n_arms, sizeof *f->models);
    for (int64_t i = 0; i < r->n_arms; i++)
        take(f->models[i].hex, sizeof f->models[i].hex, json_object_get(v, "measured_models"),
             r->arms[i].name);
    return CH_OK;
}

/* -- keys -- */

static void begin(ch_str *b, const ch_facts *f)
{
    ch_str_addf(b, "chorus: %s, keys %d\ncomputes: %s\n", f->version, CH_KEY_FORMAT, f->computes);
}

/* Every value of a section that the arm resolved to, but those named in `but`
 * (NULL-terminated). */
static void add_section(ch_str *b, const ch_recipe *r, const ch_arm *a, const char *section,
                        const char *const *but)
{
    ch_recipe own = *r; /* shallow: only the arm's own numbers differ */
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

/* How much is computed at once: log-probabilities depend on it in their last bits. */
static void add_batches(ch_str *b, const ch_recipe *r)
{
    add_value(b, r, "generate.batch");
    add_value(b, r, "generate.max_rows");
}

static void add_from(ch_str *b, const ch_arm *a, const ch_made *from)
{
    ch_str_addf(b, "from: %s\nits training: %s\nits file: %s\n", a->from, from->key.hex,
                from->file.hex);
}

char *ch_key_wordings(const ch_recipe *r, const ch_facts *f)
{
    ch_str b = {0};
    begin(&b, f);
    add_value(&b, r, "paraphrase.n");
    add_value(&b, r, "paraphrase.max_new");
    ch_str_addf(&b, "prompt: %s\ninstructions: %s\nmodel: %s\n", f->paraphrase_prompt.hex,
                f->instructions.hex, f->base.hex);
    return ch_str_take(&b);
}

char *ch_key_candidates(const ch_recipe *r, const ch_facts *f, const ch_arm *a, const ch_made *from)
{
    static const char *const not_here[] = {"reward", "pool", "gold_target", "max_bad", NULL};
    ch_str b = {0};
    begin(&b, f);
    add_value(&b, r, "seed");
    add_value(&b, r, "data.max_len");
    add_value(&b, r, "data.overlong");
    add_value(&b, r, "generate.batch");
    add_section(&b, r, a, "align", not_here);
    ch_str_addf(&b, "train side: %s\n", f->train_side.hex);
    add_from(&b, a, from);
    return ch_str_take(&b);
}

static ch_hash hash_of(char *key)
{
    ch_hash h = ch_hash_bytes(key, strlen(key));
    free(key);
    return h;
}

char *ch_key_pairs(const ch_recipe *r, const ch_facts *f, const ch_arm *a, const ch_made *from)
{
    static const char *const none[] = {NULL};
    ch_str b = {0};
    begin(&b, f);
    add_section(&b, r, a, "align", none);
    if (ch_reward_table[a->align.reward].questions)
        ch_str_addf(&b, "questions: %s\n", f->questions.hex);
    ch_str_addf(&b, "candidates: %s\n", hash_of(ch_key_candidates(r, f, a, from)).hex);
    return ch_str_take(&b);
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

char *ch_key_train(const ch_recipe *r, const ch_facts *f, const ch_arm *a, const ch_made *from)
{
    const ch_objective *obj = ch_objective_find(a->objective);
    const char *idle[CH_N_CONSTANTS + 4];
    ch_str b = {0};
    begin(&b, f);
    ch_str_addf(&b, "objective: %s\naugment: %d\n", a->objective, a->augment);
    add_value(&b, r, "seed");
    add_value(&b, r, "save");
    add_value(&b, r, "data.max_len");
    add_value(&b, r, "data.overlong");
    add_value(&b, r, "train.dev_rows");
    if (obj->needs_reference)
        add_batches(&b, r);
    idle_keys(idle, a, obj);
    add_section(&b, r, a, "train", idle);
    ch_str_addf(&b, "train side: %s\n", f->train_side.hex);
    if (ch_objective_groups(obj)->own_answers)
        ch_str_addf(&b, "pairs: %s\n", hash_of(ch_key_pairs(r, f, a, from)).hex);
    add_from(&b, a, from);
    return ch_str_take(&b);
}

char *ch_key_answers(const ch_recipe *r, const ch_facts *f, const ch_made *model)
{
    ch_str b = {0};
    begin(&b, f);
    add_value(&b, r, "generate.max_new");
    add_value(&b, r, "generate.decode");
    add_batches(&b, r);
    add_value(&b, r, "data.overlong");
    if (r->generate.decode == CH_DECODE_LABELS)
        ch_str_addf(&b, "labels: %s\n", f->labels.hex);
    ch_str_addf(&b, "test side: %s\ntraining: %s\nmodel: %s\n", f->test_side.hex, model->key.hex,
                model->file.hex);
    return ch_str_take(&b);
}

char *ch_key_same(const ch_recipe *r, const ch_facts *f, const ch_hash *answers,
                  const ch_hash *file)
{
    ch_str b = {0};
    begin(&b, f);
    add_value(&b, r, "measure.sim");
    ch_str_addf(&b, "judge: %s\nanswers: %s\nanswers.jsonl: %s\n", f->judge.hex, answers->hex,
                file->hex);
    return ch_str_take(&b);
}

char *ch_key_judge(const ch_hash *same, int64_t pairs)
{
    return ch_fmt("same: %s\npairs: %lld\n", same->hex, (long long)pairs);
}

char *ch_align_sub(const ch_arm *a, const char *key)
{
    return ch_fmt("align/%s-%.8s", a->from, ch_hash_bytes(key, strlen(key)).hex);
}
