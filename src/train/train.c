#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/sampler.h"
#include "train/state.h"
#include "train/train_log.h"

/* A state is written at least this often when save_every leaves it open. When it is written changes
 * nothing in what is learned. */
static const double SAVE_SECONDS = 300;

typedef struct {
    ch_stepper s;
    const ch_groups *data, *dev;
    const ch_train_opts *o;
    const char *what;
    ch_sampler sampler;
    char *state, *best, *last, *log_path;
    const char *hash;
    FILE *log;
    ch_position at;
    double begun_s, saved_s;
    int64_t saved_step;
} run;

static ch_code save(run *r, ch_err *e)
{
    double now = ch_now_s();
    r->at.seconds += now - r->begun_s;
    r->begun_s = r->saved_s = now;
    r->saved_step = r->at.step;
    return ch_state_write(r->state, &r->s, &r->at, r->hash, e);
}

/* Dev loss after update `step`, and best.w when it is the best yet and to be kept. */
static ch_code evaluate(run *r, ch_err *e)
{
    double dev;
    CH_TRY(ch_stepper_dev(&r->s, r->dev, &dev, e));
    if (!r->at.best_step || dev < r->at.best_dev) {
        if (r->o->keep == CH_KEEP_BEST)
            CH_TRY(ch_weights_write(r->best, r->s.m, r->at.step, r->hash, e));
        r->at.best_dev = dev;
        r->at.best_step = r->at.step;
    }
    r->at.last_dev = dev;
    return CH_OK;
}

/* What follows an update: its dev loss, if there is one, and its row. */
static ch_code follow(run *r, ch_err *e)
{
    const ch_train_opts *o = r->o;
    int dev = r->dev && r->dev->n &&
              (r->at.step == o->steps || (o->eval_every && r->at.step % o->eval_every == 0));
    if (dev)
        CH_TRY(evaluate(r, e));
    CH_TRY(ch_train_log_row(r->log, r->log_path, &r->at, dev, e));
    r->at.row_due = 0;
    return CH_OK;
}

static ch_code one_step(run *r, ch_err *e)
{
    const ch_train_opts *o = r->o;
    int64_t step = r->at.step;
    for (int64_t j = 0; j < o->batch; j++)
        r->s.batch[j] = r->data->list + ch_sampler_at(&r->sampler, step * o->batch + j);
    ch_step_report p;
    CH_TRY(ch_stepper_update(&r->s, step, &p, e));
    r->at.step++;
    r->at.tokens += p.tokens;
    r->at.rows += p.rows;
    r->at.last_loss = p.loss;
    if (!step)
        r->at.first_loss = p.loss;
    r->at.last = p;
    r->at.row_due = 1;
    return follow(r, e);
}

/* The state of the last whole update, and the sentence that says so. */
static ch_code stop(run *r, ch_err *e)
{
    if (r->at.step == r->saved_step && !r->at.row_due)
        return ch_fail(e, CH_ESTOP, "interrupted after update %lld of %lld; start again to go on",
                       (long long)r->at.step, (long long)r->o->steps);
    CH_TRY(save(r, e));
    return ch_fail(e, CH_ESTOP,
                   "interrupted after update %lld of %lld; %s holds it, start again to go on",
                   (long long)r->at.step, (long long)r->o->steps, r->state);
}

/* An update or what follows it, and the state when it is due or the update was stopped. */
static ch_code advance(run *r, ch_err *e)
{
    const ch_train_opts *o = r->o;
    ch_err why = {0};
    ch_code c = r->at.row_due ? follow(r, &why) : one_step(r, &why);
    if (c == CH_ESTOP || (c == CH_OK && ch_interrupted()))
        return stop(r, e);
    if (c != CH_OK)
        return ch_fail(e, c, "%s", why.msg);
    int due =
        o->save_every ? r->at.step % o->save_every == 0 : ch_now_s() - r->saved_s > SAVE_SECONDS;
    return due ? save(r, e) : CH_OK;
}

