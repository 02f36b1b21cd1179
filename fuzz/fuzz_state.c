/* What a training goes on from, of arbitrary bytes: reading must end in a position that the options
 * can lead to, or in a refusal. The first byte says what the rest is: p a position that is written
 * under a digest that fits, m changes (four bytes of where, one of what) to a sound state, l rows of
 * log.jsonl; anything else is state.ckpt itself. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "train/train_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char MODEL[] = "tests/data/tiny/tiny.gguf", HASH[] = "0123456789abcdef";
enum { STEPS = 20, LAST_ROW = 50 };

static char dir[] = "/tmp/chorus-fuzz-XXXXXX";
static char *path, *sound;
static size_t n_sound;
static ch_device *device;
static ch_stepper stepper;
static const ch_train_opts opts = {.steps = STEPS, .keep = CH_KEEP_BEST};

static void leave(void)
{
    unlink(path);
    rmdir(dir);
    free(path);
    free(sound);
    free(stepper.m1);
    free(stepper.m2);
    ch_model_free(stepper.m);
    ch_device_close(device);
}

static void start(void)
{
    ch_err e = {0};
    ch_log_level(CH_QUIET);
    CH_MUST(mkdtemp(dir));
    path = ch_fmt("%s/state.ckpt", dir);
    CH_MUST(!ch_device_open(&device, CH_PRECISION_F32, CH_ISA_PORTABLE, 1, &e));
    CH_MUST(!ch_model_load(&stepper.m, MODEL, device, &e));
    size_t total = (size_t)ch_model_layout(stepper.m)->total;
    stepper.m1 = ch_new(total, sizeof(float));
    stepper.m2 = ch_new(total, sizeof(float));
    stepper.o = &opts;
    const ch_position at = {.step = 7, .best_step = 5, .keep = opts.keep};
    CH_MUST(!ch_state_write(path, &stepper, &at, HASH, &e));
    CH_MUST(!ch_file_read(path, &sound, &n_sound, &e));
    atexit(leave);
}

static void put(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static ch_code read_back(void)
{
    ch_position p = {0};
    ch_err e = {0};
    ch_code c = ch_state_read(path, &stepper, &p, HASH, &e);
    CH_MUST(c == CH_OK || (c == CH_EUSER && strstr(e.msg, "state.ckpt")));
    if (c == CH_OK)
        CH_MUST(p.step >= 0 && p.step <= STEPS && p.best_step >= 0 && p.best_step <= p.step &&
                p.tokens >= 0 && p.rows >= 0 && isfinite(p.best_dev) && isfinite(p.seconds) &&
                p.keep == opts.keep);
    return c;
}

static void sealed(const uint8_t *data, size_t n)
{
    ch_position p = {.keep = opts.keep};
    ch_err e = {0};
    memcpy(&p, data, n < sizeof p ? n : sizeof p);
    CH_MUST(!ch_state_write(path, &stepper, &p, HASH, &e));
    read_back();
}

static void changed(const uint8_t *data, size_t n)
{
    char *bytes = ch_new(n_sound, 1);
    memcpy(bytes, sound, n_sound);
    for (size_t i = 0; i + 5 <= n; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, sizeof at);
        bytes[at % n_sound] = (char)(bytes[at % n_sound] ^ data[i + 4]);
    }
    put(bytes, n_sound);
    int same = !memcmp(bytes, sound, n_sound);
    CH_MUST((read_back() == CH_OK) == same);
    free(bytes);
}

static void rows(const uint8_t *data, size_t n)
{
    ch_str keep = {0};
    int64_t lost, kept = 0;
    ch_train_log_keep(&keep, (const char *)data, n, LAST_ROW, &lost);
    for (size_t i = 0; i < keep.n; i++)
        kept += keep.s[i] == '\n';
    CH_MUST(lost >= 0 && kept + lost == LAST_ROW && (!keep.n || keep.s[keep.n - 1] == '\n'));
    ch_str_free(&keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    if (!ready)
        start();
    ready = 1;
    char form = n ? (char)data[0] : 0;
    const uint8_t *rest = data + (n > 0);
    n -= n > 0;
    if (form == 'p')
        sealed(rest, n);
    else if (form == 'm')
        changed(rest, n);
    else if (form == 'l')
        rows(rest, n);
    else
        put(rest, n), read_back();
    return 0;
}
