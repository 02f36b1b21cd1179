#include "model/chat.h"

#include "model/model_state.h"
#include "model/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"

enum { MOST_TURN = 1 << 24 }; /* bytes of a turn */

static const char PROBE[] =
    "Zq0answer0qZ"; /* stands for an answer while the template is looked at */

typedef struct {
    const char *template, *user, *answer;
    char *buf;
    int32_t room, n;
} turn_call;

static void write_turns(void *ctx)
{
    turn_call *t = ctx;
    struct llama_chat_message turn[2] = {{"user", t->user}, {"assistant", t->answer}};
    t->n = llama_chat_apply_template(t->template, turn, t->answer ? 2 : 1, !t->answer, t->buf,
                                     t->room);
}

/* The template applied to a user turn and, when answer is not NULL, the assistant's; *text NULL:
 * unknown to libllama. */
static ch_code apply(const ch_model *m, const char *user, const char *answer, char **text,
                     ch_err *e)
{
    size_t bytes = strlen(user) + (answer ? strlen(answer) : 0);
    turn_call t = {.template = m->template, .user = user, .answer = answer};
    *text = NULL;
    if (bytes > MOST_TURN)
        return ch_fail(e, CH_ELONG, "a prompt of %zu bytes is too long, at most %d fit", bytes,
                       MOST_TURN);
    t.room = (int32_t)bytes + 32; /* a guess */
    t.buf = ch_new((size_t)t.room + 1, 1);
    ch_code code = ch_llama_call(write_turns, &t, m->path, e);
    if (code == CH_OK && t.n > t.room) {
        t.room = t.n;
        t.buf = ch_grow(t.buf, (size_t)t.room + 1, 1);
        code = ch_llama_call(write_turns, &t, m->path, e);
    }
    if (code != CH_OK || t.n < 0) {
        free(t.buf);
        return code;
    }
    t.buf[t.n] = 0;
    *text = t.buf;
    return CH_OK;
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
    CH_TRY(apply(m, user, NULL, text, e));
    if (!*text)
        return ch_fail(e, CH_EUSER,
                       "%s: its chat template is none of those that libllama knows; replace the "
                       "key tokenizer.chat_template, for example by chatml",
                       m->path);
    return CH_OK;
}

/* -- what stands before and behind an answer -- */

typedef struct {
    const struct llama_vocab *vocab;
    int32_t id, room, n;
    char *text;
} piece_call;

static void write_piece(void *ctx)
{
    piece_call *p = ctx;
    p->n = llama_token_to_piece(p->vocab, p->id, p->text, p->room, 0, true);
}

/* The text of one token as it would have to be written to be recognised; "" for one that is not
 * text. */
static ch_code piece(const ch_model *m, int32_t id, char **text, ch_err *e)
{
    piece_call p = {.vocab = m->vocab, .id = id};
    *text = NULL;
    CH_TRY(ch_llama_call(write_piece, &p, m->path, e));
    p.room = p.n < 0 ? -p.n : 0;
    p.text = ch_new((size_t)p.room + 1, 1);
    ch_code code = ch_llama_call(write_piece, &p, m->path, e);
    if (code == CH_OK && p.n >= 0 && ch_utf8_valid(p.text, (size_t)p.n))
        *text = ch_dup(p.text); /* up to its first NUL, if any */
    else if (code == CH_OK)
        *text = ch_dup("");
    free(p.text);
    return code;
}

/* The turn's end is in what the template puts behind an answer: up to its first stop token. *found
 * 0: there is none. */
static ch_code learn_end(ch_model *m, const char *after, int *found, ch_err *e)
{
    int32_t *ids = NULL, bos = llama_vocab_bos(m->vocab);
    int64_t n = 0, stop = 0;
    char *end = NULL;
    ch_code code = ch_text_ids(m, after, "the chat template", &ids, &n, e);
    /* a BOS that a template writes in front of each turn is none of the answer's */
    int64_t first = n > 0 && ids[0] == bos && !llama_vocab_is_eog(m->vocab, bos) ? 1 : 0;
    for (stop = first; stop < n && !llama_vocab_is_eog(m->vocab, ids[stop]);)
        stop++;
    if (code == CH_OK && stop < n)
        code = piece(m, ids[stop], &end, e);
    const char *at = end && *end ? strstr(after, end) : NULL;
    *found = at != NULL;
    if (at) {
        m->n_end_of_turn = stop + 1 - first;
        m->end_of_turn = ch_new((size_t)m->n_end_of_turn, sizeof *ids);
        memcpy(m->end_of_turn, ids + first, (size_t)m->n_end_of_turn * sizeof *ids);
        m->after_answer = ch_dupn(after, (size_t)(at - after) + strlen(end));
    }
    free(end);
    free(ids);
    return code;
}

