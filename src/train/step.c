#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tensor/ops.h"
#include "train/step.h"

static int64_t total_tokens(const ch_group *g)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n; i++)
        n += g->list[i].seq.n;
    return n;
}

typedef struct {
    int64_t tokens, members; /* of the largest group */
} largest;

static largest find_largest(largest x, const ch_groups *g)
{
    for (int64_t i = 0; g && i < g->n; i++) {
        int64_t n = total_tokens(g->list + i);
        x.tokens = n > x.tokens ? n : x.tokens;
        x.members = g->list[i].n > x.members ? g->list[i].n : x.members;
    }
    return x;
}

static void layout(ch_stepper *s, int64_t total, ch_arena *a)
{
    s->grads = ch_take(a, (size_t)total, sizeof(float));
    s->m1 = ch_take(a, (size_t)total, sizeof(float));
    s->m2 = ch_take(a, (size_t)total, sizeof(float));
}

static int64_t rows_for(const ch_train_opts *o, largest x)
{
    return x.tokens > o->max_rows ? x.tokens : o->max_rows;
}

ch_code ch_stepper_init(ch_stepper *s, ch_model *m, const ch_objective *obj, const ch_groups *data,
                        const ch_groups *dev, const ch_train_opts *o, ch_err *e)
{
    *s = (ch_stepper){.m = m, .obj = obj, .o = o};
    largest x = find_largest(find_largest((largest){0}, data), dev);
    int64_t rows = rows_for(o, x), total = ch_model_layout(m)->total;
    size_t piece =
        (size_t)(rows + x.members + 1); /* every member has a row of its own, or is a copy */
    size_t members = (size_t)(o->batch * x.members) + piece;
    if (obj) {
        layout(s, total, &s->arena);
        CH_TRY(ch_arena_alloc(&s->arena, "gradients and optimiser states", e));
        layout(s, total, &s->arena);
    }
    CH_TRY(ch_net_new(&s->net, m, CH_NET_TRAIN, rows, 0, e));
    s->batch = ch_new((size_t)o->batch, sizeof *s->batch);
    s->seqs = ch_new(members, sizeof *s->seqs);
    s->member_at = ch_new(members + 1, sizeof *s->member_at);
    s->sum = ch_new(members, sizeof *s->sum);
    s->w = ch_new(members, sizeof *s->w);
    s->count = ch_new(members, sizeof *s->count);
    return CH_OK;
}

void ch_stepper_release(ch_stepper *s)
{
    ch_net_free(s->net);
    ch_forest_release(&s->forest);
    ch_arena_free(&s->arena);
    free(s->batch);
    free(s->seqs);
    free(s->member_at);
    free(s->logp);
    free(s->dlogp);
    free(s->sum);
    free(s->w);
    free(s->count);
    *s = (ch_stepper){0};
}

static int by_first(const void *a, const void *b)
{
    const ch_group *x = *(const ch_group *const *)a, *y = *(const ch_group *const *)b;
    const ch_seq *p = &x->list[0].seq, *q = &y->list[0].seq;
    for (int64_t i = 0; i < p->n && i < q->n; i++)
        if (p->ids[i] != q->ids[i])
            return p->ids[i] < q->ids[i] ? -1 : 1;
    if (p->n != q->n)
        return p->n < q->n ? -1 : 1;
    return strcmp(x->row, y->row);
}

void ch_groups_sort(const ch_group **list, int64_t n)
{
    qsort(list, (size_t)n, sizeof *list, by_first);
}

/* Each sequence adds at most what it does not share with the one before: never less than the true
 * rows. */
int64_t ch_cut(const ch_group *const *list, int64_t from, int64_t n, int64_t max_rows,
               int64_t *rows)
{
    const ch_seq *last = NULL;
    int64_t sum = 0, i = from;
    for (; i < n; i++) {
        int64_t more = 0;
        for (int64_t k = 0; k < list[i]->n; k++) {
            const ch_seq *s = &list[i]->list[k].seq;
            int64_t own = s->n - (last ? ch_seq_common(last, s) : 0);
            more += own > 0 ? own : 1; /* a copy needs no row, but a place among the members */
            last = s;
        }
        if (i > from && sum + more > max_rows)
            break;
        sum += more;
    }
    if (rows)
        *rows = sum;
    return i;
}

/* Builds the forest of groups [a, b) of list; returns the number of members. */
static int64_t plant(ch_stepper *s, const ch_group *const *list, int64_t a, int64_t b)
{
    const ch_dims *z = ch_model_dims(s->m);
    int64_t n = 0;
    for (int64_t i = a; i < b; i++) {
        s->member_at[i - a] = (int32_t)n;
        for (int64_t k = 0; k < list[i]->n; k++)
            s->seqs[n++] = &list[i]->list[k].seq;
    }
    s->member_at[b - a] = (int32_t)n;
    int64_t had = s->forest.cap_targets;
    ch_forest_build(&s->forest, s->seqs, n, z->H, z->G);
    if (s->forest.cap_targets != had) {
        s->logp = ch_grow(s->logp, (size_t)s->forest.cap_targets, sizeof *s->logp);
        s->dlogp = ch_grow(s->dlogp, (size_t)s->forest.cap_targets, sizeof *s->dlogp);
    }
    return n;
}

