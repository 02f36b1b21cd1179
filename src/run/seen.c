#include "run/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

ch_code ch_seen_hash(ch_seen *x, const char *path, ch_hash *h, ch_err *e)
{
    struct stat now;
    *h = (ch_hash){{0}};
    if (stat(path, &now))
        return ch_fail(e, CH_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(now.st_mode))
        return ch_fail(e, CH_EUSER, "%s: is no file", path);
    for (int64_t i = 0; i < x->n; i++)
        if (unchanged(&x->list[i].as, &now)) {
            *h = x->list[i].hash;
            return CH_OK;
        }
    CH_TRY(ch_hash_file(path, h, e));
    *CH_PUSH(x->list, x->n, x->cap) = (ch_seen_file){now, *h};
    return CH_OK;
}

void ch_seen_release(ch_seen *x)
{
    free(x->list);
    *x = (ch_seen){0};
}
