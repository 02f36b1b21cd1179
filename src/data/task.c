#include "data/task.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "data/read.h"
#include "data/text_file.h"

enum { MAX_LABELS = 64, ITEMS_A_LABEL = 3, LABEL_WORDS = 5, SHORT_WORDS = 2 };

/* ------------------------------------------------------------------ kind */

static int64_t n_words(const char *normalised)
{
    int64_t n = normalised[0] != 0;
    for (; *normalised; normalised++)
        n += *normalised == ' ';
    return n;
}

static int inside_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 128;
}

/* 1 when phrase stands in text and does not begin or end inside one of its words. */
static int holds_phrase(const char *text, const char *phrase)
{
    size_t n = strlen(phrase);
    for (const char *at = text; n && (at = strstr(at, phrase)); at++)
        if ((at == text || !inside_word(at[-1])) && !inside_word(at[n]))
            return 1;
    return 0;
}

ch_kind ch_task_kind(const ch_task *t)
{
    ch_intern seen = {0};
    int64_t longest = 0;
    int plain = 1; /* every answer is a word or two, or stands in its input */
    for (int64_t i = 0; i < t->n_items; i++) {
        const ch_instance *it = &t->items[i];
        char *answer = ch_text_key(it->outputs[0]);
        int64_t n = n_words(answer);
        longest = n > longest ? n : longest;
        if (n > SHORT_WORDS && plain) {
            char *input = ch_text_key(it->input);
            plain = holds_phrase(input, answer);
            free(input);
        }
        ch_intern_add(&seen, answer);
        free(answer);
    }
    int few =
        seen.n <= MAX_LABELS && t->n_items >= ITEMS_A_LABEL * seen.n && longest <= LABEL_WORDS;
    ch_intern_free(&seen);
    return t->n_items && (few || plain) ? CH_KIND_CLOSED : CH_KIND_FREE;
}

typedef struct {
    char *label, *spelled;
} label;

static int by_label(const void *a, const void *b)
{
    return strcmp(((const label *)a)->label, ((const label *)b)->label);
}

/* How often each spelling of the answers comes, and which label it is. */
typedef struct {
    ch_intern labels, texts;
    int64_t *count, *of, cap;
} tally;

static void count_answer(tally *y, const char *answer)
{
    int64_t before = y->texts.n, id = ch_intern_add(&y->texts, answer);
    if (y->texts.n > y->cap) {
        y->cap = y->cap ? 2 * y->cap : 64;
        y->count = ch_grow(y->count, (size_t)y->cap, sizeof *y->count);
        y->of = ch_grow(y->of, (size_t)y->cap, sizeof *y->of);
    }
    if (y->texts.n > before) {
        y->count[id] = 0;
        y->of[id] = ch_intern_key(&y->labels, answer);
    }
    y->count[id]++;
}

static void collect_labels(ch_task *t)
{
    tally y = {0};
    for (int64_t i = 0; i < t->n_items; i++)
        for (int64_t k = 0; k < t->items[i].n_outputs; k++)
            count_answer(&y, t->items[i].outputs[k]);
    int64_t n = t->n_labels = y.labels.n;
    label *list = ch_new((size_t)n, sizeof *list);
    int64_t *most = ch_new((size_t)n, sizeof *most);
    for (int64_t i = 0; i < y.texts.n; i++) {
        int64_t k = y.of[i];
        if (y.count[i] > most[k]) {
            most[k] = y.count[i];
            list[k] = (label){y.labels.text[k], y.texts.text[i]};
        }
    }
    qsort(list, (size_t)n, sizeof *list, by_label);
    int is_set = n <= MAX_LABELS && t->n_items >= ITEMS_A_LABEL * n;
    t->labels = ch_new((size_t)n, sizeof *t->labels);
    t->spelled = is_set ? ch_new((size_t)n, sizeof *t->spelled) : NULL;
    for (int64_t k = 0; k < n; k++) {
        t->labels[k] = ch_dup(list[k].label);
        if (is_set)
            t->spelled[k] = ch_dup(list[k].spelled);
    }
    ch_intern_free(&y.labels);
    ch_intern_free(&y.texts);
    free(y.count);
    free(y.of);
    free(list);
    free(most);
}

int ch_task_has_set(const ch_task *t)
{
    return t->spelled != NULL;
}

/* ------------------------------------------------------------------ one task */

static void free_instance(ch_instance *it)
{
    free(it->id);
    free(it->input);
    for (int64_t k = 0; k < it->n_outputs; k++)
        free(it->outputs[k]);
    free(it->outputs);
}

