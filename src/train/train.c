#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/internal.h"

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
} run;

/* Rows of log.jsonl beyond the step gone on from are of a life that was lost: drop them. */
static ch_code open_log(run *r, ch_err *e)
{
    char *old = NULL;
    ch_str keep = {0};
    if (r->at.step && ch_exists(r->log_path))
        CH_TRY(ch_file_read(r->log_path, &old, NULL, e));
    for (char *line = old, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        long long step;
        if (sscanf(line, "{\"step\": %lld", &step) == 1 && step <= r->at.step)
            ch_str_addn(&keep, line, (size_t)(end + 1 - line));
    }
    free(old);
    ch_code c = ch_file_write(r->log_path, ch_str_get(&keep), keep.n, e);
    ch_str_free(&keep);
    if (c == CH_OK && !(r->log = fopen(r->log_path, "ab")))
        c = ch_fail(e, CH_EIO, "%s: cannot be written", r->log_path);
    return c;
}

static ch_code save(run *r, ch_err *e)
{
    double now = ch_now_s();
    r->at.seconds += now - r->begun_s;
    r->begun_s = r->saved_s = now;
    return ch_state_write(r->state, &r->s, &r->at, r->hash, e);
}

/* Dev loss after update `step`, and best.w when it is the best yet. */
static ch_code evaluate(run *r, ch_err *e)
{
    r->at.last_dev = ch_stepper_dev(&r->s, r->dev);
    if (!isfinite(r->at.last_dev))
        return ch_fail(e, CH_ENUMBER, "the dev loss after step %lld is not a number",
                       (long long)r->at.step);
    if (r->at.best_step && r->at.last_dev >= r->at.best_dev)
        return CH_OK;
    r->at.best_dev = r->at.last_dev;
    r->at.best_step = r->at.step;
    return ch_weights_write(r->best, r->s.m, r->hash, e);
}

static void write_row(run *r, const ch_step_report *p, int with_dev)
{
    fprintf(r->log,
            "{\"step\": %lld, \"loss\": %.6g, \"lr\": %.4g, \"norm\": %.4g, \"tokens\": %lld, "
            "\"rows\": %lld",
            (long long)r->at.step, p->loss, p->lr, p->norm, (long long)p->tokens,
            (long long)p->rows);
    if (with_dev)
        fprintf(r->log, ", \"dev\": %.6g", r->at.last_dev);
    fputs("}\n", r->log);
    fflush(r->log);
}

static ch_code one_step(run *r, ch_progress *bar, ch_err *e)
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
    int dev = r->dev && r->dev->n &&
              (r->at.step == o->steps || (o->eval_every && r->at.step % o->eval_every == 0));
    if (dev)
        CH_TRY(evaluate(r, e));
    write_row(r, &p, dev);
    char note[64];
    snprintf(note, sizeof note, ", loss %.3f", p.loss);
    ch_progress_at(bar, r->at.step, note);
    return CH_OK;
}

static ch_code loop(run *r, ch_err *e)
{
    const ch_train_opts *o = r->o;
    ch_progress bar;
    ch_progress_start(&bar, r->what, "updates", o->steps);
    while (r->at.step < o->steps) {
        CH_TRY(one_step(r, &bar, e));
        int due = o->save_every ? r->at.step % o->save_every == 0
                                : ch_now_s() - r->saved_s > SAVE_SECONDS;
        if (ch_interrupted()) {
            CH_TRY(save(r, e));
            return ch_fail(e, CH_ESTOP,
                           "interrupted after update %lld of %lld; %s holds it, start again "
                           "to go on",
                           (long long)r->at.step, (long long)o->steps, r->state);
        }
        if (due)
            CH_TRY(save(r, e));
    }
    ch_progress_end(&bar);
    return CH_OK;
}

/* The end: best-by-dev is put back into the model when it is not the last, which last.w then keeps.
 */
static ch_code finish(run *r, ch_err *e)
{
    r->at.seconds += ch_now_s() - r->begun_s;
    if (r->at.best_step && r->at.best_step != r->at.step) {
        CH_TRY(ch_weights_write(r->last, r->s.m, r->hash, e));
        CH_TRY(ch_weights_read(r->best, r->s.m, r->hash, e));
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

static ch_code check_opts(const ch_objective *obj, const ch_groups *data, const ch_train_opts *o,
                          ch_err *e)
{
    if (!data->n)
        return ch_fail(e, CH_EEMPTY, "%s: there is nothing to train on", obj->name);
    if (o->steps < 1 || o->batch < 1 || !(o->lr > 0))
        return ch_fail(e, CH_EUSER,
                       "train: steps %lld, batch %lld, lr %g; all three must be above 0",
                       (long long)o->steps, (long long)o->batch, o->lr);
    for (int64_t i = 0; i < data->n; i++)
        for (int64_t k = 0; k < data->list[i].n; k++)
            if (data->list[i].list[k].seq.n_prompt >= data->list[i].list[k].seq.n)
                return ch_fail(e, CH_EUSER, "%s: has no token to learn", data->list[i].row);
    return CH_OK;
}

static ch_code begin(run *r, ch_err *e)
{
    if (ch_exists(r->state)) {
        CH_TRY(ch_state_read(r->state, &r->s, &r->at, r->hash, e));
        ch_log(CH_INFO, "%s: going on after update %lld", r->what, (long long)r->at.step);
    }
    r->begun_s = r->saved_s = ch_now_s();
    return open_log(r, e);
}

ch_code ch_train(ch_model *m, const ch_objective *obj, const ch_groups *data, const ch_groups *dev,
                 const ch_train_opts *o, const char *dir, const char *hash, ch_train_result *res,
                 ch_err *e)
{
    CH_TRY(check_opts(obj, data, o, e));
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
    ch_code c = ch_stepper_init(&r.s, m, obj, data, dev, &fit, e);
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
                             .tokens = r.at.tokens,
                             .rows = r.at.rows,
                             .seconds = r.at.seconds};
    if (r.log)
        fclose(r.log);
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
    ch_code c = ch_stepper_init(&s, m, NULL, dev, NULL, &o, e);
    if (c == CH_OK)
        *loss = ch_stepper_dev(&s, dev);
    ch_stepper_release(&s);
    return c;
}
