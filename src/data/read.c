/* Task files: Super-NaturalInstructions JSON, and JSON lines. */
#include "data/read.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

/* A key that is not there but nearly: people write "ouput". */
static ch_code missing(const json_t *row, const char *where, const char *key, ch_err *e)
{
    const char *near = NULL, *have, *const want[] = {key, NULL};
    void *it = json_object_iter((json_t *)row);
    for (; it && !near; it = json_object_iter_next((json_t *)row, it)) {
        have = json_object_iter_key(it);
        if (ch_nearest(have, want))
            near = have;
    }
    return ch_fail(e, CH_EUSER, "%s has no `%s`%s%s%s", where, key, near ? "; it has `" : "",
                   near ? near : "", near ? "`, is that it?" : "");
}

static ch_code outputs(const json_t *v, const char *where, ch_instance *item, ch_err *e)
{
    ch_texts list = {0};
    ch_code c = CH_OK;
    char *one = NULL;
    if (json_is_array(v))
        c = ch_read_texts(v, where, &list, e);
    else if ((c = ch_read_text(v, where, &one, e)) == CH_OK)
        *CH_PUSH(list.s, list.n, list.cap) = one;
    if (c == CH_OK && !list.n)
        c = ch_fail(e, CH_EUSER, "%s is an empty list, at least one right answer is wanted", where);
    if (c != CH_OK) {
        ch_texts_free(&list);
        return c;
    }
    for (int64_t i = 0; i < list.n; i++) {
        char *raw = list.s[i];
        list.s[i] = ch_trim(raw);
        free(raw);
    }
    item->outputs = list.s;
    item->n_outputs = list.n;
    return CH_OK;
}

/* Reads one row into item; item is zeroed and owned by the task already. */
static ch_code instance(const json_t *row, const char *where, ch_instance *item, ch_err *e)
{
    if (!json_is_object(row))
        return ch_fail(e, CH_EUSER, "%s is %s, an object with `input` and `output` is wanted",
                       where, ch_json_what(row));
    const json_t *in = json_object_get(row, "input"), *out = json_object_get(row, "output");
    if (!in || !out)
        return missing(row, where, in ? "output" : "input", e);
    char *at = ch_fmt("%s: `input`", where);
    ch_code c = ch_read_text(in, at, &item->input, e);
    free(at);
    CH_TRY(c);
    at = ch_fmt("%s: `output`", where);
    c = outputs(out, at, item, e);
    free(at);
    CH_TRY(c);
    const json_t *id = json_object_get(row, "id");
    if (!id || json_is_null(id))
        return CH_OK;
    if (json_is_integer(id)) {
        item->id = ch_fmt("%lld", (long long)json_integer_value(id));
        return CH_OK;
    }
    at = ch_fmt("%s: `id`", where);
    c = ch_read_text(id, at, &item->id, e);
    free(at);
    return c;
}

static ch_code add_instance(ch_task *t, int64_t *cap, const json_t *row, const char *where,
                            ch_err *e)
{
    ch_instance *item = CH_PUSH(t->items, t->n_items, *cap);
    *item = (ch_instance){0};
    return instance(row, where, item, e);
}

/* ------------------------------------------------------------------ Super-NaturalInstructions */

/* A list of definitions: the first is the instruction, any further one another wording of it. */
static ch_code definition(const json_t *v, ch_task *t, ch_texts *w, ch_err *e)
{
    char *where = ch_fmt("%s: `Definition`", t->path);
    ch_code c;
    ch_texts list = {0};
    if (!json_is_array(v)) {
        c = ch_read_text(v, where, &t->instruction, e);
    } else {
        c = ch_read_texts(v, where, &list, e);
        if (c == CH_OK && !list.n)
            c = ch_fail(e, CH_EUSER, "%s is an empty list, the instruction is wanted", where);
    }
    free(where);
    for (int64_t i = 0; i < list.n; i++)
        if (!t->instruction)
            t->instruction = list.s[i];
        else
            *CH_PUSH(w->s, w->n, w->cap) = list.s[i];
    free(list.s);
    return c;
}

static ch_code sni_head(const json_t *root, ch_task *t, ch_texts *w, ch_err *e)
{
    const json_t *kind = json_object_get(root, "Kind"), *more;
    ch_code c = CH_OK;
    CH_TRY(definition(json_object_get(root, "Definition"), t, w, e));
    if ((more = json_object_get(root, "Paraphrases"))) {
        char *where = ch_fmt("%s: `Paraphrases`", t->path);
        c = ch_read_texts(more, where, w, e);
        free(where);
    }
    if (c == CH_OK && kind) {
        char *where = ch_fmt("%s: `Kind`", t->path);
        c = json_is_string(kind) ? ch_kind_parse(json_string_value(kind), where, &t->kind, e)
                                 : ch_fail(e, CH_EUSER, "%s is %s, wanted is closed, free or auto",
                                           where, ch_json_what(kind));
        free(where);
    }
    return c;
}

static ch_code sni_items(const json_t *rows, ch_task *t, ch_err *e)
{
    int64_t cap = 0;
    ch_code c = CH_OK;
    if (!rows)
        return ch_fail(e, CH_EUSER,
                       "%s: has no `Instances`, a list of {\"input\", \"output\"} is wanted; if it "
                       "belongs beside a .jsonl file, name that file instead",
                       t->path);
    if (!json_is_array(rows))
        return ch_fail(e, CH_EUSER, "%s: `Instances` is %s, a list is wanted", t->path,
                       ch_json_what(rows));
    for (size_t i = 0; i < json_array_size(rows) && c == CH_OK; i++) {
        char *where = ch_fmt("%s: instance %zu", t->path, i + 1);
        c = add_instance(t, &cap, json_array_get(rows, i), where, e);
        free(where);
    }
    return c;
}

ch_code ch_read_sni(ch_task *t, ch_texts *w, ch_err *e)
{
    json_t *root;
    CH_TRY(ch_json_load(&root, t->path, e));
    ch_code c = sni_items(json_object_get(root, "Instances"), t, e);
    if (c == CH_OK)
        c = sni_head(root, t, w, e);
    json_decref(root);
    return c;
}

/* ------------------------------------------------------------------ JSONL */

static ch_code jsonl_row(ch_task *t, int64_t *cap, const json_t *v, int64_t row, ch_err *e)
{
    char *where = ch_fmt("%s, line %lld", t->path, (long long)row);
    ch_code c = add_instance(t, cap, v, where, e);
    free(where);
    return c;
}

ch_code ch_read_jsonl(ch_task *t, ch_texts *w, ch_err *e)
{
    ch_jsonl f;
    json_t *v;
    int64_t cap = 0;
    ch_code c;
    CH_TRY(ch_jsonl_open(&f, t->path, e));
    while ((c = ch_jsonl_next(&f, &v, e)) == CH_OK && v) {
        c = jsonl_row(t, &cap, v, f.line, e);
        json_decref(v);
        if (c != CH_OK)
            break;
    }
    ch_jsonl_close(&f);
    return c == CH_OK ? ch_read_companion(t, w, e) : c;
}
