/* The way into the library: each public function, and each command, does its work inside ch_enter.
 * Inside it numbers have C's form whatever the program's locale (thread by thread: workers of a
 * parallel region print and read none), SIGINT and SIGTERM are ours if they were asked for, and
 * running out of memory ends the work instead of the process. */
#ifndef CH_BASE_ENTER_H
#define CH_BASE_ENTER_H

#include <stddef.h>

#include "base/err.h"

typedef ch_code (*ch_work)(void *ctx, ch_err *e);

/* work's own code; CH_EMEM where memory ran out, and then what was guarded and is not yet given
 * back is released, the last first, and small blocks stay lost. */
ch_code ch_enter(ch_work work, void *ctx, ch_err *e) CH_CHECK_RESULT;

/* No memory: leaves the innermost ch_enter of this thread. Outside of one, and in a parallel region
 * begun inside, there is no way out: says so and aborts. bytes: wanted, 0 when unknown. */
void ch_no_memory(size_t bytes) __attribute__((noreturn));
/* 1 when ch_no_memory would leave. */
int ch_can_leave(void);

/* For what is large or of the system (mappings, files, other libraries' handles): release(what, n)
 * is called when memory runs out. It gives back this one thing and nothing that has a guard of its
 * own. Nothing happens outside of ch_enter. */
void ch_guard(void (*release)(void *what, size_t n), void *what, size_t n);
/* Before giving it back in the common way; a thing that has no guard is let be. */
void ch_unguard(const void *what);

#endif
