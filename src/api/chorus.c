#include "chorus.h"

#include <stdlib.h>
#include <string.h>

#include "base/enter.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "generate/generate.h"
#include "recipe/fields.h"
#include "recipe/number.h"
#include "report/found.h"
#include "report/measured.h"
#include "run/run.h"
#include "run/run_dir.h"

struct chorus_model {
    ch_device *device;
    ch_model *model;
};

void chorus_quiet(int on)
{
    ch_log_level(on ? CH_WARN : CH_INFO);
}

void chorus_handle_signals(void)
{
    ch_interrupt_install();
}

void chorus_restore_signals(void)
{
    ch_interrupt_restore();
}

/* The defaults of numbers: these need no memory, so that nothing here can fail. */
static void number_defaults(ch_recipe *r, const char *const *keys)
{
    *r = (ch_recipe){0};
    for (; *keys; keys++) {
        const ch_field *f = ch_field_find(*keys);
        CH_MUST(f && (f->type == CH_F_INT || f->type == CH_F_REAL));
        CH_MUST(ch_field_set(r, f, f->def, "defaults", NULL) == CH_OK);
    }
}

static void enter_surely(ch_work work, void *ctx)
{
    CH_MUST(ch_enter(work, ctx, NULL) == CH_OK);
}

void chorus_device_defaults(chorus_device_opts *o)
{
    *o = (chorus_device_opts){.precision = "auto", .isa = "auto"};
}

static ch_code set_text(ch_recipe *r, const char *key, const char *value, ch_err *e)
{
    return value ? ch_recipe_set(r, key, value, "chorus", e) : CH_OK;
}

static ch_code set_int(ch_recipe *r, const char *key, int64_t value, ch_err *e)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return ch_recipe_set(r, key, text, "chorus", e);
}

static ch_code set_device(ch_recipe *r, const chorus_device_opts *o, ch_err *e)
{
    CH_TRY(set_int(r, "threads", o->threads, e));
    CH_TRY(set_text(r, "precision", o->precision, e));
    return set_text(r, "isa", o->isa, e);
}

typedef struct {
    chorus_model *m;
    const char *gguf;
    const chorus_device_opts *o;
} open_args;

static ch_code open_as(chorus_model *m, const char *gguf, const ch_recipe *r, ch_err *e)
{
    CH_TRY(
        ch_device_open(&m->device, (ch_precision)r->precision, (ch_isa)r->isa, (int)r->threads, e));
    ch_code c = ch_model_load(&m->model, gguf, m->device, e);
    if (c != CH_OK)
        ch_device_close(m->device);
    return c;
}

static ch_code do_open(void *ctx, ch_err *e)
{
    open_args *a = ctx;
    ch_recipe r;
    ch_recipe_init(&r);
    ch_code c = set_device(&r, a->o, e);
    if (c == CH_OK)
        c = open_as(a->m, a->gguf, &r, e);
    ch_recipe_release(&r);
    return c;
}

ch_code chorus_open(chorus_model **out, const char *gguf, const chorus_device_opts *o, ch_err *e)
{
    chorus_device_opts def;
    chorus_device_defaults(&def);
    chorus_model m = {0};
    *out = NULL;
    CH_TRY(ch_enter(do_open, &(open_args){&m, gguf, o ? o : &def}, e));
    *out = malloc(sizeof m);
    if (*out) {
        **out = m;
        return CH_OK;
    }
    ch_model_free(m.model);
    ch_device_close(m.device);
    return ch_fail(e, CH_EMEM, "out of memory");
}

void chorus_close(chorus_model *m)
{
    if (!m)
        return;
    ch_model_free(m->model);
    ch_device_close(m->device);
    free(m);
}

const char *chorus_name(const chorus_model *m)
{
    return ch_model_name(m->model);
}

int64_t chorus_n_params(const chorus_model *m)
{
    return ch_model_n_params(m->model);
}

