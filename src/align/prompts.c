/* The built-in prompts in one place. The paper gives their purpose and shape (a one-shot numbered
 * list; two questions with the gold answer shown), not their words: these words are ours. */
#include "align/prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

const char ch_prompt_paraphrase[] =
    "Write {n} different wordings of an instruction. Every wording must ask for exactly the same "
    "thing: keep each number, each placeholder and each answer label. Write them as a numbered "
    "list, one wording a line, and nothing else.\n"
    "\n"
    "Instruction: {example_instruction}\n"
    "Wordings:\n"
    "{example}\n"
    "\n"
    "Instruction: {instruction}\n"
    "Wordings:\n";

const char ch_prompt_type[] =
    "A task has this instruction:\n{instruction}\n\n"
    "{labels}"
    "Input:\n{input}\n\n"
    "Proposed answer:\n{answer}\n\n"
    "Is the proposed answer of the type that the task asks for, whether or not it is right? Reply "
    "with one word, valid or invalid.";

const char ch_prompt_correct[] =
    "A task has this instruction:\n{instruction}\n\n"
    "{labels}"
    "Input:\n{input}\n\n"
    "Right answer:\n{gold}\n\n"
    "Proposed answer:\n{answer}\n\n"
    "Is the proposed answer correct? {rule} Reply with one word, correct or incorrect.";

const char ch_prompt_same[] =
    "{question}"
    "Answer 1:\n{a}\n\n"
    "Answer 2:\n{b}\n\n"
    "Do the two answers say the same, or do they contradict each other? Reply with one word, Same "
    "or Contradicted.";

const char ch_example_instruction[] =
    "Given a recipe, list the ingredients that contain milk, separated by commas.";

static const char *const example_wordings[] = {
    "Read the recipe and name, separated by commas, the ingredients that have milk in them.",
    "Which ingredients of this recipe contain milk? Separate them by commas.",
    "You are given a recipe. Write down its milk-containing ingredients with commas in between.",
    "From the recipe below, pick out every ingredient made with milk; use commas as separators.",
    "Find all ingredients with milk in the following recipe and give them as a comma-separated "
    "list.",
    "Someone who cannot have milk asks about a recipe: list, with commas between, what contains "
    "it.",
    "Look through the recipe. Reply with a comma-separated list of the ingredients containing "
    "milk.",
    "Here is a recipe; your job is to enumerate, divided by commas, those ingredients that contain "
    "milk.",
    "Extract the ingredients containing milk from the recipe, separating them with commas.",
    "Go over the given recipe and report what in it contains milk, one after the other with "
    "commas.",
    "Please tell me, separated by commas, which of the recipe's ingredients milk is part of.",
    "What in this recipe has milk in it? Answer with the ingredients, separated by commas.",
};

char *ch_example_list(int64_t n)
{
    int64_t most = (int64_t)(sizeof example_wordings / sizeof *example_wordings);
    ch_str b = {0};
    for (int64_t i = 0; i < n && i < most; i++)
        ch_str_addf(&b, "%s%lld. %s", i ? "\n" : "", (long long)i + 1, example_wordings[i]);
    return ch_str_take(&b);
}

char *ch_fill(const char *template_text, const ch_slot *slots, int64_t n)
{
    ch_str b = {0};
    for (const char *p = template_text; *p;) {
        int64_t hit = 0;
        while (hit < n && strncmp(p, slots[hit].key, strlen(slots[hit].key)) != 0)
            hit++;
        if (hit == n) {
            ch_str_addn(&b, p++, 1);
            continue;
        }
        ch_str_add(&b, slots[hit].value);
        p += strlen(slots[hit].key);
    }
    return ch_str_take(&b);
}

/* The line that is exactly "---", or NULL. */
static const char *divider(const char *text)
{
    for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        if (strncmp(p, "---", 3) == 0 && (p[3] == '\n' || p[3] == '\r' || !p[3]))
            return p;
    }
    return NULL;
}

ch_code ch_judge_questions(const char *judge_template, char **type, char **correct, ch_err *e)
{
    *type = *correct = NULL;
    if (!judge_template) {
        *type = ch_dup(ch_prompt_type);
        *correct = ch_dup(ch_prompt_correct);
        return CH_OK;
    }
    const char *line = divider(judge_template);
    if (!line)
        return ch_fail(e, CH_EUSER,
                       "judge template: no line \"---\" found; wanted the type question, a line "
                       "\"---\", and the correctness question");
    char *head = ch_dupn(judge_template, (size_t)(line - judge_template));
    *type = ch_trim(head);
    *correct = ch_trim(line + 3);
    free(head);
    const char *missing = !strstr(*type, "{answer}")      ? "{answer} in the type question"
                          : !strstr(*correct, "{answer}") ? "{answer} in the correctness question"
                          : !strstr(*correct, "{gold}")   ? "{gold} in the correctness question"
                                                          : NULL;
    if (!missing)
        return CH_OK;
    free(*type);
    free(*correct);
    *type = *correct = NULL;
    return ch_fail(e, CH_EUSER,
                   "judge template: no %s; the judge would not see what it is asked about",
                   missing);
}
