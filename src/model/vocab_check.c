/* The vocabulary that a GGUF describes, checked for what libllama aborts on or grows without end
 * from, before libllama reads it. */
#include "model/vocab_check.h"

#include "model/gguf_meta.h"
#include "model/model_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum {
    MOST_PIECE = 1 << 20, /* bytes of the text that one token stands for */
    MOST_PIECES = 1 << 28 /* of all tokens' */
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int has_word(const char *const *word, size_t n, const char *w)
{
    return bsearch(&w, word, n, sizeof *word, by_text) != NULL;
}

/* -- words -- */

/* libllama aborts on a token that stands twice (it renames empty ones) and, when it tokenises, on a
 * sentencepiece vocabulary without a token for a byte that it has to spell out. */
static ch_code check_words(const char *const *word, size_t n, int spm, const char *path, ch_err *e)
{
    char shown[64];
    for (size_t i = 1; i < n; i++)
        if (*word[i] && strcmp(word[i - 1], word[i]) == 0)
            return ch_fail(e, CH_EUSER, "%s: its vocabulary has the token \"%s\" twice", path,
                           ch_llama_shown(shown, sizeof shown, word[i]));
    for (unsigned b = 0; spm && b < 256; b++) {
        char name[8], raw[2] = {(char)b, 0};
        snprintf(name, sizeof name, "<0x%02X>", b);
        if (!has_word(word, n, name) && !has_word(word, n, raw))
            return ch_fail(e, CH_EUSER, "%s: its vocabulary lacks the byte token %s", path, name);
    }
    return CH_OK;
}

/* What libllama calls an empty token may be a token's name already. */
static ch_code check_empty(const struct gguf_context *g, int64_t k, const char *const *word,
                           size_t n, const char *path, ch_err *e)
{
    if (n == 0 || *word[0]) /* they are sorted */
        return CH_OK;
    for (size_t t = 0; t < n; t++) {
        char name[32];
        snprintf(name, sizeof name, "[EMPTY_%zu]", t);
        if (!*gguf_get_arr_str(g, k, t) && has_word(word, n, name))
            return ch_fail(e, CH_EUSER,
                           "%s: token %zu of its vocabulary is empty and another is \"%s\"", path,
                           t, name);
    }
    return CH_OK;
}

/* The character at s stands for a byte in the alphabet of GPT-2: U+0021 to U+0143 with gaps. */
static int is_byte_letter(const unsigned char *s, size_t len)
{
    if (len != 2)
        return len == 1 && s[0] > ' ' && s[0] < 0x7F;
    unsigned c = (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    return c >= 0xA1 && c != 0xAD && c <= 0x143;
}

/* Bytes that libllama makes of a token at the most: of a character that stands for no byte it
 * writes a note that repeats the whole token. */
static size_t piece_bytes(const char *word, int spm)
{
    size_t n = strlen(word), notes = 0;
    for (size_t i = 0; !spm && i < n;) {
        size_t len = ch_utf8_char(word + i, n - i);
        notes += !is_byte_letter((const unsigned char *)word + i, len);
        i += len ? len : 1;
    }
    return n + notes * (n + 32);
}

static ch_code check_lengths(const char *const *word, size_t n, int spm, const char *path,
                             ch_err *e)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = piece_bytes(word[i], spm);
        if (bytes > MOST_PIECE || (sum += bytes) > MOST_PIECES)
            return ch_fail(e, CH_EUSER, "%s: its vocabulary has %s of more than %d bytes", path,
                           bytes > MOST_PIECE ? "a token" : "texts",
                           bytes > MOST_PIECE ? MOST_PIECE : MOST_PIECES);
    }
    return CH_OK;
}

static ch_code check_vocabulary(const struct gguf_context *g, const char *path, int64_t k, int spm,
                                ch_err *e)
{
    size_t n = gguf_get_arr_n(g, k);
    const char **word = ch_new(n, sizeof *word);
    for (size_t i = 0; i < n; i++)
        word[i] = gguf_get_arr_str(g, k, i);
    qsort(word, n, sizeof *word, by_text);
    ch_code code = check_words(word, n, spm, path, e);
    if (code == CH_OK)
        code = check_empty(g, k, word, n, path, e);
    if (code == CH_OK)
        code = check_lengths(word, n, spm, path, e);
    free(word);
    return code;
}

/* -- what belongs to the words -- */

