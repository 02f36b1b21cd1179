/* Stages of a run: a stage is done when its done file holds the hash of everything it depends on.
 * The run directory's files are flat: <dir>/<stage>.done.json beside what the stage wrote. */
#ifndef CH_RUN_STAGE_H
#define CH_RUN_STAGE_H

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

typedef struct {
    char *name, *done; /* done: path of the done file */
    char *depends;     /* "key: value" lines; hash is theirs */
    ch_hash hash;
} ch_stage;

/* depends is taken over and emptied. */
ch_stage ch_stage_make(const char *dir, const char *name, ch_str *depends);
void ch_stage_release(ch_stage *s);
/* 1 when the done file holds this hash and every file (NULL-terminated paths) is there. */
int ch_stage_is_done(const ch_stage *s, const char *const *files);
/* Writes the done file; extra (may be NULL) is kept under "result" and its reference is taken over.
 */
ch_code ch_stage_finish(const ch_stage *s, json_t *extra, ch_err *e) CH_CHECK_RESULT;
/* "result" of the done file; NULL when there is none. New reference. */
json_t *ch_stage_result(const ch_stage *s);
json_t *ch_stage_result_at(const char *dir, const char *name);

#endif
