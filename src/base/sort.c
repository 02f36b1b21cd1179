#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
    const char *text;
    int64_t at;
} keyed;

static int by_text(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int d = strcmp(x->text, y->text);
    return d ? d : (x->at > y->at) - (x->at < y->at);
}

int64_t *ch_text_order(const char *const *texts, int64_t n)
{
    keyed *k = ch_new((size_t)n + 1, sizeof *k);
    int64_t *order = ch_new((size_t)n + 1, sizeof *order);
    for (int64_t i = 0; i < n; i++)
        k[i] = (keyed){texts[i], i};
    qsort(k, (size_t)n, sizeof *k, by_text);
    for (int64_t i = 0; i < n; i++)
        order[i] = k[i].at;
    free(k);
    return order;
}
