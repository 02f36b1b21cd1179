#include "survey/replies.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/measure.h"

static json_t *reply_json(const ch_reply *y)
{
    json_t *v = json_object(), *gold = json_array();
    for (int64_t g = 0; g < y->n_gold; g++)
        json_array_append_new(gold, ch_json_text(y->gold[g]));
    json_object_set_new(v, "task", ch_json_text(y->task));
    json_object_set_new(v, "id", ch_json_text(y->id));
    json_object_set_new(v, "wording_index", json_integer(y->wording_index));
    json_object_set_new(v, "wording", ch_json_text(y->wording));
    json_object_set_new(v, "input", ch_json_text(y->input));
    json_object_set_new(v, "answer", ch_json_text(y->answer));
    json_object_set_new(v, "gold", gold);
    json_object_set_new(v, "closed", json_boolean(y->closed));
    json_object_set_new(v, "exact", json_boolean(y->exact));
    json_object_set_new(v, "stopped", json_boolean(y->stopped));
    json_object_set_new(v, "n_tokens", json_integer(y->n_tokens));
    if (y->labelled)
        json_object_set_new(v, "decode", json_string("labels"));
    return v;
}

ch_code ch_replies_write(const ch_replies *r, const char *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    for (int64_t i = 0; i < r->n; i++)
        ch_json_line(o.f, reply_json(&r->list[i]));
    return ch_out_commit(&o, e);
}

static ch_code read_row(ch_reply *y, json_t *v, const char *path, int64_t row, ch_err *e)
{
    static const char *const keys[] = {"task", "id", "wording", "input", "answer"};
    const char *text[5], *decode = json_string_value(json_object_get(v, "decode"));
    for (int k = 0; k < 5; k++)
        if (!(text[k] = json_string_value(json_object_get(v, keys[k]))))
            return ch_fail(e, CH_EUSER,
                           "%s: line %lld: no text \"%s\"; a line of answers.jsonl has it", path,
                           (long long)row, keys[k]);
    json_t *gold = json_object_get(v, "gold");
    if (!json_array_size(gold))
        return ch_fail(e, CH_EUSER, "%s: line %lld: \"gold\" must be a list of texts", path,
                       (long long)row);
    *y = (ch_reply){.task = ch_dup(text[0]),
                    .id = ch_dup(text[1]),
                    .wording = ch_dup(text[2]),
                    .input = ch_dup(text[3]),
                    .answer = ch_dup(text[4]),
                    .n_gold = (int64_t)json_array_size(gold),
                    .wording_index = json_integer_value(json_object_get(v, "wording_index")),
                    .closed = json_is_true(json_object_get(v, "closed")),
                    .labelled = decode && !strcmp(decode, "labels"),
                    .stopped = json_is_true(json_object_get(v, "stopped")),
                    .n_tokens = (int)json_integer_value(json_object_get(v, "n_tokens"))};
    y->gold = ch_new((size_t)y->n_gold, sizeof *y->gold);
    for (int64_t g = 0; g < y->n_gold; g++) {
        const char *s = json_string_value(json_array_get(gold, (size_t)g));
        y->gold[g] = ch_dup(s ? s : "");
    }
    y->exact = ch_exact(y->answer, (const char *const *)y->gold, y->n_gold);
    return CH_OK;
}

/* Case = a run of lines with equal task and id; all runs must be equally long and hold the same
 * wordings count. */
static ch_code find_cases(ch_replies *r, const char *path, ch_err *e)
{
    int64_t n_w = 0;
    while (n_w < r->n && !strcmp(r->list[n_w].id, r->list[0].id) &&
           !strcmp(r->list[n_w].input, r->list[0].input) &&
           !strcmp(r->list[n_w].task, r->list[0].task))
        n_w++;
    r->n_wordings = n_w;
    if (n_w < 2 || r->n % n_w)
        return ch_fail(
            e, CH_EUSER,
            "%s: %lld answers in groups of %lld; every input needs the same number, at least 2, of "
            "neighbouring lines",
            path, (long long)r->n, (long long)n_w);
    for (int64_t i = 0; i < r->n; i++) {
        const ch_reply *a = &r->list[i - i % n_w], *b = &r->list[i];
        if (strcmp(a->task, b->task) || strcmp(a->input, b->input))
            return ch_fail(
                e, CH_EUSER,
                "%s: line %lld belongs to another input than the %lld lines it stands with", path,
                (long long)i + 1, (long long)n_w);
    }
    return CH_OK;
}

static ch_code read_lines(ch_replies *r, ch_jsonl *f, const char *path, ch_err *e)
{
    int64_t cap = 0;
    for (json_t *v;;) {
        CH_TRY(ch_jsonl_next(f, &v, e));
        if (!v)
            break;
        ch_reply y = {0};
        ch_code c = read_row(&y, v, path, f->line, e);
        json_decref(v);
        CH_TRY(c);
        *CH_PUSH(r->list, r->n, cap) = y;
    }
    if (!r->n)
        return ch_fail(e, CH_EUSER, "%s: holds no answer", path);
    return find_cases(r, path, e);
}

ch_code ch_replies_read(ch_replies *r, const char *path, ch_err *e)
{
    ch_jsonl f;
    *r = (ch_replies){0};
    CH_TRY(ch_jsonl_open(&f, path, e));
    ch_code c = read_lines(r, &f, path, e);
    ch_jsonl_close(&f);
    if (c != CH_OK)
        ch_replies_release(r);
    return c;
}

void ch_replies_release(ch_replies *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        ch_reply *y = &r->list[i];
        for (int64_t g = 0; g < y->n_gold; g++)
            free(y->gold[g]);
        free(y->gold);
        free(y->task);
        free(y->id);
        free(y->wording);
        free(y->input);
        free(y->answer);
    }
    free(r->list);
    *r = (ch_replies){0};
}

int64_t ch_replies_labelled(const ch_replies *r, int64_t *tasks)
{
    int64_t n = 0, all = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (i && !strcmp(r->list[i].task, r->list[i - 1].task))
            continue;
        all++;
        n += r->list[i].labelled != 0;
    }
    if (tasks)
        *tasks = all;
    return n;
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
