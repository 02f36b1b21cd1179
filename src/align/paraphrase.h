/* Wordings by a local model (greedy): one prompt with the list asked for, parsed and filtered. */
#ifndef CH_ALIGN_PARAPHRASE_H
#define CH_ALIGN_PARAPHRASE_H

#include "align/filter.h"
#include "model/model.h"

/* template_text NULL: the paper's one-shot numbered list [C], and, when it leaves fewer than n that
 * can be kept, single rewordings sampled from a fixed seed [+]: a small model copies the example
 * instead. {n}, {instruction}, and the example's {example_instruction} and {example} (its numbered
 * list) are replaced. max_new 0: enough for n lines. Also dropped: "cut off by the length limit",
 * "more than asked for". */
ch_code ch_paraphrase(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n,
                      const char *template_text, int64_t max_new, ch_err *e) CH_CHECK_RESULT;
/* Only the check, before anything is asked: the prompts that it makes and what may be written to
 * them fit into the context. Error: names the task. */
ch_code ch_paraphrase_check(const ch_model *m, const ch_task *task, int64_t n,
                            const char *template_text, int64_t max_new, ch_err *e) CH_CHECK_RESULT;

#endif
