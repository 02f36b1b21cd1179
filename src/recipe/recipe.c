#include "recipe/recipe.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/text_file.h"
#include "recipe/fields.h"

enum { MOST_NAME = 64, MOST_TITLE = 100 };

void ch_recipe_init(ch_recipe *r)
{
    *r = (ch_recipe){0};
    for (const ch_field *f = ch_fields; f->key; f++)
        CH_MUST(ch_field_set(r, f, f->def, "defaults", NULL) == CH_OK);
}

ch_code ch_recipe_set(ch_recipe *r, const char *key, const char *value, const char *where,
                      ch_err *e)
{
    const ch_field *f = ch_field_find(key);
    if (f)
        return ch_field_set(r, f, value, where, e);
    char *names[128];
    int64_t n = 0;
    for (f = ch_fields; f->key; f++)
        names[n++] = ch_fmt("%s%s%s", f->section, f->section[0] ? "." : "", f->key);
    names[n] = NULL;
    const char *near = ch_nearest(key, (const char *const *)names);
    ch_fail(e, CH_EUSER, "%s: there is no key %s%s%s%s", where, key, near ? "; did you mean " : "",
            near ? near : "", near ? "?" : "");
    for (int64_t i = 0; i < n; i++)
        free(names[i]);
    return CH_EUSER;
}

int64_t ch_recipe_arm(const ch_recipe *r, const char *name)
{
    for (int64_t i = 0; i < r->n_arms; i++)
        if (!strcmp(r->arms[i].name, name))
            return i;
    return -1;
}

ch_arm *ch_recipe_add_arm(ch_recipe *r, const char *name, const char *title, const char *objective,
                          const char *from, int augment)
{
    r->arms = ch_grow(r->arms, (size_t)r->n_arms + 1, sizeof *r->arms);
    ch_arm *a = &r->arms[r->n_arms++];
    *a = (ch_arm){.name = ch_dup(name),
                  .title = ch_dup(title),
                  .objective = ch_dup(objective),
                  .from = ch_dup(from),
                  .model = ch_dup(""),
                  .augment = augment};
    return a;
}

static ch_code resolve_arm(const ch_recipe *r, ch_arm *a, const char *where, ch_err *e)
{
    a->train = r->train;
    a->align = r->align;
    for (int64_t i = 0; i < a->n_own; i++) {
        const ch_field *f = ch_fields;
        while (f->key && !(ch_field_in_arm(f) && !strcmp(f->key, a->keys[i])))
            f++;
        CH_MUST(f->key);
        ch_field moved = *f;
        int train = !strcmp(f->section, "train");
        moved.at -= train ? offsetof(ch_recipe, train) : offsetof(ch_recipe, align);
        void *base = train ? (void *)&a->train : (void *)&a->align;
        char *at = ch_fmt("%s: arm %s", where, a->name);
        ch_code c = ch_field_set(base, &moved, a->values[i], at, e);
        free(at);
        CH_TRY(c);
    }
    a->train.seed = (uint64_t)r->seed;
    a->align.seed = (uint64_t)r->seed;
    a->align.batch = r->generate.batch;
    a->align.max_len = r->data.max_len;
    a->align.drop_overlong = r->data.overlong == CH_OVERLONG_DROP;
    if (!a->align.max_new)
        a->align.max_new = r->generate.max_new;
    if (a->align.samples > 0 && !(a->align.temperature > 0))
        return ch_fail(e, CH_EUSER,
                       "%s: arm %s: align.temperature is 0 and align.samples %lld, a temperature "
                       "above 0 is wanted when answers are sampled; samples: 0 takes none",
                       where, a->name, (long long)a->align.samples);
    return CH_OK;
}

