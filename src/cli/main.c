/* The table of commands. A new one is a row here and its file cmd_x.c. */
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/enter.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "run/keys.h"

static const ch_cmd commands[] = {
    {"run", "[RECIPE]", "measure, train, measure again and report", ch_opts_run, ch_cmd_run, 0, 1,
     "RECIPE is a YAML file; without one --model and --tasks are wanted, and the recipe used is "
     "written into the run\n"
     "directory. Stages whose inputs have not changed are skipped; a run that was stopped goes "
     "on."},
    {"measure", "", "how consistently and how well a model answers", ch_opts_measure,
     ch_cmd_measure, 0, 0,
     "Every input is asked under every wording, greedily. With --decode labels the answer is the "
     "most probable label\n"
     "as a whole, for tasks whose answers are a closed set; the report says so."},
    {"train", "", "train one model with one objective", ch_opts_train, ch_cmd_train, 0, 0,
     "Writes OUT/OBJECTIVE/model.gguf; start again with the same options to go on after a stop."},
    {"generate", "[PROMPT...]", "answers to prompts", ch_opts_generate, ch_cmd_generate, 0, -1,
     "Prompts are the arguments, or the lines of stdin: plain text, or JSON objects with a text "
     "\"prompt\"."},
    {"paraphrase", "", "other wordings of each task's instruction", ch_opts_paraphrase,
     ch_cmd_paraphrase, 0, 0,
     "Writes a JSON file that maps each task's name to a list; measure and run read it with "
     "--wordings."},
    {"show-batch", "[RECIPE]", "training rows as the model sees them", ch_opts_show_batch,
     ch_cmd_show_batch, 0, 1,
     "Text after the chat template, token ids, and which of them are learned; and how much an "
     "update shares (with\n"
     "--json the first line)."},
    {"compare", "A B", "paired differences between two runs, arms or answers.jsonl",
     ch_opts_compare, ch_cmd_compare, 2, 2,
     "A and B: run directories (compared arm by arm), RUN/ARM, or answers.jsonl. Differences are B "
     "- A."},
    {"report", "RUN", "the table and report.html of a run, built again", ch_opts_report,
     ch_cmd_report, 1, 1, "Works on a run that has not ended, too: what is missing is said."},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};

/* OpenMP's threads spin for tens of milliseconds where they wait for each other; on a machine that
 * does anything else they spend their time slices on that. libgomp reads the limit before main is
 * entered, so the program starts itself again with it. */
static void calm_threads(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return;
    path[n] = 0;
    setenv("GOMP_SPINCOUNT", "2000", 1);
    execv(path, argv); /* where it fails, only speed is lost */
}

typedef struct {
    ch_args args;
    int argc;
    const char **argv;
} command;

static ch_code work(void *ctx, ch_err *e)
{
    command *m = ctx;
    ch_args *a = &m->args;
    CH_TRY(ch_args_parse(a, m->argc, m->argv, e));
    if (a->help || a->version) {
        if (a->help)
            ch_print_help(stdout, a);
        else
            printf("chorus %s\n", ch_version);
        return CH_OK;
    }
    ch_log_level(ch_arg_given(a, "quiet")     ? CH_WARN
                 : ch_arg_given(a, "verbose") ? CH_DEBUG
                                              : CH_INFO);
    ch_code c = a->cmd->run(a, e);
    ch_log(CH_DEBUG, "memory: %zu bytes at the most", ch_peak_rss_bytes());
    return c;
}

int main(int argc, char **argv)
{
    ch_screen_open();
    calm_threads(argv);
    ch_err e = {0};
    command m = {.args.commands = commands, .argc = argc, .argv = (const char **)argv};
    ch_interrupt_install();
    ch_code c = ch_enter(work, &m, &e);
    if (c == CH_ESTOP)
        __fpurge(stdout); /* who should read it may have stopped reading */
    ch_code written = ch_screen_close(&e);
    if (c != CH_OK || written != CH_OK)
        fprintf(stderr, "chorus: %s\n", e.msg);
    ch_args_free(&m.args);
    return ch_exit_code(c != CH_OK ? c : written);
}
