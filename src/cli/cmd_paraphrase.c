#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "run/write_wordings.h"

const ch_opt ch_opts_paraphrase[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    {"n", 'n', CH_O_TEXT, "N", NULL, "paraphrase.n", NULL},
    CH_OPT_FIELD("max-new", "N", "paraphrase.max_new"),
    CH_OPT_FIELD("prompt", "FILE", "paraphrase.prompt"),
    {"out", 'o', CH_O_TEXT, "FILE", NULL, NULL, "where the wordings go (JSON)"},
    {"dropped", 0, CH_O_TEXT, "FILE", NULL, NULL,
     "where what was dropped goes, with the reasons and the model's text; default: OUT with "
     ".dropped.json behind"},
    CH_OPT_END,
};

static ch_code paraphrase(const ch_args *a, const ch_recipe *r, const ch_tasks *t, ch_err *e)
{
    ch_device *d = NULL;
    ch_model *m = NULL;
    int64_t kept, dropped;
    CH_TRY(ch_open_model(r, &d, &m, e));
    const char *out = ch_arg(a, "out");
    char *bin =
        ch_arg_given(a, "dropped") ? ch_dup(ch_arg(a, "dropped")) : ch_fmt("%s.dropped.json", out);
    char *prompt = NULL;
    ch_code c =
        r->paraphrase.prompt[0] ? ch_file_read(r->paraphrase.prompt, &prompt, NULL, e) : CH_OK;
    if (c == CH_OK)
        c = ch_paraphrase_tasks(m, t, r->paraphrase.n, r->paraphrase.max_new, prompt, out, bin,
                                &kept, &dropped, e);
    if (c == CH_OK)
        ch_log(CH_INFO, "%lld wordings kept: %s; %lld dropped: %s", (long long)kept, out,
               (long long)dropped, bin);
    free(prompt);
    free(bin);
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
    if (c == CH_OK)
        c = paraphrase(a, &r, &t, e);
    ch_tasks_release(&t);
    ch_recipe_release(&r);
    return c;
}
