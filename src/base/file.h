/* Files: whole reads, directories, hashes; writing is base/out.h. */
#ifndef CH_BASE_FILE_H
#define CH_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/out.h"

/* Reads a whole file; *text ends in a NUL beyond its n bytes. The caller frees it. n may be NULL.
 * Stops with CH_ESTOP when interrupted. */
ch_code ch_file_read(const char *path, char **text, size_t *n, ch_err *e) CH_CHECK_RESULT;

/* The same by hand. got 0: the end. */
ch_code ch_fd_open(int *fd, const char *path, ch_err *e) CH_CHECK_RESULT;
ch_code ch_fd_read(int fd, const char *path, void *buf, size_t n, size_t *got,
                   ch_err *e) CH_CHECK_RESULT;
void ch_fd_close(int fd); /* -1: nothing */
/* Closed when memory runs out (base/enter.h); for a descriptor that ch_fd_close
 * closes. -1: nothing. */
void ch_guard_fd(int fd);
/* The same for a stream, or NULL; ch_stream_close takes the guard away and gives fclose's result. */
void ch_stream_guard(FILE *f);
int ch_stream_close(FILE *f);

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
