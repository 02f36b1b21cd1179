#include "survey/cases.h"

#include <stdlib.h>
#include <string.h>

#include "align/judge.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "data/task.h"

/* The task of case k, new when its name was not met yet. */
static int64_t task_of(ch_cases *c, ch_intern *names, const ch_replies *r, int64_t k)
{
    const char *name = ch_replies_case(r, k)->task;
    int64_t t = ch_intern_add(names, name);
    if (t == c->n_tasks) {
        c->task[t] = (ch_case_task){.name = name, .first = k, .n_wordings = ch_replies_width(r, k)};
        c->names[c->n_tasks++] = name;
    }
    c->task[t].n_inputs++;
    return t;
}

static void borrow(ch_cases *c, const ch_replies *r)
{
    ch_intern names = {0};
    size_t size = 0;
    *c = (ch_cases){.n = r->n_cases};
    c->list = ch_new((size_t)c->n, sizeof *c->list);
    c->task = ch_new((size_t)c->n, sizeof *c->task);
    c->names = ch_new((size_t)c->n, sizeof *c->names);
    c->at = ch_new((size_t)c->n, sizeof *c->at);
    c->texts = ch_new((size_t)r->n, sizeof *c->texts);
    c->numbers = ch_new((size_t)r->n, 2 * sizeof *c->numbers);
    for (int64_t i = 0; i < r->n; i++) {
        c->texts[i] = r->list[i].answer;
        c->numbers[i] = r->list[i].stopped;
        c->numbers[r->n + i] = r->list[i].n_tokens;
    }
    for (int64_t k = 0; k < c->n; k++) {
        c->at[k] = size;
        size += (size_t)(ch_replies_width(r, k) * ch_replies_width(r, k));
    }
    c->same = ch_new(size, 1);
    for (int64_t k = 0; k < c->n; k++) {
        const ch_reply *y = ch_replies_case(r, k);
        c->list[k] = (ch_case){.task = task_of(c, &names, r, k),
                               .n = ch_replies_width(r, k),
                               .answers = c->texts + r->first[k],
                               .gold = (const char *const *)y->gold,
                               .n_gold = y->n_gold,
                               .same = c->same + c->at[k],
                               .stopped = c->numbers + r->first[k],
                               .n_tokens = c->numbers + r->n + r->first[k]};
    }
    ch_intern_free(&names);
}

void ch_cases_release(ch_cases *c)
{
    free(c->list);
    free(c->task);
    free(c->names);
    free(c->same);
    free(c->at);
    free(c->texts);
    free(c->numbers);
    *c = (ch_cases){0};
}

static int is_judged(ch_sim sim, const ch_reply *y)
{
    return sim == CH_SIM_JUDGE || (sim == CH_SIM_AUTO && !y->closed);
}

int ch_sim_needs_judge(ch_sim sim, const ch_replies *r)
{
    for (int64_t i = 0; i < r->n; i++)
        if (is_judged(sim, &r->list[i]))
            return 1;
    return 0;
}

static char *question_of(const ch_reply *y)
{
    return ch_prompt_text(y->wording, y->input);
}

/* Fills the matrices of all judged cases with one call, so that the judge shares what prompts have
 * in common. Both answers are shown with the first wording's prompt: the judge compares them, not
 * the wordings. */
static ch_code judge_cases(ch_cases *c, const ch_replies *r, ch_sim sim, ch_model *judge, ch_err *e)
{
    int64_t n = 0, cap = 0, k, i, j;
    ch_judge_pair *pairs = NULL;
    char **question = ch_new((size_t)c->n, sizeof *question);
    for (k = 0; k < c->n; k++) {
        const ch_case *it = &c->list[k];
        if (!is_judged(sim, ch_replies_case(r, k)))
            continue;
        question[k] = question_of(ch_replies_case(r, k));
        for (i = 0; i < it->n; i++)
            for (j = i + 1; j < it->n; j++)
                *CH_PUSH(pairs, n, cap) =
                    (ch_judge_pair){question[k], it->answers[i], it->answers[j]};
    }
    unsigned char *same = ch_new((size_t)n + 1, 1);
    ch_code code = n ? ch_judge_same(judge, pairs, n, same, NULL, e) : CH_OK;
    int64_t at = 0;
    for (k = 0; code == CH_OK && k < c->n; k++) {
        unsigned char *m = c->same + c->at[k];
        int64_t w = c->list[k].n;
        if (!question[k])
            continue;
        c->task[c->list[k].task].judged = 1;
        for (i = 0; i < w; i++)
            for (m[i * w + i] = 1, j = i + 1; j < w; j++)
                m[i * w + j] = m[j * w + i] = same[at++];
    }
    for (k = 0; k < c->n; k++)
        free(question[k]);
    free(question);
    free(pairs);
    free(same);
    return code;
}

