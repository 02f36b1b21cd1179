#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/outputs.h"
#include "run/preflight.h"
#include "run/write_wordings.h"

const ch_opt ch_opts_paraphrase[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    {"n", 'n', CH_O_TEXT, "N", NULL, "paraphrase.n", NULL, 0, 0},
    CH_OPT_FIELD("max-new", "N", "paraphrase.max_new"),
    CH_OPT_FIELD("prompt", "FILE", "paraphrase.prompt"),
    {"out", 'o', CH_O_TEXT, "FILE", NULL, NULL, "where the wordings go (JSON)", 0, 0},
    {"dropped", 0, CH_O_TEXT, "FILE", NULL, NULL,
     "where what was dropped goes, with the reasons and the model's text; default: OUT with "
     ".dropped.json behind",
     0, 0},
    CH_OPT_END,
};

static ch_code paraphrase(const ch_recipe *r, const ch_tasks *t, const char *out, const char *bin,
                          ch_err *e)
{
    ch_device *d = NULL;
    ch_model *m = NULL;
    int64_t kept, dropped;
    const char *const outs[] = {out, bin};
    CH_TRY(ch_outputs_check(r, outs, 2, e));
    char *prompt;
    CH_TRY(ch_preflight_prompt(r, &prompt, e));
    ch_code c = ch_open_model(r, &d, &m, e);
    if (c == CH_OK)
        c = ch_paraphrase_tasks(m, t, r->paraphrase.n, r->paraphrase.max_new, prompt, out, bin,
                                &kept, &dropped, e);
    free(prompt);
    if (c == CH_OK)
        ch_log(CH_INFO, "%lld wordings kept: %s; %lld dropped: %s", (long long)kept, out,
               (long long)dropped, bin);
    ch_model_free(m);
    ch_device_close(d);
    return c;
}

ch_code ch_cmd_paraphrase(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    ch_tasks t = {0};
    CH_TRY(ch_args_need(a, (const char *const[]){"model", "tasks", "out", NULL}, e));
    ch_recipe_init(&r);
    ch_code c = ch_args_to_recipe(a, &r, e);
    if (c == CH_OK)
        c = ch_tasks_load(&t, r.data.tasks, NULL, 0, e);
    const char *out = ch_arg(a, "out");
    char *bin =
        ch_arg_given(a, "dropped") ? ch_dup(ch_arg(a, "dropped")) : ch_fmt("%s.dropped.json", out);
    if (c == CH_OK)
        c = paraphrase(&r, &t, out, bin, e);
    free(bin);
    ch_tasks_release(&t);
    ch_recipe_release(&r);
    return c;
}
