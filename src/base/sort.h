/* Orders of texts. */
#ifndef CH_BASE_SORT_H
#define CH_BASE_SORT_H

#include <stdint.h>

/* Indices of texts[0..n) in the order of strcmp, equal ones in the order they stand in. New array. */
int64_t *ch_text_order(const char *const *texts, int64_t n);

#endif
