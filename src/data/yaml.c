#include "data/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_KEYS = 256 };

typedef struct {
    char first[256]; /* the complaint; what follows it is libcyaml's way to the place */
    char place[96];  /* "line: 3, column: 1" */
    char key[96];    /* the unknown key, "" when the complaint is another one */
} complaint;

static void listen(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    complaint *c = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = 0;
    const char *text = strncmp(line, "Load: ", 6) ? line : line + 6;
    if (!strncmp(text, "Backtrace", 9))
        return;
    const char *at = strstr(text, "(line: ");
    /* Of a key libcyaml tells where the event before it stood: worse than nothing. */
    int of_key = strstr(c->first, "key") || strstr(c->first, "field");
    if (at && !c->place[0] && c->first[0] && !of_key)
        snprintf(c->place, sizeof c->place, "%.*s", (int)strcspn(at + 1, ")"), at + 1);
    if (c->first[0] || text[0] == ' ')
        return;
    snprintf(c->first, sizeof c->first, "%s", text);
    if (!strncmp(text, "Unexpected key: ", 16))
        snprintf(c->key, sizeof c->key, "%.90s", text + 16);
}

/* Every key that the schema knows, at any depth: where the unknown one stands is not told. */
static void known_keys(const cyaml_schema_value_t *v, const char **list, int *n)
{
    if (v->type == CYAML_SEQUENCE || v->type == CYAML_SEQUENCE_FIXED) {
        known_keys(v->sequence.entry, list, n);
        return;
    }
    if (v->type != CYAML_MAPPING)
        return;
    for (const cyaml_schema_field_t *f = v->mapping.fields; f->key && *n + 1 < MAX_KEYS; f++) {
        list[(*n)++] = f->key;
        known_keys(&f->value, list, n);
    }
}

static ch_code complain(const char *path, const cyaml_schema_value_t *schema, const complaint *c,
                        cyaml_err_t err, ch_err *e)
{
    ch_str s = {0};
    const char *keys[MAX_KEYS] = {0};
    int n = 0;
    if (c->key[0]) {
        known_keys(schema, keys, &n);
        const char *near = ch_nearest(c->key, keys);
        ch_str_addf(&s, "unknown key `%s`", c->key);
        if (near)
            ch_str_addf(&s, ", did you mean `%s`?", near);
        else
            for (int k = 0; k < n; k++)
                ch_str_addf(&s, "%s`%s`", k ? ", " : "; known are ", keys[k]);
    } else {
        ch_str_add(&s, c->first[0] ? c->first : cyaml_strerror(err));
    }
    ch_fail(e, CH_EUSER, "%s: %s%s%s%s", path, ch_str_get(&s), c->place[0] ? " (" : "", c->place,
            c->place[0] ? ")" : "");
    ch_str_free(&s);
    return CH_EUSER;
}

void *ch_yaml_mem(void *ctx CH_UNUSED, void *p, size_t n)
{
    if (n)
        return ch_grow(p, n, 1);
    free(p);
    return NULL;
}

static cyaml_config_t settings(complaint *c)
{
    return (cyaml_config_t){.log_fn = c ? listen : NULL,
                            .log_ctx = c,
                            .log_level = CYAML_LOG_ERROR,
                            .mem_fn = ch_yaml_mem,
                            .flags = CYAML_CFG_NO_ALIAS};
}

ch_code ch_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out, ch_err *e)
{
    char *text;
    size_t n;
    complaint c = {0};
    cyaml_config_t config = settings(&c);
    cyaml_data_t *data = NULL;
    *out = NULL;
    CH_TRY(ch_file_read(path, &text, &n, e));
    cyaml_err_t err = cyaml_load_data((const uint8_t *)text, n, &config, schema, &data, NULL);
    free(text);
    if (err != CYAML_OK)
        return complain(path, schema, &c, err, e);
    if (!data)
        return ch_fail(e, CH_EUSER, "%s: holds no keys", path);
    *out = data;
    return CH_OK;
}

void ch_yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    cyaml_config_t config = settings(NULL);
    if (data)
        cyaml_free(&config, schema, data, 0);
}
