#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "support/tiny_runs.h"

const char BENCH_HASH[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
trip_wire trip;

void set_up(bench *b, ch_precision p, int threads)
{
    ch_err e = {0};
    b->t = tiny_read("tiny");
    CHECK_(b->t.n_seqs <= 16);
    CHECK_OK(ch_device_open(&b->d, p, test_isa(), threads, &e), &e);
    CHECK_OK(ch_model_load(&b->m, b->t.gguf, b->d, &e), &e);
    for (int64_t i = 0; i < b->t.n_seqs; i++) {
        snprintf(b->row[i], sizeof b->row[i], "row-%d", (int)i);
        b->member[i] = (ch_member){.seq = b->t.seq[i], .role = CH_ROLE_GOOD};
        b->group[i] = (ch_group){&b->member[i], 1, b->row[i], 0};
    }
    b->all = (ch_groups){b->group, b->t.n_seqs};
}

void tear_down(bench *b)
{
    ch_model_free(b->m);
    ch_device_close(b->d);
    tiny_release(&b->t);
}

void reload(bench *b)
{
    ch_err e = {0};
    ch_model_free(b->m);
    CHECK_OK(ch_model_load(&b->m, b->t.gguf, b->d, &e), &e);
}

static ch_train_opts options(const json_t *adamw)
{
    const json_t *o = json_at(adamw, "opts");
    return (ch_train_opts){.steps = json_count_at(o, "steps"),
                           .batch = 3,
                           .lr = json_number_at(o, "lr"),
                           .min_lr_ratio = json_number_at(o, "min_lr_ratio"),
                           .warmup_ratio = json_number_at(o, "warmup_ratio"),
                           .beta1 = json_number_at(o, "beta1"),
                           .beta2 = json_number_at(o, "beta2"),
                           .eps = json_number_at(o, "eps"),
                           .weight_decay = json_number_at(o, "weight_decay"),
                           .clip = json_number_at(o, "clip"),
                           .constants = {.lambda = 1, .beta = 0.1},
                           .max_rows = 512,
                           .seed = 11};
}

ch_train_opts plain_options(const bench *b)
{
    return options(json_at(b->t.json, "adamw"));
}

outcome train(bench *b, const ch_objective *obj, const ch_groups *dev, const ch_train_opts *o,
              const char *dir)
{
    outcome out = {0};
    ch_err e = {0};
    size_t n = (size_t)ch_model_layout(b->m)->total;
    reload(b);
    out.code = ch_train(b->m, obj, &b->all, dev, o, dir, BENCH_HASH, &out.r, &out.e);
    out.weights = ch_new(n, sizeof *out.weights);
    memcpy(out.weights, ch_model_weights(b->m), n * sizeof *out.weights);
    char *path = ch_path(dir, "log.jsonl");
    CHECK_OK(ch_file_read(path, &out.log, &out.n_log, &e), &e);
    free(path);
    return out;
}

void outcome_release(outcome *out)
{
    free(out->weights);
    free(out->log);
}

void check_same(const bench *b, const outcome *got, const outcome *want)
{
    size_t n = (size_t)ch_model_layout(b->m)->total;
    CHECK_OK(got->code, &got->e);
    CHECK_OK(want->code, &want->e);
    CHECK_SAME_BYTES(got->weights, want->weights, n * sizeof *got->weights);
    CHECK_(got->n_log == want->n_log);
    CHECK_SAME_BYTES(got->log, want->log, got->n_log);
    CHECK_(got->r.steps_done == want->r.steps_done && got->r.best_step == want->r.best_step);
    CHECK_(got->r.kept_step == want->r.kept_step);
    CHECK_(got->r.tokens == want->r.tokens && got->r.rows == want->r.rows);
    CHECK_SAME_BYTES(&got->r.last_loss, &want->r.last_loss, sizeof(double));
    CHECK_SAME_BYTES(&got->r.best_dev, &want->r.best_dev, sizeof(double));
}

static double tripping_loss(const ch_group *g, const double *logp, const int64_t *n_tok,
                            const ch_update *u, double *w)
{
    double loss = ch_loss_sft(g, logp, n_tok, u, w);
    if (--trip.calls)
        return loss;
    if (trip.interrupt)
        raise(SIGINT);
    return loss + trip.add;
}

const ch_objective tripping = {.name = "sft", .what = "trips", .loss = tripping_loss};
