#include "base/log.h"
#include "cli/cli.h"
#include "cli/outputs.h"
#include "report/measured.h"

const ch_opt ch_opts_measure[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    CH_OPT_FIELD("wordings", "FILE", "data.wordings"),
    CH_OPT_FIELD("max-items", "N", "data.max_items"),
    CH_OPT_FIELD("overlong", "HOW", "data.overlong"),
    CH_OPT_FIELD("max-new", "N", "generate.max_new"),
    CH_OPT_FIELD("batch", "N", "generate.batch"),
    CH_OPT_FIELD("decode", "HOW", "generate.decode"),
    CH_OPT_FIELD("sim", "HOW", "measure.sim"),
    CH_OPT_FIELD("judge", "FILE", "measure.judge"),
    CH_OPT_FIELD("resamples", "N", "measure.resamples"),
    CH_OPT_FIELD("seed", "N", "seed"),
    {"answers", 0, CH_O_TEXT, "FILE", NULL, NULL, "also write every answer there, as JSONL", 0, 0},
    {"html", 0, CH_O_TEXT, "FILE", NULL, NULL, "also write the report there", 0, 0},
    CH_OPT_JSON,
    CH_OPT_END,
};

static ch_code measure(const ch_args *a, const ch_recipe *r, ch_err *e)
{
    ch_device *d = NULL;
    ch_model *m = NULL;
    ch_measured *x = NULL;
    const char *const outs[] = {ch_arg(a, "answers"), ch_arg(a, "html")};
    CH_TRY(ch_outputs_check(r, outs, 2, e));
    CH_TRY(ch_open_model(r, &d, &m, e));
    ch_code c = ch_measure_model(&x, r, d, m, ch_arg(a, "answers"), e);
    if (c == CH_OK && ch_arg_given(a, "html"))
        c = ch_report_html(ch_arg(a, "html"), ch_measured_data(x), e);
    if (c == CH_OK)
        c = ch_print_report(ch_measured_data(x), ch_arg_given(a, "json"), e);
    ch_measured_free(x);
    ch_model_free(m);
    ch_device_close(d);
    return c;
}

ch_code ch_cmd_measure(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    CH_TRY(ch_args_need(a, (const char *const[]){"model", "tasks", NULL}, e));
    ch_recipe_init(&r);
    ch_code c = ch_args_to_recipe(a, &r, e);
    if (c == CH_OK)
        c = measure(a, &r, e);
    ch_recipe_release(&r);
    return c;
}
