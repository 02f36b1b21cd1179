/* The parts of a run read back: curves, examples, notes, and which arm is compared with which. */
#ifndef CH_REPORT_FOUND_PARTS_H
#define CH_REPORT_FOUND_PARTS_H

#include "report/found.h"

ch_code ch_found_curve(ch_report_curve *c, const char *log_path, ch_err *e) CH_CHECK_RESULT;
void ch_found_curve_release(ch_report_curve *c);
/* For each task the first input to which arm 0 gave differing answers: a rule, not a choice. */
void ch_found_examples(ch_found *f);
void ch_found_examples_release(ch_found *f);
/* "SFT from base, instruction and wordings, 80 updates of 8, lr 1e-4; model of update 40 of 80, the
 * best by dev loss". trained: result of its training, or NULL. New string. */
char *ch_found_about(const ch_recipe *r, const ch_arm *a, const json_t *trained);
/* The found arm that f->arms[i] is best compared with, beside the base: its control, else what it
 * started from. */
int64_t ch_found_versus(const ch_found *f, int64_t i);
/* The tasks as a report shows them; borrows from c. New array. */
ch_report_task *ch_report_tasks(const ch_cases *c);
/* What a reader must know of how the arms were made; sets f->notes and those of f->data. */
void ch_found_notes(ch_found *f);

#endif
