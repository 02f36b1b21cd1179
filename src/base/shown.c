#include "base/shown.h"

#include <string.h>

#include "base/utf8.h"

/* The code point of the well-formed character of n bytes at s. */
static unsigned decode(const unsigned char *s, size_t n)
{
    unsigned c = n == 1 ? s[0] : s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

static int hidden(unsigned c)
{
    return (c >= 0x80 && c < 0xA0) || c == 0x61C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

size_t ch_shown_char(const char *s, size_t n, char buf[4], const char **shown, size_t *len)
{
    size_t k = ch_utf8_char(s, n);
    unsigned c = k ? decode((const unsigned char *)s, k) : 0x80;
    *shown = s;
    *len = k;
    if (c == 0x7F || (c < 0x20 && c != '\n' && c != '\t')) {
        memcpy(buf, "\xE2\x90", 2);
        buf[2] = (char)(c == 0x7F ? 0xA1 : 0x80 + c);
    } else if (hidden(c)) {
        memcpy(buf, "\xEF\xBF\xBD", 3);
    } else {
        return k;
    }
    *shown = buf;
    *len = 3;
    return k ? k : 1;
}

size_t ch_shown(char *out, size_t cap, const char *s)
{
    size_t used = 0, left = strlen(s), len;
    const char *shown;
    char buf[4];
    while (left) {
        size_t k = ch_shown_char(s, left, buf, &shown, &len);
        if (used + len >= cap)
            break;
        memcpy(out + used, shown, len);
        used += len;
        s += k;
        left -= k;
    }
    out[used] = 0;
    return used;
}
