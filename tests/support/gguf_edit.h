/* A GGUF taken apart, changed and put together again, right or wrong. */
#ifndef CH_TESTS_GGUF_EDIT_H
#define CH_TESTS_GGUF_EDIT_H

#include <stddef.h>
#include <stdint.h>

/* A key with its value's bytes as they stand in the file, without the type. */
typedef struct {
    char *name;
    uint32_t type;
    char *bytes;
    size_t n;
} gguf_edit_key;

typedef struct {
    char *name;
    uint32_t n_dims, type;
    uint64_t dims[4], at;
} gguf_edit_tensor;

typedef struct {
    gguf_edit_key *keys;
    gguf_edit_tensor *tensors;
    int64_t n_keys, n_tensors;
    char *data; /* of all tensors, as it stands in the file */
    size_t n_data;
} gguf_edit;

/* A sound file of the source tree, with the default alignment. */
gguf_edit gguf_edit_read(const char *name);
void gguf_edit_release(gguf_edit *g);
/* The file; *n its length, *header (may be NULL) that of all in front of the data. New array. */
char *gguf_edit_bytes(const gguf_edit *g, size_t *n, size_t *header);

/* The key's index, -1: there is none. */
int64_t gguf_edit_find(const gguf_edit *g, const char *name);
/* Sets a key, which is added when it is not there. */
void gguf_edit_set(gguf_edit *g, const char *name, uint32_t type, const void *bytes, size_t n);
void gguf_edit_set_u32(gguf_edit *g, const char *name, uint32_t v);
void gguf_edit_set_text(gguf_edit *g, const char *name, const char *text);
void gguf_edit_drop(gguf_edit *g, const char *name);
/* Adds the key at index i once more. */
void gguf_edit_repeat(gguf_edit *g, int64_t i);

#endif
