/* chorus inside a program of your own: measure a model, train it a little, measure the result, and
 * ask it something.
 *
 *   embed MODEL.gguf TASKS OUT_DIR [STEPS] */
#include <stdio.h>
#include <stdlib.h>

#include "chorus.h"

static int fail(const ch_err *e)
{
    fprintf(stderr, "%s\n", e->msg);
    return 1;
}

static int measure(const char *gguf, const char *tasks, const char *what)
{
    ch_err e = {0};
    chorus_model *m;
    chorus_measures x;
    chorus_measure_opts how;
    chorus_measure_defaults(&how);
    how.max_items = 4;
    how.max_new = 16;
    if (chorus_open(&m, gguf, NULL, &e))
        return fail(&e);
    ch_code c = chorus_measure(m, tasks, &how, &x, &e);
    chorus_close(m);
    if (c)
        return fail(&e);
    printf("%s: consistency %.1f %% [%.1f, %.1f], right answers %.1f %% of %lld inputs under %lld "
           "wordings\n",
           what, 100 * x.cr.value, 100 * x.cr.low, 100 * x.cr.high, 100 * x.accuracy.value,
           (long long)x.n_inputs, (long long)x.n_wordings);
    if (x.alarm[0])
        printf("%s\n", x.alarm);
    return 0;
}

static int ask(const char *gguf, const char *prompt)
{
    ch_err e = {0};
    chorus_model *m;
    chorus_answer y;
    if (chorus_open(&m, gguf, NULL, &e))
        return fail(&e);
    ch_code c = chorus_generate(m, &prompt, 1, NULL, &y, &e);
    if (c == CH_OK) {
        printf("%s\n  %s\n", prompt, y.text);
        chorus_answers_release(&y, 1);
    }
    chorus_close(m);
    return c ? fail(&e) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: embed MODEL.gguf TASKS OUT_DIR [STEPS]\n");
        return 2;
    }
    ch_err e = {0};
    char *trained;
    chorus_train_opts how;
    chorus_train_defaults(&how);
    how.steps = argc > 4 ? strtol(argv[4], NULL, 10) : 10;
    chorus_quiet(1);
    if (measure(argv[1], argv[2], "before"))
        return 1;
    if (chorus_train(argv[1], argv[2], argv[3], &how, &trained, &e))
        return fail(&e);
    int bad = measure(trained, argv[2], "after") || ask(trained, "What is a chorus?");
    free(trained);
    return bad;
}
