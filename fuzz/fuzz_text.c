/* Texts of arbitrary bytes through template and tokenizer, and arbitrary ids back into text. The
 * first byte: its lowest bit chooses the model; 2: the rest are ids, four bytes each; 4: what stands
 * before the first NUL is asked and the rest is the answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static ch_device *device;
static ch_model *models[2];

static void leave(void)
{
    ch_model_free(models[0]);
    ch_model_free(models[1]);
    ch_device_close(device);
}

static void start(void)
{
    static const char *const paths[] = {"tests/data/tiny/tiny.gguf", "tests/data/tiny/spm.gguf"};
    ch_err e = {0};
    ch_log_level(CH_QUIET);
    CH_MUST(!ch_device_open(&device, CH_PRECISION_F32, CH_ISA_PORTABLE, 1, &e));
    for (int i = 0; i < 2; i++)
        CH_MUST(!ch_model_load(&models[i], paths[i], device, &e));
    atexit(leave);
}

/* OK, or refused with a sentence. */
static int said(ch_code c, const ch_err *e)
{
    CH_MUST(c == e->code && (c == CH_OK || (e->msg[0] && !strchr(e->msg, '\n'))));
    CH_MUST(c == CH_OK || c == CH_EUSER || c == CH_ELONG);
    return c == CH_OK;
}

static void text_of(const ch_model *m, const int32_t *ids, int64_t n)
{
    for (int special = 0; special < 2; special++) {
        char *s = ch_detokenize(m, ids, n, special);
        CH_MUST(ch_utf8_valid(s, strlen(s)));
        free(s);
    }
}

static void any_ids(const ch_model *m, const uint8_t *data, size_t n)
{
    int64_t k = (int64_t)(n / 4), V = ch_model_dims(m)->V;
    int32_t *ids = ch_new((size_t)k + 1, sizeof *ids);
    memcpy(ids, data, (size_t)k * 4);
    for (int64_t i = 0; i < k; i++)
        ids[i] = (int32_t)((uint32_t)ids[i] % (uint32_t)V);
    text_of(m, ids, k);
    free(ids);
}

static void in_range(const ch_model *m, const int32_t *ids, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        CH_MUST(ids[i] >= 0 && ids[i] < ch_model_dims(m)->V);
    text_of(m, ids, n);
}

static void row(const ch_model *m, const char *user, const char *answer)
{
    ch_seq s;
    ch_err e = {0};
    if (said(ch_seq_make(&s, m, user, answer, 4096, "a row", &e), &e)) {
        CH_MUST(s.n_prompt >= 1 && (answer ? s.n_prompt < s.n : s.n_prompt == s.n));
        in_range(m, s.ids, s.n);
    }
    ch_seq_release(&s);
}

static void plain(const ch_model *m, const char *text, size_t n)
{
    int32_t *ids = NULL;
    int64_t k = 0;
    char *chat = NULL;
    ch_err e = {0}, e2 = {0};
    if (said(ch_tokenize(m, text, &ids, &k, &e), &e))
        in_range(m, ids, k);
    else
        CH_MUST(!ch_utf8_valid(text, n));
    free(ids);
    if (said(ch_chat(m, text, &chat, &e2), &e2))
        CH_MUST(chat[0]);
    free(chat);
    row(m, text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    if (!ready)
        start();
    ready = 1;
    if (!n)
        return 0;
    const ch_model *m = models[data[0] & 1];
    if (data[0] & 2) {
        any_ids(m, data + 1, n - 1);
        return 0;
    }
    char *text = ch_dupn((const char *)data + 1, n - 1);
    size_t first = strlen(text);
    if (data[0] & 4)
        row(m, text, first < n - 1 ? text + first + 1 : "");
    else
        plain(m, text, first);
    free(text);
    return 0;
}
