#include "run/stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/str.h"
#include "run/sealed.h"

const ch_stage_kind ch_stages[CH_S_COUNT] = {
    [CH_S_WORDINGS] = {"wordings", {"wordings.json", "wordings_dropped.json"}, NULL},
    [CH_S_CANDIDATES] = {"candidates", {"candidates.jsonl"}, NULL},
    [CH_S_PAIRS] = {"pairs", {"rewards.jsonl", "pairs.jsonl"}, NULL},
    [CH_S_TRAIN] = {"train", {"model.gguf"}, "train/log.jsonl"},
    [CH_S_ANSWERS] = {"answers", {"answers.jsonl"}, NULL},
    [CH_S_SAME] = {"same", {"same.jsonl"}, NULL},
    [CH_S_JUDGE] = {"judge", {NULL}, NULL},
};

ch_stage ch_stage_of(const char *run, const char *sub, ch_stage_id id, char *key)
{
    const ch_stage_kind *kind = &ch_stages[id];
    const char *slash = sub[0] ? "/" : "";
    ch_stage s = {.kind = kind,
                  .dir = ch_fmt("%s%s%s", run, slash, sub),
                  .label = ch_fmt("%s%s%s", sub, slash, kind->name),
                  .done = ch_fmt("%s%s%s/%s.done.json", run, slash, sub, kind->name),
                  .key = key};
    if (key)
        s.hash = ch_hash_bytes(key, strlen(key));
    return s;
}

void ch_stage_release(ch_stage *s)
{
    free(s->dir);
    free(s->label);
    free(s->done);
    free(s->key);
    json_decref(s->result);
    *s = (ch_stage){0};
}

/* -- keys, line by line -- */

const char *ch_key_value(const char *key, const char *name, size_t *n)
{
    size_t k = strlen(name);
    for (const char *p = key; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        if (strncmp(p, name, k) || strncmp(p + k, ": ", 2))
            continue;
        *n = strcspn(p + k + 2, "\n");
        return p + k + 2;
    }
    return NULL;
}

/* A value for people: of a hash its beginning, of nothing "nothing". */
static char *shown(const char *value, size_t n)
{
    if (!value || !n)
        return ch_dup("nothing");
    return ch_dupn(value, n == 64 && strspn(value, "0123456789abcdef") >= 64 ? 8 : n);
}

static char *changed(const char *name, const char *was, size_t n_was, const char *now, size_t n_now)
{
    char *a = shown(was, n_was), *b = shown(now, n_now);
    char *text = ch_fmt("%s was %s, now %s", name, a, b);
    free(a);
    free(b);
    return text;
}

/* The first line of `lines` that is another, or missing, in `others`; NULL when there is none. */
static char *first_change(const char *lines, const char *others, int lines_are_now)
{
    for (const char *p = lines; *p;) {
        size_t n = strcspn(p, "\n"), n_there, n_name = strcspn(p, ":");
        char *name = ch_dupn(p, n_name < n ? n_name : n), *text = NULL;
        size_t skip = n_name + 2 < n ? n_name + 2 : n;
        const char *there = ch_key_value(others, name, &n_there), *here = p + skip;
        size_t n_here = n - skip;
        if (!there || n_there != n_here || memcmp(there, here, n_here))
            text = lines_are_now ? changed(name, there, there ? n_there : 0, here, n_here)
                                 : changed(name, here, n_here, there, there ? n_there : 0);
        free(name);
        if (text)
            return text;
        p += n + (p[n] == '\n');
    }
    return NULL;
}

char *ch_key_difference(const char *was, const char *now)
{
    char *text = first_change(now, was, 1);
    if (!text)
        text = first_change(was, now, 0);
    return text ? text : ch_dup("what it depends on stands in another order");
}

json_t *ch_key_lines(const char *key)
{
    json_t *lines = json_array();
    for (const char *p = key; *p;) {
        size_t n = strcspn(p, "\n");
        char *line = ch_dupn(p, n);
        ch_json_add(lines, ch_json_text(line));
        free(line);
        p += n + (p[n] == '\n');
    }
    return lines;
}

