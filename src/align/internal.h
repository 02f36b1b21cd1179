/* Inside the align room: the built-in prompts, questions answered by comparing two label words, and
 * the pure parts (no model needed) that tests reach. */
#ifndef CH_ALIGN_INTERNAL_H
#define CH_ALIGN_INTERNAL_H

#include "align/align.h"

/* -- prompts.c -- */

extern const char ch_prompt_paraphrase[]; /* {n} {example_instruction} {example} {instruction} */
extern const char ch_prompt_type[];       /* {instruction} {input} {labels} {answer} */
extern const char ch_prompt_correct[]; /* {instruction} {input} {labels} {gold} {rule} {answer} */
extern const char ch_prompt_same[];    /* {question} {a} {b} */
extern const char ch_example_instruction[];

/* The one-shot example's wordings as a numbered list of n lines (12 at most). New string. */
char *ch_example_list(int64_t n);

typedef struct {
    const char *key, *value; /* "{input}" and what takes its place */
} ch_slot;
/* Every key replaced in one pass: a value that looks like a key stays as it is. New string. */
char *ch_fill(const char *template_text, const ch_slot *slots, int64_t n);

/* A judge file holds the type question, a line "---", and the correctness question; NULL: the
 * built-in ones. CH_EUSER when the line or a needed placeholder is not there. New strings. */
ch_code ch_judge_questions(const char *judge_template, char **type, char **correct,
                           ch_err *e) CH_CHECK_RESULT;

/* -- ask.c -- */

/* margin[i] = log P(yes) - log P(no), each as the assistant's whole answer to questions[i]: the
 * word and the end of turn, so that "valid" is not also the head of a longer word. Words of
 * different token counts are compared by their mean log P a token. Equal questions are asked once.
 * NAN: longer than the context. */
ch_code ch_ask(ch_model *m, const char *const *questions, int64_t n, const char *yes,
               const char *no, const ch_gen_opts *o, double *margin, ch_err *e) CH_CHECK_RESULT;

/* -- order.c -- */

/* Candidate indices sorted by task, item, wording, sample. New array. */
int64_t *ch_candidates_order(const ch_candidates *c);
/* First position behind `from` in order whose candidate is of another (task, item). */
int64_t ch_item_end(const ch_candidates *c, const int64_t *order, int64_t from);
/* id[i] numbers the distinct (task, item, text) triples 0..; returns how many there are. */
int64_t ch_candidates_distinct(const ch_candidates *c, int64_t *id);

/* -- reword.c -- */

/* Asks for one wording at a time, sampled, until n are kept or the tries are used up; appends to w.
 */
ch_code ch_reword(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n,
                  ch_err *e) CH_CHECK_RESULT;
/* The wording inside a reply: without a lead-in line that ends in a colon, up to the first blank
 * line, without quotes round it. New string, "" when nothing is left. */
char *ch_reword_clean(const char *reply);

/* -- rewards.c -- */

/* Most labels that are shown to a judge and taken as the closed set of a task: an extraction task
 * has as many labels as inputs, and an answer outside of them can still be of the right type. */
enum { CH_LABELS_MOST = 20 };
#define CH_VOTE_TIE 1e-6

int ch_labels_closed(const ch_task *t);
/* 1 when text equals, after normalising, one of the right answers. */
int ch_is_right(const ch_instance *item, const char *text);
/* The paper's rule on two readable or unreadable votes; *why says how. */
int ch_reward_of_votes(double type, double correct, const char **why);
/* The static sentence equal to text, or the one that says "read from a file". */
const char *ch_why_named(const char *text);

/* -- sft.c -- */

/* What ch_group.instruction holds: a number for a wording of a task. */
int64_t ch_instruction_id(int64_t task, int64_t wording);

/* -- pairs.c -- */

/* One group before it is tokenised. */
typedef struct {
    int64_t task, item, wording;
    const char *good; /* borrowed from a candidate or from the task */
    int64_t *bad;     /* candidate indices */
    int64_t n_bad;
} ch_pick;
typedef struct {
    ch_pick *list;
    int64_t n;
} ch_picks;
ch_code ch_pairs_pick(ch_picks *p, const ch_candidates *c, const ch_split *s,
                      const ch_align_opts *o, ch_err *e) CH_CHECK_RESULT;
void ch_picks_release(ch_picks *p);
/* "task, input id, wording k". New string. */
char *ch_row_name(const ch_split *s, int64_t task, int64_t item, int64_t wording);

/* -- filter.c -- */

/* Splits a list as models write it: lines that start with "1.", "1)", "1:" (or, when there is no
 * such line, with a bullet); lines behind an entry belong to it until a blank line. Fills list and
 * n; nothing is dropped. */
void ch_wordings_parse(ch_wordings *w, const char *raw);

#endif
