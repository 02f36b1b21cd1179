/* A run as read back from its files alone. */
#ifndef CH_REPORT_FOUND_H
#define CH_REPORT_FOUND_H

#include "recipe/recipe.h"
#include "report/belongs.h"
#include "report/report.h"
#include "survey/cases.h"
#include "survey/replies.h"

typedef struct {
    int64_t arm; /* of the recipe */
    ch_standing standing;
    char *title, *about;
    ch_replies replies;
    ch_cases cases;
    ch_measure measure;
    ch_stat diff[CH_M_COUNT], versus_diff[CH_M_COUNT];
    int64_t versus; /* index among the found arms, -1 none */
    ch_report_curve curve;
} ch_found_arm;

typedef struct {
    char *dir;
    ch_recipe recipe;
    ch_belongs belongs;
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
} ch_found;

/* dir: of a finished or partly finished run. What does not belong to its recipe is left out with a
 * warning, and refused when it is the base. seen (may be NULL): of the run just ended. *out is NULL
 * on failure. */
ch_code ch_found_read(ch_found **out, const char *dir, ch_seen *seen, ch_err *e) CH_CHECK_RESULT;
/* Reads dir and writes results.json and report.html into it. */
ch_code ch_found_report(ch_found **out, const char *dir, ch_seen *seen, ch_err *e) CH_CHECK_RESULT;
void ch_found_free(ch_found *f);

#endif