static void free_task(ch_task *t)
{
    for (int64_t i = 0; i < t->n_items; i++)
        free_instance(&t->items[i]);
    for (int64_t i = 0; i < t->n_wordings; i++)
        free(t->wordings[i]);
    for (int64_t i = 0; i < t->n_labels; i++)
        free(t->labels[i]);
    for (int64_t i = 0; t->spelled && i < t->n_labels; i++)
        free(t->spelled[i]);
    free(t->spelled);
    free(t->items);
    free(t->wordings);
    free(t->labels);
    free(t->name);
    free(t->path);
    free(t->instruction);
    *t = (ch_task){0};
}

static void trim_in_place(char **s)
{
    char *raw = *s;
    *s = ch_trim(raw);
    free(raw);
}

/* Moves the wordings that differ from the instruction and from each other into the task. */
static void keep_wordings(ch_task *t, ch_texts *w)
{
    ch_intern seen = {0};
    ch_intern_key(&seen, t->instruction);
    t->wordings = ch_new((size_t)w->n + 1, sizeof *t->wordings);
    for (int64_t i = 0; i < w->n; i++) {
        int64_t before = seen.n;
        trim_in_place(&w->s[i]);
        ch_intern_key(&seen, w->s[i]);
        if (seen.n > before) {
            t->wordings[t->n_wordings++] = w->s[i];
        } else {
            t->n_dropped_wordings++;
            free(w->s[i]);
        }
    }
    w->n = 0;
    ch_intern_free(&seen);
}

static void add_side(const ch_task *t, ch_texts *w, const ch_side *side)
{
    const char *slash = strrchr(t->path, '/'), *file = slash ? slash + 1 : t->path;
    for (int64_t k = 0; k < side->keys.n; k++) {
        if (strcmp(side->keys.s[k], file) && strcmp(side->keys.s[k], t->name))
            continue;
        side->hit[k] = 1;
        for (int64_t i = 0; i < side->lists[k].n; i++)
            *CH_PUSH(w->s, w->n, w->cap) = ch_dup(side->lists[k].s[i]);
    }
}

/* Kind and labels are settled on all instances, before max_items cuts them: twenty instances rarely
 * show that a task has fifty labels. */
static void finish(ch_task *t, ch_texts *w, int64_t max_items)
{
    trim_in_place(&t->instruction);
    keep_wordings(t, w);
    if (t->kind == CH_KIND_AUTO)
        t->kind = ch_task_kind(t);
    if (t->kind == CH_KIND_CLOSED)
        collect_labels(t);
    for (int64_t i = 0; i < t->n_items; i++)
        if (!t->items[i].id)
            t->items[i].id = ch_fmt("%s-%lld", t->name, (long long)i + 1);
    while (max_items > 0 && t->n_items > max_items)
        free_instance(&t->items[--t->n_items]);
}

static int ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

/* The forms of task files. A new one is a row here and its reader, declared in read.h. */
typedef struct {
    const char *ending;
    ch_code (*read)(ch_task *t, ch_texts *w, ch_err *e);
    const char *wordings; /* the key under which it keeps them */
} form;
static const form forms[] = {
    {".json", ch_read_sni, "Paraphrases"},
    {".jsonl", ch_read_jsonl, "wordings"},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

static const form *form_of(const char *file)
{
    for (int i = 0; i < N_FORMS; i++)
        if (ends_in(file, forms[i].ending))
            return &forms[i];
    return NULL;
}

/* ".json or .jsonl", each with before in front; new string. */
static char *endings(const char *before)
{
    ch_str b = {0};
    for (int i = 0; i < N_FORMS; i++)
        ch_str_addf(&b, "%s%s%s", i ? " or " : "", before, forms[i].ending);
    return ch_str_take(&b);
}

static ch_code no_form(const char *path, ch_err *e)
{
    char *all = endings("");
    ch_code c = ch_fail(e, CH_EUSER, "%s: a task file ends in %s", path, all);
    free(all);
    return c;
}

static ch_code load_one(ch_task *t, const char *path, const ch_side *side, int64_t max_items,
                        ch_err *e)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    ch_texts w = {0};
    const form *f = form_of(file);
    if (!f)
        return no_form(path, e);
    CH_TRY(ch_name_check(file, path, e));
    t->path = ch_dup(path);
    t->name = ch_dupn(file, (size_t)(dot - file));
    ch_code c = f->read(t, &w, e);
    if (c == CH_OK && !t->n_items)
        c = ch_fail(e, CH_EUSER, "%s: holds no instances, at least one is wanted", path);
    if (c == CH_OK) {
        add_side(t, &w, side);
        finish(t, &w, max_items);
    }
    ch_texts_free(&w);
    return c;
}

