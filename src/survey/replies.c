#include "survey/replies.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

int64_t ch_replies_width(const ch_replies *r, int64_t c)
{
    return r->first[c + 1] - r->first[c];
}

const ch_reply *ch_replies_case(const ch_replies *r, int64_t c)
{
    return &r->list[r->first[c]];
}

static json_t *reply_json(const ch_reply *y, int64_t c, int64_t w)
{
    json_t *v = json_object(), *gold = json_array();
    for (int64_t g = 0; g < y->n_gold; g++)
        ch_json_add(gold, ch_json_text(y->gold[g]));
    ch_json_set(v, "task", ch_json_text(y->task));
    ch_json_set(v, "id", ch_json_text(y->id));
    ch_json_set(v, "case", json_integer(c));
    ch_json_set(v, "w", json_integer(w));
    ch_json_set(v, "wording_index", json_integer(y->wording_index));
    ch_json_set(v, "wording", ch_json_text(y->wording));
    ch_json_set(v, "input", ch_json_text(y->input));
    ch_json_set(v, "answer", ch_json_text(y->answer));
    ch_json_set(v, "gold", gold);
    ch_json_set(v, "closed", json_boolean(y->closed));
    ch_json_set(v, "exact", json_boolean(y->exact));
    ch_json_set(v, "stopped", json_boolean(y->stopped));
    ch_json_set(v, "n_tokens", json_integer(y->n_tokens));
    if (y->labelled)
        ch_json_set(v, "decode", ch_json_text("labels"));
    return v;
}

ch_code ch_replies_write(const ch_replies *r, const char *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    for (int64_t c = 0; c < r->n_cases; c++)
        for (int64_t i = r->first[c]; i < r->first[c + 1]; i++)
            ch_json_line(o.f, reply_json(&r->list[i], c, i - r->first[c]));
    return ch_out_commit(&o, e);
}

void ch_reply_release(ch_reply *y)
{
    for (int64_t g = 0; g < y->n_gold; g++)
        free(y->gold[g]);
    free(y->gold);
    free(y->task);
    free(y->id);
    free(y->wording);
    free(y->input);
    free(y->answer);
    *y = (ch_reply){0};
}

void ch_replies_release(ch_replies *r)
{
    for (int64_t i = 0; i < r->n; i++)
        ch_reply_release(&r->list[i]);
    free(r->list);
    free(r->first);
    free(r->dropped);
    *r = (ch_replies){0};
}

int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks)
{
    ch_intern all = {0}, labelled = {0};
    for (int64_t i = 0; i < r->n; i++) {
        ch_intern_add(&all, r->list[i].task);
        if (r->list[i].labelled)
            ch_intern_add(&labelled, r->list[i].task);
    }
    int64_t n = labelled.n;
    if (tasks)
        *tasks = all.n;
    ch_intern_free(&all);
    ch_intern_free(&labelled);
    return n;
}

int ch_replies_alike(const ch_replies *a, const ch_replies *b)
{
    int alike = a->n == b->n && a->n_cases == b->n_cases;
    for (int64_t c = 0; alike && c < a->n_cases; c++)
        alike = a->first[c] == b->first[c];
    for (int64_t i = 0; alike && i < a->n; i++) {
        const ch_reply *x = &a->list[i], *y = &b->list[i];
        alike = !strcmp(x->task, y->task) && !strcmp(x->input, y->input) &&
                !strcmp(x->wording, y->wording);
    }
    return alike;
}

char *ch_dropped_note(int64_t n, const char *dropped)
{
    if (n <= 0)
        return NULL;
    return ch_fmt("%lld inputs did not fit into the model's context and were left out%s%s.",
                  (long long)n, dropped ? ": " : "", dropped ? dropped : "");
}

char *ch_decode_note(const ch_replies *r)
{
    int64_t all, n = ch_replies_labelled(r, &all);
    if (!n)
        return NULL;
    char some[128] = "";
    if (n < all)
        snprintf(some, sizeof some,
                 " in %lld of %lld tasks, and free text in the others, which have no closed set",
                 (long long)n, (long long)all);
    return ch_fmt("The answers are labels%s (generate.decode): of a task's labels the one with the "
                  "highest log P as a whole, summed over its tokens and the end of turn, whatever "
                  "its length. Such figures do not compare with those of free text.",
                  some);
}
