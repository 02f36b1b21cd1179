#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/cli.h"
#include "data/text_file.h"
#include "generate/generate.h"

const ch_opt ch_opts_generate[] = {
    CH_OPT_FIELD("model", "FILE", "model"),
    CH_OPT_FIELD("max-new", "N", "generate.max_new"),
    CH_OPT_FIELD("batch", "N", "generate.batch"),
    {"temperature", 't', CH_O_REAL, "X", "0", NULL, "0: the most probable token each time", 0, 100},
    {"top-k", 0, CH_O_INT, "N", "0", NULL, "sample among the N most probable tokens; 0: off", 0,
     1e6},
    {"top-p", 0, CH_O_REAL, "X", "1", NULL,
     "sample among tokens that make up this probability; 1: off", 1e-6, 1},
    {"labels", 0, CH_O_TEXT, "A,B,...", NULL, NULL,
     "answer with the one of these that is the most probable as a whole", 0, 0},
    {"samples", 'n', CH_O_INT, "N", "1", NULL, "answers to each prompt", 1, 10000},
    CH_OPT_FIELD("seed", "N", "seed"),
    CH_OPT_JSON,
    CH_OPT_END,
};

typedef struct {
    char **list;
    int64_t n, cap;
} texts;

static void free_texts(texts *t)
{
    for (int64_t i = 0; i < t->n; i++)
        free(t->list[i]);
    free(t->list);
}

static ch_code add_line(texts *t, const char *line, int64_t row, ch_err *e)
{
    char *s = ch_trim(line);
    if (s[0] == '{') {
        json_t *v;
        ch_code c = ch_json_parse(&v, s, strlen(s), "stdin", row, e);
        const char *prompt = json_string_value(json_object_get(v, "prompt"));
        if (c == CH_OK && !prompt)
            c = ch_fail(e, CH_EUSER,
                        "stdin, line %lld: a JSON object with a text \"prompt\" is wanted",
                        (long long)row);
        if (prompt)
            *CH_PUSH(t->list, t->n, t->cap) = ch_dup(prompt);
        json_decref(v);
        free(s);
        return c;
    }
    if (s[0])
        *CH_PUSH(t->list, t->n, t->cap) = s;
    else
        free(s);
    return CH_OK;
}

static ch_code read_stdin(texts *t, ch_err *e)
{
    static const char bom[] = "\xEF\xBB\xBF";
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    ch_code c = CH_OK;
    for (int64_t row = 1; c == CH_OK && (n = getline(&line, &size, stdin)) >= 0; row++) {
        c = ch_text_check(line, (size_t)n, "stdin", row, e);
        if (c == CH_OK)
            c = add_line(t, row == 1 && !strncmp(line, bom, 3) ? line + 3 : line, row, e);
    }
    if (c == CH_OK && ch_interrupted())
        c = ch_fail(e, CH_ESTOP, "interrupted while reading stdin");
    else if (c == CH_OK && ferror(stdin))
        c = ch_fail(e, CH_EIO, "stdin: reading failed: %s", strerror(errno));
    free(line);
    return c;
}

static void print_answer(const char *prompt, const ch_answer *y, int64_t sample, int json, int many)
{
    if (!json) {
        printf("%s%s%s\n", many ? prompt : "", many ? "\n  " : "", y->text);
        return;
    }
    json_t *v = json_object();
    json_object_set_new(v, "prompt", ch_json_text(prompt));
    json_object_set_new(v, "sample", json_integer(sample));
    json_object_set_new(v, "answer", ch_json_text(y->text));
    json_object_set_new(v, "stopped", json_boolean(y->stopped));
    json_object_set_new(v, "n_tokens", json_integer(y->n));
    json_object_set_new(v, "logp", ch_json_real(y->logp));
    ch_json_line(stdout, v);
}

/* The list between the commas of --labels. */
static ch_code read_labels(texts *t, const char *list, ch_err *e)
{
    for (const char *p = list; p; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ",");
        char *raw = ch_dupn(p, n), *label = ch_trim(raw);
        free(raw);
        if (!label[0]) {
            free(label);
            return ch_fail(e, CH_EUSER,
                           "generate: --labels \"%s\" has an empty label; texts between "
                           "commas are wanted",
                           list);
        }
        *CH_PUSH(t->list, t->n, t->cap) = label;
        p += n;
    }
    return CH_OK;
}

static void print_choice(const char *prompt, const char *label, const ch_chosen *y, int json,
                         int many)
{
    ch_answer whole = {.stopped = 1, .n = y->n_tokens, .logp = y->logp};
    whole.text = ch_dup(label);
    print_answer(prompt, &whole, 0, json, many);
    ch_answer_release(&whole);
}

/* Every prompt with every label, before one is scored. */
static ch_code check_choices(const ch_model *m, const texts *t, const texts *labels, ch_err *e)
{
    char row[32];
    for (int64_t i = 0; i < t->n; i++) {
        snprintf(row, sizeof row, "prompt %lld", (long long)i + 1);
        for (int64_t k = 0; k < labels->n; k++) {
            ch_seq s = {0};
            CH_TRY(ch_seq_make(&s, m, t->list[i], labels->list[k], 0, row, e));
            ch_seq_release(&s);
        }
    }
    return CH_OK;
}

