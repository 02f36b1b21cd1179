/* A model's answers to every (test wording, test input), and answers.jsonl, which keeps them. */
#ifndef CH_SURVEY_REPLIES_H
#define CH_SURVEY_REPLIES_H

#include <stdint.h>

#include "base/err.h"

/* One answer. Every text is owned, so that replies read from a file stand alone. */
typedef struct {
    char *task, *id, *wording, *input, *answer;
    char **gold;
    int64_t n_gold, wording_index;
    int closed;   /* the task's kind */
    int labelled; /* chosen among the task's labels, not written freely */
    int exact, stopped, n_tokens;
} ch_reply;

/* Ordered by task, input, wording: case c is replies c * n_wordings .. (c + 1) * n_wordings - 1. */
typedef struct {
    ch_reply *list;
    int64_t n, n_wordings;
    int64_t n_dropped; /* inputs left out under overlong: drop */
} ch_replies;

/* answers.jsonl: task, id, wording_index, wording, input, answer, gold, closed, exact, stopped,
 * n_tokens; and decode: "labels" where it was chosen among labels. */
ch_code ch_replies_write(const ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
ch_code ch_replies_read(ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
void ch_replies_release(ch_replies *r);
/* Tasks whose answers were chosen among labels; *tasks (may be NULL): of how many. */
int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks);
/* That as a sentence for a report; NULL when all was written freely. New string. */
char *ch_decode_note(const ch_replies *r);

#endif
