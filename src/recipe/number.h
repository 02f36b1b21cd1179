/* Numbers as recipes and options have them, in C's own form: inside ch_enter, whatever the locale. */
#ifndef CH_RECIPE_NUMBER_H
#define CH_RECIPE_NUMBER_H

#include <stdint.h>

/* What is wanted, for the sentence of a refusal. */
extern const char ch_number_whole[], ch_number_real[];

/* Whole numbers: digits, with '-' before them when negative, no leading zeros; no more than 2^53,
 * so that every place that holds one holds it exactly. 1, and *v, when text is one. */
int ch_number_int(const char *text, int64_t *v);
/* Decimal numbers: digits with at most one point, then perhaps an exponent (5e-5); finite. No sign
 * but '-', no hexadecimal digits, no blanks. */
int ch_number_read(const char *text, double *v);
/* The shortest text of 12 digits or more that ch_number_read reads back as v. New string. */
char *ch_number_text(double v);

#endif
