/* Inside the report room: numbers as people read them, and text made safe to show. */
#ifndef CH_REPORT_WORDS_H
#define CH_REPORT_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "measure/measure.h"
#include "report/report.h"

/* 1 when s holds any text. */
int ch_has_text(const char *s);

/* Appends s as ch_add_shown does; s may be NULL. */
void ch_add_clean(ch_str *b, const char *s);
/* The same in a new string. */
char *ch_clean(const char *s);
/* The same on one line: newlines and tabs become blanks. */
char *ch_clean_line(const char *s);

/* Columns that a clean UTF-8 text takes (one a code point). */
int64_t ch_width(const char *s);

/* A metric's value as shown: "76.8", percent metrics x 100. */
void ch_add_value(ch_str *b, int metric, double value);
/* "[74.1, 79.2]" */
void ch_add_interval(ch_str *b, int metric, ch_stat s);
/* "76.8 [74.1, 79.2]" */
void ch_add_stat(ch_str *b, int metric, ch_stat s);
/* "+12.3 [9.8, 14.9]"; two decimals when a bound that is not 0 would be shown as 0. minus: "-" or
 * U+2212. */
void ch_add_diff(ch_str *b, int metric, ch_stat s, const char *minus);

#endif
