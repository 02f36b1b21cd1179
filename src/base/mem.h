/* Memory: small things through ch_new, planned big buffers through one arena per lifetime. Where
 * there is none, ch_new and its like do not return: they leave by ch_no_memory. */
#ifndef CH_BASE_MEM_H
#define CH_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Zeroed memory of count * elem bytes, never NULL. Free with free(). */
void *ch_new(size_t count, size_t elem);
/* Grows p to count elements; the new part is not zeroed. */
void *ch_grow(void *p, size_t count, size_t elem);
/* Page-aligned scratch on large pages where there are some, not zeroed; free(). */
void *ch_new_pages(size_t bytes);
/* malloc, for other libraries: NULL only where ch_no_memory cannot leave. */
void *ch_malloc(size_t bytes);
/* p, which some other library allocated; NULL is out of memory. */
void *ch_need(void *p);
char *ch_dup(const char *s);
char *ch_dupn(const char *s, size_t n);
/* A malloc'd printf. */
char *ch_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Appends one element to a growing array: CH_PUSH(list, n, cap) makes room and bumps n. */
#define CH_PUSH(list, n, cap)                                                                      \
    ((n) == (cap) ? (void)((list) = ch_grow((list), (size_t)((cap) = (cap) ? 2 * (cap) : 16),      \
                                            sizeof *(list)))                                       \
                  : (void)0,                                                                       \
     (n)++, (list) + ((n)-1))

/* A bump arena. With base == NULL it only measures: run a layout twice, first to learn cap. */
typedef struct {
    unsigned char *base;
    size_t used, cap;
} ch_arena;

/* 64-byte aligned block of count * elem bytes; NULL while measuring. Overflow is our bug. */
void *ch_take(ch_arena *a, size_t count, size_t elem);
/* Allocates what was measured in `used`, zeroed and page-aligned, and rewinds. `what` names it in
 * the error. */
ch_code ch_arena_alloc(ch_arena *a, const char *what, ch_err *e);
void ch_arena_free(ch_arena *a);

/* Peak resident size of this process in bytes (getrusage). */
size_t ch_peak_rss_bytes(void);
/* Memory available to this process in bytes (MemAvailable), 0 when unknown. */
size_t ch_available_bytes(void);

#endif
