/* Recipes as YAML. libcyaml checks the structure against a schema built from ch_fields, in which
 * every value is text; ch_field_set then reads the values, so that each refusal is a sentence of
 * ours. */
#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"
#include "recipe/fields.h"

enum { MAX_KEYS = 48, MAX_SECTIONS = 12, ARM_KEYS = 6 };

static const char *const arm_keys[ARM_KEYS] = {"name", "title",   "objective",
                                               "from", "augment", "model"};

typedef struct {
    char *v[MAX_KEYS];
} raw_map;
typedef struct {
    raw_map top, section[MAX_SECTIONS];
    raw_map *arms;
    uint32_t n_arms;
} raw_recipe;

typedef struct {
    const char *section[MAX_SECTIONS];
    const ch_field *field[MAX_SECTIONS][MAX_KEYS], *top_field[MAX_KEYS], *arm_field[MAX_KEYS];
    int n_sections, n_top, n_arm;
    cyaml_schema_field_t top[MAX_KEYS + MAX_SECTIONS], sub[MAX_SECTIONS][MAX_KEYS + 1],
        arm[MAX_KEYS + 1];
    cyaml_schema_value_t arm_value, root;
} schema;

static cyaml_schema_field_t text_field(const char *key, size_t at)
{
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = (uint32_t)at,
        .value = {.type = CYAML_STRING,
                  .flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL),
                  .data_size = sizeof(char),
                  .string = {.min = 0, .max = CYAML_UNLIMITED}}};
}

static int section_of(schema *s, const char *name)
{
    int i = 0;
    while (i < s->n_sections && strcmp(s->section[i], name))
        i++;
    if (i == s->n_sections) {
        CH_MUST(s->n_sections < MAX_SECTIONS);
        s->section[s->n_sections++] = name;
    }
    return i;
}

static void add_fields(schema *s)
{
    int n[MAX_SECTIONS] = {0};
    for (int i = 0; i < ARM_KEYS; i++)
        s->arm[s->n_arm++] = text_field(arm_keys[i], (size_t)i * sizeof(char *));
    for (const ch_field *f = ch_fields; f->key; f++) {
        if (f->section[0]) {
            int k = section_of(s, f->section);
            CH_MUST(n[k] < MAX_KEYS && s->n_arm < MAX_KEYS);
            s->sub[k][n[k]] = text_field(f->key, (size_t)n[k] * sizeof(char *));
            s->field[k][n[k]++] = f;
        } else {
            s->top[s->n_top] = text_field(f->key, (size_t)s->n_top * sizeof(char *));
            s->top_field[s->n_top++] = f;
        }
        if (ch_field_in_arm(f)) {
            s->arm[s->n_arm] = text_field(f->key, (size_t)s->n_arm * sizeof(char *));
            s->arm_field[s->n_arm++] = f;
        }
    }
}

static schema *make_schema(void)
{
    schema *s = ch_new(1, sizeof *s);
    add_fields(s);
    int n = s->n_top;
    for (int k = 0; k < s->n_sections; k++)
        s->top[n++] = (cyaml_schema_field_t){
            .key = s->section[k],
            .data_offset = (uint32_t)(offsetof(raw_recipe, section) + (size_t)k * sizeof(raw_map)),
            .value = {.type = CYAML_MAPPING,
                      .flags = CYAML_FLAG_OPTIONAL,
                      .data_size = sizeof(raw_map),
                      .mapping = {.fields = s->sub[k]}}};
    s->arm_value = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                          .flags = CYAML_FLAG_DEFAULT,
                                          .data_size = sizeof(raw_map),
                                          .mapping = {.fields = s->arm}};
    s->top[n++] = (cyaml_schema_field_t){
        .key = "arms",
        .data_offset = offsetof(raw_recipe, arms),
        .count_offset = offsetof(raw_recipe, n_arms),
        .count_size = sizeof(uint32_t),
        .value = {.type = CYAML_SEQUENCE,
                  .flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL),
                  .data_size = sizeof(raw_map),
                  .sequence = {.entry = &s->arm_value, .min = 0, .max = 1000}}};
    s->root = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                     .flags = CYAML_FLAG_POINTER,
                                     .data_size = sizeof(raw_recipe),
                                     .mapping = {.fields = s->top}};
    return s;
}

static void keep_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
    char line[512];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, fmt, ap);
    ch_str_add(ctx, line);
}