static ch_code loop(run *r, ch_err *e)
{
    ch_progress bar;
    char note[64];
    ch_progress_start(&bar, r->what, "updates", r->o->steps);
    while (r->at.step < r->o->steps || r->at.row_due) {
        CH_TRY(advance(r, e));
        snprintf(note, sizeof note, ", loss %.3f", r->at.last_loss);
        ch_progress_at(&bar, r->at.step, note);
    }
    ch_progress_end(&bar);
    return ch_stepper_weights(&r->s, r->at.step, e);
}

static int64_t kept_step(const run *r)
{
    return r->o->keep == CH_KEEP_BEST && r->at.best_step ? r->at.best_step : r->at.step;
}

/* The end: an update to be kept that is not the last is put back into the model, and last.w then
 * has the last. */
static ch_code finish(run *r, ch_err *e)
{
    r->at.seconds += ch_now_s() - r->begun_s;
    if (kept_step(r) != r->at.step) {
        CH_TRY(ch_weights_write(r->last, r->s.m, r->at.step, r->hash, e));
        CH_TRY(ch_weights_read(r->best, r->s.m, kept_step(r), r->hash, e));
    }
    return CH_OK;
}

void ch_train_clean(const char *dir)
{
    static const char *const names[] = {"state.ckpt", "best.w"};
    for (int i = 0; i < 2; i++) {
        char *path = ch_path(dir, names[i]);
        unlink(path);
        free(path);
    }
}

static int within(double v, double low, double high)
{
    return v >= low && v <= high; /* not so for NaN */
}

#define CH_BOUNDS(name, def, low, high, what) {#name, o->constants.name, low, high},

/* Rates are computed in float: what rounds to its edge there is out of range, too. */
static ch_code check_rates(const ch_train_opts *o, ch_err *e)
{
    const struct {
        const char *key;
        double v, low, high;
    } list[] = {{"lr", o->lr, 1e-30, 10},
                {"min_lr_ratio", o->min_lr_ratio, 0, 1},
                {"warmup_ratio", o->warmup_ratio, 0, 1},
                {"beta1", o->beta1, 0, 0.999999},
                {"beta2", o->beta2, 0, 0.9999999},
                {"eps", o->eps, 1e-30, 1},
                {"weight_decay", o->weight_decay, 0, 10},
                {"clip", o->clip, 0, 1e9},
                CH_CONSTANTS(CH_BOUNDS)};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!within(list[i].v, list[i].low, list[i].high))
            return ch_fail(e, CH_EUSER, "train: %s is %g, wanted %g to %g", list[i].key, list[i].v,
                           list[i].low, list[i].high);
    return CH_OK;
}

static ch_code check_counts(const ch_train_opts *o, ch_err *e)
{
    const struct {
        const char *key;
        int64_t v, low, high;
    } list[] = {{"steps", o->steps, 1, 1000000000},
                {"batch", o->batch, 1, 1000000},
                {"sampling", o->sampling, CH_DRAW_INDEPENDENT, CH_DRAW_GROUPED},
                {"inputs_per_instruction", o->inputs_per_instruction, 0, 1000000},
                {"keep", o->keep, CH_KEEP_LAST, CH_KEEP_BEST},
                {"eval_every", o->eval_every, 0, 1000000000},
                {"save_every", o->save_every, 0, 1000000000},
                {"max_rows", o->max_rows, 1, 100000000}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i].v < list[i].low || list[i].v > list[i].high)
            return ch_fail(e, CH_EUSER, "train: %s is %lld, wanted %lld to %lld", list[i].key,
                           (long long)list[i].v, (long long)list[i].low, (long long)list[i].high);
    return CH_OK;
}

static ch_code check_groups(const ch_groups *g, ch_err *e)
{
    for (int64_t i = 0; g && i < g->n; i++) {
        if (g->list[i].n < 1)
            return ch_fail(e, CH_EUSER, "%s: has no sequence", g->list[i].row);
        for (int64_t k = 0; k < g->list[i].n; k++)
            if (g->list[i].list[k].seq.n_prompt < 1 ||
                g->list[i].list[k].seq.n_prompt >= g->list[i].list[k].seq.n)
                return ch_fail(e, CH_EUSER, "%s: has no token to learn", g->list[i].row);
    }
    return CH_OK;
}

