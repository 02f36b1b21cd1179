/* Candidates and pairs as JSONL that a person can read. */
#include "align/align_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/rewards.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static json_t *candidate_row(const ch_candidate *c, const ch_split *s)
{
    const ch_task *t = s->list[c->task].task;
    json_t *row = json_object();
    ch_json_set(row, "task", ch_json_text(t->name));
    ch_json_set(row, "task_index", json_integer(c->task));
    ch_json_set(row, "item", json_integer(c->item));
    ch_json_set(row, "id", ch_json_text(t->items[c->item].id));
    ch_json_set(row, "wording", json_integer(c->wording));
    ch_json_set(row, "sample", json_integer(c->sample));
    ch_json_set(row, "instruction", ch_json_text(ch_task_wording(t, c->wording)));
    ch_json_set(row, "input", ch_json_text(t->items[c->item].input));
    ch_json_set(row, "gold", ch_json_text(t->items[c->item].outputs[0]));
    ch_json_set(row, "answer", ch_json_text(c->text));
    ch_json_set(row, "ended", json_boolean(c->stopped));
    ch_json_set(row, "logp", ch_json_real(c->logp));
    ch_json_set(row, "vote_type", ch_json_real(c->vote_type));
    ch_json_set(row, "vote_correct", ch_json_real(c->vote_correct));
    ch_json_set(row, "reward",
                c->reward == CH_DISCARD ? ch_json_text("discard") : json_integer(c->reward));
    ch_json_set(row, "why", ch_json_text(c->why ? c->why : ""));
    return row;
}

ch_code ch_candidates_write(const ch_candidates *c, const ch_split *s, const char *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    for (int64_t i = 0; i < c->n; i++)
        ch_json_line(o.f, candidate_row(&c->list[i], s));
    return ch_out_commit(&o, e);
}

/* -- reading -- */

typedef struct {
    const char *path;
    int64_t line;
    const json_t *row;
    ch_err *e;
} reader;

static ch_code wrong(const reader *r, const char *key, const char *wanted)
{
    return ch_fail(r->e, CH_EUSER, "%s:%lld: \"%s\" is missing or not %s; make the file again",
                   r->path, (long long)r->line, key, wanted);
}

/* An index in 0..below-1. */
static ch_code get_index(const reader *r, const char *key, int64_t below, int64_t *out)
{
    const json_t *v = json_object_get(r->row, key);
    if (!json_is_integer(v))
        return wrong(r, key, "a whole number");
    *out = json_integer_value(v);
    if (*out < 0 || *out >= below)
        return ch_fail(r->e, CH_EUSER,
                       "%s:%lld: \"%s\" is %lld, wanted 0 to %lld; was it made from other tasks?",
                       r->path, (long long)r->line, key, (long long)*out, (long long)below - 1);
    return CH_OK;
}

static ch_code get_number(const reader *r, const char *key, double *out)
{
    const json_t *v = json_object_get(r->row, key);
    if (!json_is_number(v) && !json_is_null(v))
        return wrong(r, key, "a number or null");
    *out = json_is_null(v) ? NAN : json_number_value(v);
    return CH_OK;
}

static ch_code get_reward(const reader *r, int *out)
{
    const json_t *v = json_object_get(r->row, "reward");
    int discard = json_is_string(v) && strcmp(json_string_value(v), "discard") == 0;
    int fine = json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= 2;
    if (!discard && !fine)
        return wrong(r, "reward", "2, 1, 0 or \"discard\"");
    *out = discard ? CH_DISCARD : (int)json_integer_value(v);
    return CH_OK;
}

/* The texts that tie a row to its task must be those of the tasks at hand. */
static ch_code same_text(const reader *r, const char *key, const char *want)
{
    const char *got = json_string_value(json_object_get(r->row, key));
    json_t *as_written = ch_json_text(want);
    int same = got && strcmp(got, json_string_value(as_written)) == 0;
    json_decref(as_written);
    if (!same)
        return ch_fail(
            r->e, CH_EUSER,
            "%s:%lld: \"%s\" is \"%.60s\", wanted \"%.60s\"; it was made from other tasks", r->path,
            (long long)r->line, key, got ? got : "(nothing)", want);
    return CH_OK;
}

