/* Outputs: a file is there entirely or not at all; a device or a FIFO is written to as it is. */
#ifndef CH_BASE_OUT_H
#define CH_BASE_OUT_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/* Everything goes to "<path>.tmp"; commit flushes, syncs and renames it over path, and syncs the
 * directory; abandon removes it. A write that fails (disk full) shows at commit, and path keeps what
 * it held. Where path is a link, the file that it leads to is replaced. What is no file (a device, a
 * FIFO, /dev/stdout) is opened and written. Do not move an open ch_out. */
typedef struct {
    FILE *f;
    char *path;     /* as given */
    char *to, *tmp; /* NULL: written in place */
    int fd, why;    /* why: errno of the first write that failed */
} ch_out;

ch_code ch_out_open(ch_out *o, const char *path, ch_err *e) CH_CHECK_RESULT;
ch_code ch_out_commit(ch_out *o, ch_err *e) CH_CHECK_RESULT;
void ch_out_abandon(ch_out *o);
/* open, write, commit in one. */
ch_code ch_file_write(const char *path, const void *data, size_t n, ch_err *e) CH_CHECK_RESULT;

/* A name that is the program's own, before it is written: a link, a device or a FIFO there is taken
 * away, so that nothing is written through it. */
void ch_out_own(const char *path);

/* Before long work: whether path could be opened for writing now, and is none of the inputs (files,
 * or directories whose files are inputs; NULL-terminated, NULL entries are not allowed; may be
 * NULL). Leaves nothing behind. Error (CH_EUSER, CH_EIO) as ch_out_open's. */
ch_code ch_out_check(const char *path, const char *const *inputs, ch_err *e) CH_CHECK_RESULT;

/* fsync of the directory that holds path. CH_OK on file systems that know no such thing. */
ch_code ch_sync_parent(const char *path, ch_err *e) CH_CHECK_RESULT;

#endif
