#define _GNU_SOURCE
#include "run/wipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"
#include "base/str.h"
#include "run/run_dir.h"
#include "run/stage.h"

/* Beside what stages make (ch_stages). */
static const char *const of_run[] = {"recipe.yaml",  "run.json",    "split.json",
                                     "results.json", "report.html", NULL};
static const char *const of_train[] = {"state.ckpt", "best.w",     "last.w",
                                       "log.jsonl",  "stage.hash", NULL};
static const char *const mark[] = {CH_RUN_MARK, NULL};

typedef struct {
    dev_t dev;
    ino_t ino;
} identity;

/* keep: what the recipe reads. */
typedef struct {
    identity *keep;
    int64_t n, cap;
    int only_tmp;
    const char *failed; /* the first name that could not be deleted, and why */
    int why;
} wipe;

static int is_kept(const wipe *w, const struct stat *st)
{
    for (int64_t i = 0; i < w->n; i++)
        if (w->keep[i].dev == st->st_dev && w->keep[i].ino == st->st_ino)
            return 1;
    return 0;
}

/* path is a file, or a directory whose own files are read. */
static void keep(wipe *w, const char *path)
{
    struct stat st;
    if (!path[0] || stat(path, &st))
        return;
    *CH_PUSH(w->keep, w->n, w->cap) = (identity){st.st_dev, st.st_ino};
    char **names = NULL;
    int64_t n;
    if (!S_ISDIR(st.st_mode) || ch_list_dir(path, "", &names, &n, NULL) != CH_OK)
        return;
    for (char **it = names; *it; it++) {
        char *file = ch_path(path, *it);
        if (!stat(file, &st))
            *CH_PUSH(w->keep, w->n, w->cap) = (identity){st.st_dev, st.st_ino};
        free(file);
    }
    ch_names_free(names);
}

static void keep_inputs(wipe *w, const ch_recipe *r)
{
    const char *const files[] = {r->model, r->data.tasks, r->data.test_tasks, r->paraphrase.prompt,
                                 r->judge_prompt};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        keep(w, files[i]);
    if (strcmp(r->data.wordings, "paraphrase"))
        keep(w, r->data.wordings);
    if (strcmp(r->measure.judge, "base"))
        keep(w, r->measure.judge);
    for (int64_t i = 0; i < r->n_arms; i++)
        keep(w, r->arms[i].model);
}

static void fail(wipe *w, const char *name)
{
    if (w->failed)
        return;
    w->failed = name;
    w->why = errno;
}

