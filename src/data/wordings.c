/* The instruction and its wordings where they stand in a file of their own: the companion of a
 * JSONL file, and the side file that lists wordings for many tasks. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/enter.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/read.h"
#include "data/text_file.h"
#include "data/yaml.h"

/* ------------------------------------------------------------------ companion */

typedef struct {
    char *instruction, *kind;
    char **wordings;
    unsigned n_wordings;
} companion;

static const cyaml_schema_value_t one_wording = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
static const cyaml_schema_field_t companion_keys[] = {
    CYAML_FIELD_STRING_PTR("instruction", CYAML_FLAG_POINTER, companion, instruction, 0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE_COUNT("wordings", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, companion,
                               wordings, n_wordings, &one_wording, 0, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("kind", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, companion, kind, 0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t companion_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, companion, companion_keys)};

static ch_code take_text(const char *s, const char *where, char **out, ch_err *e)
{
    char *text = ch_trim(s);
    if (!text[0]) {
        free(text);
        return ch_fail(e, CH_EUSER, "%s is empty, a text is wanted", where);
    }
    *out = text;
    return CH_OK;
}

static ch_code companion_yaml(const char *path, ch_task *t, ch_texts *w, ch_err *e)
{
    void *data;
    CH_TRY(ch_yaml_load(path, &companion_schema, 0, &data, e));
    const companion *k = data;
    char *where = ch_fmt("%s: `instruction`", path), *text = NULL;
    ch_code c = take_text(k->instruction, where, &t->instruction, e);
    free(where);
    for (unsigned i = 0; i < k->n_wordings && c == CH_OK; i++) {
        where = ch_fmt("%s: `wordings`, entry %u", path, i + 1);
        c = take_text(k->wordings[i] ? k->wordings[i] : "", where, &text, e);
        free(where);
        if (c == CH_OK)
            *CH_PUSH(w->s, w->n, w->cap) = text;
    }
    if (c == CH_OK && k->kind) {
        where = ch_fmt("%s: `kind`", path);
        c = ch_kind_parse(k->kind, where, &t->kind, e);
        free(where);
    }
    ch_yaml_free(&companion_schema, data);
    return c;
}

static ch_code companion_unknown(const json_t *root, const char *path, ch_err *e)
{
    static const char *const keys[] = {"instruction", "wordings", "kind", NULL};
    for (void *it = json_object_iter((json_t *)root); it;
         it = json_object_iter_next((json_t *)root, it)) {
        const char *have = json_object_iter_key(it), *near = ch_nearest(have, keys);
        int known = 0;
        for (int k = 0; keys[k]; k++)
            known |= !strcmp(have, keys[k]);
        if (!known && near)
            return ch_fail(e, CH_EUSER, "%s: unknown key `%s`, did you mean `%s`?", path, have,
                           near);
        if (!known)
            return ch_fail(e, CH_EUSER,
                           "%s: unknown key `%s`; known are `instruction`, `wordings` and `kind`",
                           path, have);
    }
    return CH_OK;
}

static ch_code companion_json(const char *path, ch_task *t, ch_texts *w, ch_err *e)
{
    json_t *root;
    CH_TRY(ch_json_load(&root, path, e));
    const json_t *more = json_object_get(root, "wordings"), *kind = json_object_get(root, "kind");
    char *in_i = ch_fmt("%s: `instruction`", path), *in_w = ch_fmt("%s: `wordings`", path),
         *in_k = ch_fmt("%s: `kind`", path), *word = NULL;
    ch_code c = companion_unknown(root, path, e);
    if (c == CH_OK)
        c = ch_read_text(json_object_get(root, "instruction"), in_i, &t->instruction, e);
    if (c == CH_OK && more)
        c = ch_read_texts(more, in_w, w, e);
    if (c == CH_OK && kind)
        c = ch_read_text(kind, in_k, &word, e);
    if (c == CH_OK && word)
        c = ch_kind_parse(word, in_k, &t->kind, e);
    free(word);
    free(in_i);
    free(in_w);
    free(in_k);
    json_decref(root);
    return c;
}

ch_code ch_read_companion(ch_task *t, ch_texts *w, ch_err *e)
{
    static const char *const ends[] = {".yaml", ".yml", ".json"};
    const char *dot = strrchr(t->path, '.');
    int stem = (int)(dot - t->path);
    char *found = NULL;
    ch_code c = CH_OK;
    for (int k = 0; k < 3 && c == CH_OK; k++) {
        char *path = ch_fmt("%.*s%s", stem, t->path, ends[k]);
        if (!ch_exists(path)) {
            free(path);
        } else if (!found) {
            found = path;
        } else {
            c = ch_fail(e, CH_EUSER, "%s: both %s and %s hold its instruction; keep one of them",
                        t->path, found, path);
            free(path);
        }
    }
    if (c == CH_OK && !found)
        c = ch_fail(e, CH_EUSER,
                    "%s: no file beside it holds its instruction; wanted is %.*s.yaml with "
                    "`instruction: ..` and `wordings: [..]`",
                    t->path, stem, t->path);
    if (c == CH_OK)
        c = !strcmp(strrchr(found, '.'), ".json") ? companion_json(found, t, w, e)
                                                  : companion_yaml(found, t, w, e);
    free(found);
    return c;
}

/* ------------------------------------------------------------------ side file */

static ch_texts *side_key(ch_side *s, const char *key)
{
    if (s->keys.n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->lists = ch_grow(s->lists, (size_t)s->cap, sizeof *s->lists);
    }
    *CH_PUSH(s->keys.s, s->keys.n, s->keys.cap) = ch_dup(key);
    s->lists[s->keys.n - 1] = (ch_texts){0};
    return &s->lists[s->keys.n - 1];
}

static ch_code side_json(ch_side *s, const char *path, ch_err *e)
{
    json_t *root;
    ch_code c = CH_OK;
    CH_TRY(ch_json_load(&root, path, e));
    for (void *it = json_object_iter(root); it && c == CH_OK;
         it = json_object_iter_next(root, it)) {
        const char *key = json_object_iter_key(it);
        char *where = ch_fmt("%s: `%s`", path, key);
        c = ch_read_texts(json_object_iter_value(it), where, side_key(s, key), e);
        free(where);
    }
    json_decref(root);
    return c;
}

/* The keys are the user's file names, which a libcyaml schema cannot hold: read by libyaml's
 * events. What may come: document, mapping, then (scalar, sequence of scalars) again and again. */
typedef enum { BEFORE, IN_MAP, WANT_LIST, IN_LIST, AFTER } side_state;

static ch_code side_scalar(ch_side *s, const char *path, side_state *at, const yaml_event_t *ev,
                           ch_err *e)
{
    const char *text = (const char *)ev->data.scalar.value;
    unsigned long line = (unsigned long)ev->start_mark.line + 1;
    if (strlen(text) != ev->data.scalar.length)
        return ch_fail(e, CH_EUSER,
                       "%s, line %lu: a text holds a NUL character (\\0), a text without one is "
                       "wanted",
                       path, line);
    if (*at == IN_MAP) {
        int64_t before = s->seen.n;
        ch_intern_add(&s->seen, text);
        if (s->seen.n == before)
            return ch_fail(e, CH_EUSER, "%s, line %lu: `%.64s` stands here a second time", path,
                           line, text);
        side_key(s, text);
        *at = WANT_LIST;
        return CH_OK;
    }
    if (*at != IN_LIST)
        return ch_fail(e, CH_EUSER, "%s, line %lu: a text stands where a list of texts is wanted",
                       path, line);
    ch_texts *list = &s->lists[s->keys.n - 1];
    char *where = ch_fmt("%s, line %lu: entry %lld of `%s`", path, line, (long long)list->n + 1,
                         s->keys.s[s->keys.n - 1]),
         *owned = NULL;
    ch_code c = take_text(text, where, &owned, e);
    free(where);
    if (c == CH_OK)
        *CH_PUSH(list->s, list->n, list->cap) = owned;
    return c;
}

static ch_code side_event(ch_side *s, const char *path, side_state *at, const yaml_event_t *ev,
                          ch_err *e)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return side_scalar(s, path, at, ev, e);
    case YAML_MAPPING_START_EVENT:
        if (*at == BEFORE) {
            *at = IN_MAP;
            return CH_OK;
        }
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (*at == WANT_LIST) {
            *at = IN_LIST;
            return CH_OK;
        }
        break;
    case YAML_SEQUENCE_END_EVENT:
        *at = IN_MAP;
        return CH_OK;
    case YAML_MAPPING_END_EVENT:
        *at = AFTER;
        return CH_OK;
    case YAML_ALIAS_EVENT:
        break;
    default:
        return CH_OK;
    }
    return ch_fail(e, CH_EUSER,
                   "%s, line %lu: not of the form that is wanted: task names, each with a list "
                   "of texts",
                   path, (unsigned long)ev->start_mark.line + 1);
}