/* Rows of groups [a, b), all or those with a log P that is not finite, as many as fit. */
static void name_rows(const ch_stepper *s, const ch_group *const *list, int64_t a, int64_t b,
                      int all, char rows[256])
{
    size_t n = 0;
    rows[0] = 0;
    for (int64_t i = a; i < b && n + 48 < 256; i++) {
        int named = all;
        for (int64_t k = 0; !all && k < list[i]->n; k++)
            named |= !isfinite(s->sum[s->member_at[i - a] + k]);
        if (named)
            n += (size_t)snprintf(rows + n, 256 - n, "%s%.40s", n ? ", " : "", list[i]->row);
    }
}

/* Whether sum and count of groups [a, b) can be used. when begins the sentence. */
static ch_code check_sums(const ch_stepper *s, const ch_group *const *list, int64_t a, int64_t b,
                          const char *when, ch_err *e)
{
    char rows[256];
    int fine = 1;
    if (ch_interrupted())
        return ch_fail(e, CH_ESTOP, "%s: interrupted", when);
    for (int64_t i = 0; i < s->member_at[b - a]; i++)
        fine &= isfinite(s->sum[i]) != 0;
    if (fine)
        return CH_OK;
    name_rows(s, list, a, b, 0, rows);
    return ch_fail(e, CH_ENUMBER,
                   "%s: a log P is not a finite number; rows: %s; the model's weights are damaged, "
                   "or a smaller learning rate helps",
                   when, rows);
}

static ch_code forward(ch_stepper *s, const ch_group *const *list, int64_t a, int64_t b,
                       const char *when, ch_err *e)
{
    int64_t n = plant(s, list, a, b);
    ch_net_forward(s->net, &s->forest, s->logp);
    ch_forest_sum(&s->forest, s->logp, n, s->sum, s->count);
    return check_sums(s, list, a, b, when, e);
}

/* Loss of groups [a, b) from sum and count, and its derivative by target in dlogp. */
static double weigh(ch_stepper *s, int64_t a, int64_t b, const ch_update *u)
{
    double loss = 0;
    for (int64_t i = a; i < b; i++) {
        int32_t at = s->member_at[i - a];
        loss += s->obj->loss(s->batch[i], s->sum + at, s->count + at, u, s->w + at);
    }
    for (int64_t i = 0; i < s->forest.n_targets; i++)
        s->dlogp[i] = (float)s->w[s->forest.seq[i]];
    return loss;
}

/* Adds the loss of groups [a, b) to the report; their gradient is written, or added from the second
 * piece on. */
static ch_code piece(ch_stepper *s, int64_t a, int64_t b, const ch_update *u, ch_step_report *r,
                     const char *when, ch_err *e)
{
    if (s->obj->linear) { /* the derivative is known beforehand, and one pass does all */
        int64_t n = plant(s, s->batch, a, b);
        memset(s->logp, 0, (size_t)s->forest.n_targets * sizeof *s->logp);
        ch_forest_sum(&s->forest, s->logp, n, s->sum, s->count);
        weigh(s, a, b, u);
        ch_net_learn(s->net, &s->forest, s->dlogp, s->logp, s->grads, a > 0);
        ch_forest_sum(&s->forest, s->logp, n, s->sum, s->count);
        CH_TRY(check_sums(s, s->batch, a, b, when, e));
        r->loss += weigh(s, a, b, u);
    } else {
        CH_TRY(forward(s, s->batch, a, b, when, e));
        r->loss += weigh(s, a, b, u);
        ch_net_backward(s->net, &s->forest, s->dlogp, s->grads, a > 0);
        if (ch_interrupted())
            return ch_fail(e, CH_ESTOP, "%s: interrupted", when);
    }
    r->tokens += s->forest.n_tokens;
    r->rows += s->forest.n_rows;
    return CH_OK;
}

double ch_learning_rate(const ch_train_opts *o, int64_t step)
{
    double warm = ceil(o->warmup_ratio * (double)o->steps), t = (double)step;
    double low = o->lr * o->min_lr_ratio;
    if (t < warm)
        return o->lr * (t + 1) / warm;
    double span = (double)o->steps - warm;
    return low + (o->lr - low) * 0.5 * (1 + cos(3.14159265358979323846 * (t - warm) / span));
}

