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

/* What data.overlong: drop left out, by kind. */
typedef struct {
    int64_t rows, dev, test, judged, candidates, rewards;
} ch_dropped;

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
    ch_dropped dropped;
    int lock; /* file descriptor, -1 none */
} ch_state;

/* Device, model, tasks, split, checks. Writes nothing. s stays where it is from now on. */
ch_code ch_state_load(ch_state *s, const ch_recipe *r, ch_err *e) CH_CHECK_RESULT;
/* Splits s->tasks. */
ch_code ch_state_deal(ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* The same, and makes sure that everything fits (run/preflight.h); s->base is loaded. */
ch_code ch_state_split(ch_state *s, ch_err *e) CH_CHECK_RESULT;
/* What computes, and what a training holds back; once nothing is left to refuse. */
void ch_state_say(const ch_state *s);
void ch_state_release(ch_state *s);
/* CH_ESTOP, with how to go on. */
ch_code ch_run_say_stopped(const ch_recipe *r, ch_err *e);
ch_code ch_run_stopped(const ch_state *s, ch_err *e); /* CH_ESTOP when interrupted */

#endif
