/* What in a run directory belongs to its recipe: every stage's key is made again from recipe.yaml
 * and run.json and held against its record, every file against the hash that the record has. */
#ifndef CH_REPORT_BELONGS_H
#define CH_REPORT_BELONGS_H

#include "run/keys.h"
#include "run/stage.h"

typedef struct {
    const char *dir;
    const ch_recipe *r;
    ch_facts facts;
    ch_made *made; /* of the arms asked for so far */
    ch_seen *seen, own_seen;
} ch_belongs;

/* An arm's figures. */
typedef struct {
    ch_stage_state state; /* DONE: they belong; NEVER: not measured yet; else `why` tells */
    char *why;
    ch_hash model;           /* SHA-256 of its file, as recorded */
    json_t *train, *answers; /* results of these stages, or NULL */
    json_t *judge;           /* of the judge's check, when there is one that belongs */
    int curve;               /* train/log.jsonl is as it was written */
    char *note;              /* a sentence about what is not there and not needed, or NULL */
    char *sameness;          /* who said which answers are the same; equal texts, equal judges */
} ch_standing;

/* r is borrowed, as is seen (NULL: none of the files was read before); info: run.json, at path.
 * Error: see ch_facts_read. */
ch_code ch_belongs_open(ch_belongs *b, const char *dir, const ch_recipe *r, const json_t *info,
                        const char *path, ch_seen *seen, ch_err *e) CH_CHECK_RESULT;
/* To be asked for arms in their order, from 0. */
void ch_belongs_arm(ch_belongs *b, int64_t arm, ch_standing *s);
void ch_standing_release(ch_standing *s);
void ch_belongs_close(ch_belongs *b);

/* For a file of answers that is to be compared. One of a run's arm is refused when it does not
 * belong there; *sameness is then as in ch_standing (new string), and NULL for any other file. */
ch_code ch_belongs_file(const char *answers, ch_seen *seen, char **sameness,
                        ch_err *e) CH_CHECK_RESULT;

#endif