static ch_code generate_defaults(void *ctx, ch_err *e CH_UNUSED)
{
    ch_recipe r;
    number_defaults(&r, (const char *const[]){"seed", "generate.max_new", "generate.batch", NULL});
    *(chorus_generate_opts *)ctx = (chorus_generate_opts){.top_p = 1,
                                                          .seed = (uint64_t)r.seed,
                                                          .max_new = r.generate.max_new,
                                                          .batch = r.generate.batch};
    return CH_OK;
}

void chorus_generate_defaults(chorus_generate_opts *o)
{
    enter_surely(generate_defaults, o);
}

static ch_code make_request(ch_request *q, ch_seq *s, const chorus_model *m, const char *prompt,
                            int64_t i, const chorus_generate_opts *o, ch_err *e)
{
    char row[32];
    snprintf(row, sizeof row, "prompt %lld", (long long)i);
    CH_TRY(ch_seq_make(s, m->model, prompt, NULL, 0, row, e));
    if (o->max_new > ch_model_dims(m->model)->n_ctx - s->n)
        return ch_fail(e, CH_ELONG,
                       "%s: %lld tokens and an answer of %lld do not fit into the context of %lld",
                       row, (long long)s->n, (long long)o->max_new,
                       (long long)ch_model_dims(m->model)->n_ctx);
    *q = (ch_request){.ids = s->ids,
                      .n = s->n,
                      .how = {.temperature = o->temperature,
                              .top_k = o->top_k,
                              .top_p = o->top_p,
                              .seed = o->seed,
                              .stream = ch_stream(CH_USE_ANSWERS, (uint64_t)i),
                              .max_new = o->max_new}};
    return CH_OK;
}

typedef struct {
    const chorus_model *m;
    const char *const *prompts;
    int64_t n;
    const chorus_generate_opts *o;
    chorus_answer *out;
} generate_args;

static ch_code do_generate(void *ctx, ch_err *e)
{
    const generate_args *a = ctx;
    int64_t n = a->n;
    ch_seq *seqs = ch_new((size_t)n, sizeof *seqs);
    ch_request *q = ch_new((size_t)n, sizeof *q);
    ch_answer *y = ch_new((size_t)n, sizeof *y);
    ch_code c = CH_OK;
    for (int64_t i = 0; c == CH_OK && i < n; i++)
        c = make_request(&q[i], &seqs[i], a->m, a->prompts[i], i, a->o, e);
    ch_gen_opts how = {.batch = a->o->batch, .what = "answers"};
    if (c == CH_OK)
        c = ch_generate(a->m->model, q, n, &how, y, NULL, e);
    for (int64_t i = 0; i < n; i++) {
        if (c == CH_OK)
            a->out[i] = (chorus_answer){ch_dup(y[i].text), y[i].stopped, y[i].n, y[i].logp};
        ch_answer_release(&y[i]);
        ch_seq_release(&seqs[i]);
    }
    free(seqs);
    free(q);
    free(y);
    return c;
}

ch_code chorus_generate(chorus_model *m, const char *const *prompts, int64_t n,
                        const chorus_generate_opts *o, chorus_answer *out, ch_err *e)
{
    chorus_generate_opts def;
    chorus_generate_defaults(&def);
    o = o ? o : &def;
    int64_t room = n < 0 || n > INT32_MAX ? 0 : n;
    memset(out, 0, (size_t)room * sizeof *out);
    if (!room || o->max_new < 1)
        return ch_fail(e, CH_EUSER,
                       "chorus_generate: %lld prompts and max_new %lld, 1 or more of both are "
                       "wanted, and at most %d prompts",
                       (long long)n, (long long)o->max_new, INT32_MAX);
    ch_code c = ch_enter(do_generate, &(generate_args){m, prompts, n, o, out}, e);
    if (c != CH_OK) {
        chorus_answers_release(out, n);
        memset(out, 0, (size_t)n * sizeof *out);
    }
    return c;
}

void chorus_answers_release(chorus_answer *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        free(a[i].text);
}

