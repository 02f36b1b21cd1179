#include "run/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static ch_hash seal_of(const json_t *v)
{
    json_t *rest = json_copy((json_t *)(uintptr_t)v);
    json_object_del(rest, "seal");
    char *text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    CH_MUST(text);
    ch_hash h = ch_hash_bytes(text, strlen(text));
    free(text);
    json_decref(rest);
    return h;
}

ch_code ch_sealed_save(json_t *v, const char *path, ch_err *e)
{
    ch_json_set(v, "seal", ch_json_text(seal_of(v).hex));
    return ch_json_save(v, path, e);
}

int ch_sealed(const json_t *v)
{
    const char *seal = json_string_value(json_object_get(v, "seal"));
    return seal && !strcmp(seal, seal_of(v).hex);
}
