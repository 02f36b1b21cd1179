/* What the stages of a run share: recipe, device, base model, tasks and split. */
#ifndef CH_RUN_SETUP_H
#define CH_RUN_SETUP_H

#include "base/file.h"
#include "base/str.h"
#include "data/split.h"
#include "recipe/recipe.h"
#include "run/keys.h"
#include "run/seen.h"
#include "survey/survey.h"

typedef struct {
    const ch_recipe *r;
    const char *dir;
    ch_device *device;
    ch_model *base; /* loaded while `base` is what is needed, else NULL: see ch_run_base */
    ch_tasks tasks, test_tasks;
    ch_split split;
    ch_facts facts;
    char *prompt,
        *questions; /* texts of paraphrase.prompt and align.judge_prompt; NULL: built in */
    ch_made *made;  /* one an arm */
    ch_seen *seen;  /* borrowed from the caller of the run, else own_seen */
    ch_seen own_seen;
    int64_t dropped_rows;
    int lock; /* file descriptor, -1 none */
} ch_state;

/* Device, model, tasks, split, checks. Writes nothing. s stays where it is from now on. */
ch_code ch_state_load(ch_state *s, const ch_recipe *r, ch_err *e) CH_CHECK_RESULT;
/* Splits s->tasks and makes sure that every row fits; s->base is loaded. */
ch_code ch_state_split(ch_state *s, ch_err *e) CH_CHECK_RESULT;
void ch_state_release(ch_state *s);
ch_code ch_run_stopped(const ch_state *s, ch_err *e); /* CH_ESTOP when interrupted */

#endif
