#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

json_t *ch_json_text(const char *s)
{
    json_t *v = json_string(s);
    if (v)
        return v;
    char *copy = ch_dup(s);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p > 127)
            *p = '?';
    v = json_string(copy);
    free(copy);
    return v;
}

json_t *ch_json_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

ch_code ch_json_save(json_t *v, const char *path, ch_err *e)
{
    char *text = json_dumps(v, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(v);
    CH_MUST(text);
    ch_str b = {0};
    ch_str_addf(&b, "%s\n", text);
    free(text);
    ch_code c = ch_file_write(path, b.s, b.n, e);
    ch_str_free(&b);
    return c;
}

ch_code ch_json_load(json_t **v, const char *path, ch_err *e)
{
    char *text;
    size_t n;
    json_error_t why;
    CH_TRY(ch_file_read(path, &text, &n, e));
    *v = json_loadb(text, n, 0, &why);
    free(text);
    if (!*v)
        return ch_fail(e, CH_EUSER, "%s: line %d: not JSON: %s", path, why.line, why.text);
    if (json_is_object(*v))
        return CH_OK;
    json_decref(*v);
    *v = NULL;
    return ch_fail(e, CH_EUSER, "%s: a JSON object is wanted", path);
}

void ch_json_line(FILE *f, json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(v);
    CH_MUST(text);
    fprintf(f, "%s\n", text);
    free(text);
}
