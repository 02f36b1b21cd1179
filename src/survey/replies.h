/* A model's answers to every (test wording, test input), and answers.jsonl, which keeps them. */
#ifndef CH_SURVEY_REPLIES_H
#define CH_SURVEY_REPLIES_H

#include <stdint.h>

#include "base/err.h"

/* Wordings of an input at most: sameness takes their square in bytes. */
enum { CH_WORDINGS_MOST = 1024 };

/* One answer. Every text is owned, so that replies read from a file stand alone. */
typedef struct {
    char *task, *id, *wording, *input, *answer;
    char **gold;
    int64_t n_gold, wording_index; /* the task's number of the wording, 0 its instruction */
    int closed;                    /* the task's kind */
    int labelled;                  /* chosen among the task's labels, not written freely */
    int exact, stopped, n_tokens;
} ch_reply;

/* Ordered by task, input, wording. A case is the answers to one input: case c is
 * list[first[c]] .. list[first[c + 1] - 1]. Cases of a task have the same wordings in the same
 * order; tasks may differ in how many. */
typedef struct {
    ch_reply *list;
    int64_t n;
    int64_t *first; /* n_cases + 1 */
    int64_t n_cases;
    int64_t n_dropped; /* inputs left out under overlong: drop */
    char *dropped;     /* of which tasks, "3 of 8 of sorting, 1 of 9 of naming"; NULL: none */
} ch_replies;

/* Answers to the input of case c. */
int64_t ch_replies_width(const ch_replies *r, int64_t c);
/* Its first answer. */
const ch_reply *ch_replies_case(const ch_replies *r, int64_t c);

/* answers.jsonl: task, id, case (number of the input, 0.. over the file), w (of the wording within
 * the case, 0..), wording_index, wording, input, answer, gold, closed, exact, stopped, n_tokens; and
 * decode: "labels" where it was chosen among labels. */
ch_code ch_replies_write(const ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Lines with case and w may come in any order. Lines without (older files) are taken as they stand:
 * neighbours of equal task, id and input are a case, and all cases are equally wide. Errors
 * (CH_EUSER, each names file and line): a number that is missing, doubled or out of bounds, lines of
 * a case that contradict each other, a task whose cases have other wordings, fewer than 2 or more
 * than CH_WORDINGS_MOST answers to an input. exact is computed, not read. */
ch_code ch_replies_read(ch_replies *r, const char *path, ch_err *e) CH_CHECK_RESULT;
void ch_replies_release(ch_replies *r);
/* Frees what a reply owns. */
void ch_reply_release(ch_reply *y);
/* Tasks whose answers were chosen among labels; *tasks (may be NULL): of how many. */
int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks);
/* 1 when both have the same tasks, inputs and wordings in the same order. */
int ch_replies_alike(const ch_replies *a, const ch_replies *b);
/* How many inputs were left out, and of which tasks (NULL: not known), as a sentence for a report;
 * NULL when none was. New string. */
char *ch_dropped_note(int64_t n, const char *dropped);
/* ch_replies_labelled as a sentence for a report; NULL when all was written freely. New string. */
char *ch_decode_note(const ch_replies *r);

#endif