static ch_code check_name(const ch_arm *a, const char *where, ch_err *e)
{
    int good = a->name[0] != 0 && a->name[0] != '-';
    for (const char *s = a->name; *s; s++)
        good &= isalnum((unsigned char)*s) || *s == '_' || *s == '-';
    if (!good || strlen(a->name) > MOST_NAME)
        return ch_fail(e, CH_EUSER,
                       "%s: an arm is named \"%.80s\", up to %d letters, digits, _ and - are "
                       "wanted, and no - first",
                       where, a->name, MOST_NAME);
    if (!strcmp(a->name, "align") || !strcmp(a->name, "judge"))
        return ch_fail(e, CH_EUSER,
                       "%s: an arm may not be named %s: the run keeps other things there", where,
                       a->name);
    return CH_OK;
}

/* An arm without an objective is measured as it is: the base, or a model of its own. */
static ch_code check_measured(const ch_recipe *r, int64_t i, int none, const char *where, ch_err *e)
{
    const ch_arm *a = &r->arms[i], *from = &r->arms[i ? ch_recipe_arm(r, a->from) : 0];
    if (i == 0 && (!none || a->model[0]))
        return ch_fail(
            e, CH_EUSER,
            "%s: arm base is the recipe's model as it is; objective none and no model of "
            "its own are wanted",
            where);
    if (i && none != (a->model[0] != 0))
        return ch_fail(e, CH_EUSER,
                       "%s: arm %s: objective none (measured only) and model: FILE.gguf belong "
                       "together",
                       where, a->name);
    if (from->model[0])
        return ch_fail(e, CH_EUSER, "%s: arm %s starts from %s, which is only measured", where,
                       a->name, from->name);
    if (none && (a->augment || a->n_own || strcmp(a->from, "base")))
        return ch_fail(e, CH_EUSER,
                       "%s: arm %s is only measured; from, augment and values of its own have no "
                       "meaning there",
                       where, a->name);
    return CH_OK;
}

static ch_code check_title(const ch_recipe *r, int64_t i, const char *where, ch_err *e)
{
    const ch_arm *a = &r->arms[i];
    char *at = ch_fmt("%s: arm %s: title", where, a->name);
    ch_code c = ch_name_check(a->title, at, e);
    if (c == CH_OK && (!a->title[strspn(a->title, " ")] || strlen(a->title) > MOST_TITLE))
        c = ch_fail(e, CH_EUSER, "%s is \"%.140s\", a text of 1 to %d bytes is wanted", at,
                    a->title, MOST_TITLE);
    for (int64_t k = 0; c == CH_OK && k < i; k++)
        if (!strcmp(r->arms[k].title, a->title))
            c = ch_fail(e, CH_EUSER,
                        "%s \"%s\" is also that of arm %s, one that no other arm has is wanted", at,
                        a->title, r->arms[k].name);
    free(at);
    return c;
}

static ch_code check_objective(const ch_arm *a, const char *where, ch_err *e)
{
    if (ch_objective_find(a->objective))
        return CH_OK;
    const char *names[32];
    int64_t n = 0;
    ch_str all = {0};
    for (const ch_objective *o = ch_objectives; o->name && n < 31; o++) {
        ch_str_addf(&all, "%s%s", n ? ", " : "", o->name);
        names[n++] = o->name;
    }
    names[n] = NULL;
    const char *near = ch_nearest(a->objective, names);
    ch_fail(e, CH_EUSER, "%s: arm %.64s: there is no objective \"%.64s\" (known: %s)%s%s%s", where,
            a->name, a->objective, ch_str_get(&all), near ? "; did you mean " : "",
            near ? near : "", near ? "?" : "");
    ch_str_free(&all);
    return CH_EUSER;
}

static ch_code check_arm(const ch_recipe *r, int64_t i, const char *where, ch_err *e)
{
    const ch_arm *a = &r->arms[i];
    int none = !strcmp(a->objective, "none");
    if (i > 0 && !none)
        CH_TRY(check_objective(a, where, e));
    CH_TRY(check_name(a, where, e));
    if (ch_recipe_arm(r, a->name) != i)
        return ch_fail(e, CH_EUSER, "%s: two arms are named %s", where, a->name);
    int64_t from = ch_recipe_arm(r, a->from);
    if (i > 0 && (from < 0 || from >= i))
        return ch_fail(
            e, CH_EUSER,
            "%s: arm %s starts from \"%.80s\", which is no arm before it; base is the model", where,
            a->name, a->from);
    CH_TRY(check_measured(r, i, none, where, e));
    char *at = ch_fmt("%s: arm %s: model", where, a->name);
    ch_code c = ch_name_check(a->model, at, e);
    free(at);
    CH_TRY(c);
    return check_title(r, i, where, e);
}

