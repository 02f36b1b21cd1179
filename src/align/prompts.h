/* The built-in prompts, and placeholders. */
#ifndef CH_ALIGN_PROMPTS_H
#define CH_ALIGN_PROMPTS_H

#include <stdint.h>

#include "base/err.h"

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

#endif
