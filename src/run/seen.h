/* Hashes of files, each file read once as long as it stays as it is. */
#ifndef CH_RUN_SEEN_H
#define CH_RUN_SEEN_H

#include <sys/stat.h>

#include "base/file.h"

typedef struct {
    struct stat as; /* when it was read */
    ch_hash hash;
} ch_seen_file;

/* Zeroed before use. */
typedef struct {
    ch_seen_file *list;
    int64_t n, cap;
} ch_seen;

/* Read again when the file's inode, size or a time of change differs from what it was. */
ch_code ch_seen_hash(ch_seen *x, const char *path, ch_hash *h, ch_err *e) CH_CHECK_RESULT;
void ch_seen_release(ch_seen *x);

#endif
