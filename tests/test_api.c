/* The C API as a host program uses it: every function's defaults and outputs, handles of
 * several threads, quiet, interrupts. Of the library's own parts only the support uses any. */
#include "support/whole.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "chorus.h"
#include "support/api_short.h"

static whole w;
static char *tasks;

static void defaults_are_the_recipes(void **state)
{
    (void)state;
    chorus_device_opts d;
    chorus_generate_opts g;
    chorus_measure_opts m;
    chorus_train_opts t;
    memset(&d, 0xff, sizeof d);
    memset(&g, 0xff, sizeof g);
    memset(&m, 0xff, sizeof m);
    memset(&t, 0xff, sizeof t);
    chorus_device_defaults(&d);
    chorus_generate_defaults(&g);
    chorus_measure_defaults(&m);
    chorus_train_defaults(&t);
    assert_int_equal(d.threads, 0);
    assert_string_equal(d.precision, "auto");
    assert_string_equal(d.isa, "auto");
    CHECK_(g.temperature == 0 && g.top_k == 0 && g.top_p == 1 && g.seed == 1);
    CHECK_(g.max_new == 64 && g.batch == 64);
    CHECK_(!m.wordings && !m.max_items && !m.judge && !m.answers && m.seed == 1);
    CHECK_(m.max_new == 64 && m.batch == 64 && m.resamples == 1000);
    assert_string_equal(m.sim, "auto");
    CHECK_(!m.decode || !strcmp(m.decode, "free"));
    assert_string_equal(t.objective, "sft");
    assert_string_equal(t.save, "f32");
    CHECK_(!t.plain && !t.wordings && t.steps == 100 && t.batch == 8 && t.lr == 1e-4);
    CHECK_(t.seed == 1 && t.device.threads == 0);
    CHECK_(!t.sampling || !strcmp(t.sampling, "independent"));
}

/* Every function with NULL for its options, and for the error where nothing goes wrong. */
static void null_means_the_defaults(void **state)
{
    (void)state;
    chorus_model *m;
    chorus_answer y;
    chorus_measures x;
    char *out = whole_path(&w, "null");
    const char *prompt = "one";
    assert_int_equal(chorus_open(&m, w.gguf, NULL, NULL), CH_OK);
    assert_string_equal(chorus_name(m), "tiny");
    CHECK_(chorus_n_params(m) > 1000);
    assert_int_equal(chorus_generate(m, &prompt, 1, NULL, &y, NULL), CH_OK);
    CHECK_(y.text && y.n_tokens > 0 && y.n_tokens <= 64 && y.logp < 0);
    chorus_answers_release(&y, 1);
    assert_int_equal(chorus_measure(m, tasks, NULL, &x, NULL), CH_OK);
    assert_int_equal(x.n_inputs, 8);
    assert_int_equal(chorus_train(w.gguf, tasks, out, NULL, NULL, NULL), CH_OK);
    chorus_close(m);
    chorus_close(NULL);
    free(out);
}

static void measures_are_whole(void **state)
{
    (void)state;
    ch_err e = {0};
    chorus_measures x;
    chorus_measure_opts how = short_measure();
    char *answers = whole_path(&w, "answers.jsonl");
    chorus_model *m = open_on(w.gguf, 1);
    how.answers = answers;
    how.max_items = 5;
    CHECK_OK(chorus_measure(m, tasks, &how, &x, &e), &e);
    json_t *rows = whole_rows(&w, "answers.jsonl");
    assert_int_equal(json_array_size(rows), 5 * 6); /* the instruction and five wordings */
    CHECK_(x.n_tasks == 1 && x.n_inputs == 5 && x.n_wordings == 6 && x.most_wordings == 6);
    const chorus_stat *all[] = {&x.cr,          &x.mcr,    &x.accuracy, &x.worst, &x.best,
                                &x.all_correct, &x.rouge1, &x.rougeL,   &x.empty};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK_(0 <= all[i]->low && all[i]->low <= all[i]->value && all[i]->value <= all[i]->high &&
               all[i]->high <= 1);
    how.decode = "labels";
    CHECK_OK(chorus_measure(m, tasks, &how, &x, &e), &e);
    CHECK_(x.empty.value == 0 && x.accuracy.value > 0 && x.accuracy.value < 1);
    json_decref(rows);
    chorus_close(m);
    free(answers);
}

