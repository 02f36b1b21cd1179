/* English word stems as Google's rouge_score takes them. */
#ifndef CH_MEASURE_STEM_H
#define CH_MEASURE_STEM_H

#include <stddef.h>

/* Stems word, n bytes of [a-z0-9] followed by a NUL, in place; room is n + 2 bytes. Returns the new
 * length, at most n + 1. Equal to nltk's PorterStemmer() in its default mode. */
size_t ch_stem(char *word, size_t n);

#endif
