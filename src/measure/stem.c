/* Porter's stemmer ("An algorithm for suffix stripping", Program 14.3, 1980) in nltk's variant.
 *
 * Why not a library: nltk, and so rouge_score, departs from the published algorithm in its middle
 * steps, where a wrapper around another implementation (libstemmer's "porter" among them) cannot
 * reach; on 17,357 words of running text the two give 330 different stems. The departures are
 * marked [N]:
 *   - a pool of irregular forms;
 *   - step 1a: four-letter -ies gives -ie (dies, die); step 1b: -ied gives -ie or -i likewise;
 *   - step 1c: y becomes i after a consonant that is not the first letter, vowel or not before it
 *     (boys, boy; spry, spri);
 *   - *o, the short syllable, also holds for a vowel and a consonant alone (using, use);
 *   - step 2: -alli is taken first and the rest goes through step 2 again; -bli in place of -abli;
 *     -fulli, -logi (the l counts as part of the stem). */
#include "measure/stem.h"

#include <string.h>

typedef struct {
    char *s;
    size_t n;
} word;

/* ------------------------------------------------------------------ conditions */

static int is_vowel(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* A y is a vowel after a consonant, and a consonant at the start or after a vowel. */
static int consonant_at(const char *s, size_t i)
{
    int flip = 0;
    for (; i > 0 && s[i] == 'y'; i--)
        flip = !flip;
    return is_vowel(s[i]) == flip;
}

/* m: how often a vowel is followed by a consonant in the first n letters. */
static int measure(const char *s, size_t n)
{
    int m = 0, was_vowel = 0;
    for (size_t i = 0; i < n; i++) {
        int vowel = s[i] == 'y' ? i > 0 && !was_vowel : is_vowel(s[i]);
        m += was_vowel && !vowel;
        was_vowel = vowel;
    }
    return m;
}

static int has_vowel(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_vowel(s[i]) || (i > 0 && s[i] == 'y')) /* no vowel before it, so that y is one */
            return 1;
    return 0;
}

/* *d */
static int double_consonant(const char *s, size_t n)
{
    return n >= 2 && s[n - 1] == s[n - 2] && consonant_at(s, n - 1);
}

/* *o */
static int short_syllable(const char *s, size_t n)
{
    if (n == 2)
        return !consonant_at(s, 0) && consonant_at(s, 1); /* [N] */
    return n >= 3 && consonant_at(s, n - 3) && !consonant_at(s, n - 2) && consonant_at(s, n - 1) &&
           !strchr("wxy", s[n - 1]);
}

static int ends(const word *w, const char *suffix)
{
    size_t k = strlen(suffix);
    return w->n >= k && !memcmp(w->s + w->n - k, suffix, k);
}

/* The last cut letters give way to put, which is at most one letter longer. */
static void swap_end(word *w, size_t cut, const char *put)
{
    size_t k = strlen(put);
    memcpy(w->s + w->n - cut, put, k + 1);
    w->n += k - cut;
}

/* ------------------------------------------------------------------ tables */

typedef struct {
    const char *suffix, *put;
} rule;

/* The first suffix that fits decides, whether or not the stem before it has more than `above`
 * measure. */
static void apply(word *w, const rule *rules, int above)
{
    for (; rules->suffix; rules++) {
        if (!ends(w, rules->suffix))
            continue;
        size_t k = strlen(rules->suffix);
        if (measure(w->s, w->n - k) > above)
            swap_end(w, k, rules->put);
        return;
    }
}

static const rule irregular[] = {
    {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
    {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
    {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
    {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"},
    {NULL, NULL}};

static const rule step2_rules[] = {
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
    {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
    {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
    {"fulli", "ful"},   {NULL, NULL}};

static const rule step3_rules[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                                   {"ical", "ic"},  {"ful", ""},   {"ness", ""},    {NULL, NULL}};

/* -ion is here for its turn; its extra condition is in step4. */
static const rule step4_rules[] = {
    {"al", ""},  {"ance", ""},  {"ence", ""}, {"er", ""},  {"ic", ""},  {"able", ""}, {"ible", ""},
    {"ant", ""}, {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ion", ""}, {"ou", ""},   {"ism", ""},
    {"ate", ""}, {"iti", ""},   {"ous", ""},  {"ive", ""}, {"ize", ""}, {NULL, NULL}};

/* ------------------------------------------------------------------ steps */

static void step1a(word *w)
{
    if (ends(w, "ies"))
        swap_end(w, 3, w->n == 4 ? "ie" : "i"); /* [N] */
    else if (ends(w, "sses"))
        swap_end(w, 2, "");
    else if (ends(w, "s") && !ends(w, "ss"))
        swap_end(w, 1, "");
}

static void step1b(word *w)
{
    if (ends(w, "ied")) { /* [N] */
        swap_end(w, 3, w->n == 4 ? "ie" : "i");
        return;
    }
    if (ends(w, "eed")) {
        if (measure(w->s, w->n - 3) > 0)
            swap_end(w, 1, "");
        return;
    }
    size_t cut = ends(w, "ed") ? 2 : ends(w, "ing") ? 3 : 0;
    if (!cut || !has_vowel(w->s, w->n - cut))
        return;
    swap_end(w, cut, "");
    if (ends(w, "at") || ends(w, "bl") || ends(w, "iz"))
        swap_end(w, 0, "e");
    else if (double_consonant(w->s, w->n)) {
        if (!strchr("lsz", w->s[w->n - 1]))
            swap_end(w, 1, "");
    } else if (measure(w->s, w->n) == 1 && short_syllable(w->s, w->n))
        swap_end(w, 0, "e");
}

static void step1c(word *w)
{
    if (ends(w, "y") && w->n > 2 && consonant_at(w->s, w->n - 2)) /* [N] */
        swap_end(w, 1, "i");
}

static void step2(word *w)
{
    while (ends(w, "alli") && measure(w->s, w->n - 4) > 0) /* [N] */
        swap_end(w, 2, "");
    if (!ends(w, "logi"))
        apply(w, step2_rules, 0);
    else if (measure(w->s, w->n - 3) > 0) /* [N] */
        swap_end(w, 1, "");
}

static void step4(word *w)
{
    if (ends(w, "ion") && (w->n < 4 || !strchr("st", w->s[w->n - 4])))
        return;
    apply(w, step4_rules, 1);
}

static void step5(word *w)
{
    if (ends(w, "e")) {
        int m = measure(w->s, w->n - 1);
        if (m > 1 || (m == 1 && !short_syllable(w->s, w->n - 1)))
            swap_end(w, 1, "");
    }
    if (ends(w, "ll") && measure(w->s, w->n - 1) > 1)
        swap_end(w, 1, "");
}

size_t ch_stem(char *s, size_t n)
{
    word w = {s, n};
    for (const rule *r = irregular; r->suffix; r++)
        if (!strcmp(s, r->suffix)) {
            swap_end(&w, n, r->put);
            return w.n;
        }
    if (n <= 2)
        return n;
    step1a(&w);
    step1b(&w);
    step1c(&w);
    step2(&w);
    apply(&w, step3_rules, 0);
    step4(&w);
    step5(&w);
    return w.n;
}
