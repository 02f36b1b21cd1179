#define _GNU_SOURCE
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/enter.h"

void *ch_new(size_t count, size_t elem)
{
    CH_MUST(elem == 0 || count <= SIZE_MAX / elem);
    void *p = calloc(count ? count : 1, elem ? elem : 1);
    if (!p)
        ch_no_memory(count * elem);
    return p;
}

void *ch_grow(void *p, size_t count, size_t elem)
{
    CH_MUST(elem == 0 || count <= SIZE_MAX / elem);
    void *q = realloc(p, count && elem ? count * elem : 1);
    if (!q)
        ch_no_memory(count * elem);
    return q;
}

void *ch_new_pages(size_t bytes)
{
    const size_t large = (size_t)2 << 20;
    size_t page = bytes < large ? 4096 : large;
    CH_MUST(bytes <= SIZE_MAX - page);
    size_t padded = bytes ? (bytes + page - 1) / page * page : page;
    void *p = aligned_alloc(page, padded);
    if (!p)
        ch_no_memory(bytes);
    if (page == large)
        madvise(p, padded, MADV_HUGEPAGE);
    return p;
}

void *ch_malloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p && ch_can_leave())
        ch_no_memory(bytes);
    return p;
}

void *ch_need(void *p)
{
    if (!p)
        ch_no_memory(0);
    return p;
}

char *ch_dup(const char *s)
{
    return ch_dupn(s, strlen(s));
}

char *ch_dupn(const char *s, size_t n)
{
    char *p = ch_new(n + 1, 1);
    memcpy(p, s, n);
    return p;
}

char *ch_fmt(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = NULL;
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        ch_no_memory(0);
    return s;
}

void *ch_take(ch_arena *a, size_t count, size_t elem)
{
    CH_MUST(elem == 0 || count <= (SIZE_MAX - 64) / elem);
    size_t bytes = (count * elem + 63) / 64 * 64;
    CH_MUST(bytes <= SIZE_MAX - a->used && (!a->base || a->used + bytes <= a->cap));
    void *p = a->base ? a->base + a->used : NULL;
    a->used += bytes;
    return p;
}

static void unmap(void *p, size_t n)
{
    munmap(p, n);
}

ch_code ch_arena_alloc(ch_arena *a, const char *what, ch_err *e)
{
    CH_MUST(!a->base);
    a->cap = a->used ? a->used : 64;
    size_t there = ch_available_bytes();
    if (there && a->cap > there) /* the system would promise it, and kill us later */
        return ch_fail(e, CH_EMEM, "%s needs %.2f GB of memory and %.2f GB are free", what,
                       (double)a->cap / 1e9, (double)there / 1e9);
    void *p = mmap(NULL, a->cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return ch_fail(e, CH_EMEM, "%s needs %.2f GB of memory and the system refused it", what,
                       (double)a->cap / 1e9);
    madvise(p, a->cap, MADV_HUGEPAGE);
    ch_guard(unmap, p, a->cap);
    a->base = p;
    a->used = 0;
    return CH_OK;
}

void ch_arena_free(ch_arena *a)
{
    ch_unguard(a->base);
    if (a->base)
        unmap(a->base, a->cap);
    *a = (ch_arena){0};
}

size_t ch_peak_rss_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (size_t)u.ru_maxrss * 1024;
}

size_t ch_available_bytes(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f)
        return 0;
    char line[256];
    size_t kib = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
            break;
    fclose(f);
    return kib * 1024;
}
