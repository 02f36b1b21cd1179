#include "model/model_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

ch_code ch_vocab_load(ch_model *m, ch_err *e)
{
    int present = 0;
    CH_TRY(ch_meta_check_tokenizer(m->meta, m->path, m->dims.V, &present, e));
    if (!present)
        return CH_OK;
    struct llama_model_params p = llama_model_default_params();
    p.vocab_only = true;
    (void)ch_llama_last_error();
    m->llama = llama_model_load_from_file(m->path, p);
    if (!m->llama)
        return ch_fail(e, CH_EUSER, "%s: libllama cannot use its tokenizer (%s)", m->path,
                       ch_llama_last_error());
    m->vocab = llama_model_get_vocab(m->llama);
    if (llama_vocab_n_tokens(m->vocab) != m->dims.V)
        return ch_fail(e, CH_EUSER, "%s: a vocabulary of %d and an embedding of %lld rows", m->path,
                       llama_vocab_n_tokens(m->vocab), (long long)m->dims.V);
    const char *t = llama_model_chat_template(m->llama, NULL);
    m->template = t && *t ? ch_dup(t) : NULL;
    return CH_OK;
}

/* BOS is put in front here and not by libllama, which would add it to a text that begins with it
 * too (and an EOS behind, where the file asks for one: never wanted in front of an answer). */
ch_code ch_tokenize(const ch_model *m, const char *text, int32_t **ids, int64_t *n, ch_err *e)
{
    *ids = NULL;
    *n = 0;
    size_t bytes = strlen(text);
    if (!m->vocab)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer", m->path);
    if (bytes > INT_MAX / 2)
        return ch_fail(e, CH_EUSER, "a text of %zu bytes is too long to tokenise", bytes);
    int32_t room = (int32_t)bytes + 16;
    int32_t *out = ch_new((size_t)room + 1, sizeof *out);
    int32_t got = llama_tokenize(m->vocab, text, (int32_t)bytes, out + 1, room, false, true);
    if (got < 0 && got != INT32_MIN) {
        room = -got;
        out = ch_grow(out, (size_t)room + 1, sizeof *out);
        got = llama_tokenize(m->vocab, text, (int32_t)bytes, out + 1, room, false, true);
    }
    if (got < 0) {
        free(out);
        return ch_fail(e, CH_EUSER, "%s: libllama could not tokenise a text of %zu bytes", m->path,
                       bytes);
    }
    int32_t bos = llama_vocab_bos(m->vocab);
    int add =
        llama_vocab_get_add_bos(m->vocab) && bos != LLAMA_TOKEN_NULL && (got == 0 || out[1] != bos);
    if (add)
        out[0] = bos;
    else
        memmove(out, out + 1, (size_t)got * sizeof *out);
    *ids = out;
    *n = got + add;
    return CH_OK;
}

/* A character cut off at the end is left out; what can never become one turns into U+FFFD. */
static char *clean_utf8(const char *s, size_t n)
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

char *ch_detokenize(const ch_model *m, const int32_t *ids, int64_t n, int special)
{
    if (!m->vocab || n <= 0)
        return ch_dup("");
    CH_MUST(n <= INT_MAX);
    for (int64_t i = 0; i < n; i++)
        CH_MUST(ids[i] >= 0 && ids[i] < m->dims.V);
    int32_t room = (int32_t)(n < INT_MAX / 16 ? n * 8 + 64 : INT_MAX / 2);
    char *buf = ch_new((size_t)room, 1);
    int32_t got = llama_detokenize(m->vocab, ids, (int32_t)n, buf, room, false, special != 0);
    if (got < 0) {
        room = -got;
        buf = ch_grow(buf, (size_t)room, 1);
        got = llama_detokenize(m->vocab, ids, (int32_t)n, buf, room, false, special != 0);
    }
    CH_MUST(got >= 0);
    char *text = clean_utf8(buf, (size_t)got);
    free(buf);
    return text;
}

int ch_is_stop(const ch_model *m, int32_t id)
{
    return m->vocab && id >= 0 && id < m->dims.V && llama_vocab_is_eog(m->vocab, id);
}
