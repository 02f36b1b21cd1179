#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

/* jansson keeps the silence when it gets no memory (an object lacks a key then), so it never gets
 * none: ch_malloc does not return without it where it may leave. What it gives is free()'s. */
__attribute__((constructor)) static void give_memory(void)
{
    json_set_alloc_funcs(ch_malloc, free);
}

static void add_utf8(ch_str *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = ch_utf8_char(s + i, n - i);
        if (len)
            ch_str_addn(b, s + i, len);
        else
            ch_str_add(b, "\xEF\xBF\xBD");
        i += len ? len : 1;
    }
}

json_t *ch_json_textn(const char *s, size_t n)
{
    if (ch_utf8_valid(s, n))
        return ch_need(json_stringn_nocheck(s, n));
    ch_str b = {0};
    add_utf8(&b, s, n);
    json_t *v = ch_need(json_stringn_nocheck(b.s, b.n));
    ch_str_free(&b);
    return v;
}

json_t *ch_json_text(const char *s)
{
    return ch_json_textn(s, strlen(s));
}

json_t *ch_json_real(double v)
{
    return ch_need(isfinite(v) ? json_real(v) : json_null());
}

void ch_json_set(json_t *object, const char *key, json_t *value)
{
    CH_MUST(json_is_object(object) && value);
    ch_str b = {0};
    add_utf8(&b, key, strlen(key));
    if (json_object_set_new_nocheck(object, ch_str_get(&b), value))
        ch_need(NULL);
    ch_str_free(&b);
}

void ch_json_add(json_t *list, json_t *value)
{
    CH_MUST(json_is_array(list) && value);
    if (json_array_append_new(list, value))
        ch_need(NULL);
}

const char *ch_json_what(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return v ? names[json_typeof(v)] : "nothing";
}

/* ------------------------------------------------------------------ writing */

static int add_part(const char *part, size_t n, void *b)
{
    ch_str_addn(b, part, n);
    return 0;
}

static char *dump(json_t *v, size_t form)
{
    ch_str b = {0};
    CH_MUST(v);
    if (json_dump_callback(v, add_part, &b, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | form))
        ch_need(NULL);
    json_decref(v);
    ch_str_add(&b, "\n");
    return ch_str_take(&b);
}

static void print(FILE *f, json_t *v, size_t form)
{
    char *text = dump(v, form);
    fputs(text, f);
    free(text);
}

char *ch_json_dump(json_t *v)
{
    return dump(v, JSON_INDENT(2));
}

void ch_json_tree(FILE *f, json_t *v)
{
    print(f, v, JSON_INDENT(2));
}

void ch_json_line(FILE *f, json_t *v)
{
    print(f, v, JSON_COMPACT);
}

ch_code ch_json_save(json_t *v, const char *path, ch_err *e)
{
    char *text = ch_json_dump(v);
    ch_code c = ch_file_write(path, text, strlen(text), e);
    free(text);
    return c;
}

/* ------------------------------------------------------------------ reading */

/* As jansson gives its sentence, it quotes the file: bytes of any kind. */
enum { SHOWN = 160 };

static int64_t line_of(const char *text, const char *at)
{
    int64_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

ch_code ch_json_parse(json_t **v, const char *text, size_t n, const char *where, int64_t line,
                      ch_err *e)
{
    json_error_t at;
    *v = NULL;
    const char *nul = memchr(text, 0, n); /* jansson overlooks one behind a number */
    if (nul)
        return ch_fail(e, CH_EUSER, "%s, line %lld: not JSON: it holds a NUL byte", where,
                       (long long)(line ? line : line_of(text, nul)));
    *v = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (*v)
        return CH_OK;
    if (json_error_code(&at) == json_error_out_of_memory)
        return ch_fail(e, CH_EMEM, "%s: no memory to read it", where);
    int whole = (int)ch_utf8_whole(at.text, strnlen(at.text, SHOWN));
    return ch_fail(e, CH_EUSER, "%s, line %lld: not JSON: %.*s%s", where,
                   (long long)(line ? line : at.line), whole, at.text,
                   line ? "; one object a line is wanted" : "");
}

static size_t mark(const char *s, size_t n)
{
    return n >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3) ? 3 : 0;
}

ch_code ch_json_load(json_t **v, const char *path, ch_err *e)
{
    char *text;
    size_t n;
    *v = NULL;
    CH_TRY(ch_file_read(path, &text, &n, e));
    size_t skip = mark(text, n);
    ch_code c = ch_json_parse(v, text + skip, n - skip, path, 0, e);
    free(text);
    CH_TRY(c);
    if (json_is_object(*v))
        return CH_OK;
    ch_fail(e, CH_EUSER, "%s: holds %s, a JSON object is wanted%s", path, ch_json_what(*v),
            json_is_array(*v) ? "; rows belong in a .jsonl file, one a line" : "");
    json_decref(*v);
    *v = NULL;
    return CH_EUSER;
}

ch_code ch_jsonl_open(ch_jsonl *f, const char *path, ch_err *e)
{
    *f = (ch_jsonl){.path = path};
    CH_TRY(ch_file_read(path, &f->text, &f->n, e));
    f->at = mark(f->text, f->n);
    return CH_OK;
}

ch_code ch_jsonl_next(ch_jsonl *f, json_t **v, ch_err *e)
{
    *v = NULL;
    while (f->at < f->n) {
        const char *s = f->text + f->at, *stop = memchr(s, '\n', f->n - f->at);
        size_t k = stop ? (size_t)(stop - s) : f->n - f->at, lead = 0;
        f->at += k + (stop != NULL);
        f->line++;
        while (lead < k && isspace((unsigned char)s[lead]))
            lead++;
        if (lead < k)
            return ch_json_parse(v, s, k, f->path, f->line, e);
    }
    return CH_OK;
}

void ch_jsonl_close(ch_jsonl *f)
{
    free(f->text);
    *f = (ch_jsonl){0};
}
