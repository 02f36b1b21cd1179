#define _GNU_SOURCE
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/measure_arm.h"
#include "run/setup.h"
#include "run/stage.h"
#include "run/train_arm.h"
#include "run/write_wordings.h"

/* The first line in which two texts of "key: value" lines differ, as "key: old value, now new
 * value". */
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

/* A directory may be new, empty, or hold a run of the same model, data, split and seed. */
static ch_code check_dir(const ch_recipe *r, const ch_run_opts *o, ch_err *e)
{
    char **names = NULL;
    int64_t n = 0;
    if (!ch_exists(r->run))
        return CH_OK;
    CH_TRY(ch_list_dir(r->run, "", &names, &n, e));
    ch_names_free(names);
    char *path = ch_path(r->run, "recipe.yaml");
    ch_code c = CH_OK;
    if (n && !ch_exists(path))
        c = ch_fail(e, CH_EUSER,
                    "%s: is not empty and holds no run; a new or an empty directory is wanted",
                    r->run);
    if (c == CH_OK && n && !o->fresh) {
        ch_recipe old;
        c = ch_recipe_read(&old, path, e);
        if (c == CH_OK)
            c = ch_recipe_finish(&old, path, e);
        if (c == CH_OK) {
            char *was = ch_recipe_identity(&old), *now = ch_recipe_identity(r), what[256];
            if (strcmp(was, now)) {
                first_difference(what, sizeof what, was, now);
                c = ch_fail(e, CH_EUSER,
                            "%s: holds a run of another recipe (%s); name another directory with "
                            "run:, or start "
                            "over with --fresh",
                            r->run, what);
            }
            free(was);
            free(now);
        }
        ch_recipe_release(&old);
    }
    free(path);
    return c;
}

static int remove_one(const char *path, const struct stat *st CH_UNUSED, int type CH_UNUSED,
                      struct FTW *at)
{
    return at->level ? remove(path) : 0;
}

/* The lock ends with the process, however that ends. */
static ch_code enter_dir(ch_state *s, const ch_run_opts *o, ch_err *e)
{
    CH_TRY(ch_make_dir(s->dir, e));
    char *path = ch_path(s->dir, "recipe.yaml");
    int old = ch_exists(path);
    free(path);
    s->lock = open(s->dir, O_RDONLY | O_DIRECTORY);
    ch_guard_fd(s->lock);
    if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB))
        return ch_fail(e, CH_EUSER, "%s: another chorus is at work there", s->dir);
    if (o->fresh && old && nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
        return ch_fail(e, CH_EIO, "%s: cannot be emptied: %s", s->dir, strerror(errno));
    return CH_OK;
}

static ch_code write_recipe(const ch_state *s, ch_err *e)
{
    char *text = ch_recipe_text(s->r), *path = ch_path(s->dir, "recipe.yaml");
    ch_code c = ch_file_write(path, text, strlen(text), e);
    free(text);
    free(path);
    return c;
}

static void count_dropped(const ch_tasks *t, int64_t *n)
{
    for (int64_t i = 0; i < t->n; i++)
        *n += t->list[i].n_dropped_wordings;
}

static ch_code write_info(const ch_state *s, int64_t dropped, ch_err *e)
{
    count_dropped(&s->tasks, &dropped);
    count_dropped(&s->test_tasks, &dropped);
    char *path = ch_path(s->dir, "run.json");
    json_t *v = json_object();
    json_object_set_new(v, "model", ch_json_text(ch_model_name(s->base)));
    json_object_set_new(v, "base_sha256", json_string(s->base_hash.hex));
    json_object_set_new(v, "device", ch_json_text(ch_device_text(s->device)));
    json_object_set_new(v, "split", json_string(ch_split_text(s->r->split.by)));
    json_object_set_new(v, "dropped_wordings", json_integer(dropped));
    json_object_set_new(v, "dropped_rows", json_integer(s->dropped_rows));
    json_object_set_new(v, "left_out", json_integer(s->split.n_left_out));
    ch_code c = ch_json_save(v, path, e);
    free(path);
    return c;
}

static json_t *ids_of(const ch_task *t, const int64_t *list, int64_t n)
{
    json_t *v = json_array();
    for (int64_t i = 0; i < n; i++) {
        const char *id = t->items[list[i]].id;
        json_array_append_new(v, ch_json_text(id ? id : ""));
    }
    return v;
}

static json_t *wordings_of(const ch_task *t, const int64_t *list, int64_t n)
{
    json_t *v = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(v, ch_json_text(ch_task_wording(t, list[i])));
    return v;
}

