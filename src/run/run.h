/* A whole run in its directory. Each stage (run/stage.h) is skipped when nothing that it depends
 * on has changed; a run that was interrupted or killed goes on where it stood, and ends with the
 * same bytes.
 *
 *   RUN/chorus.run                makes the directory a run's
 *   RUN/recipe.yaml               what was run, every key
 *   RUN/run.json                  what keys are made of beside the recipe: hashes, device, version
 *   RUN/split.json                which inputs and wordings were trained on, watched and tested
 *   RUN/wordings.json             with data.wordings: paraphrase, and wordings_dropped.json
 *   RUN/align/<arm>-<hash>/       candidates.jsonl, rewards.jsonl, pairs.jsonl
 *   RUN/<arm>/model.gguf          the trained model; train/ keeps its checkpoint and log
 *   RUN/<arm>/answers.jsonl       its greedy answers; same.jsonl: which of them mean the same
 *
 * The room report reads all that back and adds results.json and report.html. */
#ifndef CH_RUN_RUN_H
#define CH_RUN_RUN_H

#include "recipe/recipe.h"
#include "run/seen.h"

typedef struct {
    int fresh;      /* delete an older run in the same directory first */
    int train_only; /* no measuring */
    ch_seen *seen;  /* may be NULL; for a report of the same run, which reads the same files */
} ch_run_opts;

/* CH_ESTOP after an interrupt: the same call goes on. Nothing is written before recipe, model,
 * tasks, split and the length of every row were found good. */
ch_code ch_run(const ch_recipe *r, const ch_run_opts *o, ch_err *e) CH_CHECK_RESULT;

#endif
