/* Reads answers.jsonl. Nothing in the file is believed: numbers are bounded before they index, and
 * the lines of a case must agree with each other. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/intern.h"
#include "measure/measure.h"
#include "survey/replies.h"

enum { ABSENT = -1 };

/* A line: what it says and where it belongs. */
typedef struct {
    ch_reply y;
    int64_t c, w, line; /* c, w: ABSENT in a file without them */
} row;

typedef struct {
    row *list;
    int64_t n, cap;
    const char *path;
    ch_jsonl in;
    ch_err *e;
} rows;

static ch_code read_count(const rows *f, const json_t *v, const char *key, int64_t most,
                          int64_t absent, int64_t *out)
{
    const json_t *x = json_object_get(v, key);
    *out = absent;
    if (!x)
        return CH_OK;
    *out = json_integer_value(x);
    if (json_is_integer(x) && *out >= 0 && *out <= most)
        return CH_OK;
    return ch_fail(f->e, CH_EUSER, "%s: line %lld: \"%s\" must be a whole number 0..%lld", f->path,
                   (long long)f->in.line, key, (long long)most);
}

static ch_code read_texts(const rows *f, const json_t *v, ch_reply *y)
{
    static const char *const keys[] = {"task", "id", "wording", "input", "answer"};
    char **const to[] = {&y->task, &y->id, &y->wording, &y->input, &y->answer};
    for (int k = 0; k < 5; k++) {
        const char *s = json_string_value(json_object_get(v, keys[k]));
        if (!s)
            return ch_fail(f->e, CH_EUSER,
                           "%s: line %lld: no text \"%s\"; a line of answers.jsonl has it", f->path,
                           (long long)f->in.line, keys[k]);
        *to[k] = ch_dup(s);
    }
    const json_t *gold = json_object_get(v, "gold");
    y->gold = ch_new(json_array_size(gold) + 1, sizeof *y->gold);
    for (size_t g = 0; g < json_array_size(gold); g++) {
        const char *s = json_string_value(json_array_get(gold, g));
        if (!s)
            break;
        y->gold[y->n_gold++] = ch_dup(s);
    }
    if (!y->n_gold || y->n_gold != (int64_t)json_array_size(gold))
        return ch_fail(f->e, CH_EUSER, "%s: line %lld: \"gold\" must be a list of texts", f->path,
                       (long long)f->in.line);
    return CH_OK;
}

static ch_code read_row(const rows *f, const json_t *v, row *r)
{
    const char *decode = json_string_value(json_object_get(v, "decode"));
    int64_t n_tokens;
    CH_TRY(read_texts(f, v, &r->y));
    CH_TRY(read_count(f, v, "case", INT_MAX, ABSENT, &r->c));
    CH_TRY(read_count(f, v, "w", CH_WORDINGS_MOST - 1, ABSENT, &r->w));
    CH_TRY(read_count(f, v, "wording_index", INT_MAX, 0, &r->y.wording_index));
    CH_TRY(read_count(f, v, "n_tokens", INT_MAX, 0, &n_tokens));
    if ((r->c == ABSENT) != (r->w == ABSENT) ||
        (f->n && (r->c == ABSENT) != (f->list[0].c == ABSENT)))
        return ch_fail(f->e, CH_EUSER,
                       "%s: line %lld: has %s number; every line has its case and its w, or none "
                       "has either",
                       f->path, (long long)f->in.line,
                       r->c == ABSENT   ? "no \"case\""
                       : r->w == ABSENT ? "no \"w\""
                                        : "a \"case\", unlike the lines before, and \"w\"");
    r->line = f->in.line;
    r->y.n_tokens = (int)n_tokens;
    r->y.closed = json_is_true(json_object_get(v, "closed"));
    r->y.labelled = decode && !strcmp(decode, "labels");
    r->y.stopped = json_is_true(json_object_get(v, "stopped"));
    r->y.exact = ch_exact(r->y.answer, (const char *const *)r->y.gold, r->y.n_gold);
    return CH_OK;
}

static ch_code read_lines(rows *f)
{
    for (json_t *v;;) {
        CH_TRY(ch_jsonl_next(&f->in, &v, f->e));
        if (!v)
            break;
        row r = {0};
        ch_code c = read_row(f, v, &r);
        json_decref(v);
        if (c != CH_OK) {
            ch_reply_release(&r.y);
            return c;
        }
        *CH_PUSH(f->list, f->n, f->cap) = r;
    }
    return f->n ? CH_OK : ch_fail(f->e, CH_EUSER, "%s: holds no answer", f->path);
}

/* ------------------------------------------------------------------ cases */

static int same_question(const ch_reply *a, const ch_reply *b)
{
    return !strcmp(a->id, b->id) && !strcmp(a->input, b->input) && !strcmp(a->task, b->task);
}

/* Files without case and w: the first run of lines with equal task, id and input tells how wide a
 * case is. */
static ch_code number_rows(rows *f)
{
    int64_t wide = 0;
    while (wide < f->n && same_question(&f->list[wide].y, &f->list[0].y))
        wide++;
    if (wide < 2 || wide > CH_WORDINGS_MOST || f->n % wide)
        return ch_fail(f->e, CH_EUSER,
                       "%s: %lld answers in groups of %lld; every input needs the same number, 2 "
                       "to %d, of neighbouring lines",
                       f->path, (long long)f->n, (long long)wide, CH_WORDINGS_MOST);
    for (int64_t i = 0; i < f->n; i++) {
        f->list[i].c = i / wide;
        f->list[i].w = i % wide;
    }
    return CH_OK;
}

