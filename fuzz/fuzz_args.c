/* A command line of arbitrary words, which lie between line ends: it is refused with a sentence, or
 * says what to do; and then its options go into a recipe or are refused. No command is run. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const ch_cmd commands[] = {{"run", "[RECIPE]", "", ch_opts_run, NULL, 0, 1, ""},
                                  {"measure", "", "", ch_opts_measure, NULL, 0, 0, ""},
                                  {"train", "", "", ch_opts_train, NULL, 0, 0, ""},
                                  {"generate", "[PROMPT..]", "", ch_opts_generate, NULL, 0, -1, ""},
                                  {"paraphrase", "", "", ch_opts_paraphrase, NULL, 0, 0, ""},
                                  {"show-batch", "", "", ch_opts_show_batch, NULL, 0, 1, ""},
                                  {"compare", "A B", "", ch_opts_compare, NULL, 2, 2, ""},
                                  {"report", "RUN", "", ch_opts_report, NULL, 1, 1, ""},
                                  {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}};

static int said(ch_code c, const ch_err *e)
{
    CH_MUST(c == e->code && (c == CH_OK || (c == CH_EUSER && e->msg[0] && !strchr(e->msg, '\n'))));
    return c == CH_OK;
}

static void options(const ch_args *a)
{
    ch_recipe r;
    ch_err e = {0};
    for (int i = 0; i < a->n_opts; i++)
        CH_MUST(ch_arg_given(a, a->opts[i]->name) == (a->values[i] != NULL));
    ch_recipe_init(&r);
    if (said(ch_args_to_recipe(a, &r, &e), &e) && said(ch_recipe_finish(&r, "--set", &e), &e))
        free(ch_recipe_text(&r));
    ch_recipe_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ch_log_level(CH_QUIET);
    char *text = ch_dupn((const char *)data, n), *save = NULL;
    const char **words = ch_new(n + 2, sizeof *words);
    int k = 0;
    words[k++] = "chorus";
    for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
        words[k++] = s;
    ch_args a = {.commands = commands};
    ch_err e = {0};
    if (said(ch_args_parse(&a, k, words, &e), &e)) {
        CH_MUST(a.help || a.version || a.cmd);
        if (!a.help && !a.version)
            options(&a);
    }
    ch_args_free(&a);
    free(words);
    free(text);
    return 0;
}
