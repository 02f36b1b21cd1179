/* Numbers for texts, the text under which two texts count as equal, and what an empty one is. */
#ifndef CH_DATA_INTERN_H
#define CH_DATA_INTERN_H

#include <stdint.h>

/* Zero it before use. Texts are numbered 0, 1, .. in the order in which they were first added. */
typedef struct {
    char **text;
    int64_t n, cap;
    int64_t *slot; /* open addressing, -1 = free */
    int64_t n_slots;
} ch_intern;

/* The number of text (copied when it is new; new exactly when n grew). */
int64_t ch_intern_add(ch_intern *t, const char *text);
/* The number of text, or -1. */
int64_t ch_intern_find(const ch_intern *t, const char *text);
void ch_intern_free(ch_intern *t);

/* "" when s is empty (see below), else ch_normalise(s); when nothing is left of s by that ("?"), s
 * with its ends trimmed. New string. */
char *ch_text_key(const char *s);
/* 1 when s is empty: nothing in it but white space and characters that are not seen. */
int ch_text_empty(const char *s);
/* 1 when two answers say the same: equal under ch_text_key, and neither is empty. An empty answer
 * agrees with nothing, not with another empty one either. */
int ch_text_agree(const char *a, const char *b);
/* ch_intern_add of ch_text_key(s). */
int64_t ch_intern_key(ch_intern *t, const char *s);

/* FNV-1a, 64 bits: a number for a name that does not change between runs and machines. */
uint64_t ch_name_hash(const char *s);

#endif
