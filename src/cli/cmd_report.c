#include "base/log.h"
#include "cli/cli.h"
#include "report/found.h"

const ch_opt ch_opts_report[] = {
    CH_OPT_JSON,
    CH_OPT_END,
};

ch_code ch_cmd_report(const ch_args *a, ch_err *e)
{
    ch_found *f = NULL;
    CH_TRY(ch_found_report(&f, a->args[0], NULL, e));
    ch_code c = ch_print_report(&f->data, ch_arg_given(a, "json"), e);
    ch_found_free(f);
    if (c == CH_OK)
        ch_log(CH_INFO, "report: %s/report.html, figures: %s/results.json", a->args[0], a->args[0]);
    return c;
}
