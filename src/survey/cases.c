#include "survey/cases.h"

#include <stdlib.h>
#include <string.h>

#include "align/align.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static void borrow(ch_cases *c, const ch_replies *r)
{
    int64_t n_w = r->n_wordings;
    *c = (ch_cases){.n = r->n / n_w};
    c->list = ch_new((size_t)c->n, sizeof *c->list);
    c->task = ch_new((size_t)c->n, sizeof *c->task);
    c->judged = ch_new((size_t)c->n, sizeof *c->judged);
    c->same = ch_new((size_t)(c->n * n_w * n_w), 1);
    c->texts = ch_new((size_t)r->n, sizeof *c->texts);
    c->numbers = ch_new((size_t)r->n, 2 * sizeof *c->numbers);
    for (int64_t i = 0; i < r->n; i++) {
        c->texts[i] = r->list[i].answer;
        c->numbers[i] = r->list[i].stopped;
        c->numbers[r->n + i] = r->list[i].n_tokens;
    }
    for (int64_t k = 0; k < c->n; k++) {
        const ch_reply *y = &r->list[k * n_w];
        if (!k || strcmp(c->task[c->n_tasks - 1], y->task))
            c->task[c->n_tasks++] = y->task;
        c->list[k] = (ch_case){.task = c->n_tasks - 1,
                               .n = n_w,
                               .answers = c->texts + k * n_w,
                               .gold = (const char *const *)y->gold,
                               .n_gold = y->n_gold,
                               .same = c->same + k * n_w * n_w,
                               .stopped = c->numbers + k * n_w,
                               .n_tokens = c->numbers + r->n + k * n_w};
    }
}

void ch_cases_release(ch_cases *c)
{
    free(c->list);
    free(c->task);
    free(c->judged);
    free(c->same);
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
    int64_t n_w = r->n_wordings, n = 0, cap = 0, k, i, j;
    ch_judge_pair *pairs = NULL;
    char **question = ch_new((size_t)c->n, sizeof *question);
    for (k = 0; k < c->n; k++) {
        if (!is_judged(sim, &r->list[k * n_w]))
            continue;
        question[k] = question_of(&r->list[k * n_w]);
        for (i = 0; i < n_w; i++)
            for (j = i + 1; j < n_w; j++)
                *CH_PUSH(pairs, n, cap) =
                    (ch_judge_pair){question[k], c->list[k].answers[i], c->list[k].answers[j]};
    }
    unsigned char *same = ch_new((size_t)n + 1, 1);
    double *margin = ch_new((size_t)n + 1, sizeof *margin);
    ch_code code = n ? ch_judge_same(judge, pairs, n, same, margin, e) : CH_OK;
    int64_t at = 0;
    for (k = 0; code == CH_OK && k < c->n; k++) {
        unsigned char *m = c->same + k * n_w * n_w;
        if (!question[k])
            continue;
        c->judged[c->list[k].task] = 1;
        for (i = 0; i < n_w; i++)
            for (m[i * n_w + i] = 1, j = i + 1; j < n_w; j++)
                m[i * n_w + j] = m[j * n_w + i] = same[at++];
    }
    for (k = 0; k < c->n; k++)
        free(question[k]);
    free(question);
    free(pairs);
    free(same);
    free(margin);
    return code;
}

ch_code ch_cases_make(ch_cases *c, const ch_replies *r, ch_sim sim, ch_model *judge, ch_err *e)
{
    borrow(c, r);
    for (int64_t k = 0; k < c->n; k++)
        if (!is_judged(sim, &r->list[k * r->n_wordings]))
            ch_same_exact(c->list[k].answers, c->list[k].n,
                          c->same + k * r->n_wordings * r->n_wordings);
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
        const ch_reply *y = &r->list[k * r->n_wordings];
        ch_str bits = {0};
        for (int64_t i = 0; i < it->n; i++)
            for (int64_t j = i + 1; j < it->n; j++)
                ch_str_add(&bits, it->same[i * it->n + j] ? "1" : "0");
        json_t *v = json_object();
        json_object_set_new(v, "task", ch_json_text(y->task));
        json_object_set_new(v, "id", ch_json_text(y->id));
        json_object_set_new(v, "sim", json_string(c->judged[it->task] ? "judge" : "exact"));
        json_object_set_new(v, "same", json_string(ch_str_get(&bits)));
        ch_json_line(o.f, v);
        ch_str_free(&bits);
    }
    return ch_out_commit(&o, e);
}

static ch_code read_same_row(ch_cases *c, const ch_replies *r, int64_t k, json_t *v,
                             const char *path, ch_err *e)
{
    int64_t n = r->n_wordings, at = 0;
    const char *task = json_string_value(json_object_get(v, "task"));
    const char *sim = json_string_value(json_object_get(v, "sim"));
    const char *bits = json_string_value(json_object_get(v, "same"));
    if (!task || !sim || !bits || strcmp(task, r->list[k * n].task) ||
        (int64_t)strlen(bits) != n * (n - 1) / 2 || strspn(bits, "01") != strlen(bits))
        return ch_fail(
            e, CH_EUSER,
            "%s: line %lld does not belong to the answers beside it; delete it and run again", path,
            (long long)k + 1);
    unsigned char *m = c->same + k * n * n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = (m[i * n + i] = 1, i + 1); j < n; j++)
            m[i * n + j] = m[j * n + i] = bits[at++] == '1';
    c->judged[c->list[k].task] = !strcmp(sim, "judge");
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
        code = k < c->n ? read_same_row(c, r, k, v, same_path, e)
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
