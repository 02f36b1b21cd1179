#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

ch_code ch_fail(ch_err *e, ch_code code, const char *fmt, ...)
{
    if (!e || e->code != CH_OK)
        return code;
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return code;
}

void ch_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "chorus: bug at %s:%d: %s does not hold\n", file, line, what);
    abort();
}
