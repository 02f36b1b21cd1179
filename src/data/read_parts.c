/* Texts, lists and kinds, for every form. */
#include "data/read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void ch_texts_free(ch_texts *t)
{
    for (int64_t i = 0; i < t->n; i++)
        free(t->s[i]);
    free(t->s);
    *t = (ch_texts){0};
}

static int blank(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return !*s;
}

ch_code ch_read_text(const json_t *v, const char *where, char **out, ch_err *e)
{
    if (!json_is_string(v))
        return ch_fail(e, CH_EUSER, "%s is %s, a text is wanted%s", where, ch_json_what(v),
                       json_is_number(v) ? "; put the number in quotes" : "");
    if (blank(json_string_value(v)))
        return ch_fail(e, CH_EUSER, "%s is empty, a text is wanted; fill it in or delete the row",
                       where);
    *out = ch_dup(json_string_value(v));
    return CH_OK;
}

ch_code ch_read_texts(const json_t *v, const char *where, ch_texts *w, ch_err *e)
{
    if (!json_is_array(v))
        return ch_fail(e, CH_EUSER, "%s is %s, a list of texts is wanted", where, ch_json_what(v));
    for (size_t i = 0; i < json_array_size(v); i++) {
        char *at = ch_fmt("%s, entry %zu", where, i + 1), *text = NULL;
        ch_code c = ch_read_text(json_array_get(v, i), at, &text, e);
        free(at);
        CH_TRY(c);
        *CH_PUSH(w->s, w->n, w->cap) = text;
    }
    return CH_OK;
}

ch_code ch_kind_parse(const char *word, const char *where, ch_kind *kind, ch_err *e)
{
    static const char *const words[] = {"auto", "closed", "free", NULL};
    for (int k = 0; words[k]; k++)
        if (!strcmp(word, words[k])) {
            *kind = (ch_kind)k;
            return CH_OK;
        }
    const char *near = ch_nearest(word, words);
    return ch_fail(e, CH_EUSER, "%s is `%s`, wanted is closed, free or auto%s%s%s", where, word,
                   near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

/* ------------------------------------------------------------------ instances */
