#define _GNU_SOURCE
#include "base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enter.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { BUFFER = 1 << 16, MOST_LINKS = 40 };

static int sync_fd(int fd)
{
    int bad;
    do
        bad = fsync(fd);
    while (bad && errno == EINTR);
    /* A pipe, a terminal and some file systems have nothing to sync. */
    return bad && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? -1 : 0;
}

/* ------------------------------------------------------------------ where a path leads */

/* /proc/self/fd/1 and its like are descriptors of ours: one opened anew would begin at the file's
 * beginning. -1: it is none. */
static int own_fd(const char *path)
{
    static const char *const roots[] = {"/proc/self/fd/", "/dev/fd/", NULL};
    for (int i = 0; roots[i]; i++) {
        size_t n = strlen(roots[i]);
        if (!strncmp(path, roots[i], n) && path[n] &&
            strspn(path + n, "0123456789") == strlen(path + n))
            return (int)strtol(path + n, NULL, 10);
    }
    return -1;
}

/* Follows links, also to what is not there yet. New string; *fd: our own descriptor it ends in, or
 * -1. NULL and errno where the links go in a circle. */
static char *resolve(const char *path, int *fd)
{
    char *at = ch_dup(path), to[PATH_MAX];
    for (int i = 0; i < MOST_LINKS; i++) {
        *fd = own_fd(at);
        ssize_t n = *fd < 0 ? readlink(at, to, sizeof to - 1) : -1;
        if (n < 0)
            return at; /* no link */
        to[n] = 0;
        char *next = to[0] == '/' ? ch_dup(to) : ch_fmt("%s/%s", dirname(at), to);
        free(at);
        at = next;
    }
    free(at);
    errno = ELOOP;
    return NULL;
}

static ch_code cannot(const ch_out *o, int why, ch_err *e)
{
    return ch_fail(e, why == ENOMEM ? CH_EMEM : CH_EIO, "%s: cannot be written: %s", o->path,
                   strerror(why));
}

/* Fills to and tmp, or leaves both NULL when the thing is written in place; *own as resolve's. */
static ch_code find_place(ch_out *o, int *own, ch_err *e)
{
    struct stat st;
    size_t n = strlen(o->path);
    if (!n || o->path[n - 1] == '/' || (stat(o->path, &st) == 0 && S_ISDIR(st.st_mode)))
        return ch_fail(e, CH_EUSER, "%s: %s, a file's name is wanted", n ? o->path : "an output",
                       n ? "is a directory" : "has no name");
    int is_file = stat(o->path, &st) || S_ISREG(st.st_mode);
    if (!(o->to = resolve(o->path, own)))
        return cannot(o, errno, e);
    if (*own < 0 && is_file) {
        o->tmp = ch_fmt("%s.tmp", o->to);
        return CH_OK;
    }
    free(o->to);
    o->to = NULL;
    return CH_OK;
}

/* One left behind by a process that was killed is taken away; nobody's link is followed. */
static int open_tmp(const char *tmp)
{
    struct stat st;
    if (lstat(tmp, &st) == 0 && !S_ISDIR(st.st_mode))
        unlink(tmp);
    return open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static int open_place(const ch_out *o, int own)
{
    int fd;
    do
        fd = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 3)
             : o->tmp ? open_tmp(o->tmp)
                      : open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR && !o->tmp && !ch_interrupted());
    return fd;
}

/* ------------------------------------------------------------------ writing */

static ssize_t put(void *ctx, const char *data, size_t n)
{
    ch_out *o = ctx;
    for (size_t done = 0; done < n && !o->why;) {
        ssize_t k = write(o->fd, data + done, n - done);
        if (k < 0 && (errno != EINTR || (!o->tmp && ch_interrupted())))
            o->why = errno; /* a FIFO may be full for ever */
        done += k > 0 ? (size_t)k : 0;
    }
    errno = o->why ? o->why : errno; /* callers may ask at once */
    return o->why ? 0 : (ssize_t)n;  /* 0 is a failure */
}

static void give_up(void *o, size_t n CH_UNUSED)
{
    ch_out_abandon(o);
}

ch_code ch_out_open(ch_out *o, const char *path, ch_err *e)
{
    int own = -1;
    *o = (ch_out){.path = ch_dup(path), .fd = -1};
    ch_guard(give_up, o, 0);
    ch_code c = find_place(o, &own, e);
    if (c == CH_OK && (o->fd = open_place(o, own)) < 0)
        c = errno == EINTR ? ch_fail(e, CH_ESTOP, "interrupted before %s was opened", path)
                           : cannot(o, errno, e);
    if (c == CH_OK && !(o->f = fopencookie(o, "w", (cookie_io_functions_t){.write = put})))
        c = cannot(o, ENOMEM, e);
    if (c == CH_OK)
        setvbuf(o->f, NULL, _IOFBF, BUFFER);
    else
        ch_out_abandon(o);
    return c;
}

