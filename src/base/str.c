#include "base/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enter.h"
#include "base/mem.h"
#include "base/shown.h"

/* A text beyond it is no text; it counts as out of memory. */
enum { MAX_BYTES = 1 << 30 };

static void reserve(ch_str *b, size_t extra)
{
    if (extra >= MAX_BYTES - b->n)
        ch_no_memory(extra);
    if (b->n + extra + 1 <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < b->n + extra + 1)
        cap *= 2;
    b->s = ch_grow(b->s, cap, 1);
    b->cap = cap;
}

void ch_str_addn(ch_str *b, const char *s, size_t n)
{
    reserve(b, n);
    memcpy(b->s + b->n, s, n);
    b->n += n;
    b->s[b->n] = 0;
}

void ch_str_add(ch_str *b, const char *s)
{
    ch_str_addn(b, s, strlen(s));
}

void ch_str_addf(ch_str *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        ch_no_memory(0);
    reserve(b, (size_t)n);
    vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

const char *ch_str_get(const ch_str *b)
{
    return b->s ? b->s : "";
}

char *ch_str_take(ch_str *b)
{
    char *s = b->s ? b->s : ch_dup("");
    *b = (ch_str){0};
    return s;
}

void ch_str_free(ch_str *b)
{
    free(b->s);
    *b = (ch_str){0};
}

static int at_edge(char c)
{
    return isspace((unsigned char)c) || (c && strchr(".,;:!?\"'`*", c));
}

char *ch_normalise(const char *s)
{
    size_t n = strlen(s);
    while (n && at_edge(s[0]))
        s++, n--;
    while (n && at_edge(s[n - 1]))
        n--;
    char *out = ch_new(n + 1, 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (!isspace(c))
            out[k++] = (char)(c < 128 ? tolower(c) : c);
        else if (out[k - 1] != ' ')
            out[k++] = ' ';
    }
    out[k] = 0;
    return out;
}

int ch_edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    int *row = ch_new(n + 1, sizeof *row);
    for (size_t j = 0; j <= n; j++)
        row[j] = (int)j;
    for (size_t i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 1; j <= n; j++) {
            int best = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    int d = row[n];
    free(row);
    return d;
}

const char *ch_nearest(const char *word, const char *const *list)
{
    const char *best = NULL;
    enum { LONGEST = 64 };
    if (strlen(word) > LONGEST)
        return NULL;
    int best_d = (int)strlen(word) / 2 + 1;
    for (; *list; list++) {
        int d = ch_edit_distance(word, *list);
        if (d < best_d)
            best_d = d, best = *list;
    }
    return best;
}

char *ch_trim(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return ch_dupn(s, n);
}

void ch_add_shown(ch_str *b, const char *s)
{
    size_t left = strlen(s), len;
    const char *shown;
    char buf[4];
    while (left) {
        size_t k = ch_shown_char(s, left, buf, &shown, &len);
        ch_str_addn(b, shown, len);
        s += k;
        left -= k;
    }
}
