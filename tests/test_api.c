/* The C API as a host program uses it: every function's defaults, errors and outputs, handles of
 * several threads, quiet, interrupts. Of the library's own parts only the support uses any. */
#include "support/whole.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "chorus.h"
#include "support/gguf_edit.h"

static whole w;
static char *tasks;

static chorus_model *open_on(int threads)
{
    ch_err e = {0};
    chorus_model *m;
    chorus_device_opts how = {threads, "f32", "auto"};
    CHECK_OK(chorus_open(&m, w.gguf, &how, &e), &e);
    return m;
}

static chorus_measure_opts short_measure(void)
{
    chorus_measure_opts how;
    chorus_measure_defaults(&how);
    how.max_new = 4;
    how.resamples = 20;
    return how;
}

static chorus_train_opts short_training(void)
{
    chorus_train_opts how;
    chorus_train_defaults(&how);
    how.steps = 4;
    how.batch = 2;
    how.device = (chorus_device_opts){1, "f32", "auto"};
    return how;
}

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
    chorus_model *m = open_on(1);
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

/* -- errors -- */

static void check_open(const char *gguf, chorus_device_opts how, ch_code code, const char *word)
{
    ch_err e = {0};
    chorus_model *m = (void *)&e;
    CHECK_FAILS(chorus_open(&m, gguf, &how, &e), code, &e, word);
    CHECK_(m == NULL);
    assert_int_equal(chorus_open(&m, gguf, &how, NULL), code);
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    const chorus_device_opts fine = {1, "f32", "auto"};
    check_open("none.gguf", fine, CH_EUSER, "none.gguf");
    check_open(tasks, fine, CH_EUSER, "");
    check_open(w.gguf, (chorus_device_opts){-1, "f32", "auto"}, CH_EUSER, "threads");
    check_open(w.gguf, (chorus_device_opts){1 << 30, "f32", "auto"}, CH_EUSER, "threads");
    check_open(w.gguf, (chorus_device_opts){1, "f64", "auto"}, CH_EUSER, "precision");
    check_open(w.gguf, (chorus_device_opts){1, "f32", "sse"}, CH_EUSER, "isa");
}

static void check_generate(chorus_model *m, const char *prompt, int64_t n, chorus_generate_opts how,
                           ch_code code)
{
    ch_err e = {0};
    const char *prompts[] = {"one", prompt};
    chorus_answer y[2] = {{.text = (char *)prompts}, {.text = (char *)prompts}};
    CHECK_FAILS(chorus_generate(m, prompts, n, &how, y, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && e.code == code);
    CHECK_(n < 1 || n > 2 || (!y[0].text && !y[1].text));
    e = (ch_err){0};
    CHECK_OK(chorus_generate(m, prompts, 1, NULL, y, &e), &e); /* the handle lives on */
    chorus_answers_release(y, 1);
}

static void what_cannot_be_generated(void **state)
{
    (void)state;
    static const int64_t huge = INT64_MAX;
    chorus_generate_opts how;
    chorus_model *m = open_on(1);
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    chorus_generate_defaults(&how);
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_generate_opts o = how;                                                              \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_generate(m, "two", 0, how, CH_EUSER);
    check_generate(m, "two", -1, how, CH_EUSER);
    check_generate(m, "two", huge, how, CH_EUSER);
    check_generate(m, "\xff\xfe", 2, how, CH_EUSER);
    check_generate(m, "caf\xc3", 2, how, CH_EUSER);
    check_generate(m, "\xed\xa0\x80", 2, how, CH_EUSER); /* a surrogate */
    check_generate(m, long_text, 2, how, CH_ELONG);
    check_generate(m, "two", 2, WITH(max_new = 0), CH_EUSER);
    check_generate(m, "two", 2, WITH(max_new = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(max_new = 1000), CH_ELONG);
    check_generate(m, "two", 2, WITH(max_new = huge), CH_ELONG);
    check_generate(m, "two", 2, WITH(batch = -5), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = (double)NAN), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(temperature = (double)INFINITY), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_k = -1), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_p = -0.5), CH_EUSER);
    check_generate(m, "two", 2, WITH(top_p = (double)NAN), CH_EUSER);
#undef WITH
    chorus_close(m);
}

