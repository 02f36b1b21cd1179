/* A recipe of arbitrary bytes: refused with a sentence, or whole; and then its own text gives the
 * same recipe again. Lines behind a line "=" are KEY=VALUE, as --set has them. */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "recipe/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char path[] = "/tmp/chorus-fuzz-recipe-XXXXXX";

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

static ch_code set_all(ch_recipe *r, char *list, ch_err *e)
{
    char *save = NULL;
    for (char *s = strtok_r(list, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(s, '=');
        if (!eq)
            continue;
        *eq = 0;
        CH_TRY(ch_recipe_set(r, s, eq + 1, "--set", e));
    }
    return CH_OK;
}

static ch_code read_whole(ch_recipe *r, const void *yaml, size_t n, char *sets, ch_err *e)
{
    put(yaml, n);
    ch_code c = ch_recipe_read(r, path, e);
    if (c == CH_OK)
        c = set_all(r, sets, e);
    return c == CH_OK ? ch_recipe_finish(r, path, e) : c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    ch_recipe r, again;
    ch_err e = {0};
    if (!ready) {
        int fd = mkstemp(path);
        CH_MUST(fd >= 0 && close(fd) == 0);
        atexit(leave);
        ch_log_level(CH_QUIET);
        ready = 1;
    }
    const uint8_t *cut = memmem(data, n, "\n=\n", 3);
    size_t first = cut ? (size_t)(cut - data) + 1 : n, rest = cut ? first + 2 : n;
    char *sets = ch_dupn((const char *)data + rest, n - rest), none[] = "";
    ch_code c = read_whole(&r, data, first, sets, &e);
    free(sets);
    CH_MUST(c == e.code && (c == CH_OK || (c == CH_EUSER && e.msg[0] && !strchr(e.msg, '\n'))));
    if (c == CH_OK) {
        char *text = ch_recipe_text(&r);
        CH_MUST(read_whole(&again, text, strlen(text), none, &e) == CH_OK);
        char *back = ch_recipe_text(&again);
        CH_MUST(!strcmp(text, back));
        ch_recipe_release(&again);
        free(text);
        free(back);
    }
    ch_recipe_release(&r);
    return 0;
}
