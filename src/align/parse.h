/* Lists as models write them. */
#ifndef CH_ALIGN_PARSE_H
#define CH_ALIGN_PARSE_H

#include "align/filter.h"

/* Splits a list as models write it: lines that start with "1.", "1)", "1:" (or, when there is no
 * such line, with a bullet); lines behind an entry belong to it until a blank line. Fills list and
 * n; nothing is dropped. */
void ch_wordings_parse(ch_wordings *w, const char *raw);

#endif
