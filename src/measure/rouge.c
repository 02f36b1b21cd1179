#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/intern.h"
#include "measure/measure.h"
#include "measure/stem.h"

enum { STEM_ABOVE = 3 }; /* words longer than this are stemmed */

/* Words of a text as numbers: equal words have equal numbers within one ch_intern. */
typedef struct {
    int64_t *id;
    int64_t n, cap;
} words;

/* Python's lower() for what matters here: besides A to Z two characters have an ASCII letter in
 * their lower case, U+0130 (i and a combining dot) and U+212A, the Kelvin sign. Returns the bytes
 * read. */
static size_t lower_at(const char *s, char *out)
{
    unsigned char c = (unsigned char)s[0];
    *out = 0;
    if (!strncmp(s, "\xC4\xB0", 2)) {
        *out = 'i';
        return 2;
    }
    if (!strncmp(s, "\xE2\x84\xAA", 3)) {
        *out = 'k';
        return 3;
    }
    if (c >= 'A' && c <= 'Z')
        *out = (char)(c + 'a' - 'A');
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        *out = (char)c;
    return 1;
}

static void end_word(words *w, ch_intern *seen, ch_str *word)
{
    if (!word->n)
        return;
    ch_str_add(word, "  "); /* the room that ch_stem wants */
    size_t n = word->n - 2;
    word->s[n] = 0;
    if (n > STEM_ABOVE)
        word->s[ch_stem(word->s, n)] = 0;
    *CH_PUSH(w->id, w->n, w->cap) = ch_intern_add(seen, word->s);
    word->n = 0;
}

static words split(const char *text, ch_intern *seen)
{
    words w = {0};
    ch_str word = {0};
    while (*text) {
        char c;
        int dot = !strncmp(text, "\xC4\xB0", 2); /* the combining dot ends the word */
        text += lower_at(text, &c);
        if (c)
            ch_str_addn(&word, &c, 1);
        if (!c || dot)
            end_word(&w, seen, &word);
    }
    end_word(&w, seen, &word);
    ch_str_free(&word);
    return w;
}

static double f_measure(int64_t hits, int64_t n_answer, int64_t n_gold)
{
    if (!hits)
        return 0;
    double p = (double)hits / (double)n_answer, r = (double)hits / (double)n_gold;
    return 2 * p * r / (p + r);
}

/* Words in common, each as often as in the text that has it less often. */
static int64_t overlap(const words *a, const words *b, int64_t n_ids)
{
    int64_t *count = ch_new((size_t)n_ids + 1, sizeof *count), hits = 0;
    for (int64_t i = 0; i < a->n; i++)
        count[a->id[i]]++;
    for (int64_t i = 0; i < b->n; i++)
        hits += count[b->id[i]]-- > 0;
    free(count);
    return hits;
}

/* Length of the longest common subsequence, in one row: row[j] is that of a[0..i) and b[0..j). */
static int64_t common_run(const words *a, const words *b)
{
    int64_t *row = ch_new((size_t)b->n + 1, sizeof *row);
    for (int64_t i = 0; i < a->n; i++) {
        int64_t diagonal = 0;
        for (int64_t j = 1; j <= b->n; j++) {
            int64_t up = row[j];
            if (a->id[i] == b->id[j - 1])
                row[j] = diagonal + 1;
            else if (row[j - 1] > up)
                row[j] = row[j - 1];
            diagonal = up;
        }
    }
    int64_t n = row[b->n];
    free(row);
    return n;
}

static double best(const char *answer, const char *const *gold, int64_t n_gold, int sequence)
{
    double top = 0;
    ch_intern seen = {0};
    words a = split(answer, &seen);
    for (int64_t k = 0; k < n_gold; k++) {
        words g = split(gold[k], &seen);
        int64_t hits = sequence ? common_run(&a, &g) : overlap(&a, &g, seen.n);
        double f = f_measure(hits, a.n, g.n);
        top = f > top ? f : top;
        free(g.id);
    }
    free(a.id);
    ch_intern_free(&seen);
    return top;
}

double ch_rouge1(const char *answer, const char *const *gold, int64_t n_gold)
{
    return best(answer, gold, n_gold, 0);
}

double ch_rougeL(const char *answer, const char *const *gold, int64_t n_gold)
{
    return best(answer, gold, n_gold, 1);
}
