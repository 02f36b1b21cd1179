#include "model/vocab.h"

#include "model/model_state.h"
#include "model/vocab_check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/str.h"
#include "base/utf8.h"

enum { MOST_TEXT = 1 << 24 }; /* bytes */

/* -- loading -- */

static void load_vocab(void *ctx)
{
    ch_model *m = ctx;
    struct llama_model_params p = llama_model_default_params();
    p.vocab_only = true;
    m->llama = llama_model_load_from_file(m->path, p);
    m->vocab = m->llama ? llama_model_get_vocab(m->llama) : NULL;
}

/* Longest text of a token in bytes. */
static int64_t longest_word(const ch_model *m)
{
    int64_t k = gguf_find_key(m->meta, "tokenizer.ggml.tokens"), most = 1;
    for (size_t i = 0; i < gguf_get_arr_n(m->meta, k); i++) {
        int64_t n = (int64_t)strlen(gguf_get_arr_str(m->meta, k, i));
        most = n > most ? n : most;
    }
    return most;
}

/* Some pre-tokenizers give libllama what it aborts on only when there is a text. */
static ch_code try_out(const ch_model *m, ch_err *e)
{
    int32_t *ids = NULL;
    int64_t n = 0;
    ch_code code =
        ch_tokenize(m, " Try 12 it's\n\n\tout: \xC3\xA9\xE6\x97\xA5\xF0\x9F\x99\x82 ", &ids, &n, e);
    free(ids);
    return code;
}

ch_code ch_vocab_load(ch_model *m, ch_err *e)
{
    int present = 0;
    CH_TRY(ch_meta_check_tokenizer(m->meta, m->path, m->dims.V, &present, e));
    if (!present)
        return CH_OK;
    CH_TRY(ch_llama_call(load_vocab, m, m->path, e));
    if (!m->llama)
        return ch_llama_refused(m->path, "libllama cannot use its tokenizer", "", e);
    if (llama_vocab_n_tokens(m->vocab) != m->dims.V)
        return ch_fail(e, CH_EUSER, "%s: a vocabulary of %d and an embedding of %lld rows", m->path,
                       llama_vocab_n_tokens(m->vocab), (long long)m->dims.V);
    m->longest_word = longest_word(m);
    const char *t = llama_model_chat_template(m->llama, NULL);
    m->template = t && *t ? ch_dup(t) : NULL;
    return try_out(m, e);
}

/* -- text to ids -- */

typedef struct {
    const struct llama_vocab *vocab;
    const char *text;
    int32_t bytes, room, got, *ids;
} tokens_call;

static void tokens_of(void *ctx)
{
    tokens_call *t = ctx;
    t->got = llama_tokenize(t->vocab, t->text, t->bytes, t->ids, t->room, false, true);
}

/* The one place where a text goes to libllama's tokenizer, which throws on what is not UTF-8. */
static ch_code check_text(const char *text, size_t bytes, const char *row, ch_err *e)
{
    size_t at = 0;
    if (bytes > MOST_TEXT)
        return ch_fail(e, CH_ELONG, "%s: a text of %zu bytes, at most %d can be tokenised", row,
                       bytes, MOST_TEXT);
    if (ch_utf8_valid(text, bytes))
        return CH_OK;
    for (size_t len; (len = ch_utf8_char(text + at, bytes - at));)
        at += len;
    return ch_fail(e, CH_EUSER, "%s: byte %zu of its text (0x%02x) is not UTF-8; convert it first",
                   row, at + 1, (unsigned char)text[at]);
}

ch_code ch_text_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                    ch_err *e)
{
    *ids = NULL;
    *n = 0;
    size_t bytes = strlen(text);
    if (!m->vocab)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer", m->path);
    CH_TRY(check_text(text, bytes, row, e));
    if (ch_interrupted()) /* a million rows are minutes of tokenising before the first update */
        return ch_fail(e, CH_ESTOP, "interrupted while reading texts");
    tokens_call t = {.vocab = m->vocab, .text = text, .bytes = (int32_t)bytes};
    t.room = t.bytes + 16;
    t.ids = ch_new((size_t)t.room, sizeof *t.ids);
    ch_code code = ch_llama_call_text(tokens_of, &t, bytes, m->path, e);
    if (code == CH_OK && t.got < 0 && t.got != INT32_MIN) {
        t.room = -t.got;
        t.ids = ch_grow(t.ids, (size_t)t.room, sizeof *t.ids);
        code = ch_llama_call_text(tokens_of, &t, bytes, m->path, e);
    }
    if (code == CH_OK && t.got < 0)
        code = ch_fail(e, CH_EUSER, "%s: libllama could not tokenise a text of %zu bytes", m->path,
                       bytes);
    if (code != CH_OK) {
        free(t.ids);
        return code;
    }
    *ids = t.ids;
    *n = t.got;
    return CH_OK;
}

