/* Text of any origin made safe for a terminal and a page: well-formed UTF-8 without anything that
 * moves a cursor, starts an escape or turns the reading order round. A byte that is no UTF-8, a
 * C1 control (U+0080..9F) or a bidi control becomes U+FFFD; another control character but newline
 * and tab, and DEL, its picture (U+2400..). */
#ifndef CH_BASE_SHOWN_H
#define CH_BASE_SHOWN_H

#include <stddef.h>

/* Bytes of the character at s[0..n), n >= 1, that its shown form stands for; *shown is that form,
 * *len bytes: in s itself, or in buf. */
size_t ch_shown_char(const char *s, size_t n, char buf[4], const char **shown, size_t *len);
/* The shown form of s, whole characters of it, and a NUL, in at most cap bytes; allocates nothing.
 * Returns its length. */
size_t ch_shown(char *out, size_t cap, const char *s);

#endif
