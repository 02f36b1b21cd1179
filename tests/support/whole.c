#include "support/whole.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "chorus.h"
#include "recipe/recipe.h"

const char whole_task[] =
    "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Reply a or b.\","
    " \"Write a or b.\", \"Give a or b.\", \"Name a or b.\"], \"Instances\": ["
    "{\"id\": \"1\", \"input\": \"one\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"two\", \"output\": [\"b\"]},"
    "{\"id\": \"3\", \"input\": \"three\", \"output\": [\"a\"]},"
    "{\"id\": \"4\", \"input\": \"four\", \"output\": [\"b\"]},"
    "{\"id\": \"5\", \"input\": \"five\", \"output\": [\"a\"]},"
    "{\"id\": \"6\", \"input\": \"six\", \"output\": [\"b\"]},"
    "{\"id\": \"7\", \"input\": \"seven\", \"output\": [\"a\"]},"
    "{\"id\": \"8\", \"input\": \"eight\", \"output\": [\"b\"]}]}";

static const char usual[] =
    "threads=1 precision=f32 split.train_wordings=2 split.test_wordings=3 generate.max_new=6 "
    "train.steps=8 train.batch=4 train.lr=1e-2 train.eval_every=5 train.save_every=0 "
    "align.reward=reference measure.resamples=50";

char *whole_path(const whole *w, const char *name)
{
    return ch_path(w->dir, name);
}

void whole_put(const whole *w, const char *name, const char *text)
{
    ch_err e = {0};
    char *path = whole_path(w, name), *folder = ch_dup(path);
    *strrchr(folder, '/') = 0;
    CHECK_OK(ch_make_dir(folder, &e), &e);
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    free(folder);
    free(path);
}

whole whole_open(void)
{
    whole w = {.dir = scratch_dir(), .gguf = source_path("tests/data/tiny/tiny.gguf")};
    chorus_quiet(1);
    whole_put(&w, "tasks/ab.json", whole_task);
    return w;
}

void whole_close(whole *w)
{
    scratch_remove(w->dir);
    free(w->gguf);
    *w = (whole){0};
}

static char *bytes_of(const whole *w, const char *name, size_t *n)
{
    ch_err e = {0};
    char *path = whole_path(w, name), *text;
    CHECK_OK(ch_file_read(path, &text, n, &e), &e);
    free(path);
    return text;
}

char *whole_text(const whole *w, const char *name)
{
    return bytes_of(w, name, NULL);
}

int whole_same_file(const whole *w, const char *a, const char *b)
{
    size_t n, k;
    char *x = bytes_of(w, a, &n), *y = bytes_of(w, b, &k);
    int same = n > 0 && n == k && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

char *whole_find(const whole *w, const char *pattern)
{
    glob_t g;
    char *path = whole_path(w, pattern);
    CHECK_(glob(path, 0, NULL, &g) == 0);
    CHECK_(g.gl_pathc == 1);
    char *name = ch_dup(g.gl_pathv[0] + strlen(w->dir) + 1);
    globfree(&g);
    free(path);
    return name;
}

static void set_keys(ch_recipe *r, const char *keys)
{
    ch_err e = {0};
    char *all = ch_dup(keys), *rest = all, *one;
    while ((one = strtok_r(rest, " ", &rest))) {
        char *is = strchr(one, '=');
        CHECK_(is != NULL);
        *is = 0;
        CHECK_OK(ch_recipe_set(r, one, is + 1, "keys", &e), &e);
    }
    free(all);
}

static char *write_recipe(const whole *w, const char *run, const char *keys, const char *arms)
{
    ch_recipe r;
    char *tasks = whole_path(w, "tasks"), *dir = whole_path(w, run);
    char *name = ch_fmt("%s.yaml", run);
    ch_recipe_init(&r);
    char *own = ch_fmt("model=%s run=%s data.tasks=%s %s", w->gguf, dir, tasks, usual);
    set_keys(&r, own);
    set_keys(&r, keys);
    char *text = ch_recipe_text(&r);
    char *all = arms ? ch_fmt("%s\narms: %s\n", text, arms) : ch_dup(text);
    whole_put(w, name, all);
    ch_recipe_release(&r);
    free(own);
    free(text);
    free(all);
    free(tasks);
    free(dir);
    char *path = whole_path(w, name);
    free(name);
    return path;
}

ch_code whole_run(const whole *w, const char *run, const char *keys, const char *arms, ch_err *e)
{
    char *recipe = write_recipe(w, run, keys, arms);
    *e = (ch_err){0};
    ch_code c = chorus_run(recipe, e);
    free(recipe);
    return c;
}

void whole_ran(const whole *w, const char *run, const char *keys, const char *arms)
{
    ch_err e;
    CHECK_OK(whole_run(w, run, keys, arms, &e), &e);
}

json_t *whole_object(const whole *w, const char *name)
{
    ch_err e = {0};
    json_t *v;
    char *path = whole_path(w, name);
    CHECK_OK(ch_json_load(&v, path, &e), &e);
    free(path);
    return v;
}

json_t *whole_rows(const whole *w, const char *name)
{
    ch_err e = {0};
    ch_jsonl f;
    json_t *list = json_array(), *v;
    char *path = whole_path(w, name);
    CHECK_OK(ch_jsonl_open(&f, path, &e), &e);
    for (;;) {
        CHECK_OK(ch_jsonl_next(&f, &v, &e), &e);
        if (!v)
            break;
        ch_json_add(list, v);
    }
    ch_jsonl_close(&f);
    free(path);
    CHECK_(json_array_size(list) > 0);
    return list;
}

const char *whole_word(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_at(row, key));
    CHECK_(s != NULL);
    return s;
}

char *whole_says(const whole *w, const char *args, int *code)
{
    const char *program = getenv("CHORUS");
    CHECK_(program != NULL);
    char *command = ch_fmt("cd '%s' && '%s' %s 2>stderr </dev/null", w->dir, program, args);
    ch_str out = {0};
    FILE *f = popen(command, "r");
    CHECK_(f != NULL);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        ch_str_addn(&out, part, n);
    int status = pclose(f), ended = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code)
        *code = ended;
    else if (ended)
        fprintf(stderr, "%s: exit code %d\n", args, ended);
    CHECK_(code || ended == 0);
    free(command);
    return ch_str_take(&out);
}
