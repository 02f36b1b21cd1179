/* Whole runs on the tiny model: a directory with a task, recipes made from a line of keys, and what
 * the runs left, read back. */
#ifndef CH_TESTS_WHOLE_H
#define CH_TESTS_WHOLE_H

#include "support/support.h"

/* Two answers, eight inputs, an instruction and five other wordings. */
extern const char whole_task[];

typedef struct {
    char *dir, *gguf;
} whole;

/* A directory with tasks/ab.json, which is whole_task. Only warnings are logged from now on. */
whole whole_open(void);
void whole_close(whole *w);

/* <dir>/<name>. New string. */
char *whole_path(const whole *w, const char *name);
/* Writes <dir>/<name>; directories are made. */
void whole_put(const whole *w, const char *name, const char *text);
char *whole_text(const whole *w, const char *name); /* the file's bytes. New string */
int whole_same_file(const whole *w, const char *a, const char *b);
/* The one file that matches a pattern inside dir; its name below dir. New string. */
char *whole_find(const whole *w, const char *pattern);

/* Writes <dir>/<run>.yaml and runs it: a short SFT recipe in f32 on one thread, changed by keys
 * ("train.lr=1e-3 align.pool=true"), with `arms` as YAML behind "arms: ". */
ch_code whole_run(const whole *w, const char *run, const char *keys, const char *arms, ch_err *e);
/* The same, which must end well. */
void whole_ran(const whole *w, const char *run, const char *keys, const char *arms);

/* -- what is read fails the test when it is not there -- */

json_t *whole_object(const whole *w, const char *name);
json_t *whole_rows(const whole *w, const char *name); /* of JSONL, as a list */
const char *whole_word(const json_t *row, const char *key);
/* stdout of the program in $CHORUS with these arguments (a shell's words), run in dir; *code its
 * exit code, NULL: it must be 0. New string. */
char *whole_says(const whole *w, const char *args, int *code);

#endif
