#include "support/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "support/close.h"

char *source_path(const char *name)
{
#ifdef CH_SRC_DIR
    const char *root = CH_SRC_DIR;
#else
    const char *root = getenv("SRC");
#endif
    return ch_path(root && *root ? root : ".", name);
}

char *scratch_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = ch_fmt("%s/chorus-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    CHECK_(mkdtemp(dir) != NULL);
    return dir;
}

static void remove_all(const char *path)
{
    struct stat s;
    if (lstat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        DIR *d = opendir(path);
        for (struct dirent *f; d && (f = readdir(d));) {
            if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, ".."))
                continue;
            char *p = ch_path(path, f->d_name);
            remove_all(p);
            free(p);
        }
        if (d)
            closedir(d);
    }
    remove(path);
}

void scratch_remove(char *dir)
{
    remove_all(dir);
    free(dir);
}

char *model_file(void)
{
    const char *env = getenv("CHORUS_MODEL");
    char *path = env && *env ? ch_dup(env) : source_path("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if (ch_exists(path))
        return path;
    fprintf(stderr, "no demo model at %s: run `make deps`, or set CHORUS_MODEL\n", path);
    free(path);
    return NULL;
}

json_t *read_json(const char *name)
{
    char *path = source_path(name);
    json_error_t err;
    json_t *j = json_load_file(path, 0, &err);
    if (!j)
        fprintf(stderr, "%s:%d: %s\n", path, err.line, err.text);
    free(path);
    CHECK_(j != NULL);
    return j;
}

json_t *json_at(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!v)
        fprintf(stderr, "no \"%s\" in the fixture\n", key);
    CHECK_(v != NULL);
    return v;
}

double json_number_at(const json_t *o, const char *key)
{
    json_t *v = json_at(o, key);
    CHECK_(json_is_number(v));
    return json_number_value(v);
}

int64_t json_count_at(const json_t *o, const char *key)
{
    json_t *v = json_at(o, key);
    CHECK_(json_is_integer(v));
    return (int64_t)json_integer_value(v);
}

double *json_doubles(const json_t *a, int64_t *n)
{
    CHECK_(json_array_size(a) > 0);
    *n = (int64_t)json_array_size(a);
    double *x = ch_new((size_t)*n, sizeof *x);
    for (int64_t i = 0; i < *n; i++) {
        json_t *v = json_array_get(a, (size_t)i);
        CHECK_(json_is_number(v));
        x[i] = json_number_value(v);
    }
    return x;
}
