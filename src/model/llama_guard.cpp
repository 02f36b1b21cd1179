extern "C" {
#include "model/llama_guard.h"

#include "base/log.h"
}

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

#include <pthread.h>

#include "ggml.h"
#include "llama.h"

/* Of stack for a byte of text: 420 were seen. */
static const size_t STACK_PER_BYTE = 640, FEW_BYTES = 4096;

static thread_local char last_error[200];
static thread_local int no_memory, why_io; /* since the last call; errno of a failed read */
static thread_local int inside;            /* calls of ch_llama_call on this thread */

const char *ch_llama_shown(char *out, size_t cap, const char *s)
{
    size_t n = 0;
    for (; s[n] && n + 1 < cap; n++)
        out[n] = s[n] >= ' ' && s[n] < 0x7f ? s[n] : '?';
    out[n] = 0;
    return out;
}

static void to_log(enum ggml_log_level level, const char *text, void *)
{
    char line[200];
    size_t n = strcspn(text, "\n");
    if (n == 0 || level == GGML_LOG_LEVEL_CONT)
        return;
    ch_llama_shown(line, n + 1 < sizeof line ? n + 1 : sizeof line, text);
    if (level == GGML_LOG_LEVEL_ERROR) {
        memcpy(last_error, line, sizeof line);
        no_memory |= strstr(line, "bad_alloc") || strstr(line, "allocate");
    }
    ch_log(CH_DEBUG, "libllama: %s", line);
}

/* ggml aborts behind this, so the way out is to throw; on a thread of ggml's own nobody would catch
 * it. */
static void on_abort(const char *message)
{
    if (inside)
        throw std::runtime_error(message);
    ch_bug(__FILE__, __LINE__, message);
}

void ch_llama_quiet(void)
{
    static const int done = [] {
        llama_log_set(to_log, nullptr);
        ggml_set_abort_callback(on_abort);
        llama_backend_init();
        return 1;
    }();
    (void)done;
}

ch_code ch_llama_refused(const char *path, const char *what, const char *hint, ch_err *e)
{
    if (no_memory)
        return ch_fail(e, CH_EMEM, "%s: no memory for what libllama needs", path);
    if (why_io)
        return ch_fail(e, CH_EIO, "%s: reading failed: %s", path, strerror(why_io));
    return ch_fail(e, CH_EUSER, "%s: %s (%s)%s", path, what, last_error, hint);
}

/* What is thrown now, as an error. */
static ch_code caught(const char *what, ch_err *e)
{
    char line[200];
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return ch_fail(e, CH_EMEM, "%s: no memory for what libllama needs", what);
    } catch (const std::exception &x) {
        /* ggml says that it got no memory, and then asserts that it did */
        if (no_memory)
            return ch_fail(e, CH_EMEM, "%s: no memory for what libllama needs", what);
        return ch_fail(e, CH_EUSER, "%s: libllama stopped: %s", what,
                       ch_llama_shown(line, sizeof line, x.what()));
    } catch (...) {
        return ch_fail(e, CH_EUSER, "%s: libllama stopped", what);
    }
}

ch_code ch_llama_call(void (*fn)(void *ctx), void *ctx, const char *what, ch_err *e)
{
    const int depth = inside++;
    ch_code code = CH_OK;
    last_error[0] = 0;
    no_memory = 0;
    try {
        ch_llama_quiet();
        errno = 0;
        fn(ctx);
        why_io = errno == EIO ? EIO : 0;
    } catch (...) {
        code = caught(what, e);
    }
    inside = depth;
    return code;
}

struct deep_call {
    void (*fn)(void *ctx);
    void *ctx;
    const char *what;
    ch_err *e;
    ch_code code;
};

static void *go_deep(void *arg)
{
    deep_call *d = static_cast<deep_call *>(arg);
    d->code = ch_llama_call(d->fn, d->ctx, d->what, d->e);
    return nullptr;
}

ch_code ch_llama_call_text(void (*fn)(void *ctx), void *ctx, size_t bytes, const char *what,
                           ch_err *e)
{
    if (bytes <= FEW_BYTES)
        return ch_llama_call(fn, ctx, what, e);
    deep_call d = {fn, ctx, what, e, CH_OK};
    pthread_attr_t how;
    pthread_t thread;
    pthread_attr_init(&how);
    int bad =
        pthread_attr_setstacksize(&how, (bytes * STACK_PER_BYTE + (1 << 20)) & ~(size_t)0xFFFF);
    if (!bad)
        bad = pthread_create(&thread, &how, go_deep, &d);
    pthread_attr_destroy(&how);
    if (bad)
        return ch_fail(e, CH_EMEM, "%s: no room for the stack that a text of %zu bytes needs", what,
                       bytes);
    pthread_join(thread, nullptr);
    return d.code;
}