static int by_place(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->c != y->c)
        return x->c < y->c ? -1 : 1;
    if (x->w != y->w)
        return x->w < y->w ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* f is sorted: every line follows the one before it without a gap, and no case is too narrow. */
static ch_code check_places(const rows *f)
{
    for (int64_t i = 0; i <= f->n; i++) {
        const row *x = i < f->n ? &f->list[i] : NULL, *was = i ? &f->list[i - 1] : NULL;
        if (x && was && x->c == was->c && x->w == was->w)
            return ch_fail(f->e, CH_EUSER, "%s: lines %lld and %lld are both case %lld, w %lld",
                           f->path, (long long)was->line, (long long)x->line, (long long)x->c,
                           (long long)x->w);
        int goes_on = x && was && x->c == was->c;
        if (was && !goes_on && was->w == 0)
            return ch_fail(f->e, CH_EUSER,
                           "%s: line %lld is all there is of case %lld; an input needs answers "
                           "under at least 2 wordings",
                           f->path, (long long)was->line, (long long)was->c);
        int64_t c = !was ? 0 : goes_on ? was->c : was->c + 1, w = goes_on ? was->w + 1 : 0;
        if (x && (x->c != c || x->w != w))
            return ch_fail(f->e, CH_EUSER,
                           "%s: line %lld is case %lld, w %lld, but no line is case %lld, w %lld",
                           f->path, (long long)x->line, (long long)x->c, (long long)x->w,
                           (long long)c, (long long)w);
    }
    return CH_OK;
}

static int same_gold(const ch_reply *a, const ch_reply *b)
{
    int same = a->n_gold == b->n_gold;
    for (int64_t g = 0; same && g < a->n_gold; g++)
        same = !strcmp(a->gold[g], b->gold[g]);
    return same;
}

/* What x says otherwise than first, the first line of its case, or NULL. id and numbered wordings
 * are not what older files went by. */
static const char *contradiction(const ch_reply *first, const ch_reply *x, int numbered)
{
    if (strcmp(first->task, x->task))
        return "task";
    if (strcmp(first->input, x->input))
        return "input";
    if (numbered && strcmp(first->id, x->id))
        return "id";
    if (!same_gold(first, x))
        return "gold";
    return first->closed != x->closed ? "closed" : first->labelled != x->labelled ? "decode" : NULL;
}

static ch_code check_cases(const rows *f, int numbered)
{
    int64_t first = 0;
    for (int64_t i = 0; i < f->n; i++) {
        first = f->list[i].w ? first : i;
        const char *what = contradiction(&f->list[first].y, &f->list[i].y, numbered);
        if (what)
            return ch_fail(f->e, CH_EUSER,
                           "%s: line %lld belongs to another input than line %lld, which it stands "
                           "with: another \"%s\"",
                           f->path, (long long)f->list[i].line, (long long)f->list[first].line,
                           what);
    }
    return CH_OK;
}

/* list and first of r, from sorted rows; what the rows own goes over. */
static void take_rows(ch_replies *r, rows *f)
{
    int64_t cap = 0, k = 0;
    r->list = ch_new((size_t)f->n, sizeof *r->list);
    for (int64_t i = 0; i < f->n; i++) {
        if (!f->list[i].w)
            *CH_PUSH(r->first, k, cap) = i;
        r->list[r->n++] = f->list[i].y;
    }
    *CH_PUSH(r->first, k, cap) = r->n;
    r->n_cases = k - 1;
    f->n = 0;
}

/* A task's wordings are those of its first case: a worst wording is the worst of something. */
static ch_code check_tasks(const ch_replies *r, int numbered, const char *path, ch_err *e)
{
    ch_intern tasks = {0};
    int64_t *of = ch_new((size_t)r->n_cases, sizeof *of);
    ch_code code = CH_OK;
    for (int64_t c = 0; c < r->n_cases && code == CH_OK; c++) {
        int64_t known = tasks.n, t = ch_intern_add(&tasks, ch_replies_case(r, c)->task);
        if (t == known)
            of[t] = c;
        const ch_reply *x = ch_replies_case(r, of[t]), *y = ch_replies_case(r, c);
        int64_t wide = ch_replies_width(r, c);
        int same = wide == ch_replies_width(r, of[t]) && x->closed == y->closed;
        for (int64_t k = 0; same && numbered && k < wide; k++)
            same = !strcmp(x[k].wording, y[k].wording);
        if (!same)
            code = ch_fail(
                e, CH_EUSER,
                "%s: case %lld has other wordings than case %lld of the same task, \"%.80s\"; "
                "each wording must be asked of each input",
                path, (long long)c, (long long)of[t], y->task);
    }
    ch_intern_free(&tasks);
    free(of);
    return code;
}

static ch_code arrange(ch_replies *r, rows *f)
{
    int numbered = f->list[0].c != ABSENT;
    if (!numbered)
        CH_TRY(number_rows(f));
    qsort(f->list, (size_t)f->n, sizeof *f->list, by_place);
    CH_TRY(check_places(f));
    CH_TRY(check_cases(f, numbered));
    take_rows(r, f);
    return check_tasks(r, numbered, f->path, f->e);
}

ch_code ch_replies_read(ch_replies *r, const char *path, ch_err *e)
{
    rows f = {.path = path, .e = e};
    *r = (ch_replies){0};
    CH_TRY(ch_jsonl_open(&f.in, path, e));
    ch_code c = read_lines(&f);
    ch_jsonl_close(&f.in);
    if (c == CH_OK)
        c = arrange(r, &f);
    for (int64_t i = 0; i < f.n; i++)
        ch_reply_release(&f.list[i].y);
    free(f.list);
    if (c != CH_OK)
        ch_replies_release(r);
    return c;
}