static ch_code measure_defaults(void *ctx, ch_err *e CH_UNUSED)
{
    ch_recipe r;
    number_defaults(&r, (const char *const[]){"seed", "generate.max_new", "generate.batch",
                                              "measure.resamples", NULL});
    *(chorus_measure_opts *)ctx = (chorus_measure_opts){.max_new = r.generate.max_new,
                                                        .batch = r.generate.batch,
                                                        .sim = "auto",
                                                        .resamples = r.measure.resamples,
                                                        .seed = (uint64_t)r.seed};
    return CH_OK;
}

void chorus_measure_defaults(chorus_measure_opts *o)
{
    enter_surely(measure_defaults, o);
}

static ch_code measure_recipe(ch_recipe *r, const char *tasks, const chorus_measure_opts *o,
                              ch_err *e)
{
    CH_TRY(set_text(r, "data.tasks", tasks, e));
    CH_TRY(set_text(r, "data.wordings", o->wordings, e));
    CH_TRY(set_int(r, "data.max_items", o->max_items, e));
    CH_TRY(set_int(r, "generate.max_new", o->max_new, e));
    CH_TRY(set_int(r, "generate.batch", o->batch, e));
    CH_TRY(set_text(r, "generate.decode", o->decode, e));
    CH_TRY(set_text(r, "measure.sim", o->sim, e));
    CH_TRY(set_text(r, "measure.judge", o->judge, e));
    CH_TRY(set_int(r, "measure.resamples", o->resamples, e));
    return set_int(r, "seed", (int64_t)o->seed, e);
}

static chorus_stat stat_of(const ch_measure *m, int metric)
{
    return (chorus_stat){m->all[metric].value, m->all[metric].low, m->all[metric].high};
}

static void copy_measures(chorus_measures *out, const ch_measure *m)
{
    *out = (chorus_measures){.cr = stat_of(m, CH_M_CR),
                             .mcr = stat_of(m, CH_M_MCR),
                             .accuracy = stat_of(m, CH_M_ACC),
                             .worst = stat_of(m, CH_M_WORST),
                             .best = stat_of(m, CH_M_BEST),
                             .all_correct = stat_of(m, CH_M_ALL_CORRECT),
                             .rouge1 = stat_of(m, CH_M_ROUGE1),
                             .rougeL = stat_of(m, CH_M_ROUGEL),
                             .n_tasks = m->n_tasks,
                             .n_inputs = m->n_cases,
                             .n_wordings = m->n_wordings,
                             .most_wordings = m->most_wordings,
                             .empty = stat_of(m, CH_M_EMPTY),
                             .collapsed = m->collapsed};
    snprintf(out->alarm, sizeof out->alarm, "%s", m->alarm);
}

typedef struct {
    const chorus_model *m;
    const char *tasks;
    const chorus_measure_opts *o;
    chorus_measures *out;
} measure_args;

static ch_code check_answers(const measure_args *a, ch_err *e)
{
    const char *const all[] = {a->tasks, ch_model_path(a->m->model), a->o->wordings, a->o->judge};
    const char *inputs[5] = {NULL};
    for (int i = 0, n = 0; i < 4; i++)
        if (all[i])
            inputs[n++] = all[i];
    return a->o->answers ? ch_out_check(a->o->answers, inputs, e) : CH_OK;
}

static ch_code do_measure(void *ctx, ch_err *e)
{
    const measure_args *a = ctx;
    ch_recipe r;
    ch_measured *x = NULL;
    CH_TRY(check_answers(a, e));
    ch_recipe_init(&r);
    ch_code c = measure_recipe(&r, a->tasks, a->o, e);
    if (c == CH_OK)
        c = ch_measure_model(&x, &r, a->m->device, a->m->model, a->o->answers, e);
    if (c == CH_OK)
        copy_measures(a->out, &ch_measured_data(x)->arms[0].measure);
    ch_measured_free(x);
    ch_recipe_release(&r);
    return c;
}

ch_code chorus_measure(chorus_model *m, const char *tasks, const chorus_measure_opts *o,
                       chorus_measures *out, ch_err *e)
{
    chorus_measure_opts def;
    chorus_measure_defaults(&def);
    *out = (chorus_measures){0};
    return ch_enter(do_measure, &(measure_args){m, tasks, o ? o : &def, out}, e);
}