char *ch_key_recorded(const json_t *v)
{
    ch_str b = {0};
    size_t i;
    json_t *line, *lines = json_object_get(v, "depends");
    json_array_foreach(lines, i, line)
    {
        const char *s = json_string_value(line);
        ch_str_addf(&b, "%s\n", s ? s : "");
    }
    return ch_str_take(&b);
}

/* -- the record -- */

/* The whole of a file's path below the run directory. */
static char *file_label(const ch_stage *s, const char *name)
{
    size_t n = strlen(s->label) - strlen(s->kind->name);
    return ch_fmt("%.*s%s", (int)n, s->label, name);
}

static ch_stage_state file_state(const ch_stage *s, const json_t *v, const char *name,
                                 ch_seen *seen, ch_hash *want, char **why)
{
    const json_t *it = json_object_get(json_object_get(v, "files"), name);
    const char *hash = json_string_value(json_object_get(it, "sha256"));
    char *path = ch_path(s->dir, name);
    ch_hash h;
    ch_err e = {0};
    struct stat st;
    ch_stage_state state = CH_STAGE_DONE;
    if (hash)
        snprintf(want->hex, sizeof want->hex, "%s", hash);
    if (stat(path, &st))
        state = CH_STAGE_LOST;
    else if (!hash || !S_ISREG(st.st_mode) ||
             st.st_size != json_integer_value(json_object_get(it, "bytes")))
        state = CH_STAGE_ALTERED;
    else if (ch_seen_hash(seen, path, &h, &e) != CH_OK)
        state = CH_STAGE_UNREAD;
    else if (strcmp(h.hex, hash))
        state = CH_STAGE_ALTERED;
    if (state != CH_STAGE_DONE && why) {
        char *label = file_label(s, name);
        *why = e.code != CH_OK
                   ? ch_dup(e.msg)
                   : ch_fmt("%s is %s", label,
                            state == CH_STAGE_LOST ? "missing" : "not what was written");
        free(label);
    }
    free(path);
    return state;
}

static ch_stage_state files_state(ch_stage *s, const json_t *v, ch_seen *seen, char **why)
{
    ch_stage_state worst = CH_STAGE_DONE;
    for (int i = 0; i < CH_STAGE_FILES && s->kind->files[i]; i++) {
        char **first = worst == CH_STAGE_DONE ? why : NULL;
        ch_stage_state state = file_state(s, v, s->kind->files[i], seen, &s->file[i], first);
        worst = worst == CH_STAGE_DONE ? state : worst;
    }
    return worst;
}

/* Borrows v; the key of a stage without one becomes the record's. */
static ch_stage_state compare(ch_stage *s, const json_t *v, ch_seen *seen, char **why)
{
    if (!json_object_get(v, "seal")) {
        *why = ch_dup("it was made by another version of chorus");
        return CH_STAGE_OTHER;
    }
    if (!ch_sealed(v)) {
        char *file = ch_fmt("%s.done.json", s->kind->name), *label = file_label(s, file);
        *why = ch_fmt("%s is not what was written", label);
        free(file);
        free(label);
        return CH_STAGE_ALTERED;
    }
    char *key = ch_key_recorded(v);
    if (!s->key) {
        s->key = ch_dup(key);
        s->hash = ch_hash_bytes(key, strlen(key));
    }
    ch_stage_state state = CH_STAGE_OTHER;
    if (strcmp(key, s->key)) {
        *why = ch_key_difference(key, s->key);
    } else {
        json_decref(s->result);
        s->result = json_incref(json_object_get(v, "result"));
        state = files_state(s, v, seen, why);
    }
    free(key);
    return state;
}

