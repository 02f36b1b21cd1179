#include "align/reward_consensus.h"

#include <stdlib.h>
#include <string.h>

#include "align/order.h"
#include "base/mem.h"
#include "data/intern.h"

static const char WHY_MAJORITY[] = "the majority answer of the other wordings";
static const char WHY_MINORITY[] = "not the majority answer of the other wordings";
static const char WHY_NO_MAJORITY[] = "no majority among the other wordings";
const char *const ch_reward_consensus_whys[] = {WHY_MAJORITY, WHY_MINORITY, WHY_NO_MAJORITY, NULL};

typedef struct {
    int64_t wording;
    char *text; /* normalised greedy answer */
} ballot;

/* The text that more than half of the ballots of the other wordings hold, or NULL. Empty answers
 * are counted as ballots but cannot win. */
static const char *majority(const ballot *b, int64_t n, int64_t but)
{
    int64_t others = 0;
    for (int64_t i = 0; i < n; i++)
        others += b[i].wording != but;
    for (int64_t i = 0; i < n; i++) {
        int64_t votes = 0;
        for (int64_t j = 0; j < n; j++)
            votes += b[j].wording != but && strcmp(b[j].text, b[i].text) == 0;
        if (*b[i].text && 2 * votes > others)
            return b[i].text;
    }
    return NULL;
}

static void reward_item(ch_candidates *c, const int64_t *order, int64_t from, int64_t to)
{
    ballot *b = ch_new((size_t)(to - from), sizeof *b);
    int64_t n = 0;
    for (int64_t i = from; i < to; i++) {
        const ch_candidate *a = &c->list[order[i]];
        if (a->sample == 0)
            b[n++] = (ballot){a->wording, ch_text_key(a->text)};
    }
    for (int64_t i = from; i < to; i++) {
        ch_candidate *a = &c->list[order[i]];
        const char *best = majority(b, n, a->wording);
        char *mine = ch_text_key(a->text);
        if (!best)
            a->reward = CH_DISCARD, a->why = WHY_NO_MAJORITY;
        else if (strcmp(mine, best) == 0)
            a->reward = 2, a->why = WHY_MAJORITY;
        else
            a->reward = 1, a->why = WHY_MINORITY;
        free(mine);
    }
    for (int64_t i = 0; i < n; i++)
        free(b[i].text);
    free(b);
}

ch_code ch_reward_consensus(ch_candidates *c, ch_model *m, const ch_split *s,
                            const ch_align_opts *o, ch_err *e)
{
    (void)m, (void)s, (void)o, (void)e;
    int64_t *order = ch_candidates_order(c);
    for (int64_t i = 0; i < c->n;) {
        int64_t to = ch_item_end(c, order, i);
        reward_item(c, order, i, to);
        i = to;
    }
    free(order);
    return CH_OK;
}
