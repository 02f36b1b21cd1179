#include "run/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/out.h"
#include "run/preflight.h"
#include "run/sealed.h"

ch_code ch_describe_recipe(const ch_state *s, ch_err *e)
{
    char *text = ch_recipe_text(s->r), *path = ch_path(s->dir, "recipe.yaml");
    ch_out_own(path);
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

ch_code ch_describe_run(const ch_state *s, int64_t dropped, ch_err *e)
{
    count_dropped(&s->tasks, &dropped);
    count_dropped(&s->test_tasks, &dropped);
    char *path = ch_path(s->dir, "run.json");
    json_t *v = json_object();
    ch_json_set(v, "model", ch_json_text(ch_model_name(s->base)));
    ch_json_set(v, "device", ch_json_text(ch_device_text(s->device)));
    ch_json_set(v, "split", ch_json_text(ch_split_text(s->r->split.by)));
    ch_json_set(v, "dropped_wordings", json_integer(dropped));
    ch_json_set(v, "dropped_rows", json_integer(s->dropped_rows));
    ch_json_set(v, "dropped", ch_dropped_json(&s->dropped));
    ch_json_set(v, "left_out", json_integer(s->split.n_left_out));
    ch_facts_write(&s->facts, s->r, v);
    ch_out_own(path);
    ch_code c = ch_sealed_save(v, path, e);
    free(path);
    return c;
}

static json_t *ids_of(const ch_task *t, const int64_t *list, int64_t n)
{
    json_t *v = json_array();
    for (int64_t i = 0; i < n; i++) {
        const char *id = t->items[list[i]].id;
        ch_json_add(v, ch_json_text(id ? id : ""));
    }
    return v;
}

static json_t *wordings_of(const ch_task *t, const int64_t *list, int64_t n)
{
    json_t *v = json_array();
    for (int64_t i = 0; i < n; i++)
        ch_json_add(v, ch_json_text(ch_task_wording(t, list[i])));
    return v;
}

ch_code ch_describe_split(const ch_state *s, ch_err *e)
{
    json_t *v = json_object();
    for (int64_t i = 0; i < s->split.n; i++) {
        const ch_share *h = &s->split.list[i];
        json_t *t = json_object();
        ch_json_set(t, "kind", ch_json_text(h->task->kind == CH_KIND_CLOSED ? "closed" : "free"));
        ch_json_set(t, "train_wordings", wordings_of(h->task, h->train_w, h->n_train_w));
        ch_json_set(t, "test_wordings", wordings_of(h->task, h->test_w, h->n_test_w));
        ch_json_set(t, "train_inputs", ids_of(h->task, h->train, h->n_train));
        ch_json_set(t, "dev_inputs", ids_of(h->task, h->dev, h->n_dev));
        ch_json_set(t, "test_inputs", ids_of(h->task, h->test, h->n_test));
        char *name =
            ch_fmt("%s%s", h->task->name, json_object_get(v, h->task->name) ? " (test)" : "");
        ch_json_set(v, name, t);
        free(name);
    }
    char *path = ch_path(s->dir, "split.json");
    ch_out_own(path);
    ch_code c = ch_json_save(v, path, e);
    free(path);
    return c;
}
