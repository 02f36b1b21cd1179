/* Stages of a run. Each has one shape: a key, which is the text of all that it depends on; files
 * that it makes; and a record beside these, <name>.done.json, which is written last and holds the
 * key and every file's size and SHA-256. A stage is done when its record has today's key and its
 * files are what the record says; nothing else decides what is made again. Keys: run/keys.h. */
#ifndef CH_RUN_STAGE_H
#define CH_RUN_STAGE_H

#include "base/json.h"
#include "run/seen.h"

typedef enum {
    CH_S_WORDINGS,
    CH_S_CANDIDATES,
    CH_S_PAIRS,
    CH_S_TRAIN,
    CH_S_ANSWERS,
    CH_S_SAME,
    CH_S_JUDGE,
    CH_S_COUNT
} ch_stage_id;

enum { CH_STAGE_FILES = 2 };
typedef struct {
    const char *name;
    const char *files[CH_STAGE_FILES]; /* what it makes, beside its record */
    const char *shown;                 /* one more, which reports show and no stage reads */
} ch_stage_kind;
extern const ch_stage_kind ch_stages[CH_S_COUNT];

typedef enum {
    CH_STAGE_DONE,
    CH_STAGE_NEVER,   /* no record */
    CH_STAGE_OTHER,   /* a record of another key */
    CH_STAGE_LOST,    /* a file is missing */
    CH_STAGE_ALTERED, /* a file or the record is not what was written */
    CH_STAGE_UNREAD,  /* one cannot be read, which tells nothing of what it holds */
} ch_stage_state;

typedef struct {
    const ch_stage_kind *kind;
    char *dir, *label, *done; /* label: "cat/train", for people; done: path of the record */
    char *key;                /* "name: value" lines; hash is theirs */
    ch_hash hash;
    ch_hash file[CH_STAGE_FILES]; /* as recorded; set when there is a record of this key */
    json_t *result;               /* the same; NULL when the stage keeps none */
    int was_done;                 /* by ch_stage_run: nothing had to be made */
} ch_stage;

/* A stage in run/sub ("" for the run directory itself). key is taken over; NULL: whatever key its
 * record has (ch_stage_check). */
ch_stage ch_stage_of(const char *run, const char *sub, ch_stage_id id, char *key);
void ch_stage_release(ch_stage *s);

/* *why (may be NULL): when not DONE, what differs, by name ("train.lr was 5e-05, now 0.0001",
 * "cat/answers.jsonl is not what was written"); new string. */
ch_stage_state ch_stage_check(ch_stage *s, ch_seen *seen, char **why);
/* 1 when kind->shown is there as it was written; for a stage that has a record of this key. */
int ch_stage_shown(const ch_stage *s, ch_seen *seen);
/* Value of a line of the key, borrowed up to the line's end by *n; NULL when there is none. */
const char *ch_key_value(const char *key, const char *name, size_t *n);

/* A key as a list of its lines, and the key of a record's or run.json's "depends". New. */
json_t *ch_key_lines(const char *key);
char *ch_key_recorded(const json_t *v);
/* The first line in which two keys differ, for people: "train.lr was 5e-05, now 0.0001". New. */
char *ch_key_difference(const char *was, const char *now);

/* Writes the files of a stage and may hand over what its record shall keep. */
typedef ch_code ch_stage_make(void *job, json_t **result, ch_err *e);
/* Makes what is not done, saying why when it was done before, and writes the record. What cannot
 * be read is not made again: that is the error. */
ch_code ch_stage_run(ch_stage *s, ch_seen *seen, ch_stage_make *make, void *job,
                     ch_err *e) CH_CHECK_RESULT;

#endif
