/* Three kinds of error, never mixed: a user's or a file's fault is a returned code with a sentence
 * (ch_fail, CH_TRY); our own fault is CH_MUST, kept in release; hot-loop invariants are assert. */
#ifndef CH_BASE_ERR_H
#define CH_BASE_ERR_H

#include "chorus_err.h"

/* Records code and sentence in e unless e already holds a failure (e may be NULL); returns code. The
 * sentence may hold any bytes of file names and texts: it is kept as one line in its shown form
 * (base/shown.h). Where it is too long, long words lose their middle, and then it its end, to
 * "...". A sentence says, in this order: where (the file and its line, the option, the row), what was
 * found, what is wanted, and where it helps a hint: "t.json, line 3: `output` is a number, a text is
 * wanted; put the number in quotes". */
ch_code ch_fail(ch_err *e, ch_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints file, line and the broken condition, and aborts. */
void ch_bug(const char *file, int line, const char *what) __attribute__((noreturn));

#define CH_TRY(call)                                                                               \
    do {                                                                                           \
        ch_code c_ = (call);                                                                       \
        if (c_ != CH_OK)                                                                           \
            return c_;                                                                             \
    } while (0)

#define CH_MUST(x)                                                                                 \
    do {                                                                                           \
        if (!(x))                                                                                  \
            ch_bug(__FILE__, __LINE__, #x);                                                        \
    } while (0)

#define CH_UNUSED       __attribute__((unused))
#define CH_CHECK_RESULT __attribute__((warn_unused_result))

#endif
