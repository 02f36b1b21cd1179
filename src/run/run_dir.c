#define _GNU_SOURCE
#include "run/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "run/wipe.h"

static const char mark_text[] = "chorus run directory";

/* The object in dir/name, or NULL. A link is no file of ours. */
static json_t *load(const char *dir, const char *name)
{
    char *path = ch_path(dir, name);
    struct stat st;
    json_t *v = NULL;
    if (lstat(path, &st) || !S_ISREG(st.st_mode) || ch_json_load(&v, path, NULL) != CH_OK)
        v = NULL;
    free(path);
    return v;
}

static json_t *load_mark(const char *dir)
{
    json_t *v = load(dir, CH_RUN_MARK);
    const char *what = json_string_value(json_object_get(v, "what"));
    if (what && !strcmp(what, mark_text))
        return v;
    json_decref(v);
    return NULL;
}

int ch_dir_is_run(const char *dir)
{
    json_t *m = load_mark(dir), *v = m ? NULL : load(dir, "run.json");
    int yes = m || (json_object_get(v, "base_sha256") && json_object_get(v, "device"));
    json_decref(m);
    json_decref(v);
    return yes;
}

ch_code ch_dir_of_recipe(ch_recipe *r, const char *recipe_path, ch_err *e)
{
    const char *slash = strrchr(recipe_path, '/'), *name = slash ? slash + 1 : recipe_path;
    if (strcmp(name, "recipe.yaml"))
        return CH_OK;
    char *dir = slash
                    ? ch_dupn(recipe_path, slash == recipe_path ? 1 : (size_t)(slash - recipe_path))
                    : ch_dup(".");
    char *here = realpath(dir, NULL), *said = realpath(r->run, NULL);
    ch_code c = CH_OK;
    if (here && ch_dir_is_run(dir) && (!said || strcmp(here, said))) {
        ch_log(CH_INFO, "%s lies in a run's directory, which is meant; its run: says %s",
               recipe_path, r->run);
        c = ch_recipe_set(r, "run", dir, recipe_path, e);
    }
    free(here);
    free(said);
    free(dir);
    return c;
}

/* -- whose it is -- */

/* The first line in which two texts of "key: value" lines differ. */
static void first_difference(char *out, size_t size, const char *was, const char *now)
{
    while (*was && *now) {
        size_t a = strcspn(was, "\n"), b = strcspn(now, "\n");
        if (a != b || strncmp(was, now, a)) {
            const char *v = strchr(now, ':');
            snprintf(out, size, "%.*s there, now%.*s", (int)a, was,
                     v && v < now + b ? (int)(now + b - v - 1) : 0, v ? v + 1 : "");
            return;
        }
        was += a + (was[a] == '\n');
        now += b + (now[b] == '\n');
    }
    out[0] = 0;
}

/* What may not change, without the model's path: its content counts, see ch_dir_check_model. */
static char *identity(const ch_recipe *r)
{
    char *all = ch_recipe_identity(r);
    if (!strncmp(all, "model: ", 7)) {
        char *rest = ch_dup(all + strcspn(all, "\n"));
        free(all);
        return rest;
    }
    return all;
}

static ch_code check_recipe(const ch_recipe *r, const char *path, ch_err *e)
{
    ch_recipe old;
    ch_code c = ch_recipe_read(&old, path, e);
    if (c == CH_OK)
        c = ch_recipe_finish(&old, path, e);
    if (c == CH_OK) {
        char *was = identity(&old), *now = identity(r), what[256];
        if (strcmp(was, now)) {
            first_difference(what, sizeof what, was, now);
            c = ch_fail(e, CH_EUSER,
                        "%s: holds a run of another recipe (%s); name another directory with run:, "
                        "or start over with --fresh",
                        r->run, what);
        }
        free(was);
        free(now);
    }
    ch_recipe_release(&old);
    return c;
}

/* 1 when nothing is there but temporary files of a run that died with its first write. */
static ch_code is_empty(int *yes, const char *dir, ch_err *e)
{
    char **names = NULL;
    int64_t n = 0;
    CH_TRY(ch_list_dir(dir, "", &names, &n, e));
    *yes = 1;
    for (int64_t i = 0; i < n; i++)
        *yes &= ch_wipe_knows_tmp(names[i]);
    ch_names_free(names);
    return CH_OK;
}

