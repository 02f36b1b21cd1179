/* A growing string with a maximum from birth, and text helpers. */
#ifndef CH_BASE_STR_H
#define CH_BASE_STR_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *s; /* always ends in NUL once something was added */
    size_t n, cap;
} ch_str;

void ch_str_add(ch_str *b, const char *s);
void ch_str_addn(ch_str *b, const char *s, size_t n);
void ch_str_addf(ch_str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The shown form of s, see base/shown.h. */
void ch_add_shown(ch_str *b, const char *s);
/* The text, "" when nothing was added; the buffer keeps it. */
const char *ch_str_get(const ch_str *b);
/* Hands the text over (never NULL) and empties the buffer. */
char *ch_str_take(ch_str *b);
void ch_str_free(ch_str *b);

/* Text for comparing answers: ASCII lower case, runs of white space made one blank, blanks and the
 * punctuation . , ; : ! ? " ' ` * at both ends dropped (a sign, a currency mark or a bracket
 * stays). Returns a new string. */
char *ch_normalise(const char *s);
/* Edit distance (Levenshtein, bytes). */
int ch_edit_distance(const char *a, const char *b);
/* The entry of list (NULL-terminated) closest to word, or NULL when none is near
 * enough to suggest. */
const char *ch_nearest(const char *word, const char *const *list);
/* White space trimmed at both ends, in a new string. */
char *ch_trim(const char *s);

#endif
