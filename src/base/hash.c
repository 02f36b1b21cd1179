#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

static ch_hash to_hex(EVP_MD_CTX *c)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    CH_MUST(EVP_DigestFinal_ex(c, raw, &n) && n == 32);
    ch_hash h;
    for (unsigned int i = 0; i < n; i++)
        snprintf(h.hex + 2 * i, 3, "%02x", raw[i]);
    EVP_MD_CTX_free(c);
    return h;
}

static EVP_MD_CTX *begin(void)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CH_MUST(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL));
    return c;
}

ch_hash ch_hash_bytes(const void *data, size_t n)
{
    EVP_MD_CTX *c = begin();
    EVP_DigestUpdate(c, data, n);
    return to_hex(c);
}

ch_code ch_hash_file(const char *path, ch_hash *h, ch_err *e)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return ch_fail(e, CH_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    EVP_MD_CTX *c = begin();
    static unsigned char buf[1 << 16];
    for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
        EVP_DigestUpdate(c, buf, n);
    int bad = ferror(f);
    fclose(f);
    *h = to_hex(c);
    return bad ? ch_fail(e, CH_EIO, "%s: reading failed", path) : CH_OK;
}