static ch_code choose(const ch_args *a, const ch_recipe *r, ch_model *m, const texts *t,
                      const texts *labels, ch_err *e)
{
    CH_TRY(check_choices(m, t, labels, e));
    ch_say_device(ch_model_device(m));
    ch_choice *q = ch_new((size_t)t->n, sizeof *q);
    ch_chosen *y = ch_new((size_t)t->n, sizeof *y);
    for (int64_t i = 0; i < t->n; i++)
        q[i] = (ch_choice){t->list[i], (const char *const *)labels->list, labels->n, "prompt"};
    ch_gen_opts how = {
        .batch = r->generate.batch, .max_rows = r->generate.max_rows, .what = "answers"};
    ch_code c = ch_choose_labels(m, q, t->n, &how, y, e);
    for (int64_t i = 0; c == CH_OK && i < t->n; i++)
        print_choice(t->list[i], labels->list[y[i].label], &y[i], ch_arg_given(a, "json"),
                     t->n > 1);
    free(q);
    free(y);
    return c;
}

static ch_code make_prompt(ch_seq *s, const ch_model *m, const texts *t, int64_t i, int64_t max_new,
                           ch_err *e)
{
    char row[32];
    int64_t ctx = ch_model_dims(m)->n_ctx;
    snprintf(row, sizeof row, "prompt %lld", (long long)i + 1);
    CH_TRY(ch_seq_make(s, m, t->list[i], NULL, 0, row, e));
    if (s->n + max_new <= ctx)
        return CH_OK;
    return ch_fail(e, CH_ELONG,
                   "%s: %lld tokens and an answer of %lld do not fit into the context of %lld; "
                   "shorten it or lower --max-new",
                   row, (long long)s->n, (long long)max_new, (long long)ctx);
}

/* k answers to each prompt. */
static ch_code write_answers(const ch_args *a, const ch_recipe *r, ch_model *m, const texts *t,
                             const ch_seq *seqs, int64_t k, ch_err *e)
{
    int64_t n = t->n * k;
    ch_request *q = ch_new((size_t)n, sizeof *q);
    ch_answer *y = ch_new((size_t)n, sizeof *y);
    for (int64_t i = 0; i < n; i++)
        q[i] = (ch_request){.ids = seqs[i / k].ids,
                            .n = seqs[i / k].n,
                            .how = {.temperature = ch_arg_real(a, "temperature"),
                                    .top_k = ch_arg_int(a, "top-k"),
                                    .top_p = ch_arg_real(a, "top-p"),
                                    .seed = (uint64_t)r->seed,
                                    .stream = ch_stream(CH_USE_ANSWERS, (uint64_t)i),
                                    .max_new = r->generate.max_new}};
    ch_gen_opts how = {
        .batch = r->generate.batch, .max_rows = r->generate.max_rows, .what = "answers"};
    ch_code c = ch_generate(m, q, n, &how, y, NULL, e);
    for (int64_t i = 0; i < n; i++) {
        if (c == CH_OK)
            print_answer(t->list[i / k], &y[i], i % k, ch_arg_given(a, "json"), n > 1);
        if (c == CH_OK)
            c = ch_print_on(e);
        ch_answer_release(&y[i]);
    }
    free(q);
    free(y);
    return c;
}

static ch_code answer(const ch_args *a, const ch_recipe *r, ch_model *m, const texts *t, ch_err *e)
{
    enum { MOST = 10000000 };
    int64_t k = ch_arg_int(a, "samples");
    if (t->n > MOST / k)
        return ch_fail(e, CH_EUSER,
                       "generate: %lld prompts with %lld answers each, at most %d answers are "
                       "possible; lower --samples",
                       (long long)t->n, (long long)k, MOST);
    ch_seq *seqs = ch_new((size_t)t->n, sizeof *seqs);
    ch_code c = CH_OK;
    for (int64_t i = 0; c == CH_OK && i < t->n; i++)
        c = make_prompt(&seqs[i], m, t, i, r->generate.max_new, e);
    if (c == CH_OK)
        ch_say_device(ch_model_device(m));
    if (c == CH_OK)
        c = write_answers(a, r, m, t, seqs, k, e);
    for (int64_t i = 0; i < t->n; i++)
        ch_seq_release(&seqs[i]);
    free(seqs);
    return c;
}

static ch_code check_labels(const ch_args *a, ch_err *e)
{
    if (!ch_arg_given(a, "labels") ||
        (ch_arg_real(a, "temperature") <= 0 && ch_arg_int(a, "samples") == 1))
        return CH_OK;
    return ch_fail(e, CH_EUSER,
                   "generate: --labels takes the most probable label, there is nothing to "
                   "sample: --temperature 0 and --samples 1 are wanted with it");
}

static ch_code generate(const ch_args *a, const ch_recipe *r, texts *t, texts *labels, ch_err *e)
{
    ch_device *d = NULL;
    ch_model *m = NULL;
    for (int i = 0; i < a->n_args; i++)
        *CH_PUSH(t->list, t->n, t->cap) = ch_dup(a->args[i]);
    if (!a->n_args)
        CH_TRY(read_stdin(t, e));
    if (!t->n)
        return ch_fail(e, CH_EUSER, "generate: no prompt, neither as an argument nor on stdin");
    CH_TRY(check_labels(a, e));
    if (ch_arg_given(a, "labels"))
        CH_TRY(read_labels(labels, ch_arg(a, "labels"), e));
    CH_TRY(ch_open_model(r, &d, &m, e));
    ch_code c = labels->n ? choose(a, r, m, t, labels, e) : answer(a, r, m, t, e);
    ch_model_free(m);
    ch_device_close(d);
    return c;
}

ch_code ch_cmd_generate(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    texts t = {0}, labels = {0};
    CH_TRY(ch_args_need(a, (const char *const[]){"model", NULL}, e));
    ch_recipe_init(&r);
    ch_code c = ch_args_to_recipe(a, &r, e);
    if (c == CH_OK)
        c = generate(a, &r, &t, &labels, e);
    free_texts(&t);
    free_texts(&labels);
    ch_recipe_release(&r);
    return c;
}
