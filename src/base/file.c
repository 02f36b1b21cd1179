#define _GNU_SOURCE
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enter.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { READ_AT_ONCE = 1 << 24 }; /* an interrupt is seen in between */

static void close_fd(void *fd, size_t n CH_UNUSED)
{
    close((int)(intptr_t)fd - 1);
}

ch_code ch_fd_open(int *fd, const char *path, ch_err *e)
{
    do
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    while (*fd < 0 && errno == EINTR && !ch_interrupted());
    if (*fd < 0)
        return ch_fail(e, errno == ENOMEM ? CH_EMEM : CH_EUSER, "%s: cannot be read: %s", path,
                       strerror(errno));
    ch_guard_fd(*fd);
    return CH_OK;
}

void ch_guard_fd(int fd)
{
    if (fd >= 0)
        ch_guard(close_fd, (void *)(intptr_t)(fd + 1), 0); /* never the pointer NULL */
}

static void close_stream(void *f, size_t n CH_UNUSED)
{
    fclose(f);
}

void ch_stream_guard(FILE *f)
{
    if (f)
        ch_guard(close_stream, f, 0);
}

int ch_stream_close(FILE *f)
{
    ch_unguard(f);
    return fclose(f);
}

void ch_fd_close(int fd)
{
    ch_unguard((void *)(intptr_t)(fd + 1));
    if (fd >= 0)
        close(fd);
}

ch_code ch_fd_read(int fd, const char *path, void *buf, size_t n, size_t *got, ch_err *e)
{
    ssize_t k;
    *got = 0;
    do
        k = read(fd, buf, n);
    while (k < 0 && errno == EINTR && !ch_interrupted());
    if (k < 0 && errno == EINTR)
        return ch_fail(e, CH_ESTOP, "interrupted while reading %s", path);
    if (k < 0)
        return errno == EISDIR
                   ? ch_fail(e, CH_EUSER, "%s: is a directory, a file is wanted", path)
                   : ch_fail(e, CH_EIO, "%s: reading failed: %s", path, strerror(errno));
    *got = (size_t)k;
    return CH_OK;
}

static ch_code read_all(int fd, const char *path, char **text, size_t *n, ch_err *e)
{
    struct stat st;
    int told = fstat(fd, &st) == 0;
    if (told && (S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd)))) /* may never end */
        return ch_fail(e, CH_EUSER, "%s: is a device, a file is wanted", path);
    size_t known = told && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    size_t cap = known + 4096, got = 1;
    *n = 0;
    *text = ch_new(cap + 1, 1);
    ch_code c = CH_OK;
    while (c == CH_OK && got) {
        if (*n == cap)
            *text = ch_grow(*text, (cap *= 2) + 1, 1);
        c = ch_fd_read(fd, path, *text + *n, cap - *n < READ_AT_ONCE ? cap - *n : READ_AT_ONCE,
                       &got, e);
        *n += got;
        if (c == CH_OK && got == READ_AT_ONCE && ch_interrupted())
            c = ch_fail(e, CH_ESTOP, "interrupted while reading %s", path);
    }
    (*text)[*n] = 0;
    return c;
}

ch_code ch_file_read(const char *path, char **text, size_t *n, ch_err *e)
{
    int fd;
    size_t used = 0;
    *text = NULL;
    CH_TRY(ch_fd_open(&fd, path, e));
    ch_code c = read_all(fd, path, text, &used, e);
    ch_fd_close(fd);
    if (c != CH_OK) {
        free(*text);
        *text = NULL;
    } else if (n) {
        *n = used;
    }
    return c;
}

ch_code ch_make_dir(const char *path, ch_err *e)
{
    char *p = ch_dup(path);
    for (char *s = p + 1;; s++) {
        if (*s && *s != '/')
            continue;
        char keep = *s;
        *s = 0;
        if (mkdir(p, 0777) && errno != EEXIST) {
            ch_fail(e, CH_EIO, "%s: cannot be made: %s", p, strerror(errno));
            free(p);
            return CH_EIO;
        }
        *s = keep;
        if (!keep)
            break;
    }
    free(p);
    if (!ch_is_dir(path))
        return ch_fail(e, CH_EUSER, "%s: is a file, a directory is wanted", path);
    return CH_OK;
}

int ch_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int ch_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void close_dir(void *d, size_t n CH_UNUSED)
{
    closedir(d);
}

ch_code ch_list_dir(const char *path, const char *suffix, char ***names, int64_t *n, ch_err *e)
{
    *names = NULL;
    *n = 0;
    DIR *d = opendir(path);
    if (!d)
        return ch_fail(e, CH_EUSER, "%s: cannot be listed: %s", path, strerror(errno));
    int64_t cap = 0;
    size_t sn = strlen(suffix);
    ch_guard(close_dir, d, 0);
    struct dirent *it;
    while (errno = 0, (it = readdir(d))) {
        size_t k = strlen(it->d_name);
        if (it->d_name[0] != '.' && k > sn && !strcmp(it->d_name + k - sn, suffix))
            *CH_PUSH(*names, *n, cap) = ch_dup(it->d_name);
    }
    int why = errno;
    ch_unguard(d);
    closedir(d);
    if (*n)
        qsort(*names, (size_t)*n, sizeof **names, by_name);
    *CH_PUSH(*names, *n, cap) = NULL;
    --*n;
    if (!why)
        return CH_OK;
    ch_names_free(*names);
    *names = NULL;
    *n = 0;
    return ch_fail(e, CH_EIO, "%s: cannot be listed to its end: %s", path, strerror(why));
}

void ch_names_free(char **names)
{
    for (char **s = names; s && *s; s++)
        free(*s);
    free(names);
}

char *ch_path(const char *dir, const char *name)
{
    return name[0] == '/' || !dir[0] ? ch_dup(name) : ch_fmt("%s/%s", dir, name);
}
