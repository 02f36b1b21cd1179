#include "model/model_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

static const char PROBE[] =
    "Zq0answer0qZ"; /* stands for an answer while the template is looked at */

/* The template applied to a user turn and, when answer is not NULL, the assistant's; NULL: unknown
 * to libllama. */
static char *apply(const ch_model *m, const char *user, const char *answer)
{
    struct llama_chat_message turn[2] = {{"user", user}, {"assistant", answer}};
    size_t n_turn = answer ? 2 : 1;
    int32_t room = (int32_t)(strlen(user) + (answer ? strlen(answer) : 0)) + 32; /* a guess */
    char *buf = ch_new((size_t)room + 1, 1);
    int32_t n = llama_chat_apply_template(m->template, turn, n_turn, !answer, buf, room);
    if (n > room) {
        room = n;
        buf = ch_grow(buf, (size_t)room + 1, 1);
        n = llama_chat_apply_template(m->template, turn, n_turn, !answer, buf, room);
    }
    if (n < 0) {
        free(buf);
        return NULL;
    }
    buf[n] = 0;
    return buf;
}

static void note_no_template(const ch_model *m)
{
    static int said;
    if (!said)
        ch_log(CH_WARN, "%s has no chat template: prompts are the plain text and a newline",
               m->path);
    said = 1;
}

ch_code ch_chat(const ch_model *m, const char *user, char **text, ch_err *e)
{
    *text = NULL;
    if (!m->vocab)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer", m->path);
    if (!m->template) {
        note_no_template(m);
        *text = ch_fmt("%s\n", user);
        return CH_OK;
    }
    if (strlen(user) > INT32_MAX / 4)
        return ch_fail(e, CH_EUSER, "a prompt of %zu bytes is too long", strlen(user));
    *text = apply(m, user, NULL);
    if (!*text)
        return ch_fail(e, CH_EUSER,
                       "%s: its chat template is none of those that libllama knows; replace the "
                       "key tokenizer.chat_template, for example by chatml",
                       m->path);
    return CH_OK;
}

/* -- what stands before and behind an answer -- */

/* The text of one token as it would have to be written to be recognised. */
static char *piece(const ch_model *m, int32_t id)
{
    char small[256];
    int32_t n = llama_token_to_piece(m->vocab, id, small, sizeof small, 0, true);
    return n > 0 ? ch_dupn(small, (size_t)n) : ch_dup("");
}

/* after (may be NULL) up to and including its first stop token; without one, the end-of-text token.
 */
static ch_code learn_after(ch_model *m, const char *after, ch_err *e)
{
    int32_t *ids = NULL, bos = llama_vocab_bos(m->vocab);
    int64_t n = 0, stop = 0;
    CH_TRY(ch_tokenize(m, after ? after : "", &ids, &n, e));
    int64_t first = n > 0 && ids[0] == bos && !llama_vocab_is_eog(m->vocab, bos) ? 1 : 0;
    for (stop = first; stop < n && !llama_vocab_is_eog(m->vocab, ids[stop]);)
        stop++;
    char *end = stop < n ? piece(m, ids[stop]) : NULL;
    const char *at = end && *end ? strstr(after, end) : NULL;
    if (at) {
        m->n_end_of_turn = stop + 1 - first;
        m->end_of_turn = ch_new((size_t)m->n_end_of_turn, sizeof *ids);
        memcpy(m->end_of_turn, ids + first, (size_t)m->n_end_of_turn * sizeof *ids);
        m->after_answer = ch_dupn(after, (size_t)(at - after) + strlen(end));
    }
    free(end);
    free(ids);
    if (at)
        return CH_OK;
    int32_t eos = llama_vocab_eos(m->vocab);
    if (eos == LLAMA_TOKEN_NULL)
        return ch_fail(e, CH_EUSER, "%s names no end-of-text token (tokenizer.ggml.eos_token_id)",
                       m->path);
    m->n_end_of_turn = 1;
    m->end_of_turn = ch_new(1, sizeof eos);
    m->end_of_turn[0] = eos;
    m->after_answer = piece(m, eos);
    return CH_OK;
}

ch_code ch_chat_learn(ch_model *m, ch_err *e)
{
    m->before_answer = ch_dup("");
    if (!m->vocab) {
        m->after_answer = ch_dup("");
        return CH_OK;
    }
    char *whole = m->template ? apply(m, "x", PROBE) : NULL;
    char *prompt = m->template ? apply(m, "x", NULL) : NULL;
    char *at = whole ? strstr(whole, PROBE) : NULL;
    if (at && prompt && (size_t)(at - whole) > strlen(prompt) &&
        strncmp(whole, prompt, strlen(prompt)) == 0) {
        free(m->before_answer);
        m->before_answer = ch_dupn(whole + strlen(prompt), (size_t)(at - whole) - strlen(prompt));
    }
    ch_code code = learn_after(m, at ? at + strlen(PROBE) : NULL, e);
    free(whole);
    free(prompt);
    return code;
}

const int32_t *ch_end_of_turn(const ch_model *m, int64_t *n)
{
    *n = m->n_end_of_turn;
    return m->end_of_turn;
}

/* -- sequences -- */

/* Length of the longest common prefix, but at least one id of `whole` stays behind it. */
static int64_t common(const int32_t *prompt, int64_t n_prompt, const int32_t *whole, int64_t n)
{
    int64_t i = 0;
    while (i < n_prompt && i < n - 1 && prompt[i] == whole[i])
        i++;
    return i;
}

static ch_code add_answer(ch_seq *s, const ch_model *m, const char *prompt, const char *answer,
                          ch_err *e)
{
    char *text = ch_fmt("%s%s%s%s", prompt, m->before_answer, answer, m->after_answer);
    int32_t *ids = NULL;
    int64_t n = 0;
    ch_code code = ch_tokenize(m, text, &ids, &n, e);
    free(text);
    if (code != CH_OK)
        return code;
    s->n_prompt = common(s->ids, s->n, ids, n);
    free(s->ids);
    s->ids = ids;
    s->n = n;
    return CH_OK;
}

ch_code ch_seq_make(ch_seq *s, const ch_model *m, const char *user, const char *answer,
                    int64_t max_len, const char *row, ch_err *e)
{
    memset(s, 0, sizeof *s);
    char *prompt = NULL;
    CH_TRY(ch_chat(m, user, &prompt, e));
    ch_code code = ch_tokenize(m, prompt, &s->ids, &s->n, e);
    s->n_prompt = s->n;
    if (code == CH_OK && answer)
        code = add_answer(s, m, prompt, answer, e);
    free(prompt);
    int64_t most = max_len > 0 && max_len < m->dims.n_ctx ? max_len : m->dims.n_ctx;
    if (code == CH_OK && s->n > most)
        code = ch_fail(e, CH_EUSER,
                       "%s: %lld tokens with the chat template, at most %lld fit; shorten it or "
                       "drop such rows",
                       row ? row : "a prompt", (long long)s->n, (long long)most);
    if (code != CH_OK)
        ch_seq_release(s);
    return code;
}

void ch_seq_release(ch_seq *s)
{
    free(s->ids);
    memset(s, 0, sizeof *s);
}
