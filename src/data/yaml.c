#include "data/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/enter.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "data/text_file.h"

enum { MAX_KEYS = 256, MAX_DEPTH = 8 };

/* One open mapping or sequence. */
typedef struct {
    const cyaml_schema_value_t *of;
    const cyaml_schema_value_t *next; /* of a mapping: its value's, once the key was read */
    const char *name;                 /* the key that it stands under, "" at the top */
    const char *key;                  /* of a mapping: the key read last */
    ch_intern seen;
} frame;

typedef struct {
    const char *path;
    const cyaml_schema_value_t *schema;
    frame at[MAX_DEPTH];
    int depth, documents, aliases;
    ch_err *e;
} scan;

#define REFUSE(s, ev, ...) refuse(s, (unsigned long)(ev)->start_mark.line + 1, __VA_ARGS__)

static ch_code refuse(const scan *s, unsigned long line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static ch_code refuse(const scan *s, unsigned long line, const char *fmt, ...)
{
    char what[384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return ch_fail(s->e, CH_EUSER, "%s, line %lu: %s", s->path, line, what);
}

static const char *kind_name(cyaml_type_e t)
{
    return t == CYAML_MAPPING ? "keys with values" : t == CYAML_SEQUENCE ? "a list" : "a text";
}

/* What may come next; NULL at the top behind the end. */
static const cyaml_schema_value_t *wanted(const scan *s)
{
    if (!s->depth)
        return s->schema;
    const frame *l = &s->at[s->depth - 1];
    return l->of->type == CYAML_MAPPING ? l->next : l->of->sequence.entry;
}

static int wants_key(const scan *s)
{
    return s->depth && s->at[s->depth - 1].of->type == CYAML_MAPPING && !wanted(s);
}

static const char *place(const scan *s)
{
    const frame *l = s->depth ? &s->at[s->depth - 1] : NULL;
    return !l ? "" : l->of->type == CYAML_MAPPING ? l->key : l->name;
}

/* Another kind of value than the schema's. */
static ch_code check_kind(const scan *s, const yaml_event_t *ev, cyaml_type_e have)
{
    const cyaml_schema_value_t *v = wanted(s);
    if (!v)
        return REFUSE(s, ev, "a key is %s, a word is wanted", kind_name(have));
    if (v->type == have)
        return CH_OK;
    const char *name = place(s);
    return REFUSE(s, ev, "%s%s%s%s, %s %s wanted", name[0] ? "`" : "", name,
                  name[0] ? "` is " : "here is ", kind_name(have), kind_name(v->type),
                  v->type == CYAML_MAPPING ? "are" : "is");
}

static ch_code check_key(scan *s, const yaml_event_t *ev)
{
    frame *l = &s->at[s->depth - 1];
    const char *key = (const char *)ev->data.scalar.value, *names[MAX_KEYS + 1];
    int n = 0;
    for (const cyaml_schema_field_t *f = l->of->mapping.fields; f->key && n < MAX_KEYS; f++) {
        names[n++] = f->key;
        if (strcmp(f->key, key))
            continue;
        int64_t before = l->seen.n;
        ch_intern_add(&l->seen, key);
        l->next = &f->value;
        l->key = f->key;
        return l->seen.n > before ? CH_OK : REFUSE(s, ev, "`%s` stands here a second time", key);
    }
    names[n] = NULL;
    const char *near = ch_nearest(key, names);
    if (near)
        return REFUSE(s, ev, "unknown key `%.64s`, did you mean `%s`?", key, near);
    ch_str all = {0};
    for (int i = 0; i < n; i++)
        ch_str_addf(&all, "%s`%s`", i ? ", " : "", names[i]);
    REFUSE(s, ev, "unknown key `%.64s`; known %s%s are %s", key, l->name[0] ? "in " : "here",
           l->name, ch_str_get(&all));
    ch_str_free(&all);
    return CH_EUSER;
}

/* A value was read: a mapping wants its next key. */
static void value_done(scan *s)
{
    if (s->depth)
        s->at[s->depth - 1].next = NULL;
}

static ch_code on_scalar(scan *s, const yaml_event_t *ev)
{
    static const char *const nulls[] = {"~", "null", "Null", "NULL", NULL};
    const char *text = (const char *)ev->data.scalar.value;
    if (strlen(text) != ev->data.scalar.length)
        return REFUSE(s, ev, "a text holds a NUL character (\\0), a text without one is wanted");
    if (wants_key(s))
        return check_key(s, ev);
    CH_TRY(check_kind(s, ev, CYAML_STRING));
    int plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    for (int i = 0; plain && nulls[i]; i++)
        if (!strcmp(text, nulls[i]))
            return REFUSE(s, ev,
                          "`%s` is null (%s), a value is wanted; put it in quotes if it is "
                          "meant as a text",
                          place(s), text);
    value_done(s);
    return CH_OK;
}

static ch_code on_start(scan *s, const yaml_event_t *ev, cyaml_type_e type)
{
    if (s->depth == MAX_DEPTH)
        return REFUSE(s, ev, "nested deeper than %d levels", MAX_DEPTH);
    CH_TRY(check_kind(s, ev, type));
    frame next = {.of = wanted(s), .name = place(s)};
    s->at[s->depth++] = next;
    return CH_OK;
}

/* Tags, and anchors where they may not be. */
static ch_code check_marks(const scan *s, const yaml_event_t *ev)
{
    const yaml_char_t *tag = NULL, *anchor = NULL;
    if (ev->type == YAML_SCALAR_EVENT)
        tag = ev->data.scalar.tag, anchor = ev->data.scalar.anchor;
    else if (ev->type == YAML_MAPPING_START_EVENT)
        tag = ev->data.mapping_start.tag, anchor = ev->data.mapping_start.anchor;
    else if (ev->type == YAML_SEQUENCE_START_EVENT)
        tag = ev->data.sequence_start.tag, anchor = ev->data.sequence_start.anchor;
    else if (ev->type == YAML_ALIAS_EVENT)
        anchor = ev->data.alias.anchor;
    if (tag)
        return REFUSE(s, ev, "a tag (%.64s) stands here, a plain value is wanted",
                      (const char *)tag);
    if (anchor && !s->aliases)
        return REFUSE(s, ev, "an anchor or alias (%.64s) stands here, the text itself is wanted",
                      (const char *)anchor);
    return CH_OK;
}

static ch_code on_event(scan *s, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return s->documents++ ? REFUSE(s, ev, "a second document begins, one is wanted") : CH_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(s, ev);
    case YAML_MAPPING_START_EVENT:
        return on_start(s, ev, CYAML_MAPPING);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(s, ev, CYAML_SEQUENCE);
    case YAML_ALIAS_EVENT:
        if (wants_key(s))
            return REFUSE(s, ev, "a key is an alias, a word is wanted");
        value_done(s);
        return CH_OK;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        ch_intern_free(&s->at[--s->depth].seen);
        value_done(s);
        return CH_OK;
    default:
        return CH_OK;
    }
}

static ch_code scan_text(const char *path, const cyaml_schema_value_t *schema, int aliases,
                         const char *text, size_t n, ch_err *e)
{
    scan s = {.path = path, .schema = schema, .aliases = aliases, .e = e};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        ch_no_memory(0);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    ch_code c = CH_OK;
    for (int done = 0; !done && c == CH_OK;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&parser, &ev)) {
            c = parser.error == YAML_MEMORY_ERROR
                    ? ch_fail(e, CH_EMEM, "%s: not enough memory to read it", path)
                    : refuse(&s, (unsigned long)parser.problem_mark.line + 1, "not YAML: %s",
                             parser.problem ? parser.problem : "unreadable");
            break;
        }
        done = ev.type == YAML_STREAM_END_EVENT;
        c = check_marks(&s, &ev);
        if (c == CH_OK)
            c = on_event(&s, &ev);
        yaml_event_delete(&ev);
    }
    while (s.depth)
        ch_intern_free(&s.at[--s.depth].seen);
    yaml_parser_delete(&parser);
    return c == CH_OK && !s.documents ? ch_fail(e, CH_EUSER, "%s: holds no keys", path) : c;
}

