/* Readers of the forms in which tasks and wordings come; for this room only. */
#ifndef CH_DATA_READ_H
#define CH_DATA_READ_H

#include "base/json.h"
#include "data/intern.h"
#include "data/task.h"

/* A growing list of owned texts. Zero it before use. */
typedef struct {
    char **s;
    int64_t n, cap;
} ch_texts;

void ch_texts_free(ch_texts *t);

/* Fill name-independent parts of t (instruction, items, kind as the file says) and append the
 * file's wordings, as they stand, to w. Every failure names file and row; t may then be half
 * filled. */
ch_code ch_read_sni(ch_task *t, ch_texts *w, ch_err *e) CH_CHECK_RESULT;
ch_code ch_read_jsonl(ch_task *t, ch_texts *w, ch_err *e) CH_CHECK_RESULT;
/* The companion of a JSONL file: <stem>.yaml, .yml or .json, exactly one of them. */
ch_code ch_read_companion(ch_task *t, ch_texts *w, ch_err *e) CH_CHECK_RESULT;

/* A side file: wordings by a task's file name or name. */
typedef struct {
    ch_texts keys;
    ch_texts *lists;    /* one a key */
    int64_t cap;        /* of lists */
    unsigned char *hit; /* keys that some task had */
    ch_intern seen;     /* keys, while a YAML file is read */
} ch_side;

ch_code ch_side_load(ch_side *s, const char *path, ch_err *e) CH_CHECK_RESULT;
void ch_side_free(ch_side *s);

/* Shared by the readers. where says file and key, for the sentence of a failure. */
ch_code ch_read_text(const json_t *v, const char *where, char **out, ch_err *e) CH_CHECK_RESULT;
ch_code ch_read_texts(const json_t *v, const char *where, ch_texts *w, ch_err *e) CH_CHECK_RESULT;
ch_code ch_kind_parse(const char *word, const char *where, ch_kind *kind,
                      ch_err *e) CH_CHECK_RESULT;

#endif
