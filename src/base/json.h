/* JSON as chorus writes and reads it. */
#ifndef CH_BASE_JSON_H
#define CH_BASE_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"

/* A JSON string of any text: what is no UTF-8 becomes '?'. */
json_t *ch_json_text(const char *s);
/* A JSON number that is null when not finite. */
json_t *ch_json_real(double v);
/* Text of v (its reference is taken over) and a newline, written atomically. */
ch_code ch_json_save(json_t *v, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Reads a JSON object. Error: names file and line. */
ch_code ch_json_load(json_t **v, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Appends one compact line to f; the reference is taken over. */
void ch_json_line(FILE *f, json_t *v);

#endif
