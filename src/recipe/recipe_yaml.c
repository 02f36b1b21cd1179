/* Recipes as YAML. The structure is read by a schema built from ch_fields, in which every value is
 * text; ch_field_set then reads the values. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/text_file.h"
#include "data/yaml.h"
#include "recipe/fields.h"

enum { MAX_KEYS = 48, MAX_SECTIONS = 12, MAX_ARMS = 64 };

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
    for (int i = 0; i < CH_ARM_KEYS; i++)
        s->arm[s->n_arm++] = text_field(ch_arm_keys[i].key, (size_t)i * sizeof(char *));
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
                  .sequence = {.entry = &s->arm_value, .min = 0, .max = CYAML_UNLIMITED}}};
    s->root = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                     .flags = CYAML_FLAG_POINTER,
                                     .data_size = sizeof(raw_recipe),
                                     .mapping = {.fields = s->top}};
    return s;
}

static ch_code take_arm(ch_recipe *r, const schema *s, const raw_map *m, const char *path,
                        ch_err *e)
{
    const char *name = m->v[CH_ARM_NAME], *title = m->v[CH_ARM_TITLE],
               *objective = m->v[CH_ARM_OBJECTIVE], *from = m->v[CH_ARM_FROM],
               *augment = m->v[CH_ARM_AUGMENT], *model = m->v[CH_ARM_MODEL];
    if (!name || !objective)
        return ch_fail(e, CH_EUSER, "%s: arm %lld (%s): a name and an objective are wanted", path,
                       (long long)r->n_arms + 1, name ? name : "no name");
    if (augment && strcmp(augment, "true") && strcmp(augment, "false"))
        return ch_fail(e, CH_EUSER, "%s: arm %s: augment is \"%s\", true or false is wanted", path,
                       name, augment);
    ch_arm *a = ch_recipe_add_arm(r, name, title ? title : name, objective, from ? from : "base",
                                  augment && augment[0] == 't');
    if (model) {
        free(a->model);
        a->model = ch_dup(model);
    }
    a->keys = ch_new(MAX_KEYS, sizeof *a->keys);
    a->values = ch_new(MAX_KEYS, sizeof *a->values);
    for (int i = CH_ARM_KEYS; i < s->n_arm; i++)
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
    if (raw->n_arms > MAX_ARMS)
        return ch_fail(e, CH_EUSER, "%s: there are %u arms, at most %d are possible", path,
                       (unsigned)raw->n_arms, MAX_ARMS);
    for (uint32_t i = 0; i < raw->n_arms; i++)
        CH_TRY(take_arm(r, s, &raw->arms[i], path, e));
    return CH_OK;
}

ch_code ch_recipe_read(ch_recipe *r, const char *path, ch_err *e)
{
    void *raw;
    ch_recipe_init(r);
    schema *s = make_schema();
    ch_code c = ch_yaml_load(path, &s->root, 1, &raw, e);
    if (c == CH_OK)
        c = take_all(r, s, raw, path, e);
    ch_yaml_free(&s->root, raw);
    free(s);
    return c;
}

/* Characters that libyaml takes for something else, or refuses, where they stand raw. */
static int wants_escape(const char *s)
{
    static const char *const list[] = {"\xE2\x80\xA8", "\xE2\x80\xA9", "\xEF\xBB\xBF",
                                       "\xEF\xBF\xBE", "\xEF\xBF\xBF", NULL};
    for (int i = 0; list[i]; i++)
        if (!strncmp(s, list[i], 3))
            return 1;
    return ch_control_at(s) > 0;
}

/* The number of the character of n <= 3 bytes at s. */
static unsigned code_point(const char *s, size_t n)
{
    const unsigned char *b = (const unsigned char *)s;
    return n == 1   ? b[0]
           : n == 2 ? (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu)
                    : (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
}

/* s is UTF-8, as every text of a recipe. */
static void add_quoted(ch_str *b, const char *s)
{
    ch_str_add(b, "\"");
    for (size_t len; *s; s += len) {
        len = ch_utf8_char(s, strlen(s));
        CH_MUST(len);
        if (*s == '"' || *s == '\\')
            ch_str_addf(b, "\\%c", *s);
        else if (wants_escape(s))
            ch_str_addf(b, "\\u%04x", code_point(s, len));
        else
            ch_str_addn(b, s, len);
    }
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
