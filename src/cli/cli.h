/* The command line: a table of commands, and for each a table of its options. Parsing, --help and
 * the test that every option is documented all read these tables. */
#ifndef CH_CLI_CLI_H
#define CH_CLI_CLI_H

#include <stdint.h>

#include "base/err.h"
#include "model/model.h"
#include "recipe/recipe.h"
#include "report/report.h"

typedef enum { CH_O_FLAG, CH_O_TEXT, CH_O_INT, CH_O_REAL, CH_O_MANY } ch_opt_type;

typedef struct {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    ch_opt_type type;  /* MANY: a text that may be given several times */
    const char *value; /* what stands for it in the help: N, FILE */
    const char *def;   /* NULL: none */
    const char
        *field; /* a key of the recipe that it sets: default and help are that key's; else NULL */
    const char *help; /* NULL with field */
    double low, high; /* bounds of INT and REAL */
} ch_opt;

typedef struct ch_args ch_args;

typedef struct {
    const char *name, *args, *what;
    const ch_opt *opts; /* ends with a row without a name */
    ch_code (*run)(const ch_args *a, ch_err *e);
    int min_args, max_args; /* max -1: any number */
    const char *more;       /* a paragraph for the help */
} ch_cmd;

extern const ch_opt ch_global_opts[];

#define CH_MAX_OPTS 48
#define CH_MAX_MANY 256

struct ch_args {
    const ch_cmd *commands; /* ends with a row without a name; set before ch_args_parse */
    const ch_cmd *cmd;
    const ch_opt *opts[CH_MAX_OPTS]; /* the command's and the global ones */
    const char *values[CH_MAX_OPTS]; /* NULL: not given */
    int n_opts;
    const char *many[CH_MAX_MANY]; /* values of the MANY option */
    int n_many;
    const char **args;
    int n_args;
    int help, version;
    int help_recipe; /* with help: of a recipe's keys */
};

/* argv[0] is the program, argv[1] one of a->commands. Error (CH_EUSER): a sentence with "did you mean".
 * args points into argv and is freed with ch_args_free. */
ch_code ch_args_parse(ch_args *a, int argc, const char **argv, ch_err *e) CH_CHECK_RESULT;
void ch_args_free(ch_args *a);

int ch_arg_given(const ch_args *a, const char *name);
const char *ch_arg(const ch_args *a, const char *name); /* the value, else the default, else NULL */
int64_t ch_arg_int(const ch_args *a, const char *name);
double ch_arg_real(const ch_args *a, const char *name);

/* The recipe's keys that options name, and --set KEY=VALUE. */
ch_code ch_args_to_recipe(const ch_args *a, ch_recipe *r, ch_err *e) CH_CHECK_RESULT;
/* The whole recipe of a command that takes [RECIPE]: that file, or the defaults, and the options.
 * Release r in any case. */
ch_code ch_args_recipe(const ch_args *a, ch_recipe *r, ch_err *e) CH_CHECK_RESULT;
/* Error when one of these options (NULL-terminated) was not given. */
ch_code ch_args_need(const ch_args *a, const char *const *names, ch_err *e) CH_CHECK_RESULT;

/* What a->help asks for: of the program, of a command, or every key of a recipe. */
void ch_print_help(FILE *f, const ch_args *a);

/* 0 done, 1 failed at run time, 2 bad input or a full disk, 130 interrupted. */
int ch_exit_code(ch_code c);
/* Between two pieces of a long output: CH_ESTOP when interrupted, so that nothing waits for a reader. */
ch_code ch_print_on(ch_err *e) CH_CHECK_RESULT;

/* The terminal table, or results as JSON, on stdout. */
ch_code ch_print_report(const ch_report_data *d, int json, ch_err *e) CH_CHECK_RESULT;
/* Device and model of --model (or r->model) as r says; what computes is told with ch_say_device,
 * once nothing is left to refuse. */
void ch_say_device(const ch_device *d);
ch_code ch_open_model(const ch_recipe *r, ch_device **d, ch_model **m, ch_err *e) CH_CHECK_RESULT;

ch_code ch_cmd_run(const ch_args *a, ch_err *e);
ch_code ch_cmd_measure(const ch_args *a, ch_err *e);
ch_code ch_cmd_train(const ch_args *a, ch_err *e);
ch_code ch_cmd_generate(const ch_args *a, ch_err *e);
ch_code ch_cmd_paraphrase(const ch_args *a, ch_err *e);
ch_code ch_cmd_show_batch(const ch_args *a, ch_err *e);
ch_code ch_cmd_compare(const ch_args *a, ch_err *e);
ch_code ch_cmd_report(const ch_args *a, ch_err *e);

extern const ch_opt ch_opts_run[], ch_opts_measure[], ch_opts_train[], ch_opts_generate[],
    ch_opts_paraphrase[], ch_opts_show_batch[], ch_opts_compare[], ch_opts_report[];

/* One row of an option table: a key of the recipe under its own option name. */
#define CH_OPT_FIELD(name, value, field)                                                           \
    {                                                                                              \
        name, 0, CH_O_TEXT, value, NULL, field, NULL, 0, 0                                         \
    }
#define CH_OPT_SET                                                                                 \
    {                                                                                              \
        "set", 0, CH_O_MANY, "KEY=VALUE", NULL, NULL,                                              \
            "any key of the recipe (chorus help recipe), such as train.lr=5e-5; may be repeated",  \
            0, 0                                                                                   \
    }
#define CH_OPT_JSON                                                                                \
    {                                                                                              \
        "json", 0, CH_O_FLAG, NULL, NULL, NULL, "JSON on stdout", 0, 0                             \
    }
#define CH_OPT_END                                                                                 \
    {                                                                                              \
        NULL, 0, CH_O_FLAG, NULL, NULL, NULL, NULL, 0, 0                                           \
    }

#endif
