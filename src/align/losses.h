/* The losses that are ours or the paper's; rows of align/objectives.c name them. */
#ifndef CH_ALIGN_LOSSES_H
#define CH_ALIGN_LOSSES_H

#include "train/objective.h"

/* lambda/G sum over (good, bad) of max(0, margin + pbar_bad - pbar_good) + sft   [I, after RRHF,
 * arXiv 2304.05302, whose margin is 0] */
ch_loss_fn ch_loss_cat;
/* lambda/G sum over good of -log softmax over {good, its bads}(pbar) + sft   [+] */
ch_loss_fn ch_loss_listwise;
/* 1/G mean over (good, bad) of -log sigmoid(beta ((logp - ref)_good - (logp - ref)_bad))
 * [+, arXiv 2305.18290; sums, not means, as there] */
ch_loss_fn ch_loss_dpo;

#endif