static void default_arms(ch_recipe *r)
{
    ch_recipe_add_arm(r, "base", "base model", "none", "base", 0);
    ch_recipe_add_arm(r, "sft", "SFT", "sft", "base", 0);
    ch_recipe_add_arm(r, "sft_ia", "SFT(IA)", "sft", "base", 1);
    ch_recipe_add_arm(r, "cat", "SFT(IA) + CAT", "cat", "sft_ia", 1);
    ch_recipe_add_arm(r, "control", "SFT(IA) + as much SFT", "sft", "sft_ia", 1);
}

ch_code ch_recipe_train_only(ch_recipe *r, const char *objective, int augment, const char *where,
                             ch_err *e)
{
    const ch_split_opts *o = &r->split;
    if (o->by != CH_SPLIT_BOTH || o->train_inputs || o->test_inputs || o->train_wordings ||
        o->test_wordings || o->test_tasks || r->data.test_tasks[0])
        return ch_fail(e, CH_EUSER,
                       "%s: a key of split or data.test_tasks is set, and a training alone tests "
                       "nothing: it trains on all that it is given; of split, dev_inputs alone may "
                       "be set, to hold inputs back for the dev loss",
                       where);
    r->split.by = CH_SPLIT_NONE;
    ch_recipe_add_arm(r, "base", "base model", "none", "base", 0);
    ch_recipe_add_arm(r, objective, objective, objective, "base", augment);
    return ch_recipe_finish(r, where, e);
}

ch_code ch_recipe_finish(ch_recipe *r, const char *where, ch_err *e)
{
    if (!r->model[0])
        return ch_fail(e, CH_EUSER, "%s: there is no model; wanted: model: FILE.gguf", where);
    if (!r->data.tasks[0])
        return ch_fail(e, CH_EUSER,
                       "%s: there are no tasks; wanted: data: tasks: FILE or DIRECTORY", where);
    if (!r->run[0])
        return ch_fail(e, CH_EUSER, "%s: run is empty, a directory is wanted", where);
    if ((r->split.by == CH_SPLIT_FILES) != (r->data.test_tasks[0] != 0))
        return ch_fail(e, CH_EUSER, "%s: split.by files and data.test_tasks belong together",
                       where);
    if (!r->n_arms)
        default_arms(r);
    if (ch_recipe_arm(r, "base") < 0) {
        ch_recipe_add_arm(r, "base", "base model", "none", "base", 0);
        ch_arm last = r->arms[r->n_arms - 1];
        memmove(r->arms + 1, r->arms, (size_t)(r->n_arms - 1) * sizeof *r->arms);
        r->arms[0] = last;
    }
    if (strcmp(r->arms[0].name, "base"))
        return ch_fail(e, CH_EUSER, "%s: the arm base must be the first", where);
    r->split.seed = (uint64_t)r->seed;
    for (int64_t i = 0; i < r->n_arms; i++) {
        CH_TRY(check_arm(r, i, where, e));
        CH_TRY(resolve_arm(r, &r->arms[i], where, e));
    }
    return CH_OK;
}

void ch_recipe_release(ch_recipe *r)
{
    for (const ch_field *f = ch_fields; f->key; f++)
        if (f->type == CH_F_TEXT)
            free(*(char **)(void *)((char *)r + f->at));
    for (int64_t i = 0; i < r->n_arms; i++) {
        ch_arm *a = &r->arms[i];
        for (int64_t k = 0; k < a->n_own; k++) {
            free(a->keys[k]);
            free(a->values[k]);
        }
        free(a->keys);
        free(a->values);
        free(a->name);
        free(a->title);
        free(a->objective);
        free(a->from);
        free(a->model);
    }
    free(r->arms);
    *r = (ch_recipe){0};
}
