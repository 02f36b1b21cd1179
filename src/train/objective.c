#include "train/objective.h"

#include <stdlib.h>

#define CH_CONSTANT(name, def, low, high, what) #name,
const char *const ch_constant_names[] = {CH_CONSTANTS(CH_CONSTANT) NULL};
#undef CH_CONSTANT

void ch_groups_release(ch_groups *g)
{
    for (int64_t i = 0; i < g->n; i++) {
        for (int64_t k = 0; k < g->list[i].n; k++)
            ch_seq_release(&g->list[i].list[k].seq);
        free(g->list[i].list);
        free(g->list[i].row);
    }
    free(g->list);
    *g = (ch_groups){0};
}

/* Supervised fine-tuning [P]: L = -1/N sum over the good answers' tokens of log P, N counted over
 * the whole update, so that a batch cut in parts gives the same gradient. Bad
 * members get weight 0. */
double ch_loss_sft(const ch_group *g, const double *logp, const int64_t *n_tok, const ch_update *u,
                   double *w)
{
    (void)n_tok; /* N already counts them */
    double loss = 0;
    for (int64_t i = 0; i < g->n; i++) {
        w[i] = 0;
        if (g->list[i].role != CH_ROLE_GOOD)
            continue;
        w[i] = -1 / (double)u->n_good_tokens;
        loss += w[i] * logp[i];
    }
    return loss;
}