static ch_code side_yaml(ch_side *s, const char *path, ch_err *e)
{
    char *text;
    size_t n;
    CH_TRY(ch_text_read(path, &text, &n, e));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        ch_no_memory(0);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    side_state at = BEFORE;
    ch_code c = CH_OK;
    for (int done = 0; !done && c == CH_OK;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&parser, &ev)) {
            c = ch_fail(e, parser.error == YAML_MEMORY_ERROR ? CH_EMEM : CH_EUSER,
                        "%s, line %lu: not YAML: %s", path,
                        (unsigned long)parser.problem_mark.line + 1,
                        parser.problem ? parser.problem : "unreadable");
            break;
        }
        done = ev.type == YAML_STREAM_END_EVENT;
        c = side_event(s, path, &at, &ev, e);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    free(text);
    if (c == CH_OK && at != AFTER)
        c = ch_fail(e, CH_EUSER, "%s: holds no task name with a list of wordings", path);
    return c;
}

ch_code ch_side_load(ch_side *s, const char *path, ch_err *e)
{
    *s = (ch_side){0};
    size_t n = strlen(path);
    int json = n > 5 && !strcmp(path + n - 5, ".json");
    ch_code c = json ? side_json(s, path, e) : side_yaml(s, path, e);
    s->hit = ch_new((size_t)s->keys.n + 1, 1);
    return c;
}

void ch_side_free(ch_side *s)
{
    for (int64_t k = 0; k < s->keys.n; k++)
        ch_texts_free(&s->lists[k]);
    free(s->lists);
    free(s->hit);
    ch_texts_free(&s->keys);
    ch_intern_free(&s->seen);
    *s = (ch_side){0};
}