/* A recipe may lie elsewhere than its author stood: say from where a path was looked for. */
static ch_code check_there(const char *what, const char *path, ch_err *e)
{
    if (!path[0] || path[0] == '/' || ch_exists(path))
        return CH_OK;
    char *here = realpath(".", NULL);
    ch_fail(e, CH_EUSER,
            "%s: %s is not there; a recipe's paths count from the current directory, which is %s",
            what, path, here ? here : "gone");
    free(here);
    return CH_EUSER;
}

static ch_code check_inputs(const ch_recipe *r, ch_err *e)
{
    int side = strcmp(r->data.wordings, "paraphrase") != 0;
    CH_TRY(check_there("model", r->model, e));
    CH_TRY(check_there("data.tasks", r->data.tasks, e));
    CH_TRY(check_there("data.test_tasks", r->data.test_tasks, e));
    CH_TRY(check_there("data.wordings", side ? r->data.wordings : "", e));
    for (int64_t i = 0; i < r->n_arms; i++)
        CH_TRY(check_there(r->arms[i].name, r->arms[i].model, e));
    return CH_OK;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A model that the run reads may not be one that it writes. */
static ch_code check_outputs(const ch_recipe *r, ch_err *e)
{
    ch_code c = CH_OK;
    for (int64_t i = 1; c == CH_OK && i < r->n_arms; i++) {
        char *path = ch_fmt("%s/%s/model.gguf", r->run, r->arms[i].name);
        int hit = same_file(path, r->model) || same_file(path, r->measure.judge);
        for (int64_t k = 1; k < r->n_arms; k++)
            hit |= r->arms[k].model[0] && same_file(path, r->arms[k].model);
        if (hit && !r->arms[i].model[0])
            c = ch_fail(e, CH_EUSER,
                        "%s: is a model that the recipe reads, and the run would write arm %s over "
                        "it; name another directory with run:, or the arm otherwise",
                        path, r->arms[i].name);
        free(path);
    }
    return c;
}

ch_code ch_dir_check(const ch_recipe *r, int fresh, ch_err *e)
{
    int empty;
    struct stat st;
    CH_TRY(check_inputs(r, e));
    if (!ch_exists(r->run))
        return CH_OK;
    CH_TRY(is_empty(&empty, r->run, e));
    if (empty)
        return CH_OK;
    CH_TRY(check_outputs(r, e));
    if (!ch_dir_is_run(r->run))
        return ch_fail(e, CH_EUSER,
                       "%s: is not empty and holds no run; a new or an empty directory is wanted",
                       r->run);
    if (fresh && !lstat(r->run, &st) && S_ISLNK(st.st_mode))
        return ch_fail(e, CH_EUSER,
                       "%s: is a link, and --fresh deletes nothing through one; name the directory "
                       "itself",
                       r->run);
    char *path = ch_path(r->run, "recipe.yaml");
    ch_code c = fresh || !ch_exists(path) ? CH_OK : check_recipe(r, path, e);
    free(path);
    return c;
}

ch_code ch_dir_check_model(const ch_state *s, ch_err *e)
{
    json_t *v = load(s->dir, "run.json");
    const char *was = json_string_value(json_object_get(v, "base_sha256"));
    ch_code c = CH_OK;
    if (was && strcmp(was, s->facts.base.hex))
        c = ch_fail(e, CH_EUSER,
                    "%s: holds a run of another model (SHA-256 %.8s.. there, %s is %.8s..); name "
                    "another directory with run:, or start over with --fresh",
                    s->dir, was, s->r->model, s->facts.base.hex);
    json_decref(v);
    return c;
}

/* -- entering -- */

static int is_listed(const json_t *list, const char *name)
{
    size_t i;
    json_t *it;
    json_array_foreach((json_t *)(uintptr_t)list, i,
                       it) if (!strcmp(json_string_value(it), name)) return 1;
    return 0;
}

/* A name that may be a directory of an arm. */
static void list_arm(json_t *list, const char *name)
{
    if (name && name[0] && name[0] != '.' && !strchr(name, '/') && !is_listed(list, name))
        ch_json_add(list, ch_json_text(name));
}

static void list_recipe(json_t *list, const ch_recipe *r)
{
    for (int64_t i = 0; i < r->n_arms; i++)
        list_arm(list, r->arms[i].name);
}

/* Arms that were ever made there, by its mark and its recipe. New reference. */
static json_t *arms_there(const char *dir)
{
    json_t *m = load_mark(dir), *list = json_array(), *it;
    size_t i;
    json_array_foreach(json_object_get(m, "arms"), i, it) list_arm(list, json_string_value(it));
    json_decref(m);
    char *path = ch_path(dir, "recipe.yaml");
    if (ch_exists(path)) {
        ch_recipe old;
        if (ch_recipe_read(&old, path, NULL) == CH_OK &&
            ch_recipe_finish(&old, path, NULL) == CH_OK)
            list_recipe(list, &old);
        ch_recipe_release(&old);
    }
    free(path);
    return list;
}

static ch_code check_link(const char *path, ch_err *e)
{
    struct stat st;
    return lstat(path, &st) || !S_ISLNK(st.st_mode)
               ? CH_OK
               : ch_fail(e, CH_EUSER,
                         "%s: is a link, and a run writes nothing through one; put a directory "
                         "there",
                         path);
}

/* Two arms in one directory would write over each other, and a run over what is another's. */
static ch_code check_links(const ch_state *s, ch_err *e)
{
    char *align = ch_path(s->dir, "align");
    ch_code c = check_link(align, e);
    free(align);
    for (int64_t i = 0; c == CH_OK && i < s->r->n_arms; i++) {
        char *arm = ch_path(s->dir, s->r->arms[i].name), *train = ch_path(arm, "train");
        c = check_link(arm, e);
        if (c == CH_OK)
            c = check_link(train, e);
        free(arm);
        free(train);
    }
    return c;
}

static ch_code write_mark(const char *dir, const json_t *arms, ch_err *e)
{
    char *path = ch_path(dir, CH_RUN_MARK);
    json_t *v = json_object();
    ch_json_set(v, "what", ch_json_text(mark_text));
    ch_json_set(v, "arms", json_copy((json_t *)(uintptr_t)arms));
    ch_out_own(path);
    ch_code c = ch_json_save(v, path, e);
    free(path);
    return c;
}

/* Borrows the names of list. New array. */
static const char **names_of(const json_t *list)
{
    size_t n = json_array_size(list);
    const char **names = ch_new(n + 1, sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = json_string_value(json_array_get(list, i));
    return names;
}

static ch_code empty_dir(ch_state *s, const char *const *arms, ch_err *e)
{
    char *left = NULL;
    CH_TRY(ch_wipe_run(s->lock, s->dir, arms, s->r, &left, e));
    if (left)
        ch_log(CH_INFO, "%s: left alone, since no run wrote it: %s", s->dir, left);
    free(left);
    return CH_OK;
}

ch_code ch_dir_enter(ch_state *s, int fresh, ch_err *e)
{
    CH_TRY(ch_make_dir(s->dir, e));
    s->lock = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ch_guard_fd(s->lock);
    if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK
                   ? ch_fail(e, CH_EUSER, "%s: another chorus is at work there", s->dir)
                   : ch_fail(e, CH_EIO, "%s: cannot be locked: %s", s->dir, strerror(errno));
    CH_TRY(ch_dir_check(s->r, fresh, e));
    json_t *arms = arms_there(s->dir), *own = json_array();
    list_recipe(own, s->r);
    list_recipe(arms, s->r);
    const char **names = names_of(arms);
    /* What is deleted must be known to a second try, so the mark comes first. */
    ch_code c = write_mark(s->dir, arms, e);
    if (c == CH_OK)
        c = ch_wipe_tmp(s->lock, s->dir, names, s->r, e);
    if (c == CH_OK && fresh) {
        c = empty_dir(s, names, e);
        if (c == CH_OK)
            c = write_mark(s->dir, own, e);
    }
    if (c == CH_OK)
        c = check_links(s, e);
    free(names);
    json_decref(arms);
    json_decref(own);
    return c;
}
