#define _GNU_SOURCE
#include "cli/outputs.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/out.h"

enum { MOST_INPUTS = 8 };

/* The files that r names, NULL-terminated. */
static void inputs_of(const ch_recipe *r, const char **in)
{
    const char *const all[] = {r->model,         r->data.tasks,        r->data.test_tasks,
                               r->data.wordings, r->paraphrase.prompt, r->judge_prompt,
                               r->measure.judge};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i][0] && ch_exists(all[i]))
            *in++ = all[i];
    *in = NULL;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* 1 when a and b would be the same file, also when neither is there yet. */
static int same_place(const char *a, const char *b)
{
    if (same_file(a, b))
        return 1;
    char *one = ch_dup(a), *two = ch_dup(b);
    int same = same_file(dirname(one), dirname(two));
    free(one);
    free(two);
    one = ch_dup(a), two = ch_dup(b);
    same = same && !strcmp(basename(one), basename(two));
    free(one);
    free(two);
    return same;
}

ch_code ch_outputs_check(const ch_recipe *r, const char *const *outs, int n, ch_err *e)
{
    const char *in[MOST_INPUTS];
    inputs_of(r, in);
    for (int i = 0; i < n; i++) {
        if (!outs[i])
            continue;
        CH_TRY(ch_out_check(outs[i], in, e));
        for (int k = 0; k < i; k++)
            if (outs[k] && same_place(outs[k], outs[i]))
                return ch_fail(e, CH_EUSER, "%s: two outputs would be written there", outs[i]);
    }
    return CH_OK;
}