ch_code ch_sync_parent(const char *path, ch_err *e)
{
    char *copy = ch_dup(path), *dir = dirname(copy);
    ch_code c = CH_OK;
    int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why = 0;
    if (d < 0)
        why = errno == EACCES ? 0 : errno; /* a directory that we may write to but not read */
    else if (sync_fd(d))
        why = errno;
    if (d >= 0 && close(d) && !why && errno != EINTR)
        why = errno;
    if (why)
        c = ch_fail(e, CH_EIO, "%s: the directory cannot be synced: %s", dir, strerror(why));
    free(copy);
    return c;
}

/* Everything to the disk and under its name; the errno of what failed. */
static int finish(ch_out *o)
{
    int bad = fclose(o->f) || o->why, why = o->why ? o->why : bad ? errno : 0;
    o->f = NULL;
    if (!why && sync_fd(o->fd))
        why = errno;
    if (close(o->fd) && !why && errno != EINTR)
        why = errno;
    o->fd = -1;
    if (!why && o->tmp && rename(o->tmp, o->to))
        why = errno;
    if (why && o->tmp)
        unlink(o->tmp);
    return why;
}

ch_code ch_out_commit(ch_out *o, ch_err *e)
{
    int why = finish(o);
    ch_code c = CH_OK;
    if (why == EINTR) {
        c = ch_fail(e, CH_ESTOP, "interrupted while writing to %s", o->path);
    } else if (why) {
        c = ch_fail(e, CH_EIO, "%s: writing failed: %s%s", o->path, strerror(why),
                    o->tmp ? "; nothing was replaced" : "");
    } else if (o->tmp) {
        free(o->tmp);
        o->tmp = NULL; /* it has its name now */
        c = ch_sync_parent(o->to, e);
    }
    ch_out_abandon(o);
    return c;
}

void ch_out_abandon(ch_out *o)
{
    ch_unguard(o);
    if (!o->path)
        return; /* never opened, or done with */
    if (o->f)
        fclose(o->f);
    if (o->fd >= 0)
        close(o->fd);
    if (o->tmp && o->fd >= 0)
        unlink(o->tmp);
    free(o->path);
    free(o->to);
    free(o->tmp);
    *o = (ch_out){.fd = -1};
}

void ch_out_own(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        unlink(path); /* what cannot be taken away is told by the write that follows */
}

ch_code ch_file_write(const char *path, const void *data, size_t n, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    fwrite(data, 1, n, o.f);
    return ch_out_commit(&o, e);
}

/* ------------------------------------------------------------------ before the work */

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* path is some file of the directory dir. */
static int holds(const char *dir, const char *path)
{
    char **names = NULL;
    int64_t n = 0;
    int hit = 0;
    if (!ch_is_dir(dir) || !ch_exists(path) || ch_list_dir(dir, "", &names, &n, NULL) != CH_OK)
        return 0;
    for (int64_t i = 0; i < n && !hit; i++) {
        char *one = ch_path(dir, names[i]);
        hit = same_file(one, path);
        free(one);
    }
    ch_names_free(names);
    return hit;
}

static ch_code no_input(const ch_out *o, const char *const *inputs, ch_err *e)
{
    for (; inputs && *inputs; inputs++)
        if (same_file(o->to, *inputs) || holds(*inputs, o->to))
            return ch_fail(e, CH_EUSER, "%s: is an input (%s), and would be written over", o->path,
                           *inputs);
    return CH_OK;
}

static ch_code try_place(const ch_out *o, int own, ch_err *e)
{
    int how = own < 0 ? 0 : fcntl(own, F_GETFL);
    if (how < 0)
        return cannot(o, errno, e);
    if (own >= 0 && (how & O_ACCMODE) == O_RDONLY)
        return cannot(o, EBADF, e);
    if (!o->tmp)
        return own < 0 && access(o->path, W_OK) ? cannot(o, errno, e) : CH_OK;
    int fd = open_tmp(o->tmp);
    if (fd < 0)
        return cannot(o, errno, e);
    int bad = close(fd) && errno != EINTR, why = errno;
    unlink(o->tmp);
    return bad ? cannot(o, why, e) : CH_OK;
}

ch_code ch_out_check(const char *path, const char *const *inputs, ch_err *e)
{
    int own = -1;
    ch_out o = {.path = ch_dup(path), .fd = -1};
    ch_code c = find_place(&o, &own, e);
    if (c == CH_OK && o.to)
        c = no_input(&o, inputs, e);
    if (c == CH_OK)
        c = try_place(&o, own, e);
    ch_out_abandon(&o);
    return c;
}