/* Copies what stands in log between `mark` and the first of `ends`; "" when mark is absent. */
static void cut_from(char *out, size_t size, const char *log, const char *mark, const char *ends)
{
    const char *p = strstr(log, mark);
    out[0] = 0;
    if (!p)
        return;
    p += strlen(mark);
    snprintf(out, size, "%.*s", (int)strcspn(p, ends), p);
}

/* The keys possible where the log's backtrace stands. */
static const cyaml_schema_field_t *keys_at(const schema *s, const char *log)
{
    if (strstr(log, "in sequence entry"))
        return s->arm;
    char name[64];
    cut_from(name, sizeof name, log, "in mapping field '", "'");
    for (int k = 0; k < s->n_sections; k++)
        if (!strcmp(s->section[k], name))
            return s->sub[k];
    return s->top;
}

static int line_of(const char *text, const char *key)
{
    int line = 1;
    size_t n = strlen(key);
    for (const char *p = text; *p; p++) {
        line += *p == '\n';
        if (!strncmp(p, key, n) && (p == text || strchr(" \t\n-{,\"'", p[-1])) &&
            strchr(": \t\"'", p[n]) && p[n])
            return line;
    }
    return 0;
}

static ch_code refuse(const schema *s, const char *path, const char *text, const char *log,
                      cyaml_err_t code, ch_err *e)
{
    char key[128], where[128], line[16];
    cut_from(key, sizeof key, log, "Unexpected key: ", "\n");
    cut_from(line, sizeof line, log, "(line: ", ",");
    if (key[0]) {
        const char *names[MAX_KEYS + MAX_SECTIONS + 1];
        const cyaml_schema_field_t *f = keys_at(s, log);
        int n = 0;
        for (; f->key; f++)
            names[n++] = f->key;
        names[n] = NULL;
        const char *near = ch_nearest(key, names);
        return ch_fail(e, CH_EUSER, "%s: line %d: there is no key %s here%s%s%s", path,
                       line_of(text, key), key, near ? "; did you mean " : "", near ? near : "",
                       near ? "?" : "");
    }
    cut_from(where, sizeof where, log, "in mapping field '", "'");
    const char *what = cyaml_strerror(code);
    if (code == CYAML_ERR_LIBYAML_PARSER) {
        cut_from(where, sizeof where, log, "libyaml: ", "\n");
        return ch_fail(e, CH_EUSER, "%s: not YAML: %s", path, where[0] ? where : what);
    }
    return ch_fail(e, CH_EUSER, "%s: line %s: %s%s%s%s; see the recipe chapter of the manual", path,
                   line[0] ? line : "1", what, where[0] ? " at \"" : "", where,
                   where[0] ? "\"" : "");
}

static ch_code take_arm(ch_recipe *r, const schema *s, const raw_map *m, const char *path,
                        ch_err *e)
{
    const char *name = m->v[0], *objective = m->v[2], *augment = m->v[4];
    if (!name || !objective)
        return ch_fail(e, CH_EUSER, "%s: arm %lld (%s): a name and an objective are wanted", path,
                       (long long)r->n_arms + 1, name ? name : "no name");
    if (augment && strcmp(augment, "true") && strcmp(augment, "false"))
        return ch_fail(e, CH_EUSER, "%s: arm %s: augment is \"%s\", true or false is wanted", path,
                       name, augment);
    ch_arm *a = ch_recipe_add_arm(r, name, m->v[1] ? m->v[1] : name, objective,
                                  m->v[3] ? m->v[3] : "base", augment && augment[0] == 't');
    if (m->v[5]) {
        free(a->model);
        a->model = ch_dup(m->v[5]);
    }
    a->keys = ch_new(MAX_KEYS, sizeof *a->keys);
    a->values = ch_new(MAX_KEYS, sizeof *a->values);
    for (int i = ARM_KEYS; i < s->n_arm; i++)
        if (m->v[i]) {
            a->keys[a->n_own] = ch_dup(s->arm_field[i]->key);
            a->values[a->n_own++] = ch_dup(m->v[i]);
        }
    return CH_OK;
}

