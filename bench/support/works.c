#include "support/works.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* The first n words of a text; new string. */
static char *first_words(const char *text, int64_t n)
{
    const char *p = text;
    for (int64_t k = 0; k < n && *p; k++) {
        while (*p && !isspace((unsigned char)*p))
            p++;
        if (k + 1 < n)
            while (isspace((unsigned char)*p))
                p++;
    }
    return ch_dupn(text, (size_t)(p - text));
}

typedef struct {
    char **list;
    int64_t n, most;
} texts;

/* Takes text over; keeps it when there is room and no equal one. */
static void add_text(texts *t, char *text)
{
    int keep = t->n < t->most && text[0];
    for (int64_t i = 0; keep && i < t->n; i++)
        keep = strcmp(t->list[i], text) != 0;
    if (keep)
        t->list[t->n++] = text;
    else
        free(text);
}

/* The good answer of an input and bad ones, half of them other right answers while there are some,
 * the rest beginnings of wordings. */
static texts answers_of(const ch_task *t, int64_t item, int64_t n)
{
    texts a = {ch_new((size_t)n, sizeof *a.list), 0, n};
    add_text(&a, ch_dup(t->items[item].outputs[0]));
    a.most = 1 + n / 2;
    for (int64_t i = 1; i < t->n_items; i++)
        add_text(&a, ch_dup(t->items[(item + i) % t->n_items].outputs[0]));
    a.most = n;
    for (int64_t i = 0; i < 10 * (t->n_wordings + 1); i++)
        add_text(&a, first_words(ch_task_wording(t, (item + i) % (t->n_wordings + 1)),
                                 3 + (item + i) % 10));
    return a;
}

static ch_code one_group(ch_group *g, const ch_model *m, const ch_recipe *r, const ch_task *t,
                         int64_t item, int64_t wording, int64_t answers, ch_err *e)
{
    texts a = answers_of(t, item, answers);
    char *user = ch_prompt_text(ch_task_wording(t, wording), t->items[item].input);
    g->row = ch_fmt("%s: input %lld, wording %lld", t->name, (long long)item, (long long)wording);
    g->list = ch_new((size_t)a.n, sizeof *g->list);
    ch_code c = CH_OK;
    for (int64_t i = 0; c == CH_OK && i < a.n; i++) {
        c = ch_seq_make(&g->list[i].seq, m, user, a.list[i], r->data.max_len, g->row, e);
        g->list[i].role = i ? CH_ROLE_BAD : CH_ROLE_GOOD;
        g->n += c == CH_OK;
    }
    if (c == CH_OK && a.n < answers)
        c = ch_fail(e, CH_EUSER, "%s: %lld different answers found, %lld wanted", g->row,
                    (long long)a.n, (long long)answers);
    for (int64_t i = 0; i < a.n; i++)
        free(a.list[i]);
    free(a.list);
    free(user);
    return c;
}

ch_code ch_work_cat(ch_groups *g, const ch_model *m, const ch_recipe *r, const ch_split *s,
                    const int64_t *at, int64_t n, int64_t answers, ch_err *e)
{
    *g = (ch_groups){ch_new((size_t)n, sizeof *g->list), n};
    for (int64_t i = 0; i < n; i++) {
        int64_t t = 0, k = at[i];
        while (k >= s->list[t].n_train * s->list[t].n_train_w) {
            k -= s->list[t].n_train * s->list[t].n_train_w;
            t++;
        }
        const ch_share *sh = &s->list[t];
        CH_TRY(one_group(g->list + i, m, r, sh->task, sh->train[k / sh->n_train_w],
                         sh->train_w[k % sh->n_train_w], answers, e));
    }
    return CH_OK;
}

void ch_work_plain(ch_groups *g, const ch_model *m, int64_t n, int64_t tokens, int64_t learned)
{
    ch_rng r = {.seed = 1};
    *g = (ch_groups){ch_new((size_t)n, sizeof *g->list), n};
    for (int64_t i = 0; i < n; i++) {
        ch_member *one = ch_new(1, sizeof *one);
        one->seq =
            (ch_seq){ch_new((size_t)tokens + 1, sizeof(int32_t)), tokens + 1, tokens + 1 - learned};
        for (int64_t k = 0; k <= tokens; k++)
            one->seq.ids[k] = (int32_t)ch_random_below(&r, ch_model_dims(m)->V);
        g->list[i] =
            (ch_group){.list = one, .n = 1, .row = ch_fmt("random text %lld", (long long)i)};
    }
}

ch_code ch_work_prompts(ch_seq **list, int64_t *n, const ch_model *m, const ch_split *s, ch_err *e)
{
    int64_t cap = 0;
    *list = NULL;
    *n = 0;
    for (int64_t t = 0; t < s->n; t++) {
        const ch_share *sh = &s->list[t];
        for (int64_t i = 0; i < sh->n_test * sh->n_test_w; i++) {
            const ch_task *task = sh->task;
            char *user = ch_prompt_text(ch_task_wording(task, sh->test_w[i % sh->n_test_w]),
                                        task->items[sh->test[i / sh->n_test_w]].input);
            ch_seq q = {0};
            ch_code c = ch_seq_make(&q, m, user, NULL, 0, task->name, e);
            free(user);
            CH_TRY(c);
            *CH_PUSH(*list, *n, cap) = q;
        }
    }
    return CH_OK;
}

static json_t *member_json(const ch_seq *s)
{
    json_t *ids = json_array();
    for (int64_t i = 0; i < s->n; i++)
        json_array_append_new(ids, json_integer(s->ids[i]));
    return json_pack("{s:o,s:I}", "ids", ids, "n_prompt", (json_int_t)s->n_prompt);
}

static json_t *update_json(const ch_group *const *batch, int64_t n)
{
    json_t *groups = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_t *members = json_array();
        for (int64_t k = 0; k < batch[i]->n; k++)
            json_array_append_new(members, member_json(&batch[i]->list[k].seq));
        json_array_append_new(groups, json_pack("{s:o}", "members", members));
    }
    return json_pack("{s:o}", "groups", groups);
}

ch_code ch_work_write(const char *path, const char *work, const ch_model *m,
                      const ch_group *const *batch, int64_t updates, int64_t n, ch_err *e)
{
    json_t *list = json_array(), *stops = json_array();
    for (int32_t id = 0; id < ch_model_dims(m)->V; id++)
        if (ch_is_stop(m, id))
            json_array_append_new(stops, json_integer(id));
    for (int64_t u = 0; u < updates; u++)
        json_array_append_new(list, update_json(batch + u * n, n));
    json_t *all = json_pack("{s:s,s:s,s:o,s:o}", "work", work, "model", ch_model_path(m), "stops",
                            stops, "updates", list);
    char *text = json_dumps(all, JSON_COMPACT);
    ch_code c = ch_file_write(path, text, strlen(text), e);
    free(text);
    json_decref(all);
    return c;
}