/* BOS is put in front here and not by libllama, which would add it to a text that begins with it
 * too (and an EOS behind, where the file asks for one: never wanted in front of an answer). */
ch_code ch_row_ids(const ch_model *m, const char *text, const char *row, int32_t **ids, int64_t *n,
                   ch_err *e)
{
    CH_TRY(ch_text_ids(m, text, row, ids, n, e));
    int32_t bos = llama_vocab_bos(m->vocab);
    if (!llama_vocab_get_add_bos(m->vocab) || bos == LLAMA_TOKEN_NULL ||
        (*n > 0 && (*ids)[0] == bos))
        return CH_OK;
    *ids = ch_grow(*ids, (size_t)*n + 1, sizeof **ids);
    memmove(*ids + 1, *ids, (size_t)*n * sizeof **ids);
    (*ids)[0] = bos;
    ++*n;
    return CH_OK;
}

ch_code ch_tokenize(const ch_model *m, const char *text, int32_t **ids, int64_t *n, ch_err *e)
{
    return ch_row_ids(m, text, "a text", ids, n, e);
}

/* -- ids to text -- */

/* A character cut off at the end is left out; what can never become one turns into U+FFFD. */
char *ch_clean_utf8(const char *s, size_t n)
{
    ch_str b = {0};
    n = ch_utf8_whole(s, n);
    for (size_t i = 0; i < n;) {
        size_t len = s[i] ? ch_utf8_char(s + i, n - i) : 0;
        if (len)
            ch_str_addn(&b, s + i, len);
        else
            ch_str_add(&b, "\xef\xbf\xbd");
        i += len ? len : 1;
    }
    return ch_str_take(&b);
}

typedef struct {
    const struct llama_vocab *vocab;
    const int32_t *ids;
    int32_t n, room, got;
    bool special;
    char *text;
} text_call;

/* How many ids, and the bytes of their pieces, which the text is never longer than. */
static void measure_text(void *ctx)
{
    text_call *t = ctx;
    int64_t sum = 0;
    for (int32_t i = 0; i < t->n; i++) {
        sum -= llama_token_to_piece(t->vocab, t->ids[i], NULL, 0, 0, t->special);
        if (sum > MOST_TEXT) {
            t->n = i;
            return;
        }
        t->room = (int32_t)sum;
    }
}

static void text_of(void *ctx)
{
    text_call *t = ctx;
    t->got = llama_detokenize(t->vocab, t->ids, t->n, t->text, t->room, false, t->special);
}

char *ch_detokenize(const ch_model *m, const int32_t *ids, int64_t n, int special)
{
    ch_err e = {0};
    if (!m->vocab || n <= 0)
        return ch_dup("");
    CH_MUST(n <= INT_MAX);
    for (int64_t i = 0; i < n; i++)
        CH_MUST(ids[i] >= 0 && ids[i] < m->dims.V);
    text_call t = {.vocab = m->vocab, .ids = ids, .n = (int32_t)n, .special = special != 0};
    ch_code code = ch_llama_call(measure_text, &t, m->path, &e);
    t.text = ch_new((size_t)t.room + 1, 1);
    if (code == CH_OK)
        code = ch_llama_call(text_of, &t, m->path, &e);
    CH_MUST(code == CH_OK && t.got >= 0);
    char *text = ch_clean_utf8(t.text, (size_t)t.got);
    free(t.text);
    return text;
}

int ch_is_stop(const ch_model *m, int32_t id)
{
    return m->vocab && id >= 0 && id < m->dims.V && llama_vocab_is_eog(m->vocab, id);
}