ch_stage_state ch_stage_check(ch_stage *s, ch_seen *seen, char **why)
{
    char *text = NULL;
    json_t *v = NULL;
    ch_err e = {0};
    ch_stage_state state = CH_STAGE_NEVER;
    struct stat st;
    if (stat(s->done, &st))
        text = ch_fmt("%s has no record", s->label);
    else if (!S_ISREG(st.st_mode) || ch_json_load(&v, s->done, &e) == CH_EUSER)
        state = CH_STAGE_ALTERED;
    else if (!v)
        state = CH_STAGE_UNREAD;
    else
        state = compare(s, v, seen, &text);
    if (!text && state != CH_STAGE_DONE)
        text = state == CH_STAGE_UNREAD ? ch_dup(e.msg)
                                        : ch_fmt("%s.done.json cannot be read (%s)", s->label,
                                                 e.code == CH_OK ? "it is no file" : e.msg);
    json_decref(v);
    if (why)
        *why = text;
    else
        free(text);
    return state;
}

int ch_stage_shown(const ch_stage *s, ch_seen *seen)
{
    ch_hash h;
    json_t *v = NULL;
    if (ch_json_load(&v, s->done, NULL) != CH_OK)
        return 0;
    int yes = file_state(s, v, s->kind->shown, seen, &h, NULL) == CH_STAGE_DONE;
    json_decref(v);
    return yes;
}

static ch_code add_file(const ch_stage *s, json_t *files, const char *name, ch_hash *h,
                        ch_seen *seen, ch_err *e)
{
    char *path = ch_path(s->dir, name);
    struct stat st;
    ch_code c = ch_seen_hash(seen, path, h, e);
    if (c == CH_OK && stat(path, &st))
        c = ch_fail(e, CH_EIO, "%s: was just written and is gone", path);
    if (c == CH_OK)
        ch_json_set(files, name,
                    json_pack("{s:s,s:I}", "sha256", h->hex, "bytes", (json_int_t)st.st_size));
    free(path);
    return c;
}

static ch_code finish(ch_stage *s, ch_seen *seen, ch_err *e)
{
    json_t *v = json_object(), *files = json_object();
    ch_hash unused;
    ch_code c = CH_OK;
    for (int i = 0; c == CH_OK && i < CH_STAGE_FILES && s->kind->files[i]; i++)
        c = add_file(s, files, s->kind->files[i], &s->file[i], seen, e);
    if (c == CH_OK && s->kind->shown)
        c = add_file(s, files, s->kind->shown, &unused, seen, e);
    ch_json_set(v, "stage", ch_json_text(s->kind->name));
    ch_json_set(v, "hash", ch_json_text(s->hash.hex));
    ch_json_set(v, "depends", ch_key_lines(s->key));
    ch_json_set(v, "files", files);
    if (s->result)
        json_object_set(v, "result", s->result);
    if (c == CH_OK)
        return ch_sealed_save(v, s->done, e);
    json_decref(v);
    return c;
}

/* What is made replaces a link, and does not write through it. */
static void own_names(const ch_stage *s)
{
    for (int i = 0; i < CH_STAGE_FILES && s->kind->files[i]; i++) {
        char *path = ch_path(s->dir, s->kind->files[i]);
        ch_out_own(path);
        free(path);
    }
    ch_out_own(s->done);
}

ch_code ch_stage_run(ch_stage *s, ch_seen *seen, ch_stage_make *make, void *job, ch_err *e)
{
    char *why = NULL;
    ch_stage_state state = ch_stage_check(s, seen, &why);
    s->was_done = state == CH_STAGE_DONE;
    ch_code c = CH_OK;
    if (state == CH_STAGE_UNREAD)
        c = ch_fail(e, ch_interrupted() ? CH_ESTOP : CH_EIO, "%s", why);
    else if (state != CH_STAGE_DONE && state != CH_STAGE_NEVER)
        ch_log(CH_INFO, "%s is made again: %s", s->label, why);
    free(why);
    if (s->was_done || c != CH_OK)
        return c;
    own_names(s);
    json_decref(s->result);
    s->result = NULL;
    CH_TRY(make(job, &s->result, e));
    return finish(s, seen, e);
}