static ch_code take_all(ch_recipe *r, const schema *s, const raw_recipe *raw, const char *path,
                        ch_err *e)
{
    for (int i = 0; i < s->n_top; i++)
        if (raw->top.v[i])
            CH_TRY(ch_field_set(r, s->top_field[i], raw->top.v[i], path, e));
    for (int k = 0; k < s->n_sections; k++)
        for (int i = 0; s->field[k][i]; i++)
            if (raw->section[k].v[i])
                CH_TRY(ch_field_set(r, s->field[k][i], raw->section[k].v[i], path, e));
    for (uint32_t i = 0; i < raw->n_arms; i++)
        CH_TRY(take_arm(r, s, &raw->arms[i], path, e));
    return CH_OK;
}

ch_code ch_recipe_read(ch_recipe *r, const char *path, ch_err *e)
{
    char *text;
    size_t n;
    ch_recipe_init(r);
    CH_TRY(ch_file_read(path, &text, &n, e));
    schema *s = make_schema();
    ch_str log = {0};
    cyaml_config_t how = {.log_fn = keep_log,
                          .log_ctx = &log,
                          .mem_fn = ch_yaml_mem,
                          .log_level = CYAML_LOG_ERROR,
                          .flags = CYAML_CFG_DEFAULT};
    raw_recipe *raw = NULL;
    cyaml_err_t code =
        cyaml_load_data((const uint8_t *)text, n, &how, &s->root, (cyaml_data_t **)&raw, NULL);
    ch_code c = CH_OK;
    if (code != CYAML_OK)
        c = refuse(s, path, text, ch_str_get(&log), code, e);
    else if (raw)
        c = take_all(r, s, raw, path, e);
    cyaml_free(&how, &s->root, raw, 0);
    ch_str_free(&log);
    free(s);
    free(text);
    return c;
}

static void add_quoted(ch_str *b, const char *s)
{
    ch_str_add(b, "\"");
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            ch_str_addf(b, "\\%c", *s);
        else if ((unsigned char)*s < 32)
            ch_str_addf(b, "\\x%02x", (unsigned char)*s);
        else
            ch_str_addn(b, s, 1);
    ch_str_add(b, "\"");
}

static void add_field(ch_str *b, const ch_recipe *r, const ch_field *f)
{
    char *v = ch_field_text(r, f);
    ch_str_addf(b, "%s%s: ", f->section[0] ? "  " : "", f->key);
    if (f->type == CH_F_TEXT)
        add_quoted(b, v);
    else
        ch_str_add(b, v);
    char *help = ch_field_help(f);
    ch_str_addf(b, "  # %s\n", help);
    free(help);
    free(v);
}

static void add_arm(ch_str *b, const ch_arm *a)
{
    ch_str_add(b, "  - name: ");
    add_quoted(b, a->name);
    ch_str_add(b, "\n    title: ");
    add_quoted(b, a->title);
    ch_str_add(b, "\n    objective: ");
    add_quoted(b, a->objective);
    ch_str_add(b, "\n    from: ");
    add_quoted(b, a->from);
    ch_str_addf(b, "\n    augment: %s\n", a->augment ? "true" : "false");
    if (a->model[0]) {
        ch_str_add(b, "    model: ");
        add_quoted(b, a->model);
        ch_str_add(b, "\n");
    }
    for (int64_t i = 0; i < a->n_own; i++)
        ch_str_addf(b, "    %s: %s\n", a->keys[i], a->values[i]);
}

char *ch_recipe_text(const ch_recipe *r)
{
    ch_str b = {0};
    const char *section = "";
    for (const ch_field *f = ch_fields; f->key; f++) {
        if (strcmp(section, f->section))
            ch_str_addf(&b, "\n%s:\n", f->section);
        section = f->section;
        add_field(&b, r, f);
    }
    ch_str_add(&b, r->n_arms ? "\narms:\n" : "");
    for (int64_t i = 0; i < r->n_arms; i++)
        add_arm(&b, &r->arms[i]);
    return ch_str_take(&b);
}

char *ch_recipe_identity(const ch_recipe *r)
{
    static const char *const keep[] = {"data", "split", "paraphrase", NULL};
    ch_str b = {0};
    for (const ch_field *f = ch_fields; f->key; f++) {
        int kept = !strcmp(f->key, "model") || !strcmp(f->key, "seed");
        for (int i = 0; keep[i]; i++)
            kept |= !strcmp(f->section, keep[i]);
        if (!kept)
            continue;
        char *v = ch_field_text(r, f);
        ch_str_addf(&b, "%s%s%s: %s\n", f->section, f->section[0] ? "." : "", f->key, v);
        free(v);
    }
    return ch_str_take(&b);
}
