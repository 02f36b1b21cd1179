#define _GNU_SOURCE
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

ch_code ch_file_read(const char *path, char **text, size_t *n, ch_err *e)
{
    *text = NULL;
    FILE *f = fopen(path, "rb");
    if (!f)
        return ch_fail(e, CH_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    if (ch_is_dir(path)) {
        fclose(f);
        return ch_fail(e, CH_EUSER, "%s: is a directory, a file is wanted", path);
    }
    size_t cap = 1 << 16, used = 0, got;
    char *buf = ch_new(cap + 1, 1);
    while ((got = fread(buf + used, 1, cap - used, f)) > 0) {
        used += got;
        if (used == cap)
            buf = ch_grow(buf, (cap *= 2) + 1, 1);
    }
    int bad = ferror(f);
    fclose(f);
    if (bad) {
        free(buf);
        return ch_fail(e, CH_EIO, "%s: reading failed: %s", path, strerror(errno));
    }
    buf[used] = 0;
    *text = buf;
    if (n)
        *n = used;
    return CH_OK;
}

ch_code ch_out_open(ch_out *o, const char *path, ch_err *e)
{
    o->path = ch_dup(path);
    o->tmp = ch_fmt("%s.tmp", path);
    o->f = fopen(o->tmp, "wb");
    if (o->f)
        return CH_OK;
    ch_fail(e, CH_EIO, "%s: cannot be written: %s", path, strerror(errno));
    ch_out_abandon(o);
    return CH_EIO;
}

static void sync_parent(const char *path)
{
    char *copy = ch_dup(path);
    int d = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (d >= 0) {
        fsync(d);
        close(d);
    }
    free(copy);
}

ch_code ch_out_commit(ch_out *o, ch_err *e)
{
    int bad = ferror(o->f);
    errno = bad ? EIO : 0;
    if (!bad && (fflush(o->f) || fsync(fileno(o->f))))
        bad = 1;
    int why = errno;
    if (fclose(o->f) && !bad)
        bad = 1, why = errno;
    o->f = NULL;
    if (!bad && rename(o->tmp, o->path))
        bad = 1, why = errno;
    if (bad)
        ch_fail(e, CH_EIO, "%s: writing failed: %s; nothing was replaced", o->path, strerror(why));
    else
        sync_parent(o->path);
    ch_out_abandon(o);
    return bad ? CH_EIO : CH_OK;
}

void ch_out_abandon(ch_out *o)
{
    if (o->f)
        fclose(o->f);
    if (o->tmp)
        unlink(o->tmp);
    free(o->path);
    free(o->tmp);
    *o = (ch_out){0};
}

ch_code ch_file_write(const char *path, const void *data, size_t n, ch_err *e)
{
    ch_out o;
    CH_TRY(ch_out_open(&o, path, e));
    fwrite(data, 1, n, o.f);
    return ch_out_commit(&o, e);
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

ch_code ch_list_dir(const char *path, const char *suffix, char ***names, int64_t *n, ch_err *e)
{
    *names = NULL;
    *n = 0;
    DIR *d = opendir(path);
    if (!d)
        return ch_fail(e, CH_EUSER, "%s: cannot be listed: %s", path, strerror(errno));
    int64_t cap = 0;
    size_t sn = strlen(suffix);
    for (struct dirent *it; (it = readdir(d));) {
        size_t k = strlen(it->d_name);
        if (it->d_name[0] != '.' && k > sn && !strcmp(it->d_name + k - sn, suffix))
            *CH_PUSH(*names, *n, cap) = ch_dup(it->d_name);
    }
    closedir(d);
    if (*n)
        qsort(*names, (size_t)*n, sizeof **names, by_name);
    *CH_PUSH(*names, *n, cap) = NULL;
    --*n;
    return CH_OK;
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
