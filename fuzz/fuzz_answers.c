#define _GNU_SOURCE /* memmem */
/* answers.jsonl and same.jsonl of arbitrary bytes: reading, measuring and writing them again must end
 * in a value or a refusal. What stands before the first line "=" is answers.jsonl, the rest
 * same.jsonl; without one all is answers.jsonl. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "survey/cases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[] = "/tmp/chorus-fuzz-XXXXXX";
static char *answers, *same, *again;

static void leave(void)
{
    unlink(answers);
    unlink(same);
    unlink(again);
    rmdir(dir);
    free(answers);
    free(same);
    free(again);
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void measure(const ch_cases *c)
{
    ch_measure m;
    ch_err e = {0};
    if (ch_measure_make(&m, c->list, c->n, c->n_tasks, c->names, 3, 1, &e) == CH_OK) {
        for (int k = 0; k < CH_M_COUNT; k++)
            CH_MUST(m.all[k].low <= m.all[k].value && m.all[k].value <= m.all[k].high);
        ch_measure_release(&m);
    } else {
        CH_MUST(e.msg[0]);
    }
}

/* What was read is written and comes back as it was. */
static void round_trip(const ch_replies *r)
{
    ch_replies back;
    ch_err e = {0};
    CH_MUST(ch_replies_write(r, again, &e) == CH_OK);
    ch_code c = ch_replies_read(&back, again, &e);
    /* A file without numbers may hold what numbered ones must not: unlike ids or wordings. */
    CH_MUST(c == CH_OK ? ch_replies_alike(r, &back) : e.code == CH_EUSER);
    ch_replies_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!answers) {
        CH_MUST(mkdtemp(dir));
        answers = ch_path(dir, "answers.jsonl");
        same = ch_path(dir, "same.jsonl");
        again = ch_path(dir, "again.jsonl");
        atexit(leave);
    }
    const uint8_t *cut = memmem(data, n, "\n=\n", 3);
    size_t first = cut ? (size_t)(cut - data) + 1 : n, rest = cut ? first + 2 : n;
    put(answers, data, first);
    put(same, data + rest, n - rest);
    ch_replies r;
    ch_cases c;
    ch_err e = {0};
    if (ch_replies_read(&r, answers, &e) != CH_OK) {
        CH_MUST(e.code == CH_EUSER && e.msg[0] && !r.list);
        return 0;
    }
    CH_MUST(r.n_cases > 0 && r.first[r.n_cases] == r.n);
    round_trip(&r);
    CH_MUST(ch_cases_make(&c, &r, CH_SIM_EXACT, NULL, &e) == CH_OK);
    measure(&c);
    ch_cases_release(&c);
    if (ch_cases_read(&c, &r, same, &e) == CH_OK) {
        measure(&c);
        ch_cases_release(&c);
    } else {
        CH_MUST(e.code == CH_EUSER && e.msg[0] && !c.list);
    }
    ch_replies_release(&r);
    return 0;
}
