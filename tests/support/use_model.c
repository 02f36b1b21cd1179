#include "support/use_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "generate/generate.h"
#include "model/net.h"

static ch_device *device(void)
{
    static ch_device *d; /* one for the process: opening it again and again is slow */
    ch_err e = {0};
    if (!d)
        CH_MUST(ch_device_open(&d, CH_PRECISION_F32, CH_ISA_AUTO, 1, &e) == CH_OK);
    return d;
}

/* OK, or a sentence of one line. */
static int said(ch_code c, const ch_err *e)
{
    CH_MUST(c == e->code && (c == CH_OK || (e->msg[0] && !strchr(e->msg, '\n'))));
    for (const char *s = e->msg; *s; s++)
        CH_MUST((unsigned char)*s >= ' ' && *s != 0x7F);
    return c == CH_OK;
}

static void score(ch_model *m, ch_seq *s)
{
    const ch_dims *z = ch_model_dims(m);
    const ch_seq *one = s;
    ch_forest f = {0};
    ch_net *net = NULL;
    ch_err e = {0};
    ch_forest_build(&f, &one, 1, z->H, z->G);
    if (said(ch_net_new(&net, m, CH_NET_TRAIN, f.n_pad, 0, &e), &e)) {
        float *logp = ch_new((size_t)f.n_targets + 1, sizeof *logp);
        ch_net_forward(net, &f, logp);
        for (int64_t i = 0; i < f.n_targets; i++)
            CH_MUST(!(logp[i] > 1e-3f)); /* a NaN is a damaged weight's right */
        free(logp);
    }
    ch_net_free(net);
    ch_forest_release(&f);
}

static void answer(ch_model *m, const ch_seq *s)
{
    ch_err e = {0};
    ch_answer a = {0};
    ch_request r = {s->ids, s->n, {.top_p = 1, .max_new = 1}};
    if (said(ch_generate(m, &r, 1, NULL, &a, NULL, &e), &e))
        CH_MUST(ch_utf8_valid(a.text, strlen(a.text)));
    ch_answer_release(&a);
}

static void run(ch_model *m)
{
    static const char *const texts[] = {"the spam in it,\n 12\t\xC3\xA9 <s>", "", " a"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ch_seq s = {0};
        ch_err e = {0}, e2 = {0};
        if (said(ch_seq_make(&s, m, texts[i], "in", 64, "a row", &e), &e)) {
            char *back = ch_detokenize(m, s.ids, s.n, 1);
            CH_MUST(ch_utf8_valid(back, strlen(back)) && s.n_prompt >= 1 && s.n_prompt < s.n);
            free(back);
            score(m, &s);
        }
        ch_seq_release(&s);
        if (said(ch_seq_make(&s, m, texts[i], NULL, 64, NULL, &e2), &e2))
            answer(m, &s);
        ch_seq_release(&s);
    }
}

ch_code use_model(const char *path, ch_err *e)
{
    ch_model *m = NULL;
    ch_code c = ch_model_load(&m, path, device(), e);
    CH_MUST((c == CH_OK) == (m != NULL));
    if (said(c, e))
        run(m);
    ch_model_free(m);
    return c;
}
