/* Text files from outside: what is no UTF-8, or holds a NUL that would end a text in silence, is
 * refused by file and line before any reader sees it. */
#ifndef CH_DATA_TEXT_FILE_H
#define CH_DATA_TEXT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Reads a whole file as ch_file_read does, without its byte order mark. n may be NULL. Errors
 * (CH_EUSER): also a device, a NUL, a byte that is no UTF-8. */
ch_code ch_text_read(const char *path, char **text, size_t *n, ch_err *e) CH_CHECK_RESULT;
/* s[0..n) alone. where begins the sentence; line: number of its first line, 0: no line is told. */
ch_code ch_text_check(const char *s, size_t n, const char *where, int64_t line,
                      ch_err *e) CH_CHECK_RESULT;
/* Bytes of a control character (C0, DEL, C1) at s, which is UTF-8; 0 when there is none. */
size_t ch_control_at(const char *s);
/* Refuses a name (of a file, for people) that holds a control character or is no UTF-8. */
ch_code ch_name_check(const char *s, const char *where, ch_err *e) CH_CHECK_RESULT;

#endif