static void check_measure(chorus_model *m, const char *of, chorus_measure_opts how, ch_code code)
{
    ch_err e = {0};
    chorus_measures x, zero = {0};
    memset(&x, 0x55, sizeof x);
    CHECK_FAILS(chorus_measure(m, of, &how, &x, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && e.code == code);
    CHECK_SAME_BYTES(&x, &zero, sizeof x);
}

static void what_cannot_be_measured(void **state)
{
    (void)state;
    chorus_measure_opts how = short_measure();
    chorus_model *m = open_on(1);
    char *bad = whole_path(&w, "bad.json"), *into = whole_path(&w, "tasks/ab.json");
    whole_put(&w, "bad.json",
              "{\"Definition\": [\"caf\xc3.\"], \"Paraphrases\": [\"b\", \"c\"],"
              " \"Instances\": [{\"id\": \"1\", \"input\": \"x\", \"output\": [\"a\"]}]}");
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_measure_opts o = how;                                                               \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_measure(m, "nowhere", how, CH_EUSER);
    check_measure(m, bad, how, CH_EUSER);
    check_measure(m, tasks, WITH(max_new = 0), CH_EUSER);
    check_measure(m, tasks, WITH(max_new = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(max_new = 1000), CH_ELONG);
    check_measure(m, tasks, WITH(batch = 0), CH_EUSER);
    check_measure(m, tasks, WITH(batch = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(resamples = 0), CH_EUSER);
    check_measure(m, tasks, WITH(resamples = INT64_MAX), CH_EUSER);
    check_measure(m, tasks, WITH(max_items = -1), CH_EUSER);
    check_measure(m, tasks, WITH(sim = "maybe"), CH_EUSER);
    check_measure(m, tasks, WITH(decode = "words"), CH_EUSER);
    check_measure(m, tasks, WITH(wordings = "nowhere.yaml"), CH_EUSER);
    check_measure(m, tasks, ({
                      chorus_measure_opts o = how;
                      o.sim = "judge";
                      o.judge = "nowhere.gguf";
                      o;
                  }),
                  CH_EUSER);
    check_measure(m, tasks, WITH(answers = into), CH_EUSER);
    check_measure(m, tasks, WITH(answers = w.dir), CH_EUSER);
    check_measure(m, tasks, WITH(answers = "/dev/full"), CH_EIO);
#undef WITH
    chorus_close(m);
    free(bad);
    free(into);
}

static void check_train(const char *of, chorus_train_opts how, ch_code code)
{
    ch_err e = {0};
    char *out = whole_path(&w, "refused"), *path = out;
    CHECK_FAILS(chorus_train(w.gguf, of, out, &how, &path, &e), code, &e, "");
    CHECK_(strlen(e.msg) > 20 && path == NULL);
    struct stat st;
    CHECK_(code != CH_EUSER || stat(out, &st) != 0); /* nothing was made */
    free(out);
}

static void what_cannot_be_trained(void **state)
{
    (void)state;
    chorus_train_opts how = short_training();
    char *none = whole_path(&w, "none.yaml");
#define WITH(what)                                                                                 \
    ({                                                                                             \
        chorus_train_opts o = how;                                                                 \
        o.what;                                                                                    \
        o;                                                                                         \
    })
    check_train("nowhere", how, CH_EUSER);
    check_train(tasks, WITH(objective = "sftt"), CH_EUSER);
    check_train(tasks, WITH(objective = "none"), CH_EUSER);
    check_train(tasks, WITH(objective = "../x"), CH_EUSER);
    check_train(tasks, WITH(steps = 0), CH_EUSER);
    check_train(tasks, WITH(steps = INT64_MAX), CH_EUSER);
    check_train(tasks, WITH(batch = 0), CH_EUSER);
    check_train(tasks, WITH(batch = INT64_MAX), CH_EUSER);
    check_train(tasks, WITH(lr = (double)NAN), CH_EUSER);
    check_train(tasks, WITH(lr = (double)INFINITY), CH_EUSER);
    check_train(tasks, WITH(lr = -1), CH_EUSER);
    check_train(tasks, WITH(save = "q4"), CH_EUSER);
    check_train(tasks, WITH(sampling = "some"), CH_EUSER);
    check_train(tasks, WITH(wordings = none), CH_EUSER);
    check_train(tasks, WITH(device.threads = -1), CH_EUSER);
    check_train(tasks, WITH(objective = "cat"), CH_ELONG); /* its questions, for this model */
#undef WITH
    ch_err e = {0};
    CHECK_FAILS(chorus_train("none.gguf", tasks, w.dir, &how, NULL, &e), CH_EUSER, &e, "none.gguf");
    e = (ch_err){0};
    CHECK_FAILS(chorus_run(none, &e), CH_EUSER, &e, "none.yaml");
    assert_int_equal(chorus_run(none, NULL), CH_EUSER);
    /* The base writes nothing good. */
    CHECK_FAILS(whole_run(&w, "empty", "", "[{name: cat, objective: cat}]", &e), CH_EEMPTY, &e,
                "there is no good answer");
    free(none);
}

/* The tiny model with one weight of its last norm changed. New string: the path. */
static char *with_weight(const char *name, float weight)
{
    gguf_edit g = gguf_edit_read("tests/data/tiny/tiny.gguf");
    ch_err e = {0};
    size_t n;
    for (int64_t i = 0; i < g.n_tensors; i++)
        if (!strcmp(g.tensors[i].name, "output_norm.weight"))
            memcpy(g.data + g.tensors[i].at, &weight, sizeof weight);
    char *bytes = gguf_edit_bytes(&g, &n, NULL), *path = whole_path(&w, name);
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    free(bytes);
    gguf_edit_release(&g);
    return path;
}

/* Weights that are no numbers, and such that logits are none: CH_ENUMBER wherever they are read, and
 * no figures. */
static void numbers_that_are_none(void **state)
{
    (void)state;
    ch_err e = {0};
    chorus_model *m, *fine = open_on(1);
    chorus_answer y;
    chorus_measures x;
    chorus_measure_opts how = short_measure();
    const char *prompt = "one";
    char *nan = with_weight("nan.gguf", NAN), *path = with_weight("large.gguf", 3e38f);
    chorus_device_opts device = {1, "f32", "auto"};
    check_open(nan, device, CH_ENUMBER, "nan.gguf");
    CHECK_OK(chorus_open(&m, path, &device, &e), &e);
    CHECK_FAILS(chorus_generate(m, &prompt, 1, NULL, &y, &e), CH_ENUMBER, &e, "");
    check_measure(m, tasks, how, CH_ENUMBER);
    how.sim = "judge";
    how.judge = path;
    check_measure(fine, tasks, how, CH_ENUMBER);
    e = (ch_err){0};
    chorus_train_opts t = short_training();
    char *out = whole_path(&w, "nan");
    CHECK_FAILS(chorus_train(path, tasks, out, &t, NULL, &e), CH_ENUMBER, &e, "");
    how = short_measure();
    e = (ch_err){0};
    CHECK_OK(chorus_measure(fine, tasks, &how, &x, &e), &e);
    chorus_close(m);
    chorus_close(fine);
    free(out);
    free(nan);
    free(path);
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
    *(chorus_model **)x = open_on(2);
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
    asking want = {.m = open_on(1), .rounds = 1},
           x[3] = {{.rounds = 8}, {.rounds = 8}, {.rounds = 8}};
    ask(&want);
    x[0].m = open_on(3);
    x[1].m = open_on(1);
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
    chorus_model *m = open_on(1);
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
    chorus_model *m = open_on(1);
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
        cmocka_unit_test(defaults_are_the_recipes),
        cmocka_unit_test(null_means_the_defaults),
        cmocka_unit_test(measures_are_whole),
        cmocka_unit_test(what_cannot_be_opened),
        cmocka_unit_test(what_cannot_be_generated),
        cmocka_unit_test(what_cannot_be_measured),
        cmocka_unit_test(what_cannot_be_trained),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(handles_know_no_thread),
        cmocka_unit_test(draws_follow_from_the_seed),
        cmocka_unit_test(quiet_is_quiet),
        cmocka_unit_test(a_stopped_training_goes_on),
        cmocka_unit_test(a_recipe_runs),
    };
    w = whole_open();
    tasks = whole_path(&w, "tasks");
    int bad = cmocka_run_group_tests_name("api", tests, NULL, NULL);
    free(tasks);
    whole_close(&w);
    return bad;
}
