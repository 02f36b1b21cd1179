#include "data/text_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

static ch_code refuse(const char *where, int64_t line, const char *what, ch_err *e)
{
    if (line)
        return ch_fail(e, CH_EUSER, "%s, line %lld: %s", where, (long long)line, what);
    return ch_fail(e, CH_EUSER, "%s: %s", where, what);
}

ch_code ch_text_check(const char *s, size_t n, const char *where, int64_t line, ch_err *e)
{
    for (size_t i = 0, len; i < n; i += len) {
        len = ch_utf8_char(s + i, n - i);
        if (!len)
            return refuse(where, line, "holds a byte that is no UTF-8; save it as UTF-8", e);
        if (!s[i])
            return refuse(where, line, "holds a NUL character, a text without one is wanted", e);
        line += line && s[i] == '\n';
    }
    return CH_OK;
}

ch_code ch_text_read(const char *path, char **text, size_t *n, ch_err *e)
{
    static const char bom[] = "\xEF\xBB\xBF";
    size_t have = 0;
    *text = NULL;
    CH_TRY(ch_file_read(path, text, &have, e));
    if (have >= 3 && !memcmp(*text, bom, 3)) {
        have -= 3;
        memmove(*text, *text + 3, have + 1);
    }
    if (n)
        *n = have;
    ch_code c = ch_text_check(*text, have, path, 1, e);
    if (c != CH_OK) {
        free(*text);
        *text = NULL;
    }
    return c;
}

size_t ch_control_at(const char *s)
{
    unsigned char a = (unsigned char)s[0], b = (unsigned char)(a ? s[1] : 0);
    if (a && (a < 0x20 || a == 0x7F))
        return 1;
    return a == 0xC2 && b >= 0x80 && b < 0xA0 ? 2 : 0;
}

ch_code ch_name_check(const char *s, const char *where, ch_err *e)
{
    CH_TRY(ch_text_check(s, strlen(s), where, 0, e));
    for (const char *p = s; *p; p++)
        if (ch_control_at(p))
            return ch_fail(e, CH_EUSER,
                           "%s: holds a control character (such as a line's end), a name without "
                           "one is wanted",
                           where);
    return CH_OK;
}
