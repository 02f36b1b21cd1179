#include <openssl/evp.h>
#include <stdio.h>

#include "base/enter.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { LARGE = 1 << 24 }; /* bytes that take a moment */

/* libcrypto fails at SHA-256 when it gets no memory, and not otherwise. */
static void must(int ok)
{
    if (!ok)
        ch_no_memory(0);
}

static void free_context(void *c, size_t n CH_UNUSED)
{
    EVP_MD_CTX_free(c);
}

static EVP_MD_CTX *begin(void)
{
    EVP_MD_CTX *c = ch_need(EVP_MD_CTX_new());
    ch_guard(free_context, c, 0);
    must(EVP_DigestInit_ex(c, EVP_sha256(), NULL));
    return c;
}

static void end(EVP_MD_CTX *c)
{
    ch_unguard(c);
    EVP_MD_CTX_free(c);
}

static ch_hash to_hex(EVP_MD_CTX *c)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    must(EVP_DigestFinal_ex(c, raw, &n) && n == 32);
    ch_hash h;
    for (unsigned int i = 0; i < n; i++)
        snprintf(h.hex + 2 * i, 3, "%02x", raw[i]);
    end(c);
    return h;
}

ch_hash ch_hash_bytes(const void *data, size_t n)
{
    EVP_MD_CTX *c = begin();
    must(EVP_DigestUpdate(c, data, n));
    return to_hex(c);
}

ch_code ch_hash_file(const char *path, ch_hash *h, ch_err *e)
{
    int fd;
    size_t n;
    unsigned char buf[1 << 16];
    CH_TRY(ch_fd_open(&fd, path, e));
    EVP_MD_CTX *c = begin();
    ch_code code;
    int64_t done = 0;
    while ((code = ch_fd_read(fd, path, buf, sizeof buf, &n, e)) == CH_OK && n) {
        must(EVP_DigestUpdate(c, buf, n));
        done += (int64_t)n;
        if (done > LARGE && ch_interrupted()) {
            code = ch_fail(e, CH_ESTOP, "interrupted while reading %s", path);
            break;
        }
    }
    ch_fd_close(fd);
    if (code == CH_OK)
        *h = to_hex(c);
    else
        end(c);
    return code;
}
