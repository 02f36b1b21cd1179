/* Wordings that would change the task or add nothing are dropped, each with its reason [+]. */
#include "align/filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"

/* Length against the instruction's, in bytes. */
static const double LEAST_RATIO = 0.3, MOST_RATIO = 3.0;
/* Nearly the same: the share of common words, or of equal bytes after editing, from here on. */
static const double NEAR_WORDS = 0.9, NEAR_BYTES = 0.9;

static int is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 128 || c == '_';
}

/* 1 when the n bytes at what stand in text as a whole word (any_case: ASCII
 * letters compare equal). */
static int has_word(const char *text, const char *what, size_t n, int any_case)
{
    for (const char *p = text; *p; p++) {
        size_t i = 0;
        while (i < n && p[i] &&
               (any_case ? tolower((unsigned char)p[i]) == tolower((unsigned char)what[i])
                         : p[i] == what[i]))
            i++;
        if (i == n && (p == text || !is_word(p[-1])) && !is_word(p[n]))
            return 1;
    }
    return 0;
}

/* The number at or behind p: digits with . or , between digits. Returns its start, or NULL; *n its
 * length. */
static const char *next_number(const char *p, size_t *n)
{
    while (*p && !isdigit((unsigned char)*p))
        p++;
    if (!*p)
        return NULL;
    size_t k = 1;
    while (isdigit((unsigned char)p[k]) ||
           ((p[k] == '.' || p[k] == ',') && isdigit((unsigned char)p[k + 1])))
        k++;
    *n = k;
    return p;
}

static int has_number(const char *text, const char *what, size_t n)
{
    size_t k = 0;
    for (const char *p = next_number(text, &k); p; p = next_number(p + k, &k)) {
        if (k == n && strncmp(p, what, n) == 0)
            return 1;
    }
    return 0;
}

static int lost_number(const char *from, const char *text)
{
    size_t n = 0;
    for (const char *p = next_number(from, &n); p; p = next_number(p + n, &n)) {
        if (!has_number(text, p, n))
            return 1;
    }
    return 0;
}

static int lost_placeholder(const char *from, const char *text)
{
    for (const char *p = strchr(from, '{'); p; p = strchr(p + 1, '{')) {
        size_t n = 1 + strcspn(p + 1, "{}\n");
        if (p[n] != '}' || n == 1)
            continue;
        char *slot = ch_dupn(p, n + 1);
        int lost = !strstr(text, slot);
        free(slot);
        if (lost)
            return 1;
    }
    return 0;
}

/* Label words that the instruction names must be named by the wording too. Labels come normalised;
 * a label of one letter ("a") counts only as a capital, or every article would be one. */
static int lost_label(const ch_task *task, const char *text)
{
    if (task->kind != CH_KIND_CLOSED)
        return 0;
    for (int64_t i = 0; i < task->n_labels; i++) {
        const char *label = task->labels[i];
        size_t n = strlen(label);
        char capital = (char)toupper((unsigned char)label[0]);
        const char *what = n == 1 ? &capital : label;
        if (n && has_word(task->instruction, what, n, n > 1) && !has_word(text, what, n, n > 1))
            return 1;
    }
    return 0;
}

/* -- near equality -- */

typedef struct {
    ch_intern words; /* distinct, lower case, without punctuation */
    char *key;
} bag;

static bag bag_make(const char *text)
{
    bag b = {.key = ch_text_key(text)};
    for (const char *p = b.key; *p;) {
        size_t n = 0;
        while (is_word(p[n]))
            n++;
        if (n) {
            char *word = ch_dupn(p, n);
            ch_intern_add(&b.words, word);
            free(word);
        }
        p += n ? n : 1;
    }
    return b;
}

static void bag_release(bag *b)
{
    ch_intern_free(&b->words);
    free(b->key);
}

static int near(const bag *a, const bag *b)
{
    int64_t common = 0;
    for (int64_t i = 0; i < a->words.n; i++)
        common += ch_intern_find(&b->words, a->words.text[i]) >= 0;
    int64_t all = a->words.n + b->words.n - common;
    if (all > 0 && (double)common >= NEAR_WORDS * (double)all)
        return 1;
    size_t na = strlen(a->key), nb = strlen(b->key), longer = na > nb ? na : nb;
    size_t apart = na > nb ? na - nb : nb - na;
    double most = (1 - NEAR_BYTES) * (double)longer;
    if (!longer || (double)apart > most) /* the distance is at least the difference in length */
        return 0;
    return (double)ch_edit_distance(a->key, b->key) <= most;
}

static const char *reason(const ch_task *task, const char *text, const bag *mine, const bag *others,
                          int64_t n_others)
{
    for (int64_t i = 0; i < n_others; i++) {
        if (strcmp(mine->key, others[i].key) == 0)
            return "the same as another";
    }
    double ratio = (double)strlen(mine->key) / (double)strlen(others[0].key);
    if (!*mine->key || ratio < LEAST_RATIO)
        return "too short";
    if (ratio > MOST_RATIO)
        return "too long";
    if (lost_number(task->instruction, text))
        return "lost a number";
    if (lost_placeholder(task->instruction, text))
        return "lost a placeholder";
    if (lost_label(task, text))
        return "lost a label word";
    for (int64_t i = 0; i < n_others; i++) {
        if (near(mine, &others[i]))
            return "nearly the same as another";
    }
    return NULL;
}

void ch_wordings_filter(ch_wordings *w, const ch_task *task)
{
    /* The first bag is the instruction, the others are the wordings kept so far. */
    bag *kept = ch_new((size_t)w->n + 1, sizeof *kept);
    kept[0] = bag_make(task->instruction);
    w->n_kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        if (w->list[i].dropped)
            continue;
        bag mine = bag_make(w->list[i].text);
        w->list[i].dropped = reason(task, w->list[i].text, &mine, kept, w->n_kept + 1);
        if (w->list[i].dropped)
            bag_release(&mine);
        else
            kept[++w->n_kept] = mine;
    }
    for (int64_t i = 0; i <= w->n_kept; i++)
        bag_release(&kept[i]);
    free(kept);
}