static ch_code write_split(const ch_state *s, ch_err *e)
{
    json_t *v = json_object();
    for (int64_t i = 0; i < s->split.n; i++) {
        const ch_share *h = &s->split.list[i];
        json_t *t = json_object();
        json_object_set_new(t, "kind",
                            json_string(h->task->kind == CH_KIND_CLOSED ? "closed" : "free"));
        json_object_set_new(t, "train_wordings", wordings_of(h->task, h->train_w, h->n_train_w));
        json_object_set_new(t, "test_wordings", wordings_of(h->task, h->test_w, h->n_test_w));
        json_object_set_new(t, "train_inputs", ids_of(h->task, h->train, h->n_train));
        json_object_set_new(t, "dev_inputs", ids_of(h->task, h->dev, h->n_dev));
        json_object_set_new(t, "test_inputs", ids_of(h->task, h->test, h->n_test));
        char *name =
            ch_fmt("%s%s", h->task->name, json_object_get(v, h->task->name) ? " (test)" : "");
        json_object_set_new(v, name, t);
        free(name);
    }
    char *path = ch_path(s->dir, "split.json");
    ch_code c = ch_json_save(v, path, e);
    free(path);
    return c;
}

static ch_code reload(ch_tasks *t, const char *from, const char *side, int64_t max_items, ch_err *e)
{
    ch_tasks_release(t);
    return ch_tasks_load(t, from, side, max_items, e);
}

/* data.wordings: paraphrase. The list of a task depends on its instruction, so both sides are asked
 * for at once. */
static ch_code paraphrase(ch_state *s, int64_t *dropped, ch_err *e)
{
    const ch_recipe *r = s->r;
    char *path = ch_path(s->dir, "wordings.json"), *bin = ch_path(s->dir, "wordings_dropped.json");
    ch_str b = {0};
    char *identity = ch_recipe_identity(r);
    ch_str_addf(&b, "model: %s\n%s", s->base_hash.hex, identity);
    for (int64_t i = 0; i < s->tasks.n + s->test_tasks.n; i++) {
        const ch_task *t = i < s->tasks.n ? &s->tasks.list[i] : &s->test_tasks.list[i - s->tasks.n];
        ch_str_addf(&b, "task %s: %s\n", t->name,
                    ch_hash_bytes(t->instruction, strlen(t->instruction)).hex);
    }
    ch_depends_on_device(&b, s);
    ch_stage stage = ch_stage_make(s->dir, "wordings", &b);
    int64_t kept = 0;
    ch_code c = CH_OK;
    if (!ch_stage_is_done(&stage, (const char *const[]){path, NULL})) {
        ch_tasks all = {ch_new((size_t)(s->tasks.n + s->test_tasks.n), sizeof(ch_task)), 0};
        for (int64_t i = 0; i < s->tasks.n; i++)
            all.list[all.n++] = s->tasks.list[i];
        for (int64_t i = 0; i < s->test_tasks.n; i++)
            all.list[all.n++] = s->test_tasks.list[i];
        c = ch_paraphrase_tasks(s->base, &all, r->paraphrase.n, r->paraphrase.max_new,
                                r->paraphrase.prompt[0] ? r->paraphrase.prompt : NULL, path, bin,
                                &kept, dropped, e);
        free(all.list); /* borrowed tasks */
        if (c == CH_OK)
            c = ch_stage_finish(
                &stage,
                json_pack("{s:I,s:I}", "kept", (json_int_t)kept, "dropped", (json_int_t)*dropped),
                e);
    } else {
        json_t *v = ch_stage_result(&stage);
        *dropped = json_integer_value(json_object_get(v, "dropped"));
        json_decref(v);
    }
    if (c == CH_OK)
        c = reload(&s->tasks, r->data.tasks, path, r->data.max_items, e);
    if (c == CH_OK && s->test_tasks.n)
        c = reload(&s->test_tasks, r->data.test_tasks, path, r->data.max_items, e);
    ch_stage_release(&stage);
    free(identity);
    free(path);
    free(bin);
    return c;
}

static ch_code prepare(ch_state *s, const ch_recipe *r, const ch_run_opts *o, ch_err *e)
{
    int asks = !strcmp(r->data.wordings, "paraphrase");
    int64_t dropped = 0;
    CH_TRY(ch_state_load(s, r, e));
    if (!asks)
        CH_TRY(ch_state_split(s, e));
    CH_TRY(enter_dir(s, o, e));
    CH_TRY(write_recipe(s, e));
    if (asks) {
        CH_TRY(paraphrase(s, &dropped, e));
        CH_TRY(ch_state_split(s, e));
    }
    CH_TRY(write_info(s, dropped, e));
    return write_split(s, e);
}

static ch_code arms(ch_state *s, const ch_run_opts *o, ch_err *e)
{
    for (int64_t i = 0; i < s->r->n_arms; i++) {
        CH_TRY(ch_run_stopped(s, e));
        if (i)
            CH_TRY(ch_run_train(s, i, e));
        CH_TRY(ch_run_stopped(s, e));
        if (!o->train_only)
            CH_TRY(ch_run_measure(s, i, e));
    }
    return CH_OK;
}

ch_code ch_run(const ch_recipe *r, const ch_run_opts *o, ch_err *e)
{
    ch_state s = {.lock = -1};
    CH_TRY(check_dir(r, o, e));
    ch_code c = prepare(&s, r, o, e);
    if (c == CH_OK)
        c = arms(&s, o, e);
    if (c == CH_ESTOP && e) {
        *e = (ch_err){0};
        ch_fail(e, CH_ESTOP,
                "stopped; all that was done so far is kept: chorus run %s/recipe.yaml goes on",
                r->run);
    }
    ch_state_release(&s);
    return c;
}
