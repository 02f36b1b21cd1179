/* The numbered list that a model writes, taken apart. */
#include "align/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *skip_blank(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* Behind "12." "12)" "12:" (bold marks allowed round it), or NULL. "3.5 stars"
 * is no entry number. */
static const char *behind_number(const char *line)
{
    const char *p = skip_blank(line);
    while (*p == '*' || *p == '(')
        p++;
    const char *digits = p;
    while (isdigit((unsigned char)*p))
        p++;
    if (p == digits || p - digits > 3 || !*p || !strchr(".):", *p))
        return NULL;
    p++;
    if (isdigit((unsigned char)*p))
        return NULL;
    while (*p == '*')
        p++;
    return skip_blank(p);
}

static const char *behind_bullet(const char *line)
{
    static const char *const marks[] = {"- ", "* ", "+ ", "\xE2\x80\xA2", "\xE2\x80\x93 "};
    const char *p = skip_blank(line);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strncmp(p, marks[i], strlen(marks[i])) == 0)
            return skip_blank(p + strlen(marks[i]));
    }
    return NULL;
}

/* Blanks, bold marks and one pair of quotes round the whole entry are not part of it. */
static char *clean(const char *s, size_t n)
{
    char *raw = ch_dupn(s, n), *t = ch_trim(raw);
    free(raw);
    size_t len = strlen(t);
    for (;;) {
        size_t cut = 0;
        if (len >= 4 && strncmp(t, "**", 2) == 0 && strcmp(t + len - 2, "**") == 0)
            cut = 2;
        else if (len >= 2 && t[0] == '"' && t[len - 1] == '"' && strchr(t + 1, '"') == t + len - 1)
            cut = 1;
        if (!cut)
            return t;
        len -= 2 * cut;
        memmove(t, t + cut, len);
        t[len] = 0;
    }
}

typedef const char *marker(const char *line);

static int any_line(const char *raw, marker *behind)
{
    for (const char *line = raw; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (behind(line))
            return 1;
    }
    return 0;
}

static void push(ch_wordings *w, int64_t *cap, ch_str *entry)
{
    char *text = clean(ch_str_get(entry), entry->n);
    ch_str_free(entry);
    if (*text)
        *CH_PUSH(w->list, w->n, *cap) = (ch_wording){text, NULL};
    else
        free(text);
}

void ch_wordings_parse(ch_wordings *w, const char *raw)
{
    marker *behind = any_line(raw, behind_number) ? behind_number : behind_bullet;
    ch_str entry = {0};
    int open = 0;
    int64_t cap = w->n;
    for (const char *line = raw; line;) {
        const char *end = strchr(line, '\n');
        size_t n = end ? (size_t)(end - line) : strlen(line);
        const char *text = behind(line), *stop = line + n;
        int blank = skip_blank(line) >= stop || *skip_blank(line) == '\r';
        if (text || blank) {
            push(w, &cap, &entry);
            open = text != NULL;
        }
        if (text && text < stop) {
            ch_str_addn(&entry, text, (size_t)(stop - text));
        } else if (open && !blank && !text) {
            /* A wording of several lines: what follows before a blank line is still part of it. */
            ch_str_add(&entry, entry.n ? "\n" : "");
            ch_str_addn(&entry, line, n);
        }
        line = end ? end + 1 : NULL;
    }
    push(w, &cap, &entry);
}