/* ------------------------------------------------------------------ many tasks */

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return a && b && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* x.json beside x.jsonl holds the latter's instruction and is no task of its own. */
static int is_companion(const char *name, char *const *names)
{
    size_t n = strlen(name);
    if (!ends_in(name, ".json"))
        return 0;
    for (; *names; names++)
        if (strlen(*names) == n + 1 && !strncmp(*names, name, n) && (*names)[n] == 'l')
            return 1;
    return 0;
}

static ch_code list_files(const char *dir, const char *wordings, ch_texts *files, ch_err *e)
{
    char **names = NULL;
    int64_t n;
    CH_TRY(ch_list_dir(dir, "", &names, &n, e));
    for (int64_t i = 0; i < n; i++) {
        char *path = ch_path(dir, names[i]);
        if (!form_of(names[i]) || is_companion(names[i], names) || same_file(path, wordings))
            free(path);
        else
            *CH_PUSH(files->s, files->n, files->cap) = path;
    }
    ch_names_free(names);
    if (files->n)
        return CH_OK;
    char *all = endings("*");
    ch_code c = ch_fail(e, CH_EUSER, "%s: holds no task file, %s is wanted", dir, all);
    free(all);
    return c;
}

/* A side file that names none of the tasks is a mistake; one that names more
 * than there are is not. */
static ch_code check_side(const ch_tasks *t, const ch_side *side, const char *path, ch_err *e)
{
    int64_t hits = 0;
    for (int64_t k = 0; k < side->keys.n; k++)
        hits += side->hit[k];
    if (hits)
        return CH_OK;
    return ch_fail(e, CH_EUSER,
                   "%s: names none of the tasks (its first name is `%s`); wanted are names like "
                   "`%s`",
                   path, side->keys.n ? side->keys.s[0] : "", t->list[0].name);
}

static ch_code load_all(ch_tasks *t, const char *path, const char *wordings, const ch_side *side,
                        int64_t max_items, ch_err *e)
{
    ch_texts files = {0};
    ch_code c = CH_OK;
    if (ch_is_dir(path))
        c = list_files(path, wordings, &files, e);
    else
        *CH_PUSH(files.s, files.n, files.cap) = ch_dup(path);
    t->list = ch_new((size_t)files.n + 1, sizeof *t->list);
    for (int64_t i = 0; i < files.n && c == CH_OK; i++) {
        c = load_one(&t->list[t->n++], files.s[i], side, max_items, e);
    }
    ch_texts_free(&files);
    return c;
}

ch_code ch_tasks_load(ch_tasks *t, const char *path, const char *wordings, int64_t max_items,
                      ch_err *e)
{
    ch_side side = {0};
    *t = (ch_tasks){0};
    if (!ch_exists(path))
        return ch_fail(e, CH_EUSER, "%s: no such file or directory of tasks", path);
    ch_code c = wordings ? ch_side_load(&side, wordings, e) : CH_OK;
    if (c == CH_OK)
        c = load_all(t, path, wordings, &side, max_items, e);
    if (c == CH_OK && wordings)
        c = check_side(t, &side, wordings, e);
    ch_side_free(&side);
    if (c != CH_OK)
        ch_tasks_release(t);
    return c;
}

ch_code ch_tasks_need_wordings(const ch_tasks *t, int64_t at_least, ch_err *e)
{
    for (int64_t i = 0; i < t->n; i++) {
        const ch_task *k = &t->list[i];
        if (k->n_wordings >= at_least)
            continue;
        return ch_fail(e, CH_EUSER,
                       "%s: has %lld wordings of its instruction, at least %lld are wanted; add "
                       "them under `%s`, in a side file, or with `chorus paraphrase`",
                       k->path, (long long)k->n_wordings, (long long)at_least,
                       form_of(k->path)->wordings);
    }
    return CH_OK;
}

void ch_tasks_release(ch_tasks *t)
{
    for (int64_t i = 0; i < t->n; i++)
        free_task(&t->list[i]);
    free(t->list);
    *t = (ch_tasks){0};
}

const char *ch_task_wording(const ch_task *t, int64_t k)
{
    CH_MUST(k >= 0 && k <= t->n_wordings);
    return k ? t->wordings[k - 1] : t->instruction;
}

char *ch_prompt_text(const char *instruction, const char *input)
{
    return ch_fmt("%s\n%s", instruction, input);
}
