/* A GGUF of arbitrary bytes: it is refused with a sentence, or it loads and runs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "support/use_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char path[] = "/tmp/chorus-fuzz-gguf-XXXXXX";

static void leave(void)
{
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    if (!ready) {
        int fd = mkstemp(path);
        CH_MUST(fd >= 0 && close(fd) == 0);
        atexit(leave);
        ch_log_level(CH_WARN);
        ready = 1;
    }
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
    ch_err e = {0};
    ch_code c = use_model(path, &e);
    CH_MUST(c == CH_OK || c == CH_EUSER || c == CH_EMEM || c == CH_ENUMBER);
    return 0;
}
