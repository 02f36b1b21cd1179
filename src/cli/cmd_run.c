#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "report/found.h"
#include "run/dry_run.h"
#include "run/run.h"
#include "run/run_dir.h"

const ch_opt ch_opts_run[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("tasks", "PATH", "data.tasks"),
    CH_OPT_FIELD("wordings", "FILE", "data.wordings"),
    CH_OPT_FIELD("max-items", "N", "data.max_items"),
    CH_OPT_FIELD("run", "DIR", "run"),
    CH_OPT_FIELD("seed", "N", "seed"),
    CH_OPT_SET,
    {"fresh", 0, CH_O_FLAG, NULL, NULL, NULL, "delete what an older run left in the run directory",
     0, 0},
    {"dry-run", 0, CH_O_FLAG, NULL, NULL, NULL,
     "load and count everything, estimate memory and time, write nothing", 0, 0},
    CH_OPT_JSON,
    CH_OPT_END,
};

static ch_code finish(const ch_recipe *r, ch_seen *seen, int json, ch_err *e)
{
    ch_found *f = NULL;
    CH_TRY(ch_found_report(&f, r->run, seen, e));
    ch_code c = ch_print_report(&f->data, json, e);
    ch_found_free(f);
    if (c == CH_OK)
        ch_log(CH_INFO, "report: %s/report.html, figures: %s/results.json", r->run, r->run);
    return c;
}

ch_code ch_cmd_run(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    ch_code c = ch_args_recipe(a, &r, e);
    int json = ch_arg_given(a, "json");
    ch_seen seen = {0};
    ch_run_opts how = {.fresh = ch_arg_given(a, "fresh"), .seen = &seen};
    if (c == CH_OK && ch_arg_given(a, "dry-run")) {
        c = ch_dir_check(&r, how.fresh, e);
        if (c == CH_OK)
            c = ch_dry_run(&r, stdout, json, e);
    } else if (c == CH_OK) {
        c = ch_run(&r, &how, e);
        if (c == CH_OK)
            c = finish(&r, &seen, json, e);
    }
    ch_seen_release(&seen);
    ch_recipe_release(&r);
    return c;
}
