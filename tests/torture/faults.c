/* Makes the n-th allocation or file call of a program fail, or kills the program there. A module
 * for LD_PRELOAD, told by the environment what to do:
 *
 *   FAULT_CALLS   which calls count: "alloc", "file", "reading", or names with commas between them
 *                 alloc: malloc calloc realloc aligned mmap
 *                 file: open (for writing) write fsync rename close (of what was
 *                 written) mkdir unlink flock ftruncate
 *                 reading: look (open for reading, also of a directory) read
 *   FAULT_AT      the number, from 1, of the call to act on; 0 or not set: only count
 *   FAULT_DO      fail (default), kill (SIGKILL before the call), tear (a write is done by half,
 *                 then SIGKILL), term (SIGTERM before the call), all (fail at FAULT_AT and ever
 *                 after, as on a full disk)
 *   FAULT_ERROR   EIO (default) or ENOSPC, for file calls; an allocation gives ENOMEM
 *   FAULT_DIR     absolute directory: only file calls on paths below it count
 *   FAULT_FROM    own: allocations count only when the program itself asks, not a shared library
 *   FAULT_NOT     part of a library's name: where the call is made for it, by whatever means, the
 *                 next one is taken (some crash for themselves without memory)
 *   FAULT_REPORT  file: "hit NAME" when the call came, "calls N" at exit
 *
 * Nothing counts before main or in a child process. The command starts itself again when
 * GOMP_SPINCOUNT is not set, and counting begins anew: set it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 1024 };

typedef enum { NONE, FAIL, TEAR } act;

static const char *const names[] = {"malloc", "calloc",    "realloc", "aligned", "mmap",  "open",
                                    "write",  "fsync",     "rename",  "close",   "mkdir", "unlink",
                                    "flock",  "ftruncate", "look",    "read"};
enum { MALLOC, CALLOC, REALLOC, ALIGNED, MMAP, OPEN, WRITE, FSYNC, RENAME, CLOSE, MKDIR, UNLINK };
enum { FLOCK = UNLINK + 1, FTRUNCATE, LOOK, READ, N_CALLS };

static int started, counts[N_CALLS], from_own, error = EIO;
static const char *todo = "fail", *report_path, *not_for;
static char dir[PATH_MAX];
static long at;
static atomic_long n_calls;
static pid_t owner;
static uintptr_t own_low, own_high;
enum { READ_ONLY = 1, WRITTEN };
static char tracked[FDS]; /* descriptors on files below dir */
static FILE *streams[FDS];

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static void report(const char *what, long n)
{
    char line[128];
    if (!report_path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, report_path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int k = n < 0 ? snprintf(line, sizeof line, "hit %s\n", what)
                  : snprintf(line, sizeof line, "%s %ld\n", what, n);
    syscall(SYS_write, fd, line, (size_t)k);
    syscall(SYS_close, fd);
}

static int is_passed_over(void)
{
    void *from[64];
    Dl_info who;
    int n = backtrace(from, 64);
    for (int i = 0; i < n; i++)
        if (dladdr(from[i], &who) && who.dli_fname && strstr(who.dli_fname, not_for))
            return 1;
    return 0;
}

/* What is to happen to this call. */
static act next(int call)
{
    if (!started || !counts[call] || getpid() != owner)
        return NONE;
    long n = atomic_fetch_add(&n_calls, 1) + 1;
    int all = !strcmp(todo, "all");
    if (!at || (all ? n < at : n != at))
        return NONE;
    if (call <= MMAP && not_for && n == at && is_passed_over()) {
        at++;
        return NONE;
    }
    if (n == at)
        report(names[call], -1);
    if (!strcmp(todo, "tear") && call == WRITE)
        return TEAR;
    if (!strcmp(todo, "kill") || !strcmp(todo, "tear"))
        kill(owner, SIGKILL);
    if (!strcmp(todo, "term")) {
        kill(owner, SIGTERM);
        return NONE;
    }
    errno = call <= MMAP ? ENOMEM : error;
    return FAIL;
}

/* ------------------------------------------------------------------ memory */

static int fails(int call, const void *caller)
{
    uintptr_t from = (uintptr_t)caller;
    return (!from_own || (from >= own_low && from < own_high)) && next(call);
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
    return fails(MALLOC, CALLER) ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    return fails(CALLOC, CALLER) ? NULL : __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    return fails(REALLOC, CALLER) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return fails(ALIGNED, CALLER) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (fails(ALIGNED, CALLER))
        return ENOMEM;
    *p = __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset)
{
    if ((flags & MAP_ANONYMOUS) && fails(MMAP, CALLER))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, p, n, prot, flags, fd, offset);
}

