#include "run/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

ch_stage ch_stage_make(const char *dir, const char *name, ch_str *depends)
{
    ch_stage s = {.name = ch_dup(name), .done = ch_fmt("%s/%s.done.json", dir, name)};
    s.depends = ch_str_take(depends);
    s.hash = ch_hash_bytes(s.depends, strlen(s.depends));
    return s;
}

void ch_stage_release(ch_stage *s)
{
    free(s->name);
    free(s->done);
    free(s->depends);
    *s = (ch_stage){0};
}

int ch_stage_is_done(const ch_stage *s, const char *const *files)
{
    if (!ch_exists(s->done))
        return 0;
    json_t *v = NULL;
    if (ch_json_load(&v, s->done, NULL) != CH_OK)
        return 0;
    const char *hash = json_string_value(json_object_get(v, "hash"));
    int same = hash && !strcmp(hash, s->hash.hex);
    json_decref(v);
    for (; same && *files; files++)
        same = ch_exists(*files);
    return same;
}

ch_code ch_stage_finish(const ch_stage *s, json_t *extra, ch_err *e)
{
    json_t *v = json_object(), *lines = json_array();
    for (const char *p = s->depends; *p;) {
        size_t n = strcspn(p, "\n");
        char *line = ch_dupn(p, n);
        ch_json_add(lines, ch_json_text(line));
        free(line);
        p += n + (p[n] == '\n');
    }
    ch_json_set(v, "stage", ch_json_text(s->name));
    ch_json_set(v, "hash", ch_json_text(s->hash.hex));
    ch_json_set(v, "depends", lines);
    if (extra)
        ch_json_set(v, "result", extra);
    return ch_json_save(v, s->done, e);
}

static json_t *result_of(const char *done)
{
    json_t *v = NULL;
    if (!ch_exists(done) || ch_json_load(&v, done, NULL) != CH_OK)
        return NULL;
    json_t *result = json_incref(json_object_get(v, "result"));
    json_decref(v);
    return result;
}

json_t *ch_stage_result(const ch_stage *s)
{
    return result_of(s->done);
}

json_t *ch_stage_result_at(const char *dir, const char *name)
{
    char *done = ch_fmt("%s/%s.done.json", dir, name);
    json_t *v = result_of(done);
    free(done);
    return v;
}