static void apply(ch_stepper *s, int64_t step, ch_step_report *r)
{
    const ch_train_opts *o = s->o;
    const ch_layout *at = ch_model_layout(s->m);
    ch_device *d = ch_model_device(s->m);
    const ch_ops *op = ch_device_ops(d);
    float *w = ch_model_weights(s->m);
    double scale = o->clip > 0 && r->norm > o->clip ? o->clip / r->norm : 1;
    ch_adam a = {.lr = (float)r->lr,
                 .beta1 = (float)o->beta1,
                 .beta2 = (float)o->beta2,
                 .eps = (float)o->eps,
                 .scale = (float)scale,
                 .correct1 = (float)(1 - pow(o->beta1, (double)step + 1)),
                 .correct2 = (float)(1 - pow(o->beta2, (double)step + 1))};
    for (int64_t i = 0; i < at->n; i++) {
        const ch_param *p = at->list + i;
        a.decay = p->decay ? (float)o->weight_decay : 0.f;
        op->adamw(d, w + p->at, s->m1 + p->at, s->m2 + p->at, s->grads + p->at, p->rows * p->cols,
                  &a);
    }
    ch_model_touch(s->m);
}

static ch_update whole(const ch_stepper *s)
{
    const ch_train_opts *o = s->o;
    ch_update u = {.n_groups = o->batch, .k = o->constants};
    for (int64_t i = 0; i < o->batch; i++)
        for (int64_t k = 0; k < s->batch[i]->n; k++)
            if (s->batch[i]->list[k].role == CH_ROLE_GOOD)
                u.n_good_tokens += s->batch[i]->list[k].seq.n - s->batch[i]->list[k].seq.n_prompt;
    return u;
}

static ch_code not_a_number(const ch_stepper *s, const ch_step_report *r, const char *when,
                            ch_err *e)
{
    char rows[256];
    name_rows(s, s->batch, 0, s->o->batch, 1, rows);
    return ch_fail(e, CH_ENUMBER,
                   "%s: loss %g, gradient norm %g; rows: %s; a smaller learning rate often helps",
                   when, r->loss, r->norm, rows);
}

ch_code ch_stepper_update(ch_stepper *s, int64_t step, ch_step_report *r, ch_err *e)
{
    char when[64];
    int64_t n = s->o->batch, total = ch_model_layout(s->m)->total;
    ch_device *d = ch_model_device(s->m);
    snprintf(when, sizeof when, "training stopped at step %lld", (long long)step + 1);
    *r = (ch_step_report){.lr = ch_learning_rate(s->o, step)};
    ch_update u = whole(s);
    ch_groups_sort(s->batch, n);
    for (int64_t a = 0, b; a < n; a = b) {
        b = ch_cut(s->batch, a, n, s->o->max_rows, NULL);
        CH_TRY(piece(s, a, b, &u, r, when, e));
    }
    r->norm = sqrt(ch_device_ops(d)->sum_squares(d, s->grads, total));
    if (!isfinite(r->loss) || !isfinite(r->norm))
        return not_a_number(s, r, when, e);
    apply(s, step, r);
    return CH_OK;
}

ch_code ch_stepper_weights(const ch_stepper *s, int64_t step, ch_err *e)
{
    ch_device *d = ch_model_device(s->m);
    const float *w = ch_model_weights(s->m);
    if (isfinite(ch_device_ops(d)->sum_squares(d, w, ch_model_layout(s->m)->total)))
        return CH_OK;
    return ch_fail(e, CH_ENUMBER,
                   "training stopped behind step %lld: a weight is not a finite number; a smaller "
                   "learning rate often helps",
                   (long long)step);
}

static ch_code dev_sum(ch_stepper *s, const ch_group **list, int64_t n, double *sum, double *tokens,
                       ch_err *e)
{
    for (int64_t a = 0, b; a < n; a = b) {
        b = ch_cut(list, a, n, s->o->max_rows, NULL);
        CH_TRY(forward(s, list, a, b, "the dev loss", e));
        for (int64_t i = a; i < b; i++)
            for (int64_t k = 0; k < list[i]->n; k++)
                if (list[i]->list[k].role == CH_ROLE_GOOD) {
                    *sum -= s->sum[s->member_at[i - a] + k];
                    *tokens += (double)s->count[s->member_at[i - a] + k];
                }
    }
    return CH_OK;
}

ch_code ch_stepper_dev(ch_stepper *s, const ch_groups *dev, double *loss, ch_err *e)
{
    const ch_group **list = ch_new((size_t)dev->n + 1, sizeof *list);
    double sum = 0, tokens = 0;
    for (int64_t i = 0; i < dev->n; i++)
        list[i] = dev->list + i;
    ch_groups_sort(list, dev->n);
    ch_code c = dev_sum(s, list, dev->n, &sum, &tokens, e);
    free(list);
    if (c == CH_OK && !(tokens > 0))
        c = ch_fail(e, CH_EEMPTY, "the dev loss: there is no good token to take it from");
    *loss = sum / tokens;
    return c;
}