static ch_code read_row(const reader *r, const ch_split *s, ch_candidate *c)
{
    CH_TRY(get_index(r, "task_index", s->n, &c->task));
    const ch_task *t = s->list[c->task].task;
    CH_TRY(same_text(r, "task", t->name));
    CH_TRY(get_index(r, "item", t->n_items, &c->item));
    CH_TRY(same_text(r, "input", t->items[c->item].input));
    CH_TRY(get_index(r, "wording", t->n_wordings + 1, &c->wording));
    CH_TRY(same_text(r, "instruction", ch_task_wording(t, c->wording)));
    CH_TRY(get_index(r, "sample", INT64_MAX, &c->sample));
    CH_TRY(get_number(r, "logp", &c->logp));
    CH_TRY(get_number(r, "vote_type", &c->vote_type));
    CH_TRY(get_number(r, "vote_correct", &c->vote_correct));
    CH_TRY(get_reward(r, &c->reward));
    const json_t *ended = json_object_get(r->row, "ended");
    const json_t *answer = json_object_get(r->row, "answer");
    const char *why = json_string_value(json_object_get(r->row, "why"));
    if (!json_is_boolean(ended))
        return wrong(r, "ended", "true or false");
    if (!json_is_string(answer))
        return wrong(r, "answer", "a text");
    c->stopped = json_is_true(ended);
    c->why = ch_why_named(why ? why : "");
    c->text = ch_dup(json_string_value(answer));
    return CH_OK;
}

ch_code ch_candidates_read(ch_candidates *c, const ch_split *s, const char *path, ch_err *e)
{
    ch_jsonl f;
    json_t *row;
    int64_t cap = 0;
    ch_code code;
    *c = (ch_candidates){0};
    CH_TRY(ch_jsonl_open(&f, path, e));
    while ((code = ch_jsonl_next(&f, &row, e)) == CH_OK && row) {
        ch_candidate one = {0};
        code = read_row(&(reader){path, f.line, row, e}, s, &one);
        json_decref(row);
        if (code != CH_OK)
            break;
        *CH_PUSH(c->list, c->n, cap) = one;
    }
    ch_jsonl_close(&f);
    if (code == CH_OK && c->n == 0)
        code = ch_fail(e, CH_EEMPTY, "%s: no candidate in it; make the file again", path);
    if (code != CH_OK)
        ch_candidates_release(c);
    return code;
}

/* -- groups -- */

static json_t *answer_text(const ch_model *m, const ch_seq *s)
{
    char *text = ch_detokenize(m, s->ids + s->n_prompt, s->n - s->n_prompt, 0);
    char *trimmed = ch_trim(text);
    json_t *v = ch_json_text(trimmed);
    free(text);
    free(trimmed);
    return v;
}

static json_t *group_row(const ch_group *g, const ch_model *m)
{
    json_t *row = json_object(), *good = json_array(), *bad = json_array();
    const ch_seq *first = &g->list[0].seq;
    char *prompt = ch_detokenize(m, first->ids, first->n_prompt, 1);
    for (int64_t i = 0; i < g->n; i++)
        ch_json_add(g->list[i].role == CH_ROLE_GOOD ? good : bad, answer_text(m, &g->list[i].seq));
    ch_json_set(row, "row", ch_json_text(g->row ? g->row : ""));
    ch_json_set(row, "good", good);
    ch_json_set(row, "bad", bad);
    ch_json_set(row, "prompt", ch_json_text(prompt));
    free(prompt);
    return row;
}

ch_code ch_pairs_write(const ch_groups *g, const ch_model *m, const char *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    for (int64_t i = 0; i < g->n; i++)
        ch_json_line(o.f, group_row(&g->list[i], m));
    return ch_out_commit(&o, e);
}