/* ------------------------------------------------------------------ libcyaml */

/* What the scan cannot see (an alias of the wrong kind, a key that must be there) is libcyaml's to
 * refuse: the first line that it logs. */
static void listen(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    char *first = ctx;
    enum { ROOM = 200 };
    if (level < CYAML_LOG_ERROR || first[0])
        return;
    vsnprintf(first, ROOM, fmt, args);
    first[strcspn(first, "\n")] = 0;
    if (!strncmp(first, "Load: ", 6))
        memmove(first, first + 6, strlen(first + 6) + 1);
}

/* libcyaml does not look at what it gets. */
static void *memory(void *ctx CH_UNUSED, void *p, size_t n)
{
    if (n)
        return ch_grow(p, n, 1);
    free(p);
    return NULL;
}

static cyaml_config_t settings(char *first, int aliases)
{
    return (cyaml_config_t){.log_fn = first ? listen : NULL,
                            .log_ctx = first,
                            .log_level = CYAML_LOG_ERROR,
                            .mem_fn = memory,
                            .flags = aliases ? CYAML_CFG_DEFAULT : CYAML_CFG_NO_ALIAS};
}

ch_code ch_yaml_load(const char *path, const cyaml_schema_value_t *schema, int aliases, void **out,
                     ch_err *e)
{
    char *text, first[200] = "";
    size_t n;
    cyaml_config_t config = settings(first, aliases);
    cyaml_data_t *data = NULL;
    *out = NULL;
    CH_TRY(ch_text_read(path, &text, &n, e));
    ch_code c = scan_text(path, schema, aliases, text, n, e);
    cyaml_err_t err = CYAML_OK;
    if (c == CH_OK)
        err = cyaml_load_data((const uint8_t *)text, n, &config, schema, &data, NULL);
    free(text);
    /* The scan read the same text with libyaml, which refuses it now for one reason alone. */
    if (err == CYAML_ERR_OOM || err == CYAML_ERR_LIBYAML_PARSER ||
        err == CYAML_ERR_LIBYAML_PARSER_INIT)
        c = ch_fail(e, CH_EMEM, "%s: not enough memory to read it", path);
    else if (c == CH_OK && err != CYAML_OK)
        c = ch_fail(e, CH_EUSER, "%s: %s", path, first[0] ? first : cyaml_strerror(err));
    else if (c == CH_OK && !data)
        c = ch_fail(e, CH_EUSER, "%s: holds no keys", path);
    *out = data;
    return c;
}

void ch_yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    cyaml_config_t config = settings(NULL, 0);
    if (data)
        cyaml_free(&config, schema, data, 0);
}
