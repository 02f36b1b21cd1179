/* Tasks, companions and side files of arbitrary bytes: loading, splitting and scoring them must end
 * in a value or a refusal. The first byte says as what the rest is read: s an SNI file, l JSONL
 * rows, y and j a YAML and a JSON companion, w and v a YAML and a JSON side file; anything else is
 * an SNI file too. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/split.h"
#include "measure/measure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[] = "/tmp/chorus-fuzz-XXXXXX";
static const char *const names[] = {"t.json", "t.jsonl", "t.yaml", "side.yaml", "side.json"};

static void leave(void)
{
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *path = ch_fmt("%s/%s", dir, names[k]);
        unlink(path);
        free(path);
    }
    rmdir(dir);
}

static void put(const char *name, const void *bytes, size_t n)
{
    char *path = ch_fmt("%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    free(path);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void drop(const char *name)
{
    char *path = ch_fmt("%s/%s", dir, name);
    unlink(path);
    free(path);
}

/* Writes what the bytes stand for and the sound files around it; returns the task file's name. */
static const char *lay_out(char form, const uint8_t *data, size_t n, const char **side)
{
    static const char row[] = "{\"input\": \"in a\", \"output\": \"x\"}\n";
    static const char sni[] = "{\"Definition\": \"d\", \"Instances\": [{\"input\": \"a\", "
                              "\"output\": [\"b\"]}]}";
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        drop(names[k]);
    *side = NULL;
    if (form == 'l') {
        put("t.jsonl", data, n);
        put_text("t.yaml", "instruction: i\nwordings: [a, b, c]\n");
        return "t.jsonl";
    }
    if (form == 'y' || form == 'j') {
        put(form == 'y' ? "t.yaml" : "t.json", data, n);
        put_text("t.jsonl", row);
        return "t.jsonl";
    }
    if (form == 'w' || form == 'v') {
        *side = form == 'w' ? "side.yaml" : "side.json";
        put(*side, data, n);
        put_text("t.json", sni);
        return "t.json";
    }
    put("t.json", data, n);
    return "t.json";
}

static void split(const ch_tasks *t)
{
    for (int by = CH_SPLIT_BOTH; by <= CH_SPLIT_TASK; by++) {
        ch_split s;
        ch_err e = {0};
        const ch_split_opts o = {.by = (ch_split_by)by, .seed = 1};
        if (ch_split_make(&s, t, NULL, &o, &e) == CH_OK) {
            CH_MUST(ch_split_check(&s, o.by, &e) == CH_OK);
            ch_split_release(&s);
        } else {
            CH_MUST(e.msg[0]);
        }
    }
}

static void score(const ch_task *t)
{
    for (int64_t i = 0; i < t->n_items && i < 8; i++) {
        const char *const *gold = (const char *const *)t->items[i].outputs;
        double f = ch_rouge1(t->items[i].input, gold, t->items[i].n_outputs);
        double l = ch_rougeL(t->items[i].input, gold, t->items[i].n_outputs);
        CH_MUST(f >= 0 && f <= 1 && l >= 0 && l <= f + 1e-12);
        CH_MUST(ch_exact(gold[0], gold, t->items[i].n_outputs));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    if (!ready) {
        CH_MUST(mkdtemp(dir));
        atexit(leave);
        ready = 1;
    }
    const char *side, *name = lay_out(n ? (char)data[0] : 's', data + (n > 0), n - (n > 0), &side);
    char *path = ch_fmt("%s/%s", dir, name), *words = side ? ch_fmt("%s/%s", dir, side) : NULL;
    ch_tasks t;
    ch_err e = {0};
    if (ch_tasks_load(&t, path, words, 0, &e) == CH_OK) {
        CH_MUST(t.n == 1 && t.list[0].n_items > 0 && t.list[0].instruction[0]);
        split(&t);
        score(&t.list[0]);
    } else {
        CH_MUST(e.code == CH_EUSER && e.msg[0] && !t.list);
    }
    ch_tasks_release(&t);
    free(path);
    free(words);
    return 0;
}