/* ------------------------------------------------------------------ files */

static int below(const char *path)
{
    char full[2 * PATH_MAX];
    size_t n = strlen(dir);
    if (path[0] != '/') {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here))
            return 0;
        path += path[0] == '.' && path[1] == '/' ? 2 : 0;
        snprintf(full, sizeof full, "%s/%s", here, path);
        path = full;
    }
    return n && !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

static int is_tracked(int fd)
{
    return fd >= 0 && fd < FDS && tracked[fd];
}

static int open_at(int base, const char *path, int flags, mode_t mode)
{
    int ours = path[0] == '/' || base == AT_FDCWD ? below(path) : is_tracked(base);
    if (ours && next(flags & (O_WRONLY | O_RDWR | O_CREAT) ? OPEN : LOOK))
        return -1;
    int fd = (int)syscall(SYS_openat, base, path, flags, mode);
    if (fd >= 0 && fd < FDS)
        tracked[fd] = (char)(!ours ? 0 : flags & (O_WRONLY | O_RDWR) ? WRITTEN : READ_ONLY);
    return fd;
}

#define WITH_MODE(name, before, base)                                                              \
    int name(before const char *path, int flags, ...)                                              \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;                    \
        va_end(ap);                                                                                \
        return open_at(base, path, flags, mode);                                                   \
    }
#define BASE int base,
WITH_MODE(open, , AT_FDCWD)
WITH_MODE(open64, , AT_FDCWD)
WITH_MODE(openat, BASE, base)
WITH_MODE(openat64, BASE, base)

ssize_t write(int fd, const void *data, size_t n)
{
    act a = is_tracked(fd) ? next(WRITE) : NONE;
    if (a == FAIL)
        return -1;
    ssize_t done = syscall(SYS_write, fd, data, a == TEAR ? n / 2 : n);
    if (a == TEAR)
        kill(owner, SIGKILL);
    return done;
}

ssize_t read(int fd, void *data, size_t n)
{
    return is_tracked(fd) && next(READ) ? -1 : syscall(SYS_read, fd, data, n);
}

int close(int fd)
{
    act a = is_tracked(fd) && tracked[fd] == WRITTEN ? next(CLOSE) : NONE;
    if (fd >= 0 && fd < FDS)
        tracked[fd] = 0, streams[fd] = NULL;
    int why = errno, bad = (int)syscall(SYS_close, fd);
    if (a)
        errno = why;
    return a ? -1 : bad;
}

