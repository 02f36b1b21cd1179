/* What can be known of rewards and judges before there is an answer. */
#ifndef CH_ALIGN_ASKED_H
#define CH_ALIGN_ASKED_H

#include "align/candidates.h"

/* Whether a judge's question fits into m's context when each answer in it has max_new tokens, as m
 * counts them. *fits 0: no. Errors are others than that. */
ch_code ch_same_fits(int *fits, const ch_model *m, const char *question, int64_t max_new,
                     ch_err *e) CH_CHECK_RESULT;
/* The self-reward's questions about every training input. *n_long inputs have one that may not fit;
 * unless o->drop_overlong the first is an error that names it. */
ch_code ch_reward_check(int64_t *n_long, const ch_model *m, const ch_split *s,
                        const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;
/* Refuse texts of align.judge_prompt and paraphrase.prompt that lack a placeholder or have one that
 * is misspelt. where begins the sentence. */
ch_code ch_judge_template_check(const char *text, const char *where, ch_err *e) CH_CHECK_RESULT;
ch_code ch_paraphrase_template_check(const char *text, const char *where,
                                     ch_err *e) CH_CHECK_RESULT;

#endif
