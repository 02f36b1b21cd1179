/* Wordings by a local model [C: one prompt, one example, a numbered list as
 * answer, temperature 0]. */
#include "align/paraphrase.h"

#include <stdlib.h>
#include <string.h>

#include "align/parse.h"
#include "align/prompts.h"
#include "align/reword.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "generate/generate.h"

static char *paraphrase_prompt(const ch_task *task, int64_t n, const char *template_text)
{
    char *count = ch_fmt("%lld", (long long)n), *example = ch_example_list(n);
    const ch_slot slots[] = {
        {"{n}", count},
        {"{example_instruction}", ch_example_instruction},
        {"{example}", example},
        {"{instruction}", task->instruction},
    };
    char *text = ch_fill(template_text, slots, (int64_t)(sizeof slots / sizeof *slots));
    free(count);
    free(example);
    return text;
}

/* Enough for n lines half as long again as the instruction, within the context. */
static ch_code room_for(int64_t *max_new, const ch_model *m, const ch_task *task, int64_t n,
                        int64_t n_prompt, ch_err *e)
{
    int32_t *ids = NULL;
    int64_t len = 0;
    if (*max_new <= 0) {
        CH_TRY(ch_tokenize(m, task->instruction, &ids, &len, e));
        free(ids);
        *max_new = n * (len + len / 2 + 8) + 16;
    }
    int64_t left = ch_model_dims(m)->n_ctx - n_prompt;
    if (*max_new > left)
        *max_new = left;
    if (*max_new < 1)
        return ch_fail(e, CH_EUSER,
                       "%s: the prompt that asks for wordings fills the context of %lld tokens; "
                       "use a model with a longer one",
                       task->name, (long long)ch_model_dims(m)->n_ctx);
    return CH_OK;
}

/* A list that the length limit ended: its last entry may lack its end. Entries beyond the n-th were
 * not asked for. */
static void drop_odd_ends(ch_wordings *w, int64_t n, int stopped)
{
    if (!stopped && w->n > 0)
        w->list[w->n - 1].dropped = "cut off by the length limit";
    for (int64_t i = n; i < w->n; i++)
        w->list[i].dropped = "more than asked for";
}

ch_code ch_paraphrase(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n,
                      const char *template_text, int64_t max_new, ch_err *e)
{
    *w = (ch_wordings){0};
    if (n < 1)
        return ch_fail(e, CH_EUSER, "paraphrase: %lld wordings asked for, wanted 1 or more",
                       (long long)n);
    if (template_text && !strstr(template_text, "{instruction}"))
        return ch_fail(e, CH_EUSER,
                       "paraphrase template: no {instruction} in it; the model would not see what "
                       "to reword");
    char *text = paraphrase_prompt(task, n, template_text ? template_text : ch_prompt_paraphrase);
    ch_seq prompt = {0};
    ch_code c = ch_seq_make(&prompt, m, text, NULL, 0, task->name, e);
    free(text);
    if (c == CH_OK)
        c = room_for(&max_new, m, task, n, prompt.n, e);
    if (c == CH_OK) {
        ch_request req = {prompt.ids, prompt.n, {.top_p = 1, .max_new = max_new}};
        ch_gen_opts g = {0};
        ch_answer out = {0};
        c = ch_generate(m, &req, 1, &g, &out, NULL, e);
        if (c == CH_OK) {
            ch_wordings_parse(w, out.text);
            w->raw = ch_dup(out.text);
            drop_odd_ends(w, n, out.stopped);
            ch_wordings_filter(w, task);
            if (w->n_kept < n && !template_text)
                c = ch_reword(w, m, task, n, e);
        }
        ch_answer_release(&out);
    }
    ch_seq_release(&prompt);
    return c;
}

ch_code ch_paraphrase_check(const ch_model *m, const ch_task *task, int64_t n,
                            const char *template_text, int64_t max_new, ch_err *e)
{
    int64_t ctx = ch_model_dims(m)->n_ctx;
    char *text = paraphrase_prompt(task, n, template_text ? template_text : ch_prompt_paraphrase);
    ch_seq prompt = {0};
    ch_code c = ch_seq_make(&prompt, m, text, NULL, 0, task->name, e);
    free(text);
    if (c == CH_OK && prompt.n + max_new > ctx)
        c = ch_fail(
            e, CH_EUSER,
            "%s: the prompt that asks for wordings has %lld tokens and the list may have "
            "%lld, the model's context holds %lld; lower paraphrase.max_new, or use a model "
            "with a longer one",
            task->name, (long long)prompt.n, (long long)max_new, (long long)ctx);
    ch_seq_release(&prompt);
    return c == CH_OK && !template_text ? ch_reword_check(m, task, e) : c;
}

void ch_wordings_release(ch_wordings *w)
{
    for (int64_t i = 0; i < w->n; i++)
        free(w->list[i].text);
    free(w->list);
    free(w->raw);
    *w = (ch_wordings){0};
}
