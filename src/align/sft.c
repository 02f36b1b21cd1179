/* Stage 1 data [P]: SFT takes the original instruction, SFT(IA) it and its wordings, with unchanged
 * inputs and answers. */
#include "align/sft.h"

#include <stdlib.h>

#include "base/mem.h"

typedef struct {
    ch_groups *g;
    int64_t cap;
    const ch_model *m;
    const ch_split *s;
    int64_t max_len;
    int drop;
    int64_t dropped;
} maker;

char *ch_row_name(const ch_split *s, int64_t task, int64_t item, int64_t wording)
{
    const ch_task *t = s->list[task].task;
    return ch_fmt("%s, input %s, wording %lld", t->name, t->items[item].id, (long long)wording);
}

int64_t ch_instruction_id(int64_t task, int64_t wording)
{
    return (task << 32) + wording;
}

static ch_code add_row(maker *k, int64_t task, int64_t item, int64_t wording, ch_err *e)
{
    const ch_task *t = k->s->list[task].task;
    char *user = ch_prompt_text(ch_task_wording(t, wording), t->items[item].input);
    char *row = ch_row_name(k->s, task, item, wording);
    ch_err why = {0};
    ch_seq seq = {0};
    ch_code c = ch_seq_make(&seq, k->m, user, t->items[item].outputs[0], k->max_len, row, &why);
    free(user);
    if (c != CH_OK) {
        free(row);
        int drop = c == CH_ELONG && k->drop;
        k->dropped += drop;
        return drop ? CH_OK : ch_fail(e, c, "%s", why.msg);
    }
    ch_member *one = ch_new(1, sizeof *one);
    *one = (ch_member){.seq = seq, .role = CH_ROLE_GOOD};
    *CH_PUSH(k->g->list, k->g->n, k->cap) =
        (ch_group){one, 1, row, ch_instruction_id(task, wording)};
    return CH_OK;
}

static ch_code add_task(maker *k, int64_t task, int augment, int side, ch_err *e)
{
    const ch_share *sh = &k->s->list[task];
    const int64_t *items = side ? sh->dev : sh->train;
    int64_t n = side ? sh->n_dev : sh->n_train;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t w = 0; w < sh->n_train_w; w++) {
            if (augment || sh->train_w[w] == 0)
                CH_TRY(add_row(k, task, items[i], sh->train_w[w], e));
        }
    }
    return CH_OK;
}

ch_code ch_sft_groups(ch_groups *g, const ch_model *m, const ch_split *s, int augment, int side,
                      int64_t max_len, int drop_overlong, int64_t *n_dropped, ch_err *e)
{
    *g = (ch_groups){0};
    maker k = {.g = g, .m = m, .s = s, .max_len = max_len, .drop = drop_overlong};
    ch_code c = CH_OK;
    for (int64_t t = 0; t < s->n && c == CH_OK; t++)
        c = add_task(&k, t, augment, side, e);
    if (n_dropped)
        *n_dropped = k.dropped;
    /* No dev row is a choice; no training row is a mistake. */
    if (c == CH_OK && side == 0 && g->n == 0)
        c = ch_fail(e, CH_EEMPTY,
                    "training rows: none left (%lld were longer than %lld tokens); check the split "
                    "or raise max_len",
                    (long long)k.dropped, (long long)max_len);
    if (c != CH_OK)
        ch_groups_release(g);
    return c;
}
