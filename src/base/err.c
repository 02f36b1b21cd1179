#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "base/utf8.h"

enum { LONGEST_WORD = 96 };

/* A word that is too long, such as a path, keeps its beginning and its end; the sentence around it
 * says what is wrong. Returns the length that is left. */
static size_t shorten_words(char *s)
{
    size_t n = 0;
    for (const char *p = s; *p;) {
        size_t k = strcspn(p, " "), from = k;
        if (k > LONGEST_WORD + 8) {
            size_t head = ch_utf8_whole(p, LONGEST_WORD / 2);
            from = k - LONGEST_WORD / 2;
            while (((unsigned char)p[from] & 0xC0) == 0x80)
                from++;
            memmove(s + n, p, head);
            memcpy(s + n + head, "...", 3);
            n += head + 3;
        } else {
            from = 0;
        }
        size_t rest = k - from + (p[k] == ' ');
        memmove(s + n, p + from, rest);
        n += rest;
        p += k + (p[k] == ' ');
    }
    s[n] = 0;
    return n;
}

ch_code ch_fail(ch_err *e, ch_code code, const char *fmt, ...)
{
    if (!e || e->code != CH_OK)
        return code;
    char raw[1 << 14], text[1 << 14];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    for (char *p = raw; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' '; /* one sentence, one line */
    size_t n = ch_shown(text, sizeof text, raw);
    if (n >= sizeof e->msg)
        n = shorten_words(text);
    if (n >= sizeof e->msg) {
        n = ch_utf8_whole(text, sizeof e->msg - 4);
        memcpy(text + n, "...", 4);
    }
    e->code = code;
    memcpy(e->msg, text, strlen(text) + 1);
    return code;
}

void ch_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "chorus: bug at %s:%d: %s does not hold\n", file, line, what);
    abort();
}