/* name and its temporary name. */
static void one_file(wipe *w, int dir, const char *name)
{
    struct stat st;
    char *tmp = ch_fmt("%s.tmp", name);
    const char *const both[] = {tmp, name};
    for (int i = 0; i < (w->only_tmp ? 1 : 2); i++)
        if (!fstatat(dir, both[i], &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
            !is_kept(w, &st) && unlinkat(dir, both[i], 0))
            fail(w, name);
    free(tmp);
}

static void files(wipe *w, int dir, const char *const *names)
{
    for (; *names; names++)
        one_file(w, dir, *names);
}

static void stage_files(wipe *w, int dir, ch_stage_id from, ch_stage_id to)
{
    for (int s = (int)from; s <= (int)to; s++) {
        char *done = ch_fmt("%s.done.json", ch_stages[s].name);
        for (int i = 0; i < CH_STAGE_FILES && ch_stages[s].files[i]; i++)
            one_file(w, dir, ch_stages[s].files[i]);
        one_file(w, dir, done);
        free(done);
    }
}

/* A directory that is one itself, no link to one, and nothing that the recipe reads; else -1. */
static int enter(const wipe *w, int dir, const char *name)
{
    struct stat st;
    int d = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    ch_guard_fd(d);
    if (d < 0 || (!fstat(d, &st) && !is_kept(w, &st)))
        return d;
    ch_fd_close(d);
    return -1;
}

/* Removes the directory when it is empty. */
static void leave(const wipe *w, int dir, const char *name, int d)
{
    ch_fd_close(d);
    if (!w->only_tmp)
        unlinkat(dir, name, AT_REMOVEDIR);
}

static void arm_files(wipe *w, int dir, const char *arm)
{
    int d = enter(w, dir, arm);
    if (d < 0)
        return;
    stage_files(w, d, CH_S_TRAIN, CH_S_JUDGE);
    int t = enter(w, d, "train");
    if (t >= 0) {
        files(w, t, of_train);
        leave(w, d, "train", t);
    }
    leave(w, dir, arm, d);
}

/* <arm>-<8 hex digits> */
static int is_align_name(const char *name)
{
    size_t n = strlen(name);
    return n > 9 && name[n - 9] == '-' && strspn(name + n - 8, "0123456789abcdef") == 8;
}

static void align_files(wipe *w, int dir)
{
    int a = enter(w, dir, "align");
    if (a < 0)
        return;
    DIR *list = fdopendir(dup(a));
    for (struct dirent *it; list && (it = readdir(list));) {
        int d = is_align_name(it->d_name) ? enter(w, a, it->d_name) : -1;
        if (d < 0)
            continue;
        stage_files(w, d, CH_S_CANDIDATES, CH_S_PAIRS);
        leave(w, a, it->d_name, d);
    }
    if (list)
        closedir(list);
    leave(w, dir, "align", a);
}

static ch_code everything(wipe *w, int dir, const char *path, const char *const *arms, ch_err *e)
{
    files(w, dir, of_run);
    if (w->only_tmp)
        files(w, dir, mark);
    stage_files(w, dir, CH_S_WORDINGS, CH_S_WORDINGS);
    /* Arms before what they were trained on: one that is still whole when a deletion is cut short
     * keeps its pairs, and any other makes them again. */
    for (; *arms; arms++)
        arm_files(w, dir, *arms);
    align_files(w, dir);
    if (!w->failed)
        return CH_OK;
    return ch_fail(e, CH_EIO, "%s: %s cannot be deleted: %s", path, w->failed, strerror(w->why));
}

/* What is left beside the run's mark. */
static char *list_left(const char *path)
{
    enum { MOST = 6 };
    char **names = NULL;
    int64_t n = 0, more = 0;
    ch_str b = {0};
    if (ch_list_dir(path, "", &names, &n, NULL) != CH_OK)
        return NULL;
    for (int64_t i = 0, told = 0; i < n; i++) {
        if (!strcmp(names[i], CH_RUN_MARK))
            continue;
        if (told++ < MOST)
            ch_str_addf(&b, "%s%s", b.n ? ", " : "", names[i]);
        else
            more++;
    }
    ch_names_free(names);
    if (more)
        ch_str_addf(&b, " and %lld more", (long long)more);
    return b.n ? ch_str_take(&b) : NULL;
}

ch_code ch_wipe_run(int dir, const char *path, const char *const *arms, const ch_recipe *r,
                    char **left, ch_err *e)
{
    wipe w = {0};
    keep_inputs(&w, r);
    ch_code c = everything(&w, dir, path, arms, e);
    *left = c == CH_OK ? list_left(path) : NULL;
    free(w.keep);
    return c;
}

ch_code ch_wipe_tmp(int dir, const char *path, const char *const *arms, const ch_recipe *r,
                    ch_err *e)
{
    wipe w = {.only_tmp = 1};
    keep_inputs(&w, r);
    ch_code c = everything(&w, dir, path, arms, e);
    free(w.keep);
    return c;
}

ch_code ch_wipe_train(const char *path, ch_err *e)
{
    wipe w = {0};
    int d = enter(&w, AT_FDCWD, path);
    if (d < 0)
        return ch_fail(e, CH_EUSER,
                       "%s: is a link, or no directory; nothing is deleted behind a link, put a "
                       "directory there",
                       path);
    files(&w, d, of_train);
    ch_fd_close(d);
    return w.failed
               ? ch_fail(e, CH_EIO, "%s/%s: cannot be deleted: %s", path, w.failed, strerror(w.why))
               : CH_OK;
}

void ch_wipe_own_train(const char *path)
{
    for (const char *const *it = of_train; *it; it++) {
        char *file = ch_path(path, *it);
        ch_out_own(file);
        free(file);
    }
}

int ch_wipe_knows_tmp(const char *name)
{
    for (const char *const *list = of_run; list; list = list == of_run ? mark : NULL)
        for (const char *const *it = list; *it; it++) {
            size_t n = strlen(*it);
            if (!strncmp(name, *it, n) && !strcmp(name + n, ".tmp"))
                return 1;
        }
    return 0;
}
