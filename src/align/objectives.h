/* The table of objectives. To add one: its loss, in a file of its own, and a row in objectives.c.
 * A constant that no other reads is a row of CH_CONSTANTS in train/objective.h besides. The recipe,
 * its help, stage keys, runs, forecasts and reports follow from the row. */
#ifndef CH_ALIGN_OBJECTIVES_H
#define CH_ALIGN_OBJECTIVES_H

#include "train/objective.h"

extern const ch_objective ch_objectives[];               /* ends with a row without a name */
const ch_objective *ch_objective_find(const char *name); /* NULL when there is none */

/* What follows from who makes an objective's groups. */
typedef struct {
    const char *unit;  /* what a batch is counted in */
    const char *on;    /* what is trained on, for people; NULL: the arm's own wordings say it */
    int own_answers;   /* made of answers that the arm's start has to give and to reward first */
    int every_wording; /* under every training wording, whatever the arm's augment */
} ch_group_maker;
/* o NULL, an arm that is not trained: as for training rows. */
const ch_group_maker *ch_objective_groups(const ch_objective *o);

/* 1 when key is no constant of losses or one that o reads. */
int ch_objective_reads(const ch_objective *o, const char *key);
/* "cat, listwise": the objectives that read a constant; new string, "" when key is none. */
char *ch_objective_readers(const char *key);

#endif
