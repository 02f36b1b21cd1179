/* Files: whole reads, writes that are there entirely or not at all, hashes. */
#ifndef CH_BASE_FILE_H
#define CH_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* Reads a whole file; *text ends in a NUL beyond its n bytes. The caller frees it. n may be NULL.
 */
ch_code ch_file_read(const char *path, char **text, size_t *n, ch_err *e) CH_CHECK_RESULT;

/* Writing: everything goes to "<path>.tmp"; commit flushes, syncs and renames it over path, abandon
 * removes it. A write that fails (disk full) shows at commit, and path keeps what it held. */
typedef struct {
    FILE *f;
    char *path, *tmp;
} ch_out;

ch_code ch_out_open(ch_out *o, const char *path, ch_err *e) CH_CHECK_RESULT;
ch_code ch_out_commit(ch_out *o, ch_err *e) CH_CHECK_RESULT;
void ch_out_abandon(ch_out *o);
/* open, write, commit in one. */
ch_code ch_file_write(const char *path, const void *data, size_t n, ch_err *e) CH_CHECK_RESULT;

/* mkdir -p. */
ch_code ch_make_dir(const char *path, ch_err *e) CH_CHECK_RESULT;
int ch_exists(const char *path);
int ch_is_dir(const char *path);
/* Names in a directory that end in suffix, sorted; NULL-terminated, free with ch_names_free. */
ch_code ch_list_dir(const char *path, const char *suffix, char ***names, int64_t *n, ch_err *e);
void ch_names_free(char **names);
/* dir + "/" + name, or name alone when it is absolute. New string. */
char *ch_path(const char *dir, const char *name);

/* SHA-256 in lower-case hex: 64 characters and NUL. */
typedef struct {
    char hex[65];
} ch_hash;

ch_hash ch_hash_bytes(const void *data, size_t n);
ch_code ch_hash_file(const char *path, ch_hash *h, ch_err *e) CH_CHECK_RESULT;

#endif
