/* What training will take, from its draws alone. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/sampler.h"
#include "train/step.h"

/* Sorts list and cuts it as an update does; returns the rows of all pieces. */
static int64_t pieces(const ch_group **list, int64_t n, int64_t max_rows, int64_t *largest)
{
    int64_t sum = 0;
    ch_groups_sort(list, n);
    for (int64_t a = 0, rows; a < n;) {
        a = ch_cut(list, a, n, max_rows, &rows);
        *largest = rows > *largest ? rows : *largest;
        sum += rows;
    }
    return sum;
}

static int by_instruction(const void *a, const void *b)
{
    const ch_group *x = *(const ch_group *const *)a, *y = *(const ch_group *const *)b;
    return (x->instruction > y->instruction) - (x->instruction < y->instruction);
}

static void add_update(ch_train_load *l, const ch_group **list, const ch_train_opts *o)
{
    for (int64_t j = 0; j < o->batch; j++)
        for (int64_t k = 0; k < list[j]->n; k++)
            l->tokens += list[j]->list[k].seq.n;
    qsort(list, (size_t)o->batch, sizeof *list, by_instruction);
    for (int64_t j = 0; j < o->batch; j++)
        l->instructions += j == 0 || by_instruction(&list[j - 1], &list[j]);
    l->rows += pieces(list, o->batch, o->max_rows, &l->largest);
}

ch_train_load ch_train_look(const ch_groups *data, const ch_groups *dev, const ch_train_opts *o)
{
    ch_train_load l = {0};
    int64_t n_dev = dev ? dev->n : 0, most = n_dev > o->batch ? n_dev : o->batch;
    const ch_group **list = ch_new((size_t)most, sizeof *list);
    ch_sampler s = ch_sampler_of(data, o);
    for (int64_t t = 0; data->n && t < o->steps && !ch_interrupted(); t++) {
        for (int64_t j = 0; j < o->batch; j++)
            list[j] = data->list + ch_sampler_at(&s, t * o->batch + j);
        add_update(&l, list, o);
    }
    for (int64_t i = 0; i < n_dev; i++)
        list[i] = dev->list + i;
    if (n_dev)
        l.dev_rows = pieces(list, n_dev, o->max_rows, &l.largest);
    l.dev_rows *= 1 + (o->eval_every ? (o->steps - 1) / o->eval_every : 0);
    ch_sampler_release(&s);
    free(list);
    return l;
}

int64_t ch_train_bytes(const ch_model *m, const ch_train_load *l)
{
    return 3 * 4 * ch_model_layout(m)->total + ch_net_bytes(m, CH_NET_TRAIN, l->largest, 0);
}

ch_code ch_train_time(ch_model *m, const ch_objective *obj, const ch_groups *data,
                      const ch_train_opts *o, int64_t rows, double *seconds, ch_train_load *l,
                      ch_err *e)
{
    ch_train_opts how = *o;
    ch_stepper s;
    ch_step_report r = {0};
    how.steps = 1;
    how.lr = 0; /* the weights stay as they are */
    for (how.batch = 1; how.batch < o->batch; how.batch++)
        if (ch_train_look(data, NULL, &how).rows >= rows)
            break;
    *l = ch_train_look(data, NULL, &how);
    ch_sampler draws = ch_sampler_of(data, &how);
    ch_code c = ch_stepper_init(&s, m, obj, data, NULL, &how, e);
    for (int k = 0; c == CH_OK && k < 2; k++) { /* once to warm up */
        for (int64_t j = 0; j < how.batch; j++)
            s.batch[j] = data->list + ch_sampler_at(&draws, j);
        double t0 = ch_now_s();
        c = ch_stepper_update(&s, 0, &r, e);
        *seconds = ch_now_s() - t0;
    }
    ch_stepper_release(&s);
    ch_sampler_release(&draws);
    return c;
}
