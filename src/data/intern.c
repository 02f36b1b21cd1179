#include "data/intern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

uint64_t ch_name_hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

/* The slot that holds text, or the free one where it belongs. n_slots is a power of two. */
static int64_t place(const ch_intern *t, const char *text)
{
    uint64_t mask = (uint64_t)t->n_slots - 1, i = ch_name_hash(text) & mask;
    while (t->slot[i] >= 0 && strcmp(t->text[t->slot[i]], text))
        i = (i + 1) & mask;
    return (int64_t)i;
}

static void widen(ch_intern *t)
{
    t->n_slots = t->n_slots ? 2 * t->n_slots : 64;
    free(t->slot);
    t->slot = ch_new((size_t)t->n_slots, sizeof *t->slot);
    for (int64_t i = 0; i < t->n_slots; i++)
        t->slot[i] = -1;
    for (int64_t k = 0; k < t->n; k++)
        t->slot[place(t, t->text[k])] = k;
}

int64_t ch_intern_add(ch_intern *t, const char *text)
{
    if (2 * (t->n + 1) > t->n_slots)
        widen(t);
    int64_t at = place(t, text);
    if (t->slot[at] < 0) {
        t->slot[at] = t->n;
        *CH_PUSH(t->text, t->n, t->cap) = ch_dup(text);
    }
    return t->slot[at];
}

int64_t ch_intern_find(const ch_intern *t, const char *text)
{
    return t->n_slots ? t->slot[place(t, text)] : -1;
}

void ch_intern_free(ch_intern *t)
{
    for (int64_t k = 0; k < t->n; k++)
        free(t->text[k]);
    free(t->text);
    free(t->slot);
    *t = (ch_intern){0};
}

/* Bytes of the white space or unseen character at s, 0 when it is neither: U+00A0, U+1680,
 * U+2000..200F, U+2028, 2029, 202F, 205F, 2060, U+3000 and U+FEFF beside those of ASCII. */
static size_t blank(const unsigned char *s)
{
    static const char wide[][4] = {"\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                   "\xE2\x81\x9F", "\xE2\x81\xA0", "\xE3\x80\x80", "\xEF\xBB\xBF"};
    if (*s == ' ' || (*s >= '\t' && *s <= '\r'))
        return 1;
    if (s[0] == 0xC2 && s[1] == 0xA0)
        return 2;
    if (s[0] == 0xE2 && s[1] == 0x80 && s[2] >= 0x80 && s[2] <= 0x8F)
        return 3;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (!strncmp((const char *)s, wide[i], 3))
            return 3;
    return 0;
}

int ch_text_empty(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t n; *p && (n = blank(p));)
        p += n;
    return !*p;
}

char *ch_text_key(const char *s)
{
    if (ch_text_empty(s))
        return ch_dup("");
    char *key = ch_normalise(s);
    if (key[0])
        return key;
    free(key);
    return ch_trim(s);
}

int ch_text_agree(const char *a, const char *b)
{
    char *x = ch_text_key(a), *y = ch_text_key(b);
    int agree = *x && !strcmp(x, y);
    free(x);
    free(y);
    return agree;
}

int64_t ch_intern_key(ch_intern *t, const char *s)
{
    char *key = ch_text_key(s);
    int64_t id = ch_intern_add(t, key);
    free(key);
    return id;
}
