/* JSON and JSONL, the one reader and writer of both. Texts may hold any bytes: a byte that belongs
 * to no UTF-8 character is written as U+FFFD, a control character or NUL as \uXXXX. Numbers are
 * written with 17 digits in C's own form whatever the locale; what is not finite becomes null.
 * Readers refuse a key given twice, text behind the value and \u0000. Where there is no memory,
 * base/mem.h's way out is taken: no value is lost in silence. */
#ifndef CH_BASE_JSON_H
#define CH_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* -- values; never NULL -- */

json_t *ch_json_text(const char *s);
json_t *ch_json_textn(const char *s, size_t n);
json_t *ch_json_real(double v);
/* Put value in; its reference is taken over. key may hold any bytes. */
void ch_json_set(json_t *object, const char *key, json_t *value);
void ch_json_add(json_t *list, json_t *value);
/* "a number", "a list", .., "nothing" for NULL. */
const char *ch_json_what(const json_t *v);

/* -- writing; the reference to v is taken over -- */

/* The text, indented by 2, and a newline, in a new string. */
char *ch_json_dump(json_t *v);
/* The same into f, and on one line. A failure shows when f is closed. */
void ch_json_tree(FILE *f, json_t *v);
void ch_json_line(FILE *f, json_t *v);
/* The same into a file, as ch_file_write does. */
ch_code ch_json_save(json_t *v, const char *path, ch_err *e) CH_CHECK_RESULT;

/* -- reading; CH_EUSER and a sentence that names file and line, and then *v is NULL -- */

/* The value of text[0..n). where ("x.json") and line (0: text has many, the one at fault is named)
 * are for the sentence. */
ch_code ch_json_parse(json_t **v, const char *text, size_t n, const char *where, int64_t line,
                      ch_err *e) CH_CHECK_RESULT;
/* A file that holds one object. A byte order mark is skipped, here and below. */
ch_code ch_json_load(json_t **v, const char *path, ch_err *e) CH_CHECK_RESULT;

/* A file of one value a line. Lines of white space are counted and skipped. */
typedef struct {
    const char *path; /* borrowed */
    char *text;
    size_t n, at;
    int64_t line; /* of the value read last, from 1 */
} ch_jsonl;

ch_code ch_jsonl_open(ch_jsonl *f, const char *path, ch_err *e) CH_CHECK_RESULT;
/* The next value; NULL at the end. After a failure the next call goes on behind the line. */
ch_code ch_jsonl_next(ch_jsonl *f, json_t **v, ch_err *e) CH_CHECK_RESULT;
void ch_jsonl_close(ch_jsonl *f);

#endif
