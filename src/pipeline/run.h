/* The whole pipeline in a run directory. Each stage is skipped when nothing that it depends on has
 * changed; a run that was interrupted or killed goes on where it stood, and ends with the same
 * bytes.
 *
 *   RUN/recipe.yaml               what was run, every key
 *   RUN/split.json                which inputs and wordings were trained on, watched and tested
 *   RUN/wordings.json             with data.wordings: paraphrase, and wordings_dropped.json
 *   RUN/align/<arm>-<hash>/       candidates.jsonl, rewards.jsonl, pairs.jsonl
 *   RUN/<arm>/model.gguf          the trained model; train/ keeps its checkpoint and log
 *   RUN/<arm>/answers.jsonl       its greedy answers; same.jsonl: which of them mean the same
 *   RUN/results.json, report.html */
#ifndef CH_PIPELINE_RUN_H
#define CH_PIPELINE_RUN_H

#include <stdio.h>

#include "pipeline/recipe.h"
#include "report/report.h"

typedef struct {
    int fresh;      /* delete an older run in the same directory first */
    int train_only; /* no measuring and no report */
} ch_run_opts;

/* CH_ESTOP after an interrupt: the same call goes on. Nothing is written before recipe, model,
 * tasks, split and the length of every row were found good. */
ch_code ch_run(const ch_recipe *r, const ch_run_opts *o, ch_err *e) CH_CHECK_RESULT;

/* Loads and tokenises everything, times a few rows, and writes rows, tokens, memory and time
 * (estimates) to out. */
ch_code ch_dry_run(const ch_recipe *r, FILE *out, int json, ch_err *e) CH_CHECK_RESULT;

/* A finished or partly finished run, read back from its files alone. d borrows from f. */
typedef struct ch_found ch_found;
ch_code ch_run_find(ch_found **f, const char *dir, ch_err *e) CH_CHECK_RESULT;
const ch_report_data *ch_found_data(const ch_found *f);
const ch_recipe *ch_found_recipe(const ch_found *f);
void ch_found_free(ch_found *f);
/* results.json and report.html into dir. */
ch_code ch_run_write_report(const char *dir, const ch_report_data *d, ch_err *e) CH_CHECK_RESULT;

/* Asks m for n wordings of every task and writes two JSON files: path maps a task's name to its
 * list, dropped_path (may be NULL) to a list of {text, why}. Counts are of wordings kept and
 * dropped. Error: CH_EEMPTY when no task kept one. */
ch_code ch_paraphrase_tasks(ch_model *m, const ch_tasks *t, int64_t n, int64_t max_new,
                            const char *prompt_path, const char *path, const char *dropped_path,
                            int64_t *kept, int64_t *dropped, ch_err *e) CH_CHECK_RESULT;

#endif
