#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"
#include "data/text_file.h"
#include "recipe/fields.h"
#include "recipe/number.h"
#include "run/run_dir.h"

static void take_table(ch_args *a, const ch_opt *o)
{
    for (; o && o->name; o++) {
        CH_MUST(a->n_opts < CH_MAX_OPTS);
        a->opts[a->n_opts++] = o;
    }
}

static ch_code unknown_option(const ch_args *a, const char *word, ch_err *e)
{
    const char *names[CH_MAX_OPTS + 1];
    for (int i = 0; i < a->n_opts; i++)
        names[i] = a->opts[i]->name;
    names[a->n_opts] = NULL;
    const char *near = ch_nearest(word, names);
    return ch_fail(e, CH_EUSER, "%s: there is no option --%.64s%s%s%s; chorus %s --help lists them",
                   a->cmd->name, word, near ? "; did you mean --" : "", near ? near : "",
                   near ? "?" : "", a->cmd->name);
}

static ch_code find_command(ch_args *a, const char *word, ch_err *e)
{
    const char *names[32];
    int n = 0;
    for (const ch_cmd *c = a->commands; c->name; c++) {
        names[n++] = c->name;
        if (!strcmp(c->name, word))
            a->cmd = c;
    }
    names[n] = NULL;
    if (a->cmd)
        return CH_OK;
    const char *near = ch_nearest(word, names);
    return ch_fail(e, CH_EUSER, "there is no command %.64s%s%s%s; chorus --help lists them", word,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static ch_code check_number(const ch_args *a, const ch_opt *o, const char *v, ch_err *e)
{
    int64_t n = 0;
    double x = 0;
    int whole = o->type == CH_O_INT;
    if (whole ? !ch_number_int(v, &n) : !ch_number_read(v, &x))
        return ch_fail(e, CH_EUSER, "%s: --%s is \"%.64s\", %s is wanted", a->cmd->name, o->name, v,
                       whole ? ch_number_whole : ch_number_real);
    x = whole ? (double)n : x;
    if (x >= o->low && x <= o->high)
        return CH_OK;
    return ch_fail(e, CH_EUSER, "%s: --%s is %s, from %.12g to %.12g is possible", a->cmd->name,
                   o->name, v, o->low, o->high);
}

static ch_code take_value(ch_args *a, int i, const char *v, ch_err *e)
{
    const ch_opt *o = a->opts[i];
    if (o->type != CH_O_MANY && a->values[i])
        return ch_fail(e, CH_EUSER, "%s: --%s is given twice, once is wanted", a->cmd->name,
                       o->name);
    if (o->type == CH_O_MANY) {
        if (a->n_many == CH_MAX_MANY)
            return ch_fail(e, CH_EUSER, "%s: --%s was given more than %d times", a->cmd->name,
                           o->name, CH_MAX_MANY);
        a->many[a->n_many++] = v;
    }
    if (o->type == CH_O_INT || o->type == CH_O_REAL)
        CH_TRY(check_number(a, o, v, e));
    if (!v[0])
        return ch_fail(e, CH_EUSER, "%s: --%s is empty, a value is wanted: %s", a->cmd->name,
                       o->name, o->value);
    a->values[i] = v;
    return CH_OK;
}

/* The option that word begins with, "name" or "name=value" (long) or a letter; n_opts: none. */
static int find_option(const ch_args *a, const char *word, int is_long)
{
    size_t n = is_long ? strcspn(word, "=") : 1;
    int i = 0;
    while (i < a->n_opts &&
           (is_long ? strlen(a->opts[i]->name) != n || strncmp(a->opts[i]->name, word, n)
                    : a->opts[i]->letter != word[0] || word[1]))
        i++;
    return i;
}

/* 1 when an option stands where a value is wanted. */
static int is_option(const ch_args *a, const char *word)
{
    int is_long = word[0] == '-' && word[1] == '-';
    return word[0] == '-' && word[1] && find_option(a, word + 1 + is_long, is_long) < a->n_opts;
}

/* word: "name", "name=value" (long) or a letter; *used: how many of argv were taken. */
static ch_code take_option(ch_args *a, const char *word, int is_long, const char *next, int *used,
                           ch_err *e)
{
    size_t n = is_long ? strcspn(word, "=") : 1;
    int i = find_option(a, word, is_long);
    *used = 1;
    if (i == a->n_opts) {
        char *name = ch_dupn(word, is_long ? n : strlen(word));
        ch_code c = is_long ? unknown_option(a, name, e)
                            : ch_fail(e, CH_EUSER,
                                      "%s: there is no option -%.64s; chorus %s --help lists them",
                                      a->cmd->name, name, a->cmd->name);
        free(name);
        return c;
    }
    const ch_opt *o = a->opts[i];
    int has = is_long && word[n] == '=';
    if (o->type == CH_O_FLAG)
        return has ? ch_fail(e, CH_EUSER, "%s: --%s takes no value", a->cmd->name, o->name)
                   : take_value(a, i, "1", e);
    if (has)
        return take_value(a, i, word + n + 1, e);
    if (!next || is_option(a, next))
        return ch_fail(e, CH_EUSER, "%s: --%s wants a value: %s", a->cmd->name, o->name, o->value);
    *used = 2;
    return take_value(a, i, next, e);
}

static ch_code check_count(const ch_args *a, ch_err *e)
{
    const ch_cmd *c = a->cmd;
    if (a->n_args < c->min_args)
        return ch_fail(e, CH_EUSER, "%s: %s is wanted; see chorus %s --help", c->name, c->args,
                       c->name);
    if (c->max_args >= 0 && a->n_args > c->max_args)
        return ch_fail(e, CH_EUSER, "%s: \"%.200s\" is one argument too many; see chorus %s --help",
                       c->name, a->args[c->max_args], c->name);
    return CH_OK;
}

/* chorus help [COMMAND | recipe]; a->help is set. */
static ch_code help_topic(ch_args *a, int argc, const char **argv, ch_err *e)
{
    static const char topic[] = "recipe";
    const char *const topics[] = {topic, NULL};
    a->help_recipe = argc == 3 && !strcmp(argv[2], topic);
    if (argc == 2 || a->help_recipe)
        return CH_OK;
    if (find_command(a, argv[2], NULL) == CH_OK)
        return argc == 3
                   ? CH_OK
                   : ch_fail(e, CH_EUSER, "help: \"%.200s\" is one argument too many", argv[3]);
    if (ch_nearest(argv[2], topics))
        return ch_fail(e, CH_EUSER, "help: there is no command %.64s; did you mean %s?", argv[2],
                       topic);
    return find_command(a, argv[2], e);
}

static ch_code check_texts(int argc, const char **argv, ch_err *e)
{
    char where[32];
    for (int i = 1; i < argc; i++) {
        snprintf(where, sizeof where, "argument %d", i);
        CH_TRY(ch_text_check(argv[i], strlen(argv[i]), where, 0, e));
    }
    return CH_OK;
}

ch_code ch_args_parse(ch_args *a, int argc, const char **argv, ch_err *e)
{
    *a = (ch_args){.commands = a->commands};
    CH_TRY(check_texts(argc, argv, e));
    if (argc < 2)
        return ch_fail(e, CH_EUSER, "a command is wanted; chorus --help lists them");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        a->help = 1;
    if (!strcmp(argv[1], "--version"))
        a->version = 1;
    if (a->version)
        return CH_OK;
    if (a->help)
        return help_topic(a, argc, argv, e);
    CH_TRY(find_command(a, argv[1], e));
    take_table(a, a->cmd->opts);
    take_table(a, ch_global_opts);
    a->args = ch_new((size_t)argc, sizeof *a->args);
    int only_args = 0;
    for (int i = 2; i < argc;) {
        const char *w = argv[i];
        int used = 1;
        if (!only_args && !strcmp(w, "--"))
            only_args = 1;
        else if (only_args || w[0] != '-' || !w[1])
            a->args[a->n_args++] = w;
        else
            CH_TRY(take_option(a, w[1] == '-' ? w + 2 : w + 1, w[1] == '-',
                               i + 1 < argc ? argv[i + 1] : NULL, &used, e));
        i += used;
    }
    a->help |= ch_arg_given(a, "help");
    a->version |= ch_arg_given(a, "version");
    return a->help || a->version ? CH_OK : check_count(a, e);
}

void ch_args_free(ch_args *a)
{
    free(a->args);
    a->args = NULL;
}

static int index_of(const ch_args *a, const char *name)
{
    for (int i = 0; i < a->n_opts; i++)
        if (!strcmp(a->opts[i]->name, name))
            return i;
    ch_bug(__FILE__, __LINE__, name);
}

int ch_arg_given(const ch_args *a, const char *name)
{
    return a->values[index_of(a, name)] != NULL;
}

const char *ch_arg(const ch_args *a, const char *name)
{
    int i = index_of(a, name);
    if (a->values[i])
        return a->values[i];
    return a->opts[i]->field ? ch_field_find(a->opts[i]->field)->def : a->opts[i]->def;
}

int64_t ch_arg_int(const ch_args *a, const char *name)
{
    int64_t n = 0;
    const char *v = ch_arg(a, name);
    CH_MUST(!v || ch_number_int(v, &n));
    return n;
}

double ch_arg_real(const ch_args *a, const char *name)
{
    double x = 0;
    const char *v = ch_arg(a, name);
    CH_MUST(!v || ch_number_read(v, &x));
    return x;
}

/* The i-th --set KEY=VALUE. */
static ch_code set_one(const ch_args *a, int i, ch_recipe *r, ch_err *e)
{
    size_t n = strcspn(a->many[i], "=");
    if (!a->many[i][n])
        return ch_fail(e, CH_EUSER, "--set %.64s: KEY=VALUE is wanted, such as train.lr=5e-5",
                       a->many[i]);
    char *key = ch_dupn(a->many[i], n);
    const char *also = NULL; /* what sets the same key */
    for (int k = 0; k < a->n_opts; k++)
        if (a->values[k] && a->opts[k]->field && !strcmp(a->opts[k]->field, key))
            also = a->opts[k]->name;
    for (int k = 0; k < i; k++)
        if (strcspn(a->many[k], "=") == n && !strncmp(a->many[k], key, n))
            also = "set";
    ch_code c = also
                    ? ch_fail(e, CH_EUSER, "--set %s: --%s gives it too, once is wanted", key, also)
                    : ch_recipe_set(r, key, a->many[i] + n + 1, "--set", e);
    free(key);
    return c;
}

ch_code ch_args_to_recipe(const ch_args *a, ch_recipe *r, ch_err *e)
{
    char where[64];
    for (int i = 0; i < a->n_opts; i++) {
        if (!a->values[i] || !a->opts[i]->field)
            continue;
        snprintf(where, sizeof where, "--%s", a->opts[i]->name);
        CH_TRY(ch_recipe_set(r, a->opts[i]->field, a->values[i], where, e));
    }
    for (int i = 0; i < a->n_many; i++)
        CH_TRY(set_one(a, i, r, e));
    return CH_OK;
}

ch_code ch_args_recipe(const ch_args *a, ch_recipe *r, ch_err *e)
{
    const char *where = a->n_args ? a->args[0] : a->cmd->name;
    if (a->n_args)
        CH_TRY(ch_recipe_read(r, where, e));
    else
        ch_recipe_init(r);
    CH_TRY(ch_dir_of_recipe(r, where, e));
    CH_TRY(ch_args_to_recipe(a, r, e));
    if (!a->n_args && (!r->model[0] || !r->data.tasks[0]))
        return ch_fail(e, CH_EUSER,
                       "%s: a RECIPE, or --model and --tasks, are wanted; see chorus %s --help",
                       where, where);
    return ch_recipe_finish(r, where, e);
}

ch_code ch_args_need(const ch_args *a, const char *const *names, ch_err *e)
{
    for (; *names; names++)
        if (!ch_arg_given(a, *names))
            return ch_fail(e, CH_EUSER, "%s: --%s is wanted; see chorus %s --help", a->cmd->name,
                           *names, a->cmd->name);
    return CH_OK;
}