int fsync(int fd)
{
    return is_tracked(fd) && next(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return is_tracked(fd) && next(FSYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int flock(int fd, int how)
{
    return is_tracked(fd) && next(FLOCK) ? -1 : (int)syscall(SYS_flock, fd, how);
}

int ftruncate(int fd, off_t n)
{
    return is_tracked(fd) && next(FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int rename(const char *from, const char *to)
{
    return (below(from) || below(to)) && next(RENAME) ? -1 : (int)syscall(SYS_rename, from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return below(path) && next(MKDIR) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

int unlink(const char *path)
{
    return below(path) && next(UNLINK) ? -1 : (int)syscall(SYS_unlink, path);
}

/* Relative to a directory that is open: below dir when that is. */
int unlinkat(int base, const char *path, int flags)
{
    int ours = path[0] == '/' || base == AT_FDCWD ? below(path) : is_tracked(base);
    return ours && next(UNLINK) ? -1 : (int)syscall(SYS_unlinkat, base, path, flags);
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    return d;
}

/* libc's streams read and write past this module: one on a file below dir is made of the calls above. */
static ssize_t stream_write(void *fd, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t k = write((int)(intptr_t)fd, data + done, n - done);
        if (k < 0)
            return 0; /* a cookie's way to fail */
        done += (size_t)k;
    }
    return (ssize_t)n;
}

static ssize_t stream_read(void *fd, char *data, size_t n)
{
    return read((int)(intptr_t)fd, data, n);
}

static int stream_seek(void *fd, off64_t *to, int whence)
{
    off64_t now = lseek64((int)(intptr_t)fd, *to, whence);
    *to = now;
    return now < 0 ? -1 : 0;
}

static int stream_close(void *fd)
{
    return close((int)(intptr_t)fd);
}

FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);
    if (!real)
        real = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    int append = mode[0] == 'a', rest = append ? O_APPEND : O_TRUNC;
    if (strchr(mode, '+') || !below(path))
        return real(path, mode);
    int reads = mode[0] == 'r', how = reads ? O_RDONLY : O_WRONLY | O_CREAT | rest;
    int fd = open_at(AT_FDCWD, path, how | O_CLOEXEC, 0666);
    if (fd < 0 || fd >= FDS)
        return NULL;
    const cookie_io_functions_t io = {stream_read, stream_write, stream_seek, stream_close};
    return streams[fd] = fopencookie((void *)(intptr_t)fd, reads ? "r" : append ? "a" : "w", io);
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
    static FILE *(*real)(int, const char *);
    if (!real)
        real = (FILE * (*)(int, const char *)) dlsym(RTLD_NEXT, "fdopen");
    if (mode[0] == 'r' || !is_tracked(fd))
        return real(fd, mode);
    const cookie_io_functions_t io = {NULL, stream_write, stream_seek, stream_close};
    return streams[fd] = fopencookie((void *)(intptr_t)fd, mode, io);
}

int fileno(FILE *f)
{
    static int (*real)(FILE *);
    for (int fd = 0; fd < FDS; fd++)
        if (streams[fd] == f)
            return fd;
    if (!real)
        real = (int (*)(FILE *))dlsym(RTLD_NEXT, "fileno");
    return real(f);
}

/* ------------------------------------------------------------------ beginning and end */

static int find_own(struct dl_phdr_info *info, size_t n, void *unused)
{
    (void)n, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            own_low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            own_high = own_low + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the program is the first in the list */
}

static int has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ',') && (p[n] == ',' || !p[n]))
            return 1;
    return 0;
}

static void at_end(void)
{
    if (getpid() == owner)
        report("calls", atomic_load(&n_calls));
}

static int (*true_main)(int, char **, char **);

static int begin(int argc, char **argv, char **env)
{
    const char *calls = getenv("FAULT_CALLS"), *n = getenv("FAULT_AT"), *how = getenv("FAULT_DO");
    const char *why = getenv("FAULT_ERROR"), *below_dir = getenv("FAULT_DIR");
    const char *from = getenv("FAULT_FROM");
    for (int i = 0; calls && i < N_CALLS; i++)
        counts[i] = has(calls, names[i]) || has(calls, i <= MMAP  ? "alloc"
                                                       : i < LOOK ? "file"
                                                                  : "reading");
    at = n ? strtol(n, NULL, 10) : 0;
    todo = how ? how : todo;
    error = why && !strcmp(why, "ENOSPC") ? ENOSPC : EIO;
    if (below_dir)
        snprintf(dir, sizeof dir, "%s", below_dir);
    report_path = getenv("FAULT_REPORT");
    not_for = getenv("FAULT_NOT");
    void *unused[4];
    backtrace(unused, 4); /* this one too */
    from_own = from && !strcmp(from, "own");
    dl_iterate_phdr(find_own, NULL);
    dlsym(RTLD_NEXT, "fopen"); /* allocates the first time */
    owner = getpid();
    atexit(at_end);
    started = 1;
    return true_main(argc, argv, env);
}

int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                      void (*)(void), void *);

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*unload)(void), void *stack)
{
    int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    true_main = program;
    return real(begin, argc, argv, init, fini, unload, stack);
}
