#include "report/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "recipe/recipe.h"
#include "report/belongs.h"
#include "run/run_dir.h"
#include "survey/cases.h"

typedef struct {
    ch_replies replies;
    ch_cases cases;
    ch_measure measure;
    char *path, *same;
    char *sameness; /* who said what is the same, when that belongs to the answers; else NULL */
} side;

static void release_side(side *s)
{
    ch_measure_release(&s->measure);
    ch_cases_release(&s->cases);
    ch_replies_release(&s->replies);
    free(s->path);
    free(s->same);
    free(s->sameness);
}

static ch_code open_side(side *s, const char *where, ch_seen *seen, ch_err *e)
{
    *s = (side){.path = ch_is_dir(where) ? ch_path(where, "answers.jsonl") : ch_dup(where)};
    const char *slash = strrchr(s->path, '/');
    char *dir = slash ? ch_dupn(s->path, (size_t)(slash - s->path)) : ch_dup(".");
    s->same = ch_path(dir, "same.jsonl");
    free(dir);
    if (!ch_exists(s->path))
        return ch_fail(
            e, CH_EUSER,
            "%s: there are no answers; a run directory, an arm of one, or an answers.jsonl "
            "is wanted",
            where);
    CH_TRY(ch_belongs_file(s->path, seen, &s->sameness, e));
    return ch_replies_read(&s->replies, s->path, e);
}

static ch_code measure_side(side *s, int as_in_run, int64_t resamples, uint64_t seed, ch_err *e)
{
    if (as_in_run)
        CH_TRY(ch_cases_read(&s->cases, &s->replies, s->same, e));
    else
        CH_TRY(ch_cases_make(&s->cases, &s->replies, CH_SIM_EXACT, NULL, e));
    return ch_measure_make(&s->measure, s->cases.list, s->cases.n, s->cases.n_tasks, s->cases.names,
                           resamples, seed, e);
}

static ch_code check_pairs(const side *a, const side *b, ch_err *e)
{
    const ch_replies *x = &a->replies, *y = &b->replies;
    if (x->n != y->n || x->n_cases != y->n_cases)
        return ch_fail(e, CH_EUSER,
                       "%s has %lld answers to %lld inputs, %s has %lld to %lld; the same "
                       "questions are wanted",
                       a->path, (long long)x->n, (long long)x->n_cases, b->path, (long long)y->n,
                       (long long)y->n_cases);
    return ch_replies_alike(x, y)
               ? CH_OK
               : ch_fail(e, CH_EUSER,
                         "%s and %s: ask different questions; a paired comparison needs the same "
                         "tasks, inputs and wordings, in the same order",
                         a->path, b->path);
}

/* Sameness by two judges is no paired comparison; then exact match, and *note says why. */
static int same_judges(const side *l, const side *r, char **note)
{
    *note = NULL;
    if (!l->sameness || !r->sameness)
        return 0;
    if (!strcmp(l->sameness, r->sameness))
        return 1;
    *note =
        ch_fmt("what is the same was not said in the same way in A (%s) and B (%s), so both are "
               "compared by exact match",
               l->sameness, r->sameness);
    return 0;
}

static ch_code compare_two(ch_comparison *c, const char *a, const char *b, int64_t resamples,
                           uint64_t seed, ch_seen *seen, ch_err *e)
{
    side l = {0}, r = {0};
    ch_code code = open_side(&l, a, seen, e);
    if (code == CH_OK)
        code = open_side(&r, b, seen, e);
    if (code == CH_OK)
        code = check_pairs(&l, &r, e);
    int as_in_run = code == CH_OK && same_judges(&l, &r, &c->note);
    if (code == CH_OK)
        code = measure_side(&l, as_in_run, resamples, seed, e);
    if (code == CH_OK)
        code = measure_side(&r, as_in_run, resamples, seed, e);
    if (code == CH_OK)
        code = ch_measure_diff(c->diff, l.cases.list, r.cases.list, l.cases.n, l.cases.n_tasks,
                               resamples, seed, e);
    if (code == CH_OK) {
        memcpy(c->left, l.measure.all, sizeof c->left);
        memcpy(c->right, r.measure.all, sizeof c->right);
        c->a = ch_dup(l.path);
        c->b = ch_dup(r.path);
        c->sim = as_in_run ? "as in their runs" : "exact";
        c->n_tasks = l.cases.n_tasks;
        c->n_inputs = l.cases.n;
        c->n_wordings = l.measure.n_wordings;
        c->most_wordings = l.measure.most_wordings;
        c->labelled_a = ch_replies_labelled(&l.replies, NULL);
        c->labelled_b = ch_replies_labelled(&r.replies, NULL);
    }
    release_side(&l);
    release_side(&r);
    return code;
}

static char *arm_dir(const char *run, const char *arm)
{
    char *dir = ch_path(run, arm), *answers = ch_path(dir, "answers.jsonl");
    int there = ch_exists(answers);
    free(answers);
    if (there)
        return dir;
    free(dir);
    return NULL;
}

/* Arms of the same name that both runs have answers of. */
static ch_code compare_runs(ch_comparison **list, int64_t *n, const char *a, const char *b,
                            int64_t resamples, uint64_t seed, ch_seen *seen, ch_err *e)
{
    ch_recipe r;
    char *recipe = ch_path(a, "recipe.yaml");
    ch_code c = ch_recipe_read(&r, recipe, e);
    if (c == CH_OK)
        c = ch_recipe_finish(&r, recipe, e);
    free(recipe);
    *list = ch_new((size_t)r.n_arms + 1, sizeof **list);
    for (int64_t i = 0; c == CH_OK && i < r.n_arms; i++) {
        char *x = arm_dir(a, r.arms[i].name), *y = arm_dir(b, r.arms[i].name);
        if (x && y && (c = compare_two(&(*list)[*n], x, y, resamples, seed, seen, e)) == CH_OK)
            ++*n;
        free(x);
        free(y);
    }
    ch_recipe_release(&r);
    if (c == CH_OK && !*n)
        c = ch_fail(e, CH_EUSER, "%s and %s: have no measured arm of the same name", a, b);
    return c;
}

ch_code ch_compare(ch_comparison **list, int64_t *n, const char *a, const char *b,
                   int64_t resamples, uint64_t seed, ch_err *e)
{
    *list = NULL;
    *n = 0;
    ch_code c;
    ch_seen seen = {0};
    if (ch_dir_is_run(a) && ch_dir_is_run(b)) {
        c = compare_runs(list, n, a, b, resamples, seed, &seen, e);
    } else {
        *list = ch_new(1, sizeof **list);
        c = compare_two(*list, a, b, resamples, seed, &seen, e);
        *n = c == CH_OK;
    }
    ch_seen_release(&seen);
    if (c != CH_OK) {
        ch_comparisons_free(*list, *n);
        *list = NULL;
        *n = 0;
    }
    return c;
}

void ch_comparisons_free(ch_comparison *list, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        free(list[i].a);
        free(list[i].b);
        free(list[i].note);
    }
    free(list);
}
