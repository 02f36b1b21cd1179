/* Wordings that a model wrote, and the filter that drops those which would change the task or
 * add nothing [+]. */
#ifndef CH_ALIGN_FILTER_H
#define CH_ALIGN_FILTER_H

#include "data/task.h"

typedef struct {
    char *text;
    const char *dropped; /* NULL when kept, else why */
} ch_wording;
typedef struct {
    ch_wording *list;
    int64_t n, n_kept;
    char *raw; /* what the model wrote */
} ch_wordings;
/* Fills dropped and n_kept. Reasons are "the same as another", "nearly the same as another", "lost a
 * number", "lost a placeholder", "lost a label word", "too short", "too long". Entries dropped
 * before stay so. */
void ch_wordings_filter(ch_wordings *w, const ch_task *task);
void ch_wordings_release(ch_wordings *w);

#endif
