/* Stages: what their keys name, when they are done, and models that are replaced in mid-run. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/know.h"
#include "run/models.h"
#include "run/stage.h"
#include "support/support.h"

/* -- keys -- */

static const char text[] =
    "model: m\ndata: {tasks: t}\ngenerate: {decode: labels}\n"
    "arms: [{name: s, objective: sft}, {name: c, objective: cat, from: s, sampling: grouped}]\n";

typedef struct {
    ch_recipe r;
    ch_facts f;
    ch_made from;
} world;

enum { KEYS = 7 };

static void all_keys(char *key[KEYS], const world *w)
{
    const ch_arm *a = &w->r.arms[2];
    const ch_hash x = {"1"}, y = {"2"};
    key[CH_S_WORDINGS] = ch_key_wordings(&w->r, &w->f);
    key[CH_S_CANDIDATES] = ch_key_candidates(&w->r, &w->f, a, &w->from);
    key[CH_S_PAIRS] = ch_key_pairs(&w->r, &w->f, a, &w->from);
    key[CH_S_TRAIN] = ch_key_train(&w->r, &w->f, a, &w->from);
    key[CH_S_ANSWERS] = ch_key_answers(&w->r, &w->f, &w->from);
    key[CH_S_SAME] = ch_key_same(&w->r, &w->f, &x, &y);
    key[CH_S_JUDGE] = ch_key_judge(&x, 3);
}

static void world_begin(world *w, const char *key, const char *value)
{
    ch_err e = {0};
    char path[] = "/tmp/chorus-stage-XXXXXX";
    int fd = mkstemp(path);
    CHECK_(fd >= 0);
    close(fd);
    *w = (world){.f = {.version = "1", .computes = "f32"}};
    CHECK_OK(ch_file_write(path, text, strlen(text), &e), &e);
    CHECK_OK(ch_recipe_read(&w->r, path, &e), &e);
    if (key)
        CHECK_OK(ch_recipe_set(&w->r, key, value, "test", &e), &e);
    CHECK_OK(ch_recipe_finish(&w->r, path, &e), &e);
    unlink(path);
}

static void world_end(world *w)
{
    ch_facts_release(&w->f);
    ch_recipe_release(&w->r);
}

/* Bits of the stages whose keys differ. */
static unsigned differ(const world *a, const world *b)
{
    char *x[KEYS], *y[KEYS];
    unsigned bits = 0;
    all_keys(x, a);
    all_keys(y, b);
    for (int i = 0; i < KEYS; i++) {
        bits |= strcmp(x[i], y[i]) ? 1u << i : 0;
        free(x[i]);
        free(y[i]);
    }
    return bits;
}

#define W (1u << CH_S_WORDINGS)
#define C (1u << CH_S_CANDIDATES)
#define P (1u << CH_S_PAIRS)
#define T (1u << CH_S_TRAIN)
#define A (1u << CH_S_ANSWERS)
#define S (1u << CH_S_SAME)

static void every_value_that_changes_a_result_is_in_the_keys_that_it_changes(void **state CH_UNUSED)
{
    static const struct {
        const char *key, *value;
        unsigned want;
    } rows[] = {
        {"seed", "2", C | P | T},
        {"save", "f16", T},
        {"data.max_len", "99", C | P | T},
        {"data.overlong", "drop", C | P | T | A},
        {"paraphrase.n", "3", W},
        {"paraphrase.max_new", "99", W},
        {"generate.max_new", "9", C | P | T | A}, /* align.max_new follows it */
        {"generate.decode", "free", A},
        {"generate.batch", "2", C | P | T | A},
        {"generate.max_rows", "99", A},
        {"train.steps", "9", T},
        {"train.lr", "0.5", T},
        {"train.lambda", "3", T},
        {"train.beta", "3", 0}, /* cat reads none */
        {"train.inputs_per_instruction", "3", T},
        {"train.dev_rows", "3", T},
        {"train.eval_every", "3", T},
        {"train.max_rows", "99", T},
        {"align.samples", "5", C | P | T},
        {"align.temperature", "0.5", C | P | T},
        {"align.reward", "consensus", P | T},
        {"align.max_bad", "1", P | T},
        {"measure.sim", "exact", S},
        {"train.save_every", "3", 0},
        {"measure.resamples", "99", 0},
        {"run", "elsewhere", 0},
    };
    world a;
    world_begin(&a, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world b;
        world_begin(&b, rows[i].key, rows[i].value);
        if (differ(&a, &b) != rows[i].want)
            fail_msg("%s: keys %x differ, %x are wanted", rows[i].key, differ(&a, &b),
                     rows[i].want);
        world_end(&b);
    }
    world_end(&a);
}

static void every_fact_is_in_the_keys_of_what_depends_on_it(void **state CH_UNUSED)
{
    world a, b;
    world_begin(&a, NULL, NULL);
    world_begin(&b, NULL, NULL);
    const unsigned all = W | C | P | T | A | S;
    const struct {
        char *at;
        unsigned want;
    } rows[] = {
        {b.f.version, all},
        {b.f.computes, all},
        {b.f.base.hex, W},
        {b.f.train_side.hex, C | P | T},
        {b.f.test_side.hex, A},
        {b.f.labels.hex, A},
        {b.f.judge.hex, S},
        {b.f.instructions.hex, W},
        {b.f.paraphrase_prompt.hex, W},
        {b.f.questions.hex, P | T},
        {b.from.key.hex, C | P | T | A},
        {b.from.file.hex, C | P | T | A},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char keep = rows[i].at[0];
        rows[i].at[0] = 'x';
        if (differ(&a, &b) != rows[i].want)
            fail_msg("fact %d: keys %x differ, %x are wanted", (int)i, differ(&a, &b),
                     rows[i].want);
        rows[i].at[0] = keep;
    }
    CHECK_(differ(&a, &b) == 0);
    world_end(&a);
    world_end(&b);
}

