#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "run/run.h"

const ch_opt ch_opts_train[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    CH_OPT_FIELD("wordings", "FILE", "data.wordings"),
    {"objective", 0, CH_O_TEXT, "NAME", "sft", NULL,
     "what is trained for; a wrong name lists the known ones", 0, 0},
    {"plain", 0, CH_O_FLAG, NULL, NULL, NULL,
     "sft: under the instruction alone, not under its wordings", 0, 0},
    CH_OPT_FIELD("steps", "N", "train.steps"),
    CH_OPT_FIELD("batch", "N", "train.batch"),
    CH_OPT_FIELD("sampling", "HOW", "train.sampling"),
    CH_OPT_FIELD("lr", "X", "train.lr"),
    CH_OPT_FIELD("save", "TYPE", "save"),
    CH_OPT_FIELD("seed", "N", "seed"),
    {"out", 'o', CH_O_TEXT, "DIR", NULL, NULL,
     "directory of the result and of what a stopped training goes on from", 0, 0},
    {"fresh", 0, CH_O_FLAG, NULL, NULL, NULL,
     "delete what an older training left in that directory", 0, 0},
    CH_OPT_SET,
    CH_OPT_END,
};

ch_code ch_cmd_train(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    CH_TRY(ch_args_need(a, (const char *const[]){"model", "tasks", "out", NULL}, e));
    ch_recipe_init(&r);
    const char *name = ch_arg(a, "objective");
    ch_code c = ch_args_to_recipe(a, &r, e);
    if (c == CH_OK)
        c = ch_recipe_set(&r, "run", ch_arg(a, "out"), "--out", e);
    if (c == CH_OK)
        c = ch_recipe_train_only(&r, name, !ch_arg_given(a, "plain"), "train", e);
    ch_run_opts how = {.fresh = ch_arg_given(a, "fresh"), .train_only = 1};
    if (c == CH_OK)
        c = ch_run(&r, &how, e);
    if (c == CH_OK)
        printf("%s/%s/model.gguf\n", r.run, name);
    ch_recipe_release(&r);
    return c;
}
