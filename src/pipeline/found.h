/* Inside the pipeline: a run as read back from its files. */
#ifndef CH_PIPELINE_FOUND_H
#define CH_PIPELINE_FOUND_H

#include "pipeline/measure_model.h"
#include "pipeline/run.h"

typedef struct {
    int64_t arm; /* of the recipe */
    char *title, *about, *hash;
    ch_replies replies;
    ch_cases cases;
    ch_measure measure;
    ch_stat diff[CH_M_COUNT], versus_diff[CH_M_COUNT];
    int64_t versus; /* index among the found arms, -1 none */
    ch_report_curve curve;
} ch_found_arm;

struct ch_found {
    char *dir;
    ch_recipe recipe;
    char *recipe_text, *recipe_hash, *title;
    char *model, *base_hash, *split, *sim_free;
    uint64_t seed;
    ch_found_arm *arms;
    int64_t n_arms, main_arm;
    ch_report_task *tasks;
    ch_report_arm *report_arms;
    ch_report_example *examples;
    int64_t n_examples;
    char **warnings;
    int64_t n_warnings, cap_warnings;
    char *notes[2];
    ch_report_data data;
};

/* found_parts.c */
ch_code ch_found_curve(ch_report_curve *c, const char *log_path, ch_err *e) CH_CHECK_RESULT;
void ch_found_curve_release(ch_report_curve *c);
/* For each task the first input to which arm 0 gave differing answers: a rule, not a choice. */
void ch_found_examples(ch_found *f);
void ch_found_examples_release(ch_found *f);
/* "SFT from base, instruction and wordings, 80 updates of 8". New string. */
char *ch_found_about(const ch_recipe *r, const ch_arm *a);
/* The found arm that f->arms[i] is best compared with, beside the base: its control, else what it
 * started from. */
int64_t ch_found_versus(const ch_found *f, int64_t i);
/* What a reader must know of how the arms were made; sets f->notes and those of f->data. */
void ch_found_notes(ch_found *f);
/* "unseen wordings and unseen inputs of the same tasks" */
const char *ch_split_text(ch_split_by by);

#endif