static ch_code check_scores(const struct gguf_context *g, const char *path, int64_t k, ch_err *e)
{
    const float *score = gguf_get_arr_data(g, k);
    for (size_t i = 0; i < gguf_get_arr_n(g, k); i++)
        if (!isfinite(score[i]))
            return ch_fail(e, CH_EUSER, "%s: the score of token %zu is not a number", path, i);
    return CH_OK;
}

static ch_code check_merges(const struct gguf_context *g, const char *path, int64_t k, ch_err *e)
{
    for (size_t i = 0; i < gguf_get_arr_n(g, k); i++) {
        const char *pair = gguf_get_arr_str(g, k, i), *gap = *pair ? strchr(pair + 1, ' ') : NULL;
        if (!gap || !gap[1])
            return ch_fail(e, CH_EUSER, "%s: merge %zu of its tokenizer is not two texts", path,
                           i + 1);
    }
    return CH_OK;
}

/* A token that ends a text or begins it must be one. */
static ch_code check_special(const struct gguf_context *g, const char *path, int64_t V, ch_err *e)
{
    static const char *const keys[] = {
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.eot_token_id",
        "tokenizer.ggml.eom_token_id",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int64_t k = gguf_find_key(g, keys[i]);
        if (k < 0)
            continue;
        if (gguf_get_kv_type(g, k) != GGUF_TYPE_UINT32 || gguf_get_val_u32(g, k) >= V)
            return ch_fail(e, CH_EUSER, "%s: %s names none of its %lld tokens", path, keys[i],
                           (long long)V);
    }
    return CH_OK;
}

typedef struct {
    const char *key;
    enum gguf_type type;
    int per_token;
} list_key;

/* *k is -1 when the list is not there. */
static ch_code find_list(int64_t *k, const struct gguf_context *g, const char *path,
                         const list_key *want, int64_t V, ch_err *e)
{
    *k = gguf_find_key(g, want->key);
    if (*k < 0)
        return CH_OK;
    if (gguf_get_kv_type(g, *k) != GGUF_TYPE_ARRAY || gguf_get_arr_type(g, *k) != want->type)
        return ch_fail(e, CH_EUSER, "%s: %s is not an array of %s", path, want->key,
                       gguf_type_name(want->type));
    if (want->per_token && (int64_t)gguf_get_arr_n(g, *k) != V)
        return ch_fail(e, CH_EUSER, "%s: %s has %zu entries and token_embd.weight %lld rows", path,
                       want->key, gguf_get_arr_n(g, *k), (long long)V);
    return CH_OK;
}

static ch_code check_lists(const struct gguf_context *g, const char *path, int64_t V, int spm,
                           ch_err *e)
{
    static const list_key words = {"tokenizer.ggml.tokens", GGUF_TYPE_STRING, 1},
                          scores = {"tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, 1},
                          types = {"tokenizer.ggml.token_type", GGUF_TYPE_INT32, 1},
                          merges = {"tokenizer.ggml.merges", GGUF_TYPE_STRING, 0};
    int64_t k = -1;
    CH_TRY(find_list(&k, g, path, &words, V, e));
    if (k < 0)
        return ch_fail(e, CH_EUSER, "%s: %s is missing", path, words.key);
    CH_TRY(check_vocabulary(g, path, k, spm, e));
    CH_TRY(find_list(&k, g, path, &scores, V, e));
    if (k >= 0)
        CH_TRY(check_scores(g, path, k, e));
    CH_TRY(find_list(&k, g, path, &types, V, e));
    CH_TRY(find_list(&k, g, path, &merges, V, e));
    if (k < 0 && !spm)
        return ch_fail(e, CH_EUSER, "%s: %s is missing", path, merges.key);
    return k < 0 ? CH_OK : check_merges(g, path, k, e);
}

ch_code ch_meta_check_tokenizer(const struct gguf_context *g, const char *path, int64_t V,
                                int *present, ch_err *e)
{
    char shown[64];
    const char *kind = ch_meta_str(g, "tokenizer.ggml.model");
    if (!kind)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer (tokenizer.ggml.model)", path);
    *present = strcmp(kind, "no_vocab") != 0 && strcmp(kind, "none") != 0;
    if (!*present)
        return CH_OK;
    int spm = strcmp(kind, "llama") == 0;
    if (!spm && strcmp(kind, "gpt2") != 0)
        return ch_fail(e, CH_EUSER,
                       "%s: its tokenizer is of the kind %s; those that work are gpt2 (byte pairs) "
                       "and llama (sentencepiece)",
                       path, ch_llama_shown(shown, sizeof shown, kind));
    CH_TRY(check_special(g, path, V, e));
    return check_lists(g, path, V, spm, e);
}