static void compare_exactly(ch_cases *c, int64_t k)
{
    ch_same_exact(c->list[k].answers, c->list[k].n, c->same + c->at[k]);
}

ch_code ch_cases_make(ch_cases *c, const ch_replies *r, ch_sim sim, ch_model *judge, ch_err *e)
{
    borrow(c, r);
    for (int64_t k = 0; k < c->n; k++)
        if (!is_judged(sim, ch_replies_case(r, k)))
            compare_exactly(c, k);
    CH_MUST(judge || !ch_sim_needs_judge(sim, r));
    ch_code code = judge_cases(c, r, sim, judge, e);
    if (code != CH_OK)
        ch_cases_release(c);
    return code;
}

ch_code ch_same_write(const ch_cases *c, const ch_replies *r, const char *path, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    for (int64_t k = 0; k < c->n; k++) {
        const ch_case *it = &c->list[k];
        const ch_reply *y = ch_replies_case(r, k);
        ch_str bits = {0};
        for (int64_t i = 0; i < it->n; i++)
            for (int64_t j = i + 1; j < it->n; j++)
                ch_str_add(&bits, it->same[i * it->n + j] ? "1" : "0");
        json_t *v = json_object();
        ch_json_set(v, "task", ch_json_text(y->task));
        ch_json_set(v, "id", ch_json_text(y->id));
        ch_json_set(v, "case", json_integer(k));
        ch_json_set(v, "sim", ch_json_text(c->task[it->task].judged ? "judge" : "exact"));
        ch_json_set(v, "same", ch_json_text(ch_str_get(&bits)));
        ch_json_line(o.f, v);
        ch_str_free(&bits);
    }
    return ch_out_commit(&o, e);
}

/* 1 when v is about case k of the answers; older files have no number. */
static int belongs(const ch_cases *c, const ch_replies *r, int64_t k, const json_t *v)
{
    const json_t *number = json_object_get(v, "case");
    const char *task = json_string_value(json_object_get(v, "task"));
    const char *id = json_string_value(json_object_get(v, "id"));
    const char *bits = json_string_value(json_object_get(v, "same"));
    const ch_reply *y = ch_replies_case(r, k);
    int64_t n = c->list[k].n;
    if (number && (!json_is_integer(number) || json_integer_value(number) != k))
        return 0;
    return task && !strcmp(task, y->task) && id && !strcmp(id, y->id) && bits &&
           (int64_t)strlen(bits) == n * (n - 1) / 2 && strspn(bits, "01") == strlen(bits);
}

static void take_bits(ch_cases *c, int64_t k, const char *bits)
{
    unsigned char *m = c->same + c->at[k];
    int64_t n = c->list[k].n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = (m[i * n + i] = 1, i + 1); j < n; j++)
            m[i * n + j] = m[j * n + i] = *bits++ == '1';
}

static ch_code read_same_row(ch_cases *c, const ch_replies *r, int64_t k, const json_t *v,
                             const ch_jsonl *f, ch_err *e)
{
    const char *sim = json_string_value(json_object_get(v, "sim"));
    int judged = sim && !strcmp(sim, "judge");
    ch_case_task *t = &c->task[c->list[k].task];
    if (!belongs(c, r, k, v) || (!judged && (!sim || strcmp(sim, "exact"))) ||
        (k != t->first && judged != t->judged))
        return ch_fail(
            e, CH_EUSER,
            "%s: line %lld does not belong to the answers beside it; delete it and run again",
            f->path, (long long)f->line);
    t->judged = judged;
    if (judged)
        take_bits(c, k, json_string_value(json_object_get(v, "same")));
    else
        compare_exactly(c, k);
    return CH_OK;
}

ch_code ch_cases_read(ch_cases *c, const ch_replies *r, const char *same_path, ch_err *e)
{
    ch_jsonl f;
    CH_TRY(ch_jsonl_open(&f, same_path, e));
    borrow(c, r);
    int64_t k = 0;
    ch_code code = CH_OK;
    for (json_t *v = NULL; (code = ch_jsonl_next(&f, &v, e)) == CH_OK && v; k++) {
        code = k < c->n ? read_same_row(c, r, k, v, &f, e)
                        : ch_fail(e, CH_EUSER, "%s: line %lld: more lines than the %lld inputs",
                                  same_path, (long long)f.line, (long long)c->n);
        json_decref(v);
        if (code != CH_OK)
            break;
    }
    if (code == CH_OK && k != c->n)
        code = ch_fail(e, CH_EUSER, "%s: has %lld lines for %lld inputs", same_path, (long long)k,
                       (long long)c->n);
    ch_jsonl_close(&f);
    if (code != CH_OK)
        ch_cases_release(c);
    return code;
}