static ch_code check_opts(const ch_objective *obj, const ch_groups *data, const ch_groups *dev,
                          const ch_train_opts *o, ch_err *e)
{
    if (!data->n)
        return ch_fail(e, CH_EEMPTY, "%s: there is nothing to train on", obj->name);
    CH_TRY(check_counts(o, e));
    CH_TRY(check_rates(o, e));
    CH_TRY(check_groups(data, e));
    return check_groups(dev, e);
}

static ch_code begin(run *r, ch_err *e)
{
    r->at.keep = r->o->keep;
    if (ch_exists(r->state)) {
        CH_TRY(ch_state_read(r->state, &r->s, &r->at, r->hash, e));
        if (r->o->keep == CH_KEEP_BEST && r->at.best_step)
            CH_TRY(ch_weights_check(r->best, &r->s, r->hash, e));
        ch_log(CH_INFO, "%s: going on after update %lld", r->what, (long long)r->at.step);
    }
    r->saved_step = r->at.step;
    r->begun_s = r->saved_s = ch_now_s();
    return ch_train_log_open(&r->log, r->log_path, r->at.step - r->at.row_due, e);
}

ch_code ch_train(ch_model *m, const ch_objective *obj, const ch_groups *data, const ch_groups *dev,
                 const ch_train_opts *o, const char *dir, const char *hash, ch_train_result *res,
                 ch_err *e)
{
    CH_TRY(check_opts(obj, data, dev, o, e));
    CH_TRY(ch_make_dir(dir, e));
    run r = {.data = data, .dev = dev, .o = o, .hash = hash, .sampler = ch_sampler_of(data, o)};
    r.what = o->what ? o->what : obj->name;
    r.state = ch_path(dir, "state.ckpt");
    r.best = ch_path(dir, "best.w");
    r.last = ch_path(dir, "last.w");
    r.log_path = ch_path(dir, "log.jsonl");
    ch_train_opts fit = *o;
    ch_train_load look = ch_train_look(data, dev, o);
    if (look.largest < fit.max_rows)
        fit.max_rows = look.largest; /* the same cuts, and no room for rows that never come */
    ch_code c = ch_interrupted() ? ch_fail(e, CH_ESTOP, "interrupted before the first update")
                                 : ch_stepper_init(&r.s, m, obj, data, dev, &fit, e);
    if (c == CH_OK)
        c = begin(&r, e);
    if (c == CH_OK)
        c = loop(&r, e);
    if (c == CH_OK)
        c = finish(&r, e);
    *res = (ch_train_result){.steps_done = r.at.step,
                             .first_loss = r.at.first_loss,
                             .last_loss = r.at.last_loss,
                             .best_dev = r.at.best_dev,
                             .last_dev = r.at.last_dev,
                             .best_step = r.at.best_step,
                             .kept_step = kept_step(&r),
                             .tokens = r.at.tokens,
                             .rows = r.at.rows,
                             .seconds = r.at.seconds};
    ch_code closed = ch_train_log_close(r.log, r.log_path, e);
    c = c == CH_OK ? closed : c;
    ch_stepper_release(&r.s);
    ch_sampler_release(&r.sampler);
    free(r.state);
    free(r.best);
    free(r.last);
    free(r.log_path);
    return c;
}

ch_code ch_dev_loss(ch_model *m, const ch_groups *dev, int64_t max_rows, double *loss, ch_err *e)
{
    ch_train_opts o = {.batch = 1, .max_rows = max_rows};
    ch_stepper s;
    CH_TRY(check_groups(dev, e));
    ch_code c = ch_stepper_init(&s, m, NULL, dev, NULL, &o, e);
    if (c == CH_OK)
        c = ch_stepper_dev(&s, dev, loss, e);
    ch_stepper_release(&s);
    return c;
}
