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

static void print_field(FILE *f, const ch_field *it)
{
    fprintf(f, "  %-24s", it->key);
    if (it->type == CH_F_CHOICE)
        for (int i = 0; it->choices[i]; i++)
            fprintf(f, "%s%s", i ? " | " : " ", it->choices[i]);
    else if (it->type == CH_F_FLAG)
        fputs(" true | false", f);
    else if (it->type == CH_F_TEXT)
        fputs(" TEXT", f);
    else
        fprintf(f, it->type == CH_F_INT ? " %.0f .. %.0f%s" : " %.12g .. %.12g%s", it->low,
                it->high, it->type == CH_F_INT ? ", whole" : "");
    char *help = ch_field_help(it);
    fprintf(f, " [default: %s]\n  %-24s %s\n", it->def[0] ? it->def : "empty", "", help);
    free(help);
}

/* Every key, from the tables that the reader of recipes walks. */
static void print_recipe(FILE *f)
{
    const char *section = "";
    fputs("A recipe is a YAML file. Every key that it can have, with what is possible, the default "
          "and the meaning:\n\n",
          f);
    for (const ch_field *it = ch_fields; it->key; it++) {
        if (strcmp(section, it->section))
            fprintf(f, "\n%s:\n", it->section);
        section = it->section;
        print_field(f, it);
    }
    fputs("\narms: a list; without it there are base, sft, sft_ia, cat and control. Each has\n", f);
    for (const ch_arm_key *k = ch_arm_keys; k->key; k++)
        fprintf(f, "  %-24s %s\n", k->key, k->help);
    fputs(
        "  and its own value of any key of train and align but dev_rows and judge_prompt.\n\n"
        "Any key can be set on the command line: --set train.lr=5e-5. Meanings: [P] the paper, [I] "
        "our reading of\nit, [+] ours.\n",
        f);
}

void ch_print_help(FILE *f, const ch_args *a)
{
    const ch_cmd *c = a->cmd;
    if (a->help_recipe) {
        print_recipe(f);
        return;
    }
    if (!c) {
        fprintf(f,
                "chorus %s: measures how consistently a language model answers reworded "
                "instructions, and trains "
                "it to be more so, on a CPU.\n\nUsage: chorus COMMAND [OPTIONS]\n\nCommands:\n",
                ch_version);
        for (c = a->commands; c->name; c++)
            fprintf(f, "  %-12s %s\n", c->name, c->what);
        fputs(
            "\nchorus help COMMAND tells more about one, chorus help recipe all keys of a recipe. "
            "Options of every command:\n",
            f);
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
