/* Files of the source tree and scratch directories. */
#ifndef CH_TESTS_FILES_H
#define CH_TESTS_FILES_H

#include <jansson.h>
#include <stdint.h>

/* A path inside the source tree (CH_SRC_DIR, else $SRC, else "."). New string. */
char *source_path(const char *name);
/* An empty directory of its own under $TMPDIR or /tmp. New string; scratch_remove deletes it all
 * and frees it. */
char *scratch_dir(void);
void scratch_remove(char *dir);
/* The demo model: $CHORUS_MODEL, else models/SmolLM2-135M-Instruct.Q4_1.gguf. New string; NULL when
 * there is none, said on stderr. */
char *model_file(void);

/* -- JSON: each fails the test when the thing is not there or is of another kind -- */

json_t *read_json(const char *name); /* name inside the source tree */
json_t *json_at(const json_t *o, const char *key);
double json_number_at(const json_t *o, const char *key);
int64_t json_count_at(const json_t *o, const char *key);
/* An array of numbers, at least one. New array; *n its length. */
double *json_doubles(const json_t *a, int64_t *n);

#endif
