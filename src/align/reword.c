/* What a list leaves open is asked for one wording at a time [+]. A small model given a worked
 * example copies it; asked to reword one instruction it often does, and the filter sorts out when
 * it does not. */
#include "align/reword.h"

#include <stdlib.h>
#include <string.h>

#include "align/prompts.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "generate/generate.h"

static const char *const requests[] = {
    "Rewrite the following instruction in your own words. Keep its meaning and reply with the new "
    "instruction only.\n\n{instruction}",
    "Paraphrase this text:\n\n{instruction}",
    "Say the same in other words, as a polite request:\n\n{instruction}",
    "Rephrase this instruction so that it is clear and short:\n\n{instruction}",
};
enum { N_REQUESTS = sizeof requests / sizeof *requests, TRIES = 8 /* for each wording missing */ };
static const double TEMPERATURE = 0.8, TOP_P = 0.95;

char *ch_reword_clean(const char *reply)
{
    char *text = ch_trim(reply), *from = text, *line = strchr(text, '\n');
    if (line && line > text && line[-1] == ':')
        from = line;
    while (*from == '\n' || *from == ' ')
        from++;
    char *blank = strstr(from, "\n\n");
    if (blank)
        *blank = 0;
    size_t n = strlen(from);
    if (n >= 2 && from[0] == '"' && from[n - 1] == '"') {
        from[n - 1] = 0;
        from++;
    }
    char *out = ch_trim(from);
    free(text);
    return out;
}

typedef struct {
    ch_seq seq[N_REQUESTS];
    int64_t max_new;
} prompts;

static ch_code make_prompts(prompts *p, const ch_model *m, const ch_task *task, ch_err *e)
{
    int32_t *ids = NULL;
    int64_t len = 0;
    CH_TRY(ch_tokenize(m, task->instruction, &ids, &len, e));
    free(ids);
    p->max_new = 2 * len + 32;
    if (p->max_new >= ch_model_dims(m)->n_ctx)
        return ch_fail(e, CH_EUSER,
                       "%s: another wording of its instruction may have %lld tokens, the model's "
                       "context holds %lld; use a model with a longer one",
                       task->name, (long long)p->max_new, (long long)ch_model_dims(m)->n_ctx);
    for (int64_t i = 0; i < N_REQUESTS; i++) {
        const ch_slot slot = {"{instruction}", task->instruction};
        char *text = ch_fill(requests[i], &slot, 1);
        ch_code c = ch_seq_make(&p->seq[i], m, text, NULL, ch_model_dims(m)->n_ctx - p->max_new,
                                task->name, e);
        free(text);
        CH_TRY(c);
    }
    return CH_OK;
}

ch_code ch_reword_check(const ch_model *m, const ch_task *task, ch_err *e)
{
    prompts p = {0};
    ch_code c = make_prompts(&p, m, task, e);
    for (int64_t i = 0; i < N_REQUESTS; i++)
        ch_seq_release(&p.seq[i]);
    return c;
}

static void append(ch_wordings *w, const ch_answer *a, int64_t n)
{
    w->list = ch_grow(w->list, (size_t)(w->n + n + 1), sizeof *w->list);
    for (int64_t i = 0; i < n; i++)
        w->list[w->n++] = (ch_wording){ch_reword_clean(a[i].text),
                                       a[i].stopped ? NULL : "cut off by the length limit"};
}

/* The filter judges all again, so that new ones are held against those kept before. */
static void refilter(ch_wordings *w, const ch_task *task, int64_t n)
{
    ch_wordings_filter(w, task);
    for (int64_t i = 0, kept = 0; i < w->n; i++) {
        if (!w->list[i].dropped && ++kept > n) {
            w->list[i].dropped = "more than asked for";
            w->n_kept--;
        }
    }
}

ch_code ch_reword(ch_wordings *w, ch_model *m, const ch_task *task, int64_t n, ch_err *e)
{
    prompts p = {0};
    int64_t k = (n - w->n_kept) * TRIES;
    ch_request *req = ch_new((size_t)k, sizeof *req);
    ch_answer *out = ch_new((size_t)k, sizeof *out);
    ch_code c = make_prompts(&p, m, task, e);
    for (int64_t i = 0; c == CH_OK && i < k; i++) {
        const ch_seq *s = &p.seq[i % N_REQUESTS];
        ch_sampling how = {.temperature = TEMPERATURE,
                           .top_p = TOP_P,
                           .seed = 1,
                           .stream = ch_stream(CH_USE_REWORDINGS, (uint64_t)i),
                           .max_new = p.max_new};
        req[i] = (ch_request){s->ids, s->n, how};
    }
    if (c == CH_OK)
        c = ch_generate(m, req, k, NULL, out, NULL, e);
    if (c == CH_OK) {
        append(w, out, k);
        refilter(w, task, n);
    }
    for (int64_t i = 0; i < k; i++)
        ch_answer_release(out + i);
    for (int64_t i = 0; i < N_REQUESTS; i++)
        ch_seq_release(&p.seq[i]);
    free(req);
    free(out);
    return c;
}