/* -- threads -- */

static const char *const prompts[] = {"one", "two", "three and four", "Say a or b.\nfive"};
enum { N_PROMPTS = 4 };

typedef struct {
    chorus_model *m;
    chorus_answer y[N_PROMPTS];
    ch_err e;
    ch_code code;
    int rounds;
} asking;

static void *ask(void *x)
{
    asking *a = x;
    chorus_generate_opts how;
    chorus_generate_defaults(&how);
    how.max_new = 12;
    for (int i = 0; i < a->rounds && a->code == CH_OK; i++) {
        if (i)
            chorus_answers_release(a->y, N_PROMPTS);
        a->code = chorus_generate(a->m, prompts, N_PROMPTS, &how, a->y, &a->e);
    }
    return NULL;
}

static void *open_elsewhere(void *x)
{
    *(chorus_model **)x = open_on(w.gguf, 2);
    return NULL;
}

static void check_same_answers(const asking *a, const asking *b)
{
    CHECK_OK(a->code, &a->e);
    CHECK_OK(b->code, &b->e);
    for (int i = 0; i < N_PROMPTS; i++) {
        assert_string_equal(a->y[i].text, b->y[i].text);
        CHECK_NEAR(a->y[i].logp, b->y[i].logp, 1e-4);
    }
}

/* Opened by one thread, used by another and closed by a third; two handles with teams of other sizes
 * at the same time. */