static ch_code train_defaults(void *ctx, ch_err *e CH_UNUSED)
{
    ch_recipe r;
    chorus_train_opts *o = ctx;
    number_defaults(&r,
                    (const char *const[]){"seed", "train.steps", "train.batch", "train.lr", NULL});
    *o = (chorus_train_opts){.objective = "sft",
                             .steps = r.train.steps,
                             .batch = r.train.batch,
                             .lr = r.train.lr,
                             .save = "f32",
                             .seed = (uint64_t)r.seed};
    chorus_device_defaults(&o->device);
    return CH_OK;
}

void chorus_train_defaults(chorus_train_opts *o)
{
    enter_surely(train_defaults, o);
}

static ch_code train_recipe(ch_recipe *r, const char *gguf, const char *tasks, const char *out,
                            const chorus_train_opts *o, ch_err *e)
{
    char *lr = ch_number_text(o->lr);
    ch_code c = set_text(r, "train.lr", lr, e);
    free(lr);
    CH_TRY(c);
    CH_TRY(set_text(r, "model", gguf, e));
    CH_TRY(set_text(r, "data.tasks", tasks, e));
    CH_TRY(set_text(r, "run", out, e));
    CH_TRY(set_text(r, "data.wordings", o->wordings, e));
    CH_TRY(set_int(r, "train.steps", o->steps, e));
    CH_TRY(set_int(r, "train.batch", o->batch, e));
    CH_TRY(set_text(r, "train.sampling", o->sampling, e));
    CH_TRY(set_text(r, "save", o->save, e));
    CH_TRY(set_int(r, "seed", (int64_t)o->seed, e));
    CH_TRY(set_device(r, &o->device, e));
    return ch_recipe_train_only(r, o->objective, !o->plain, "chorus_train", e);
}

typedef struct {
    const char *gguf, *tasks, *out;
    const chorus_train_opts *o;
    char **path;
} train_args;

static ch_code do_train(void *ctx, ch_err *e)
{
    const train_args *a = ctx;
    ch_recipe r;
    ch_recipe_init(&r);
    ch_run_opts how = {.train_only = 1};
    ch_code c = train_recipe(&r, a->gguf, a->tasks, a->out, a->o, e);
    if (c == CH_OK)
        c = ch_run(&r, &how, e);
    if (c == CH_OK && a->path)
        *a->path = ch_fmt("%s/%s/model.gguf", a->out, a->o->objective);
    ch_recipe_release(&r);
    return c;
}

ch_code chorus_train(const char *gguf, const char *tasks, const char *out,
                     const chorus_train_opts *o, char **path, ch_err *e)
{
    chorus_train_opts def;
    chorus_train_defaults(&def);
    if (path)
        *path = NULL;
    return ch_enter(do_train, &(train_args){gguf, tasks, out, o ? o : &def, path}, e);
}

typedef struct {
    const char *recipe;
} run_args;

static ch_code run_and_report(const ch_recipe *r, ch_err *e)
{
    ch_seen seen = {0};
    ch_run_opts how = {.seen = &seen};
    ch_found *f = NULL;
    ch_code c = ch_run(r, &how, e);
    if (c == CH_OK)
        c = ch_found_report(&f, r->run, &seen, e);
    ch_found_free(f);
    ch_seen_release(&seen);
    return c;
}

static ch_code do_run(void *ctx, ch_err *e)
{
    const run_args *a = ctx;
    ch_recipe r;
    ch_code c = ch_recipe_read(&r, a->recipe, e);
    if (c == CH_OK)
        c = ch_dir_of_recipe(&r, a->recipe, e);
    if (c == CH_OK)
        c = ch_recipe_finish(&r, a->recipe, e);
    if (c == CH_OK)
        c = run_and_report(&r, e);
    ch_recipe_release(&r);
    return c;
}

ch_code chorus_run(const char *recipe, ch_err *e)
{
    return ch_enter(do_run, &(run_args){recipe}, e);
}
