#include "chorus.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
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

static ch_code open_model(chorus_model *m, const char *gguf, const ch_recipe *r, ch_err *e)
{
    CH_TRY(
        ch_device_open(&m->device, (ch_precision)r->precision, (ch_isa)r->isa, (int)r->threads, e));
    return ch_model_load(&m->model, gguf, m->device, e);
}

ch_code chorus_open(chorus_model **out, const char *gguf, const chorus_device_opts *o, ch_err *e)
{
    chorus_device_opts def;
    chorus_device_defaults(&def);
    chorus_model *m = ch_new(1, sizeof *m);
    ch_recipe r;
    ch_recipe_init(&r);
    ch_code c = set_device(&r, o ? o : &def, e);
    if (c == CH_OK)
        c = open_model(m, gguf, &r, e);
    ch_recipe_release(&r);
    if (c != CH_OK) {
        chorus_close(m);
        m = NULL;
    }
    *out = m;
    return c;
}

void chorus_close(chorus_model *m)
{
    if (!m)
        return;
    ch_model_free(m->model);
    if (m->device)
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

void chorus_generate_defaults(chorus_generate_opts *o)
{
    ch_recipe r;
    ch_recipe_init(&r);
    *o = (chorus_generate_opts){.top_p = 1,
                                .seed = (uint64_t)r.seed,
                                .max_new = r.generate.max_new,
                                .batch = r.generate.batch};
    ch_recipe_release(&r);
}

static ch_code make_request(ch_request *q, ch_seq *s, const chorus_model *m, const char *prompt,
                            int64_t i, const chorus_generate_opts *o, ch_err *e)
{
    char row[32];
    snprintf(row, sizeof row, "prompt %lld", (long long)i);
    CH_TRY(ch_seq_make(s, m->model, prompt, NULL, 0, row, e));
    if (s->n + o->max_new > ch_model_dims(m->model)->n_ctx)
        return ch_fail(e, CH_EUSER,
                       "%s: %lld tokens and an answer of %lld do not fit into the context of %lld",
                       row, (long long)s->n, (long long)o->max_new,
                       (long long)ch_model_dims(m->model)->n_ctx);
    *q = (ch_request){.ids = s->ids,
                      .n = s->n,
                      .how = {.temperature = o->temperature,
                              .top_k = o->top_k,
                              .top_p = o->top_p,
                              .seed = o->seed,
                              .stream = (uint64_t)i,
                              .max_new = o->max_new}};
    return CH_OK;
}

ch_code chorus_generate(chorus_model *m, const char *const *prompts, int64_t n,
                        const chorus_generate_opts *o, chorus_answer *out, ch_err *e)
{
    chorus_generate_opts def;
    chorus_generate_defaults(&def);
    o = o ? o : &def;
    if (n < 1 || o->max_new < 1)
        return ch_fail(
            e, CH_EUSER,
            "chorus_generate: %lld prompts and max_new %lld, 1 or more of both are wanted",
            (long long)n, (long long)o->max_new);
    ch_seq *seqs = ch_new((size_t)n, sizeof *seqs);
    ch_request *q = ch_new((size_t)n, sizeof *q);
    ch_answer *y = ch_new((size_t)n, sizeof *y);
    ch_code c = CH_OK;
    for (int64_t i = 0; c == CH_OK && i < n; i++)
        c = make_request(&q[i], &seqs[i], m, prompts[i], i, o, e);
    ch_gen_opts how = {.batch = o->batch, .what = "answers"};
    if (c == CH_OK)
        c = ch_generate(m->model, q, n, &how, y, NULL, e);
    for (int64_t i = 0; i < n; i++) {
        if (c == CH_OK)
            out[i] = (chorus_answer){ch_dup(y[i].text), y[i].stopped, y[i].n, y[i].logp};
        ch_answer_release(&y[i]);
        ch_seq_release(&seqs[i]);
    }
    free(seqs);
    free(q);
    free(y);
    return c;
}

void chorus_answers_release(chorus_answer *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        free(a[i].text);
}

void chorus_measure_defaults(chorus_measure_opts *o)
{
    ch_recipe r;
    ch_recipe_init(&r);
    *o = (chorus_measure_opts){.max_new = r.generate.max_new,
                               .batch = r.generate.batch,
                               .sim = "auto",
                               .resamples = r.measure.resamples,
                               .seed = (uint64_t)r.seed};
    ch_recipe_release(&r);
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
                             .collapsed = m->collapsed};
    snprintf(out->alarm, sizeof out->alarm, "%s", m->alarm);
}