/* -- stages -- */

typedef struct {
    const char *dir, *answers;
    int times;
} writer;

static ch_code write_answers(void *job, json_t **result, ch_err *e)
{
    writer *w = job;
    char *path = ch_path(w->dir, "answers.jsonl");
    w->times++;
    *result = json_pack("{s:i,s:f}", "dropped_inputs", 4, "share", 1.0 / 3);
    ch_code c = ch_file_write(path, w->answers, strlen(w->answers), e);
    free(path);
    return c;
}

static int runs(writer *w, const char *key)
{
    ch_err e = {0};
    ch_seen seen = {0};
    int before = w->times;
    ch_stage s = ch_stage_of(w->dir, "", CH_S_ANSWERS, ch_dup(key));
    CHECK_OK(ch_stage_run(&s, &seen, write_answers, w, &e), &e);
    CHECK_(json_integer_value(json_object_get(s.result, "dropped_inputs")) == 4);
    CHECK_(strlen(s.file[0].hex) == 64);
    ch_stage_release(&s);
    ch_seen_release(&seen);
    return w->times > before;
}

static void why_is(writer *w, const char *key, ch_stage_state want, const char *words)
{
    ch_seen seen = {0};
    char *why = NULL;
    ch_stage s = ch_stage_of(w->dir, "", CH_S_ANSWERS, ch_dup(key));
    CHECK_(ch_stage_check(&s, &seen, &why) == want);
    if (!strstr(why, words))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    free(why);
    ch_stage_release(&s);
    ch_seen_release(&seen);
}

static void a_stage_is_done_when_key_and_files_are_what_the_record_says(void **state CH_UNUSED)
{
    char *dir = scratch_dir();
    writer w = {dir, "one\n", 0};
    ch_err e = {0};
    char *path = ch_path(dir, "answers.jsonl"), *done = ch_path(dir, "answers.done.json");
    why_is(&w, "a: 1\nb: 2\n", CH_STAGE_NEVER, "no record");
    CHECK_(runs(&w, "a: 1\nb: 2\n"));
    CHECK_(!runs(&w, "a: 1\nb: 2\n"));
    why_is(&w, "a: 1\nb: 3\n", CH_STAGE_OTHER, "b was 2, now 3");
    why_is(&w, "a: 1\n", CH_STAGE_OTHER, "b was 2, now nothing");
    why_is(&w, "a: 1\nb: 2\nc: 4\n", CH_STAGE_OTHER, "c was nothing, now 4");
    why_is(&w, "b: 2\na: 1\n", CH_STAGE_OTHER, "another order");
    CHECK_OK(ch_file_write(path, "two\n", 4, &e), &e); /* of the same length */
    why_is(&w, "a: 1\nb: 2\n", CH_STAGE_ALTERED, "answers.jsonl is not what was written");
    CHECK_(runs(&w, "a: 1\nb: 2\n"));
    unlink(path);
    why_is(&w, "a: 1\nb: 2\n", CH_STAGE_LOST, "answers.jsonl is missing");
    CHECK_(runs(&w, "a: 1\nb: 2\n"));
    CHECK_OK(ch_file_write(done, "{\"hash\": \"x\"}", 13, &e), &e);
    why_is(&w, "a: 1\nb: 2\n", CH_STAGE_OTHER, "another version of chorus");
    CHECK_OK(ch_file_write(done, "{", 1, &e), &e);
    why_is(&w, "a: 1\nb: 2\n", CH_STAGE_ALTERED, "cannot be read");
    CHECK_(runs(&w, "a: 1\nb: 2\n"));
    CHECK_(!runs(&w, "a: 1\nb: 2\n"));
    free(path);
    free(done);
    scratch_remove(dir);
}

static void a_base_model_that_is_replaced_in_mid_run_is_not_loaded_again(void **state CH_UNUSED)
{
    char *dir = scratch_dir(), *path = ch_path(dir, "m.gguf"), *bytes = NULL;
    size_t n;
    ch_err e = {0};
    ch_state s = {.lock = -1};
    ch_model *m;
    ch_recipe r = {.model = path};
    CHECK_OK(ch_device_open(&s.device, CH_PRECISION_F32, CH_ISA_AUTO, 1, &e), &e);
    CHECK_OK(ch_file_read("tests/data/tiny/tiny.gguf", &bytes, &n, &e), &e);
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    s.r = &r;
    s.made = ch_new(1, sizeof *s.made);
    CHECK_OK(ch_run_base(&s, &m, &e), &e);
    ch_know_start(&s, m);
    ch_run_drop_base(&s);
    CHECK_OK(ch_run_base(&s, &m, &e), &e);
    ch_run_drop_base(&s);
    free(bytes);
    CHECK_OK(ch_file_read("tests/data/tiny/tiny_untied.gguf", &bytes, &n, &e), &e);
    CHECK_OK(ch_file_write(path, bytes, n, &e), &e);
    CHECK_FAILS(ch_run_base(&s, &m, &e), CH_EUSER, &e, "was replaced while the run was on");
    CHECK_(!s.base);
    ch_state_release(&s);
    free(bytes);
    free(path);
    scratch_remove(dir);
}

int main(void)
{
    ch_log_level(CH_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_that_changes_a_result_is_in_the_keys_that_it_changes),
        cmocka_unit_test(every_fact_is_in_the_keys_of_what_depends_on_it),
        cmocka_unit_test(a_stage_is_done_when_key_and_files_are_what_the_record_says),
        cmocka_unit_test(a_base_model_that_is_replaced_in_mid_run_is_not_loaded_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
