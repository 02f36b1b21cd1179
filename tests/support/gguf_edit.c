#include "support/gguf_edit.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/support.h"

enum { TEXT = 8, LIST = 9, ALIGNMENT = 32 };

/* -- taking apart -- */

typedef struct {
    const char *at, *end;
} cursor;

static const char *pass(cursor *c, size_t n)
{
    const char *p = c->at;
    CHECK_(n <= (size_t)(c->end - c->at));
    c->at += n;
    return p;
}

static uint32_t take_u32(cursor *c)
{
    uint32_t v;
    memcpy(&v, pass(c, sizeof v), sizeof v);
    return v;
}

static uint64_t take_u64(cursor *c)
{
    uint64_t v;
    memcpy(&v, pass(c, sizeof v), sizeof v);
    return v;
}

static char *take_text(cursor *c)
{
    size_t n = take_u64(c);
    return ch_dupn(pass(c, n), n);
}

static void pass_value(cursor *c, uint32_t type)
{
    static const size_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == TEXT) {
        free(take_text(c));
    } else if (type == LIST) {
        uint32_t of = take_u32(c);
        for (uint64_t n = take_u64(c); n > 0; n--)
            pass_value(c, of);
    } else {
        pass(c, bytes[type]);
    }
}

gguf_edit gguf_edit_read(const char *name)
{
    gguf_edit g = {0};
    char *path = source_path(name), *file = NULL;
    size_t n = 0;
    ch_err e = {0};
    CHECK_OK(ch_file_read(path, &file, &n, &e), &e);
    cursor c = {file, file + n};
    pass(&c, 8); /* magic, version */
    g.n_tensors = (int64_t)take_u64(&c);
    g.n_keys = (int64_t)take_u64(&c);
    g.keys = ch_new((size_t)g.n_keys, sizeof *g.keys);
    g.tensors = ch_new((size_t)g.n_tensors, sizeof *g.tensors);
    for (int64_t i = 0; i < g.n_keys; i++) {
        gguf_edit_key *k = g.keys + i;
        k->name = take_text(&c);
        k->type = take_u32(&c);
        const char *from = c.at;
        pass_value(&c, k->type);
        k->n = (size_t)(c.at - from);
        k->bytes = ch_dupn(from, k->n);
    }
    for (int64_t i = 0; i < g.n_tensors; i++) {
        gguf_edit_tensor *t = g.tensors + i;
        t->name = take_text(&c);
        t->n_dims = take_u32(&c);
        for (uint32_t d = 0; d < t->n_dims; d++)
            t->dims[d] = take_u64(&c);
        t->type = take_u32(&c);
        t->at = take_u64(&c);
    }
    pass(&c, (ALIGNMENT - (size_t)(c.at - file) % ALIGNMENT) % ALIGNMENT);
    g.n_data = (size_t)(c.end - c.at);
    g.data = ch_dupn(c.at, g.n_data);
    free(file);
    free(path);
    return g;
}

void gguf_edit_release(gguf_edit *g)
{
    for (int64_t i = 0; i < g->n_keys; i++) {
        free(g->keys[i].name);
        free(g->keys[i].bytes);
    }
    for (int64_t i = 0; i < g->n_tensors; i++)
        free(g->tensors[i].name);
    free(g->keys);
    free(g->tensors);
    free(g->data);
    *g = (gguf_edit){0};
}

/* -- putting together -- */

static void put(ch_str *b, const void *v, size_t n)
{
    ch_str_addn(b, v, n);
}

static void put_text(ch_str *b, const char *s)
{
    uint64_t n = strlen(s);
    put(b, &n, sizeof n);
    put(b, s, n);
}

char *gguf_edit_bytes(const gguf_edit *g, size_t *n, size_t *header)
{
    ch_str b = {0};
    uint32_t version = 3;
    uint64_t n_tensors = (uint64_t)g->n_tensors, n_keys = (uint64_t)g->n_keys;
    put(&b, "GGUF", 4);
    put(&b, &version, sizeof version);
    put(&b, &n_tensors, sizeof n_tensors);
    put(&b, &n_keys, sizeof n_keys);
    for (int64_t i = 0; i < g->n_keys; i++) {
        put_text(&b, g->keys[i].name);
        put(&b, &g->keys[i].type, sizeof g->keys[i].type);
        put(&b, g->keys[i].bytes, g->keys[i].n);
    }
    for (int64_t i = 0; i < g->n_tensors; i++) {
        const gguf_edit_tensor *t = g->tensors + i;
        put_text(&b, t->name);
        put(&b, &t->n_dims, sizeof t->n_dims);
        put(&b, t->dims, (t->n_dims < 4 ? t->n_dims : 4) * sizeof *t->dims);
        put(&b, &t->type, sizeof t->type);
        put(&b, &t->at, sizeof t->at);
    }
    while (b.n % ALIGNMENT)
        put(&b, "", 1);
    if (header)
        *header = b.n;
    put(&b, g->data, g->n_data);
    *n = b.n;
    return ch_str_take(&b);
}

/* -- changing -- */

int64_t gguf_edit_find(const gguf_edit *g, const char *name)
{
    for (int64_t i = 0; i < g->n_keys; i++)
        if (!strcmp(g->keys[i].name, name))
            return i;
    return -1;
}

static gguf_edit_key *add(gguf_edit *g, const char *name)
{
    g->keys = ch_grow(g->keys, (size_t)g->n_keys + 1, sizeof *g->keys);
    g->keys[g->n_keys] = (gguf_edit_key){.name = ch_dup(name)};
    return g->keys + g->n_keys++;
}

void gguf_edit_set(gguf_edit *g, const char *name, uint32_t type, const void *bytes, size_t n)
{
    int64_t i = gguf_edit_find(g, name);
    gguf_edit_key *k = i < 0 ? add(g, name) : g->keys + i;
    free(k->bytes);
    k->type = type;
    k->bytes = ch_dupn(bytes, n);
    k->n = n;
}

void gguf_edit_set_u32(gguf_edit *g, const char *name, uint32_t v)
{
    gguf_edit_set(g, name, 4, &v, sizeof v);
}

void gguf_edit_set_text(gguf_edit *g, const char *name, const char *text)
{
    ch_str b = {0};
    put_text(&b, text);
    gguf_edit_set(g, name, TEXT, b.s, b.n);
    ch_str_free(&b);
}

void gguf_edit_drop(gguf_edit *g, const char *name)
{
    int64_t i = gguf_edit_find(g, name);
    CHECK_(i >= 0);
    free(g->keys[i].name);
    free(g->keys[i].bytes);
    memmove(g->keys + i, g->keys + i + 1, (size_t)(--g->n_keys - i) * sizeof *g->keys);
}

void gguf_edit_repeat(gguf_edit *g, int64_t i)
{
    gguf_edit_key *k = add(g, g->keys[i].name);
    k->type = g->keys[i].type;
    k->n = g->keys[i].n;
    k->bytes = ch_dupn(g->keys[i].bytes, k->n);
}
