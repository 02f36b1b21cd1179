/* Wordings of tasks' instructions, written by a model into a side file. */
#ifndef CH_RUN_WRITE_WORDINGS_H
#define CH_RUN_WRITE_WORDINGS_H

#include "data/task.h"
#include "model/model.h"

/* Asks m for n wordings of every task, with a prompt or the built-in one (NULL), and writes two JSON files: path maps a task's name to its
 * list, dropped_path (may be NULL) to a list of {text, why}. Counts are of wordings kept and
 * dropped. Error: CH_EEMPTY when no task kept one. */
ch_code ch_paraphrase_tasks(ch_model *m, const ch_tasks *t, int64_t n, int64_t max_new,
                            const char *prompt, const char *path, const char *dropped_path,
                            int64_t *kept, int64_t *dropped, ch_err *e) CH_CHECK_RESULT;

#endif