ch_code chorus_measure(chorus_model *m, const char *tasks, const chorus_measure_opts *o,
                       chorus_measures *out, ch_err *e)
{
    chorus_measure_opts def;
    chorus_measure_defaults(&def);
    o = o ? o : &def;
    ch_recipe r;
    ch_measured *x = NULL;
    ch_recipe_init(&r);
    ch_code c = measure_recipe(&r, tasks, o, e);
    if (c == CH_OK)
        c = ch_measure_model(&x, &r, m->device, m->model, o->answers, e);
    if (c == CH_OK)
        copy_measures(out, &ch_measured_data(x)->arms[0].measure);
    ch_measured_free(x);
    ch_recipe_release(&r);
    return c;
}

void chorus_train_defaults(chorus_train_opts *o)
{
    ch_recipe r;
    ch_recipe_init(&r);
    *o = (chorus_train_opts){.objective = "sft",
                             .steps = r.train.steps,
                             .batch = r.train.batch,
                             .lr = r.train.lr,
                             .save = "f32",
                             .seed = (uint64_t)r.seed};
    chorus_device_defaults(&o->device);
    ch_recipe_release(&r);
}

static ch_code train_recipe(ch_recipe *r, const char *gguf, const char *tasks, const char *out,
                            const chorus_train_opts *o, ch_err *e)
{
    char lr[40];
    snprintf(lr, sizeof lr, "%.17g", o->lr);
    CH_TRY(set_text(r, "model", gguf, e));
    CH_TRY(set_text(r, "data.tasks", tasks, e));
    CH_TRY(set_text(r, "run", out, e));
    CH_TRY(set_text(r, "data.wordings", o->wordings, e));
    CH_TRY(set_int(r, "train.steps", o->steps, e));
    CH_TRY(set_int(r, "train.batch", o->batch, e));
    CH_TRY(set_text(r, "train.sampling", o->sampling, e));
    CH_TRY(set_text(r, "train.lr", lr, e));
    CH_TRY(set_text(r, "save", o->save, e));
    CH_TRY(set_int(r, "seed", (int64_t)o->seed, e));
    CH_TRY(set_device(r, &o->device, e));
    ch_recipe_add_arm(r, "base", "base model", "none", "base", 0);
    ch_recipe_add_arm(r, o->objective, o->objective, o->objective, "base", !o->plain);
    return ch_recipe_finish(r, "chorus_train", e);
}

ch_code chorus_train(const char *gguf, const char *tasks, const char *out,
                     const chorus_train_opts *o, char **path, ch_err *e)
{
    chorus_train_opts def;
    chorus_train_defaults(&def);
    o = o ? o : &def;
    ch_recipe r;
    ch_recipe_init(&r);
    ch_run_opts how = {.train_only = 1};
    ch_code c = train_recipe(&r, gguf, tasks, out, o, e);
    if (c == CH_OK)
        c = ch_run(&r, &how, e);
    if (c == CH_OK && path)
        *path = ch_fmt("%s/%s/model.gguf", out, o->objective);
    ch_recipe_release(&r);
    return c;
}

ch_code chorus_run(const char *recipe, ch_err *e)
{
    ch_recipe r;
    ch_seen seen = {0};
    ch_run_opts how = {.seen = &seen};
    ch_code c = ch_recipe_read(&r, recipe, e);
    if (c == CH_OK)
        c = ch_dir_of_recipe(&r, recipe, e);
    if (c == CH_OK)
        c = ch_recipe_finish(&r, recipe, e);
    ch_found *f = NULL;
    if (c == CH_OK)
        c = ch_run(&r, &how, e);
    if (c == CH_OK)
        c = ch_found_report(&f, r.run, &seen, e);
    ch_found_free(f);
    ch_seen_release(&seen);
    ch_recipe_release(&r);
    return c;
}
