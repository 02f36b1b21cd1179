/* What is said of answers that were chosen among labels. */
#include <string.h>

#include "base/mem.h"
#include "pipeline/measure_model.h"

int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks)
{
    int64_t n = 0, all = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (i && !strcmp(r->list[i].task, r->list[i - 1].task))
            continue;
        all++;
        n += r->list[i].labelled != 0;
    }
    if (tasks)
        *tasks = all;
    return n;
}

char *ch_decode_note(const ch_replies *r)
{
    int64_t all, n = ch_replies_labelled(r, &all);
    if (!n)
        return NULL;
    char some[128] = "";
    if (n < all)
        snprintf(some, sizeof some,
                 " in %lld of %lld tasks, and free text in the others, which have no closed set",
                 (long long)n, (long long)all);
    return ch_fmt("The answers are labels%s (generate.decode): of a task's labels the one with the "
                  "highest log P as a whole, summed over its tokens and the end of turn, whatever "
                  "its length. Such figures do not compare with those of free text.",
                  some);
}
