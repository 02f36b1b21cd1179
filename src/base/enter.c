#define _GNU_SOURCE
#include "base/enter.h"

#include <locale.h>
#include <omp.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/interrupt.h"

typedef struct scope {
    jmp_buf out;
    struct scope *outer;
    size_t guards; /* how many there were before */
    int level;     /* of nested parallel regions */
    locale_t was;
    size_t wanted;
} scope;

typedef struct {
    void (*release)(void *what, size_t n);
    void *what;
    size_t n;
} guard;

static _Thread_local scope *innermost;
static _Thread_local guard *guards;
static _Thread_local size_t n_guards, cap_guards;

/* Released from the frames that own them: a guarded thing may lie in one. */
static void release_down_to(size_t n)
{
    while (n_guards > n) {
        guard g = guards[--n_guards];
        g.release(g.what, g.n);
    }
}

static void begin(scope *s)
{
    static const char c[] = "C";
    *s = (scope){.outer = innermost, .guards = n_guards, .level = omp_get_level()};
    s->was = uselocale(newlocale(LC_ALL_MASK, c, (locale_t)0)); /* a constant of the C library */
    if (!innermost)
        ch_interrupt_begin();
    innermost = s;
}

static void end(const scope *s)
{
    innermost = s->outer;
    uselocale(s->was);
    if (innermost)
        return; /* what has a guard still is the outer one's now */
    ch_interrupt_end();
    free(guards);
    guards = NULL;
    n_guards = cap_guards = 0;
}

static ch_code no_memory(ch_err *e, size_t bytes)
{
    if (!e)
        return CH_EMEM;
    e->code = CH_OK; /* whatever was being said is less than this */
    return bytes ? ch_fail(e, CH_EMEM, "out of memory: the system refused %zu bytes", bytes)
                 : ch_fail(e, CH_EMEM, "out of memory");
}

ch_code ch_enter(ch_work work, void *ctx, ch_err *e)
{
    scope s;
    begin(&s);
    ch_code c = setjmp(s.out) ? no_memory(e, s.wanted) : work(ctx, e);
    end(&s);
    return c;
}

int ch_can_leave(void)
{
    return innermost && innermost->level == omp_get_level();
}

void ch_no_memory(size_t bytes)
{
    if (!ch_can_leave()) {
        fprintf(stderr, "chorus: out of memory (%zu bytes wanted)\n", bytes);
        abort();
    }
    release_down_to(innermost->guards);
    innermost->wanted = bytes;
    longjmp(innermost->out, 1);
}

void ch_guard(void (*release)(void *what, size_t n), void *what, size_t n)
{
    if (!innermost)
        return;
    if (n_guards == cap_guards) {
        size_t cap = cap_guards ? 2 * cap_guards : 32;
        guard *more = realloc(guards, cap * sizeof *more);
        if (!more) {
            release(what, n);
            ch_no_memory(cap * sizeof *more);
        }
        guards = more;
        cap_guards = cap;
    }
    guards[n_guards++] = (guard){release, what, n};
}

void ch_unguard(const void *what)
{
    for (size_t i = n_guards; i-- > 0;)
        if (guards[i].what == what) {
            for (n_guards--; i < n_guards; i++)
                guards[i] = guards[i + 1];
            return;
        }
}
