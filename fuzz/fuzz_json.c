/* JSON and JSONL of arbitrary bytes: a value that comes back from its own text as it is, or a
 * refusal. The first byte says as what the rest is read: l lines, o a file of one object; anything
 * else is a value. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char path[] = "/tmp/chorus-fuzz-json-XXXXXX";

static void leave(void)
{
    unlink(path);
}

/* Nothing that waits for a disk. */
static void put(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* Refused with a sentence that names the file. */
static void refused(const ch_err *e, const json_t *v, const char *where)
{
    CH_MUST(!v && e->code == CH_EUSER && strstr(e->msg, where) && !strchr(e->msg, '\n'));
}

/* Gives v back. */
static void round_trip(json_t *v)
{
    json_t *back;
    ch_err e = {0};
    char *text = ch_json_dump(json_incref(v));
    CH_MUST(ch_json_parse(&back, text, strlen(text), "again", 0, &e) == CH_OK);
    CH_MUST(json_equal(v, back));
    json_decref(back);
    json_decref(v);
    free(text);
}

static void lines(void)
{
    ch_jsonl f;
    ch_err e = {0};
    json_t *v;
    int64_t last = 0;
    CH_MUST(ch_jsonl_open(&f, path, &e) == CH_OK);
    for (;;) {
        e = (ch_err){0};
        ch_code c = ch_jsonl_next(&f, &v, &e);
        if (c == CH_OK && !v)
            break;
        CH_MUST(f.line > last);
        last = f.line;
        if (c == CH_OK)
            round_trip(v);
        else
            refused(&e, v, path);
    }
    ch_jsonl_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    json_t *v = NULL;
    ch_err e = {0};
    if (!ready) {
        int fd = mkstemp(path);
        CH_MUST(fd >= 0 && close(fd) == 0);
        atexit(leave);
        ready = 1;
    }
    char form = n ? (char)data[0] : 0;
    if (form == 'l' || form == 'o')
        put(data + 1, n - 1);
    if (form == 'l') {
        lines();
        return 0;
    }
    ch_code c = form == 'o' ? ch_json_load(&v, path, &e)
                            : ch_json_parse(&v, (const char *)data, n, path, 0, &e);
    if (c == CH_OK)
        round_trip(v);
    else
        refused(&e, v, path);
    return 0;
}
