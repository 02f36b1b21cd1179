/* Candidates in order, however they were read: by task, item, wording, sample; and equal texts
 * found. */
#include "align/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
    const ch_candidate *c;
    int64_t at;
} keyed;

static int cmp(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int d = cmp(x->c->task, y->c->task);
    d = d ? d : cmp(x->c->item, y->c->item);
    d = d ? d : cmp(x->c->wording, y->c->wording);
    d = d ? d : cmp(x->c->sample, y->c->sample);
    return d ? d : cmp(x->at, y->at);
}

static int same_text(const ch_candidate *x, const ch_candidate *y)
{
    return x->task == y->task && x->item == y->item && strcmp(x->text, y->text) == 0;
}

static int by_text(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int d = cmp(x->c->task, y->c->task);
    d = d ? d : cmp(x->c->item, y->c->item);
    d = d ? d : strcmp(x->c->text, y->c->text);
    return d ? d : cmp(x->at, y->at);
}

static keyed *sorted(const ch_candidates *c, int (*by)(const void *, const void *))
{
    keyed *k = ch_new((size_t)c->n + 1, sizeof *k);
    for (int64_t i = 0; i < c->n; i++)
        k[i] = (keyed){&c->list[i], i};
    qsort(k, (size_t)c->n, sizeof *k, by);
    return k;
}

int64_t *ch_candidates_order(const ch_candidates *c)
{
    keyed *k = sorted(c, by_place);
    int64_t *order = ch_new((size_t)c->n + 1, sizeof *order);
    for (int64_t i = 0; i < c->n; i++)
        order[i] = k[i].at;
    free(k);
    return order;
}

int64_t ch_item_end(const ch_candidates *c, const int64_t *order, int64_t from)
{
    const ch_candidate *first = &c->list[order[from]];
    int64_t i = from + 1;
    while (i < c->n && c->list[order[i]].task == first->task &&
           c->list[order[i]].item == first->item)
        i++;
    return i;
}

int64_t ch_candidates_distinct(const ch_candidates *c, int64_t *id)
{
    keyed *k = sorted(c, by_text);
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++) {
        n += i == 0 || !same_text(k[i].c, k[i - 1].c);
        id[k[i].at] = n - 1;
    }
    free(k);
    return n;
}
