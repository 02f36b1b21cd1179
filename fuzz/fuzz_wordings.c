/* What a model writes when it is asked for wordings, of arbitrary bytes: lists are taken apart and
 * filtered, single replies cleaned. The first byte says against which instruction. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "align/parse.h"
#include "align/prompts.h"
#include "align/reword.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char *labels[] = {(char[]){"a"}, (char[]){"spam"}};
static const ch_task tasks[] = {
    {.name = (char[]){"closed"},
     .instruction = (char[]){"Say A or spam about {this}, in 3.5 words."},
     .kind = CH_KIND_CLOSED,
     .labels = labels,
     .n_labels = 2},
    {.name = (char[]){"free"}, .instruction = (char[]){"Answer."}, .kind = CH_KIND_FREE},
    {.name = (char[]){"blank"}, .instruction = (char[]){"?"}, .kind = CH_KIND_FREE},
};

static void filter(const char *raw, const ch_task *task)
{
    ch_wordings w = {0};
    ch_wordings_parse(&w, raw);
    for (int64_t i = 0; i < w.n; i++)
        CH_MUST(w.list[i].text[0] && !w.list[i].dropped);
    ch_wordings_filter(&w, task);
    int64_t kept = 0;
    for (int64_t i = 0; i < w.n; i++)
        kept += !w.list[i].dropped;
    CH_MUST(kept == w.n_kept);
    ch_wordings_filter(&w, task); /* what was kept is kept again */
    CH_MUST(kept == w.n_kept);
    ch_wordings_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const ch_task *task = &tasks[n ? data[0] % 3 : 0];
    char *raw = ch_dupn((const char *)data + (n > 0), n - (n > 0));
    filter(raw, task);
    char *one = ch_reword_clean(raw);
    CH_MUST(strlen(one) <= strlen(raw));
    free(one);
    const ch_slot slots[] = {{"{a}", raw}, {"{b}", "{a}"}};
    char *text = ch_fill(raw, slots, 2);
    free(text);
    char *type = NULL, *correct = NULL;
    ch_err e = {0};
    ch_code c = ch_judge_questions(raw, &type, &correct, &e);
    CH_MUST(c == CH_OK ? type && correct : c == CH_EUSER && e.msg[0] && !type && !correct);
    free(type);
    free(correct);
    free(raw);
    return 0;
}
