#include "train/train.h"

/* Supervised fine-tuning [P]: L = -1/N sum over the good answers' tokens of log P, N counted over
 * the whole update, so that a batch cut in parts gives the same gradient. Bad members get weight 0.
 */
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
