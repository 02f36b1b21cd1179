/* UTF-8 as Unicode's table 3-7 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef CH_BASE_UTF8_H
#define CH_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the character at s[0..n), 0 when it is ill-formed or cut off by n. A NUL is one. */
size_t ch_utf8_char(const char *s, size_t n);
/* 1 when s[0..n) is well-formed throughout; a NUL counts as a character. */
int ch_utf8_valid(const char *s, size_t n);
/* Length in bytes of the longest prefix of s[0..n) that ends on a whole UTF-8 character. */
size_t ch_utf8_whole(const char *s, size_t n);

#endif
