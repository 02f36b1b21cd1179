/* A run directory in which one file is of arbitrary bytes: a report is made of what is left, or the
 * directory is refused. The first byte says which file; the second what the rest is: m changes (two
 * bytes of where, one of what) to what a run wrote there, s a JSON object that is sealed as records
 * are, anything else the file itself. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "report/found.h"
#include "run/run.h"
#include "run/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const files[] = {"recipe.yaml",          "run.json",
                                    "split.json",           "chorus.run",
                                    "base/answers.jsonl",   "base/same.jsonl",
                                    "base/judge.done.json", "base/answers.done.json",
                                    "base/same.done.json",  "sft/answers.jsonl",
                                    "sft/train.done.json",  "sft/train/log.jsonl",
                                    "sft/same.done.json",   "sft/answers.done.json"};
enum { N_FILES = sizeof files / sizeof *files };

static const char tasks[] =
    "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Give a or b.\"],"
    " \"Instances\": [{\"id\": \"1\", \"input\": \"one\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"two\", \"output\": [\"b\"]}, {\"id\": \"3\", \"input\": \"3\","
    " \"output\": [\"a\"]}, {\"id\": \"4\", \"input\": \"four\", \"output\": [\"b\"]}]}";

static char *root, *dir, *bytes[N_FILES];
static size_t sizes[N_FILES];

static void leave(void)
{
    scratch_remove(root);
    free(dir);
    for (int i = 0; i < N_FILES; i++)
        free(bytes[i]);
}

static void must(ch_code c, const ch_err *e)
{
    if (c != CH_OK)
        fprintf(stderr, "%s\n", e->msg);
    CH_MUST(c == CH_OK);
}

static void put(int file, const void *data, size_t n)
{
    char *path = ch_path(dir, files[file]);
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
    free(path);
}

static void start(void)
{
    static const char *const keys[][2] = {{"model", "tests/data/tiny/tiny.gguf"},
                                          {"threads", "1"},
                                          {"precision", "f32"},
                                          {"isa", "portable"},
                                          {"generate.max_new", "2"},
                                          {"train.steps", "1"},
                                          {"train.batch", "2"},
                                          {"measure.sim", "judge"},
                                          {"measure.resamples", "10"},
                                          {NULL, NULL}};
    ch_recipe r;
    ch_err e = {0};
    ch_log_level(CH_QUIET);
    root = scratch_dir();
    dir = ch_path(root, "run");
    char *task = ch_path(root, "t.json");
    must(ch_file_write(task, tasks, sizeof tasks - 1, &e), &e);
    ch_recipe_init(&r);
    for (int i = 0; keys[i][0]; i++)
        must(ch_recipe_set(&r, keys[i][0], keys[i][1], "", &e), &e);
    must(ch_recipe_set(&r, "data.tasks", task, "", &e), &e);
    must(ch_recipe_set(&r, "run", dir, "", &e), &e);
    ch_recipe_add_arm(&r, "sft", "S", "sft", "base", 0);
    must(ch_recipe_finish(&r, "", &e), &e);
    must(ch_run(&r, &(ch_run_opts){0}, &e), &e);
    for (int i = 0; i < N_FILES; i++) {
        char *path = ch_path(dir, files[i]);
        must(ch_file_read(path, &bytes[i], &sizes[i], &e), &e);
        free(path);
    }
    ch_recipe_release(&r);
    free(task);
    atexit(leave);
}

static void changed(int file, const uint8_t *data, size_t n)
{
    char *b = ch_dupn(bytes[file], sizes[file]);
    for (size_t i = 0; i + 3 <= n && sizes[file]; i += 3) {
        size_t at = (data[i] | (size_t)data[i + 1] << 8) % sizes[file];
        b[at] = (char)(b[at] ^ data[i + 2]);
    }
    put(file, b, sizes[file]);
    free(b);
}

static void sealed(int file, const uint8_t *data, size_t n)
{
    json_t *v;
    ch_err e = {0};
    char *path = ch_path(dir, files[file]);
    if (ch_json_parse(&v, (const char *)data, n, "", 0, &e) == CH_OK && json_is_object(v))
        must(ch_sealed_save(v, path, &e), &e);
    else
        json_decref(v);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int ready;
    ch_found *f = NULL;
    ch_err e = {0};
    if (!ready)
        start();
    ready = 1;
    if (n < 2)
        return 0;
    int file = data[0] % N_FILES;
    if (data[1] == 'm')
        changed(file, data + 2, n - 2);
    else if (data[1] == 's')
        sealed(file, data + 2, n - 2);
    else
        put(file, data + 1, n - 1);
    ch_code c = ch_found_report(&f, dir, NULL, &e);
    CH_MUST(c == e.code && (c == CH_OK) == (f != NULL));
    CH_MUST(c == CH_OK || (c == CH_EUSER && e.msg[0] && !strchr(e.msg, '\n')));
    ch_found_free(f);
    put(file, bytes[file], sizes[file]);
    return 0;
}
