/* What commands share: options of all of them, exit codes, reports on stdout, opening a model. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/screen.h"

const ch_opt ch_global_opts[] = {
    CH_OPT_FIELD("threads", "N", "threads"),
    CH_OPT_FIELD("precision", "P", "precision"),
    CH_OPT_FIELD("isa", "I", "isa"),
    {"quiet", 'q', CH_O_FLAG, NULL, NULL, NULL, "only warnings on stderr", 0, 0},
    {"verbose", 'v', CH_O_FLAG, NULL, NULL, NULL, "more on stderr", 0, 0},
    {"help", 'h', CH_O_FLAG, NULL, NULL, NULL, "this text", 0, 0},
    {"version", 0, CH_O_FLAG, NULL, NULL, NULL, "the version", 0, 0},
    CH_OPT_END,
};

ch_code ch_print_on(ch_err *e)
{
    return ch_interrupted() ? ch_fail(e, CH_ESTOP, "interrupted while writing to stdout") : CH_OK;
}

int ch_exit_code(ch_code c)
{
    if (c == CH_OK)
        return 0;
    if (c == CH_ESTOP)
        return 130;
    return c == CH_EUSER || c == CH_ELONG || c == CH_EIO ? 2 : 1;
}

ch_code ch_print_report(const ch_report_data *d, int json, ch_err *e)
{
    if (!json) {
        int64_t columns = ch_screen_columns();
        int colour = isatty(STDOUT_FILENO) && ch_colour();
        ch_screen_trust(colour);
        ch_code c = ch_report_terminal(stdout, d, colour, columns, e);
        ch_screen_trust(0);
        return c;
    }
    char *text;
    CH_TRY(ch_report_json_text(&text, d, e));
    fputs(text, stdout);
    free(text);
    return CH_OK;
}

void ch_say_device(const ch_device *d)
{
    ch_log(CH_INFO, "computes in %s", ch_device_text(d));
}

ch_code ch_open_model(const ch_recipe *r, ch_device **d, ch_model **m, ch_err *e)
{
    CH_TRY(ch_device_open(d, (ch_precision)r->precision, (ch_isa)r->isa, (int)r->threads, e));
    ch_code c = ch_model_load(m, r->model, *d, e);
    if (c != CH_OK)
        ch_device_close(*d);
    return c;
}
