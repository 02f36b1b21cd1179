/* Losses on good and bad answers. Every function returns its group's part of the update's loss and
 * writes w[i] = d loss / d logp[i]. pbar = logp / n_tok, the mean log P a token; G groups of the
 * update: the mean over groups, so that the balance with sft does not depend on the batch size. */
#include "align/losses.h"

#include <math.h>
#include <string.h>

static double mean_logp(const double *logp, const int64_t *n_tok, int64_t i)
{
    return logp[i] / (double)n_tok[i];
}

static int64_t count_role(const ch_group *g, int role)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n; i++)
        n += g->list[i].role == role;
    return n;
}

double ch_loss_cat(const ch_group *g, const double *logp, const int64_t *n_tok, const ch_update *u,
                   double *w)
{
    double loss = ch_loss_sft(g, logp, n_tok, u, w);
    double scale = u->k.lambda / (double)u->n_groups;
    for (int64_t i = 0; i < g->n; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            if (g->list[i].role != CH_ROLE_GOOD || g->list[j].role != CH_ROLE_BAD)
                continue;
            double gap = u->k.margin + mean_logp(logp, n_tok, j) - mean_logp(logp, n_tok, i);
            /* A NaN must reach the trainer, which stops on it; a plain "gap > 0" would hide it. */
            if (gap <= 0)
                continue;
            loss += scale * gap;
            w[j] += scale / (double)n_tok[j];
            w[i] -= scale / (double)n_tok[i];
        }
    }
    return loss;
}

/* log(exp(pbar_i) + sum over bad of exp(pbar_j)), shifted by the largest. */
static double log_sum(const ch_group *g, const double *logp, const int64_t *n_tok, int64_t i)
{
    double top = mean_logp(logp, n_tok, i), sum = 0;
    for (int64_t j = 0; j < g->n; j++) {
        if (g->list[j].role == CH_ROLE_BAD)
            top = fmax(top, mean_logp(logp, n_tok, j));
    }
    for (int64_t j = 0; j < g->n; j++) {
        if (j == i || g->list[j].role == CH_ROLE_BAD)
            sum += exp(mean_logp(logp, n_tok, j) - top);
    }
    return top + log(sum);
}

double ch_loss_listwise(const ch_group *g, const double *logp, const int64_t *n_tok,
                        const ch_update *u, double *w)
{
    double loss = ch_loss_sft(g, logp, n_tok, u, w);
    double scale = u->k.lambda / (double)u->n_groups;
    for (int64_t i = 0; i < g->n; i++) {
        if (g->list[i].role != CH_ROLE_GOOD)
            continue;
        double all = log_sum(g, logp, n_tok, i);
        loss += scale * (all - mean_logp(logp, n_tok, i));
        w[i] -= scale / (double)n_tok[i];
        for (int64_t j = 0; j < g->n; j++) {
            if (j == i || g->list[j].role == CH_ROLE_BAD)
                w[j] += scale * exp(mean_logp(logp, n_tok, j) - all) / (double)n_tok[j];
        }
    }
    return loss;
}

/* -log sigmoid(x), exact for large |x|. */
static double softplus_minus(double x)
{
    return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

double ch_loss_dpo(const ch_group *g, const double *logp, const int64_t *n_tok, const ch_update *u,
                   double *w)
{
    (void)n_tok;
    memset(w, 0, (size_t)g->n * sizeof *w);
    int64_t pairs = count_role(g, CH_ROLE_GOOD) * count_role(g, CH_ROLE_BAD);
    double loss = 0;
    for (int64_t i = 0; i < g->n; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            if (g->list[i].role != CH_ROLE_GOOD || g->list[j].role != CH_ROLE_BAD)
                continue;
            double x = u->k.beta * (logp[i] - g->list[i].ref_logp - logp[j] + g->list[j].ref_logp);
            double scale = 1 / ((double)u->n_groups * (double)pairs);
            double pull = scale * u->k.beta / (1 + exp(x));
            loss += scale * softplus_minus(x);
            w[i] -= pull;
            w[j] += pull;
        }
    }
    return loss;
}
