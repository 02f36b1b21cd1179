#include "align/gold.h"

#include <stdlib.h>
#include <string.h>

#include "data/intern.h"

const char ch_why_exact[] = "equals a right answer";
const char ch_why_empty[] = "empty answer";

int ch_labels_closed(const ch_task *t)
{
    return t->kind == CH_KIND_CLOSED && t->n_labels > 0 && t->n_labels <= CH_LABELS_MOST;
}

int ch_is_right(const ch_instance *item, const char *text)
{
    int hit = 0;
    for (int64_t i = 0; i < item->n_outputs && !hit; i++)
        hit = ch_text_agree(text, item->outputs[i]);
    return hit;
}

int ch_is_label(const ch_task *t, const char *text)
{
    char *mine = ch_text_key(text);
    int hit = 0;
    for (int64_t i = 0; i < t->n_labels && !hit; i++)
        hit = strcmp(mine, t->labels[i]) == 0;
    free(mine);
    return hit;
}
