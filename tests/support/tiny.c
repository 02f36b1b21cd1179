#include "support/tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/weights.h"
#include "support/close.h"
#include "support/files.h"
#include "support/isa.h"

/* float32 little-endian, n_elems of them and not one more. */
static double *read_grad(const char *name, int64_t n_elems)
{
    char *path = source_path(name), *bytes = NULL;
    size_t n = 0;
    ch_err e = {0};
    CHECK_OK(ch_file_read(path, &bytes, &n, &e), &e);
    free(path);
    CHECK_(n == (size_t)n_elems * sizeof(float));
    double *x = ch_new((size_t)n_elems, sizeof *x);
    for (int64_t i = 0; i < n_elems; i++) {
        float f;
        memcpy(&f, bytes + (size_t)i * sizeof f, sizeof f);
        x[i] = (double)f;
    }
    free(bytes);
    return x;
}

static void read_tensors(tiny *t)
{
    json_t *list = json_at(t->json, "tensors");
    t->n_tensors = (int64_t)json_array_size(list);
    CHECK_(t->n_tensors > 0);
    t->tensor = ch_new((size_t)t->n_tensors, sizeof *t->tensor);
    for (int64_t i = 0; i < t->n_tensors; i++) {
        json_t *o = json_array_get(list, (size_t)i);
        const char *name = json_string_value(json_at(o, "name"));
        CHECK_(name != NULL);
        t->tensor[i] = (tiny_tensor){name, json_count_at(o, "at"), json_count_at(o, "rows"),
                                     json_count_at(o, "cols")};
        t->n_elems = t->tensor[i].at + t->tensor[i].rows * t->tensor[i].cols;
    }
}

static void read_sequences(tiny *t)
{
    json_t *list = json_at(t->json, "sequences"), *logp = json_at(t->json, "logp");
    t->n_seqs = (int64_t)json_array_size(list);
    CHECK_(t->n_seqs > 0 && json_array_size(logp) == (size_t)t->n_seqs);
    t->seq = ch_new((size_t)t->n_seqs, sizeof *t->seq);
    t->logp = ch_new((size_t)t->n_seqs, sizeof *t->logp);
    for (int64_t i = 0; i < t->n_seqs; i++) {
        json_t *o = json_array_get(list, (size_t)i);
        ch_seq *s = &t->seq[i];
        double *ids = json_doubles(json_at(o, "ids"), &s->n);
        s->n_prompt = json_count_at(o, "n_prompt");
        s->ids = ch_new((size_t)s->n, sizeof *s->ids);
        for (int64_t k = 0; k < s->n; k++)
            s->ids[k] = (int32_t)ids[k];
        free(ids);
        int64_t n_answer = 0;
        t->logp[i] = json_doubles(json_array_get(logp, (size_t)i), &n_answer);
        CHECK_(n_answer == s->n - s->n_prompt);
    }
}

tiny tiny_read(const char *variant)
{
    tiny t = {0};
    char *name = ch_fmt("tests/data/tiny/%s.json", variant);
    t.json = read_json(name);
    free(name);
    name = ch_fmt("tests/data/tiny/%s.gguf", variant);
    t.gguf = source_path(name);
    free(name);
    read_tensors(&t);
    read_sequences(&t);
    t.loss = json_number_at(t.json, "loss");
    name = ch_fmt("tests/data/tiny/%s.grad", variant);
    t.grad = read_grad(name, t.n_elems);
    free(name);
    if (json_object_get(t.json, "hinge")) {
        name = ch_fmt("tests/data/tiny/%s.hinge.grad", variant);
        t.hinge_grad = read_grad(name, t.n_elems);
        free(name);
    }
    return t;
}

void tiny_release(tiny *t)
{
    for (int64_t i = 0; i < t->n_seqs; i++) {
        free(t->seq[i].ids);
        free(t->logp[i]);
    }
    free(t->seq);
    free(t->logp);
    free(t->tensor);
    free(t->grad);
    free(t->hinge_grad);
    free(t->gguf);
    json_decref(t->json);
    memset(t, 0, sizeof *t);
}

int tiny_grad_close(const char *what, const tiny *t, const ch_model *m, const float *block,
                    const double *want, double tol)
{
    const ch_layout *l = ch_model_layout(m);
    int ok = t->n_tensors > 0 && l->n == t->n_tensors;
    if (!ok)
        fprintf(stderr, "%s: the layout has %lld tensors, the reference %lld\n", what,
                (long long)l->n, (long long)t->n_tensors);
    for (int64_t i = 0; i < t->n_tensors; i++) {
        const tiny_tensor *r = &t->tensor[i];
        const ch_param *p = NULL;
        for (int64_t k = 0; k < l->n && !p; k++)
            if (!strcmp(l->list[k].name, r->name))
                p = &l->list[k];
        char *label = ch_fmt("%s: %s", what, r->name);
        if (!p || p->rows != r->rows || p->cols != r->cols) {
            fprintf(stderr, "%s: not in the layout as (%lld, %lld)\n", label, (long long)r->rows,
                    (long long)r->cols);
            ok = 0;
        } else if (!close_f32(label, block + p->at, want + r->at, r->rows * r->cols, tol)) {
            ok = 0; /* and on: a wrong kernel shows by which tensors are off */
        }
        free(label);
    }
    return ok;
}

void tiny_open(ch_device **d, ch_model **m)
{
    ch_err e = {0};
    char *path = source_path("tests/data/tiny/tiny.gguf");
    CHECK_OK(ch_device_open(d, CH_PRECISION_F32, test_isa(), 2, &e), &e);
    CHECK_OK(ch_model_load(m, path, *d, &e), &e);
    free(path);
}
