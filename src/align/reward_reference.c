#include "align/reward_reference.h"

#include "align/gold.h"
#include "data/intern.h"

static const char WHY_NOT_LABEL[] = "not one of the task's labels";
static const char WHY_DIFFERS[] = "differs from the right answers";
const char *const ch_reward_reference_whys[] = {WHY_NOT_LABEL, WHY_DIFFERS, NULL};

static void reward_one(ch_candidate *a, const ch_split *s)
{
    const ch_task *t = s->list[a->task].task;
    if (ch_is_right(&t->items[a->item], a->text))
        a->reward = 2, a->why = ch_why_exact;
    else if (ch_text_empty(a->text))
        a->reward = 0, a->why = ch_why_empty;
    else if (ch_labels_closed(t) && !ch_is_label(t, a->text))
        a->reward = 0, a->why = WHY_NOT_LABEL;
    else
        a->reward = 1, a->why = WHY_DIFFERS;
}

ch_code ch_reward_reference(ch_candidates *c, ch_model *m, const ch_split *s,
                            const ch_align_opts *o, ch_err *e)
{
    (void)m, (void)o, (void)e;
    for (int64_t i = 0; i < c->n; i++)
        reward_one(&c->list[i], s);
    return CH_OK;
}