static void handles_know_no_thread(void **state)
{
    (void)state;
    pthread_t t[3];
    asking want = {.m = open_on(w.gguf, 1), .rounds = 1},
           x[3] = {{.rounds = 8}, {.rounds = 8}, {.rounds = 8}};
    ask(&want);
    x[0].m = open_on(w.gguf, 3);
    x[1].m = open_on(w.gguf, 1);
    pthread_create(&t[2], NULL, open_elsewhere, &x[2].m);
    pthread_join(t[2], NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, ask, &x[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 3; i++) {
        check_same_answers(&x[i], &want);
        chorus_answers_release(x[i].y, N_PROMPTS);
        chorus_close(x[i].m);
    }
    chorus_answers_release(want.y, N_PROMPTS);
    chorus_close(want.m);
}

/* -- what is drawn -- */

static char *drawn(chorus_model *m, double temperature, uint64_t seed)
{
    ch_err e = {0};
    chorus_answer y[N_PROMPTS];
    chorus_generate_opts how;
    chorus_generate_defaults(&how);
    how.temperature = temperature;
    how.seed = seed;
    how.max_new = 12;
    CHECK_OK(chorus_generate(m, prompts, N_PROMPTS, &how, y, &e), &e);
    char *all = ch_fmt("%s|%s|%s|%s", y[0].text, y[1].text, y[2].text, y[3].text);
    chorus_answers_release(y, N_PROMPTS);
    return all;
}

static void draws_follow_from_the_seed(void **state)
{
    (void)state;
    chorus_model *m = open_on(w.gguf, 1);
    char *greedy = drawn(m, 0, 1), *cold = drawn(m, 1e-30, 1), *colder = drawn(m, 5e-324, 2);
    char *a = drawn(m, 1, 1), *again = drawn(m, 1, 1), *other = drawn(m, 1, 2);
    assert_string_equal(greedy, cold);
    assert_string_equal(greedy, colder);
    assert_string_equal(a, again);
    CHECK_(strcmp(a, other) && strcmp(a, greedy));
    free(greedy);
    free(cold);
    free(colder);
    free(a);
    free(again);
    free(other);
    chorus_close(m);
}

/* -- quiet -- */

/* Bytes that a measurement writes to stderr. */
static long said(chorus_model *m)
{
    ch_err e = {0};
    chorus_measures x;
    chorus_measure_opts how = short_measure();
    char *name = whole_path(&w, "stderr");
    int old = dup(STDERR_FILENO), fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
    dup2(fd, STDERR_FILENO);
    ch_code c = chorus_measure(m, tasks, &how, &x, &e);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    long n = lseek(fd, 0, SEEK_END);
    close(fd);
    close(old);
    free(name);
    CHECK_OK(c, &e);
    return n;
}

static void quiet_is_quiet(void **state)
{
    (void)state;
    chorus_model *m = open_on(w.gguf, 1);
    assert_int_equal(said(m), 0);
    chorus_quiet(0);
    CHECK_(said(m) > 10);
    chorus_quiet(1);
    assert_int_equal(said(m), 0);
    chorus_close(m);
}

/* -- interrupts, and going on -- */

static chorus_train_opts long_training(void)
{
    chorus_train_opts how = short_training();
    how.steps = 600;
    return how;
}

static void *interrupt_later(void *state_file)
{
    for (int i = 0; i < 5000 && access(state_file, F_OK) != 0; i++)
        usleep(1000);
    kill(getpid(), SIGINT);
    return NULL;
}

static void a_stopped_training_goes_on(void **state)
{
    (void)state;
    ch_err e = {0};
    pthread_t t;
    chorus_train_opts how = long_training();
    char *out = whole_path(&w, "stopped"), *whole_out = whole_path(&w, "unstopped");
    char *mark = whole_path(&w, "stopped/sft/train/state.ckpt"), *path = out, *want;
    chorus_handle_signals();
    pthread_create(&t, NULL, interrupt_later, mark);
    CHECK_FAILS(chorus_train(w.gguf, tasks, out, &how, &path, &e), CH_ESTOP, &e, "");
    pthread_join(t, NULL);
    CHECK_(path == NULL && access(mark, F_OK) == 0);
    e = (ch_err){0};
    CHECK_OK(chorus_train(w.gguf, tasks, out, &how, &path, &e), &e);
    chorus_restore_signals();
    CHECK_OK(chorus_train(w.gguf, tasks, whole_out, &how, &want, &e), &e);
    CHECK_(whole_same_file(&w, "stopped/sft/model.gguf", "unstopped/sft/model.gguf"));
    CHECK_(strstr(path, "stopped/sft/model.gguf") != NULL);
    json_t *record = whole_object(&w, "stopped/sft/train.done.json");
    assert_int_equal(json_count_at(json_at(record, "result"), "groups"), 8 * 6); /* all there is */
    json_decref(record);
    struct stat before, after;
    CHECK_(stat(path, &before) == 0);
    free(path);
    CHECK_OK(chorus_train(w.gguf, tasks, out, &how, &path, &e), &e); /* done: nothing is made */
    CHECK_(stat(path, &after) == 0 && after.st_ino == before.st_ino);
    free(path);
    free(want);
    free(out);
    free(whole_out);
    free(mark);
}

static void a_recipe_runs(void **state)
{
    (void)state;
    whole_ran(&w, "run", "align.gold_target=true", NULL);
    json_t *v = whole_object(&w, "run/results.json");
    assert_int_equal(json_array_size(json_at(v, "arms")), 5);
    char *page = whole_text(&w, "run/report.html");
    CHECK_(strstr(page, "</html>") != NULL);
    free(page);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_recipes),   cmocka_unit_test(null_means_the_defaults),
        cmocka_unit_test(measures_are_whole),         cmocka_unit_test(handles_know_no_thread),
        cmocka_unit_test(draws_follow_from_the_seed), cmocka_unit_test(quiet_is_quiet),
        cmocka_unit_test(a_stopped_training_goes_on), cmocka_unit_test(a_recipe_runs),
    };
    w = whole_open();
    tasks = whole_path(&w, "tasks");
    int bad = cmocka_run_group_tests_name("api", tests, NULL, NULL);
    free(tasks);
    whole_close(&w);
    return bad;
}