/* after: what the template puts behind an answer, NULL when there is no template or it does not
 * show. Without a turn's end there the end-of-text token is it. */
static ch_code learn_after(ch_model *m, const char *after, ch_err *e)
{
    int found = 0;
    if (after)
        CH_TRY(learn_end(m, after, &found, e));
    if (found)
        return CH_OK;
    int32_t eos = llama_vocab_eos(m->vocab);
    if (eos == LLAMA_TOKEN_NULL)
        return ch_fail(e, CH_EUSER, "%s names no end-of-text token (tokenizer.ggml.eos_token_id)",
                       m->path);
    m->n_end_of_turn = 1;
    m->end_of_turn = ch_new(1, sizeof eos);
    m->end_of_turn[0] = eos;
    return piece(m, eos, &m->after_answer, e);
}

ch_code ch_chat_learn(ch_model *m, ch_err *e)
{
    char *whole = NULL, *prompt = NULL;
    m->before_answer = ch_dup("");
    if (!m->vocab) {
        m->after_answer = ch_dup("");
        return CH_OK;
    }
    ch_code code = m->template ? apply(m, "x", PROBE, &whole, e) : CH_OK;
    if (code == CH_OK && m->template)
        code = apply(m, "x", NULL, &prompt, e);
    char *at = whole ? strstr(whole, PROBE) : NULL;
    if (at && prompt && (size_t)(at - whole) > strlen(prompt) &&
        strncmp(whole, prompt, strlen(prompt)) == 0) {
        free(m->before_answer);
        m->before_answer = ch_dupn(whole + strlen(prompt), (size_t)(at - whole) - strlen(prompt));
    }
    if (code == CH_OK)
        code = learn_after(m, at ? at + strlen(PROBE) : NULL, e);
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
                          const char *row, ch_err *e)
{
    char *text = ch_fmt("%s%s%s%s", prompt, m->before_answer, answer, m->after_answer);
    int32_t *ids = NULL;
    int64_t n = 0;
    ch_code code = ch_row_ids(m, text, row, &ids, &n, e);
    free(text);
    if (code != CH_OK)
        return code;
    s->n_prompt = common(s->ids, s->n, ids, n);
    free(s->ids);
    s->ids = ids;
    s->n = n;
    return CH_OK;
}

static ch_code too_long(const char *row, int64_t n, int64_t most, ch_err *e)
{
    return ch_fail(e, CH_ELONG,
                   "%s: %lld tokens with the chat template, at most %lld fit; shorten it or drop "
                   "such rows",
                   row, (long long)n, (long long)most);
}

static ch_code make(ch_seq *s, const ch_model *m, const char *user, const char *answer,
                    int64_t most, const char *row, ch_err *e)
{
    char *prompt = NULL;
    /* no token is longer than the longest: not worth the time and memory of tokenising it */
    int64_t least = (int64_t)(strlen(user) + (answer ? strlen(answer) : 0)) / m->longest_word;
    if (least > most)
        return too_long(row, least, most, e);
    CH_TRY(ch_chat(m, user, &prompt, e));
    ch_code code = ch_row_ids(m, prompt, row, &s->ids, &s->n, e);
    s->n_prompt = s->n;
    if (code == CH_OK && answer)
        code = add_answer(s, m, prompt, answer, row, e);
    free(prompt);
    CH_TRY(code);
    if (s->n_prompt < 1)
        return ch_fail(e, CH_EUSER, "%s: the model's tokenizer makes no token of the prompt", row);
    return s->n > most ? too_long(row, s->n, most, e) : CH_OK;
}

ch_code ch_seq_make(ch_seq *s, const ch_model *m, const char *user, const char *answer,
                    int64_t max_len, const char *row, ch_err *e)
{
    int64_t most = max_len > 0 && max_len < m->dims.n_ctx ? max_len : m->dims.n_ctx;
    memset(s, 0, sizeof *s);
    if (!m->vocab)
        return ch_fail(e, CH_EUSER, "%s has no tokenizer", m->path);
    ch_code code = make(s, m, user, answer, most, row ? row : "a prompt", e);
    if (code != CH_OK)
        ch_seq_release(s);
    return code;
}

void ch_seq_release(ch_seq *s)
{
    free(s->ids);
    memset(s, 0, sizeof *s);
}
