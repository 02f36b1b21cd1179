#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "recipe/fields.h"
#include "run/keys.h"

static void print_option(FILE *f, const ch_opt *o)
{
    const ch_field *field = o->field ? ch_field_find(o->field) : NULL;
    const char *def = field ? field->def : o->def;
    char *help = field ? ch_field_help(field) : ch_dup(o->help);
    char left[64], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(f, "  %-30s %s%s%s%s\n", left, help, def && def[0] ? " [default: " : "",
            def && def[0] ? def : "", def && def[0] ? "]" : "");
    free(help);
}

void ch_print_help(FILE *f, const ch_args *a)
{
    const ch_cmd *c = a->cmd;
    if (!c) {
        fprintf(f,
                "chorus %s: measures how consistently a language model answers reworded "
                "instructions, and trains "
                "it to be more so, on a CPU.\n\nUsage: chorus COMMAND [OPTIONS]\n\nCommands:\n",
                ch_version);
        for (c = a->commands; c->name; c++)
            fprintf(f, "  %-12s %s\n", c->name, c->what);
        fputs("\nchorus COMMAND --help tells more about one. Options of every command:\n", f);
    } else {
        fprintf(f, "chorus %s: %s\n\nUsage: chorus %s [OPTIONS]%s%s\n", c->name, c->what, c->name,
                c->args[0] ? " " : "", c->args);
        if (c->more)
            fprintf(f, "\n%s\n", c->more);
        fputs("\nOptions:\n", f);
        for (const ch_opt *o = c->opts; o->name; o++)
            print_option(f, o);
        fputs("\nOptions of every command:\n", f);
    }
    for (const ch_opt *o = ch_global_opts; o->name; o++)
        print_option(f, o);
    fputs("\nExit codes: 0 done, 1 failed while running, 2 bad input (an option, a file, a full "
          "disk), 130 "
          "interrupted.\n",
          f);
}
