/* The figures of whole runs, worked out again from answers.jsonl and same.jsonl, and the signs and
 * sides of every difference: in results.json, and in compare both ways round. */
#include "support/whole.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/judge.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/intern.h"

static const char second[] =
    "{\"Definition\": [\"Say it.\"], \"Paraphrases\": [\"Tell it.\", \"Speak it.\", \"Do say it.\","
    " \"Now say it.\", \"Go on and say it.\"], \"Instances\": ["
    "{\"id\": \"1\", \"input\": \"p\", \"output\": [\"a\"]},"
    "{\"id\": \"2\", \"input\": \"q\", \"output\": [\"b\"]},"
    "{\"id\": \"3\", \"input\": \"r\", \"output\": [\"a\"]},"
    "{\"id\": \"4\", \"input\": \"s\", \"output\": [\"a\"]},"
    "{\"id\": \"5\", \"input\": \"t\", \"output\": [\"a\"]},"
    "{\"id\": \"6\", \"input\": \"u\", \"output\": [\"b\"]}]}";

enum { N_FIGURES = 6, MOST = 8 };
static const char *const figure[N_FIGURES] = {"cr",    "mcr",  "accuracy",
                                              "worst", "best", "all_correct"};

/* One input's answers. */
typedef struct {
    const char *task;
    int n, right[MOST], same[MOST][MOST];
} asked;

static int agree(const char *a, const char *b)
{
    char *x = ch_text_key(a), *y = ch_text_key(b);
    int same = x[0] && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/* The pairs of a judge are taken from same.jsonl: (1,2), (1,3), .. */
static void mark_same(asked *q, json_t *const *row, const json_t *said)
{
    const char *bits = said ? whole_word(said, "same") : NULL;
    int at = 0;
    for (int i = 0; i < q->n; i++)
        for (int j = i + 1; j < q->n; j++, at++)
            q->same[i][j] = q->same[j][i] =
                bits ? bits[at] == '1'
                     : agree(whole_word(row[i], "answer"), whole_word(row[j], "answer"));
}

/* Every input of answers.jsonl, in its order; *n how many. New array. */
static asked *read_asked(const json_t *rows, const json_t *same, int64_t *n)
{
    size_t i = 0, all = json_array_size(rows);
    asked *list = ch_new(all, sizeof *list);
    for (*n = 0; i < all; ++*n) {
        asked *q = &list[*n];
        json_t *row[MOST] = {0}, *first = json_array_get(rows, i);
        q->task = whole_word(first, "task");
        while (i < all && json_count_at(json_array_get(rows, i), "case") == *n) {
            CHECK_(q->n < MOST);
            row[q->n] = json_array_get(rows, i++);
            json_t *gold = json_array_get(json_at(row[q->n], "gold"), 0);
            q->right[q->n] = agree(whole_word(row[q->n], "answer"), json_string_value(gold));
            q->n++;
        }
        mark_same(q, row, same ? json_array_get(same, (size_t)*n) : NULL);
    }
    return list;
}

/* An answer joins the first group whose first member it agrees with. */
static double largest_group(const asked *q)
{
    int head[MOST], size[MOST] = {0}, k = 0, most = 0;
    for (int i = 0; i < q->n; i++) {
        int g = 0;
        while (g < k && !q->same[head[g]][i])
            g++;
        if (g == k)
            head[k++] = i;
        most = ++size[g] > most ? size[g] : most;
    }
    return (double)most / q->n;
}

static void add_input(const asked *q, double *x)
{
    int pairs = 0, right = 0;
    for (int i = 0; i < q->n; i++) {
        right += q->right[i];
        for (int j = i + 1; j < q->n; j++)
            pairs += q->same[i][j];
    }
    x[0] += 2.0 * pairs / (q->n * (q->n - 1));
    x[1] += largest_group(q);
    x[2] += (double)right / q->n;
    x[5] += right == q->n;
}

/* The worst and the best wording of one task. */
static void add_task(const asked *list, int64_t n, const char *task, double *x)
{
    double low = 1, high = 0;
    for (int k = 0; k < MOST; k++) {
        int inputs = 0, right = 0;
        for (int64_t i = 0; i < n; i++)
            if (!strcmp(list[i].task, task) && k < list[i].n)
                inputs++, right += list[i].right[k];
        if (inputs) {
            low = fmin(low, (double)right / inputs);
            high = fmax(high, (double)right / inputs);
        }
    }
    x[3] += low;
    x[4] += high;
}

static void work_out(const json_t *rows, const json_t *same, double *x)
{
    int64_t n, tasks = 0;
    asked *list = read_asked(rows, same, &n);
    memset(x, 0, N_FIGURES * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        add_input(&list[i], x);
        if (!i || strcmp(list[i].task, list[i - 1].task)) {
            add_task(list, n, list[i].task, x);
            tasks++;
        }
    }
    for (int k = 0; k < N_FIGURES; k++)
        x[k] /= (double)(k == 3 || k == 4 ? tasks : n);
    free(list);
}

static void figures_of(const whole *w, const char *arm, int judged, double *x)
{
    char *a = ch_fmt("%s/answers.jsonl", arm), *s = ch_fmt("%s/same.jsonl", arm);
    json_t *rows = whole_rows(w, a), *same = whole_rows(w, s);
    work_out(rows, judged ? same : NULL, x);
    if (!judged) { /* what is written is what the answers say */
        double y[N_FIGURES];
        work_out(rows, same, y);
        CHECK_SAME_BYTES(x, y, sizeof y);
    }
    json_decref(rows);
    json_decref(same);
    free(a);
    free(s);
}

static double value(const json_t *of, const char *key)
{
    return json_number_at(json_at(of, key), "value");
}

/* metrics is what was found of x, differences (may be NULL) x - y. */
static void check_figures(const json_t *metrics, const json_t *differences, const double *x,
                          const double *y)
{
    for (int k = 0; k < N_FIGURES; k++) {
        CHECK_NEAR(value(metrics, figure[k]), x[k], 1e-12);
        if (differences)
            CHECK_NEAR(value(differences, figure[k]), x[k] - y[k], 1e-12);
    }
}

static const json_t *arm_of(const json_t *results, const char *title)
{
    size_t i;
    json_t *a;
    json_array_foreach(json_at(results, "arms"), i, a)
    {
        if (!strcmp(whole_word(a, "name"), title))
            return a;
    }
    CHECK_(0);
    return NULL;
}

/* compare A B: a, b and b - a. */
static void check_compare(const whole *w, const char *a, const char *b, const double *x,
                          const double *y)
{
    ch_err e = {0};
    char *args = ch_fmt("compare %s %s --json", a, b), *out = whole_says(w, args, NULL);
    json_t *v;
    CHECK_OK(ch_json_parse(&v, out, strlen(out), "compare", 0, &e), &e);
    const json_t *m = json_at(json_array_get(v, 0), "metrics");
    for (int k = 0; k < N_FIGURES; k++) {
        const json_t *one = json_at(m, figure[k]), *d = json_at(one, "difference");
        CHECK_NEAR(value(one, "a"), x[k], 1e-12);
        CHECK_NEAR(value(one, "b"), y[k], 1e-12);
        CHECK_NEAR(json_number_at(d, "value"), y[k] - x[k], 1e-12);
        CHECK_(json_number_at(d, "low") <= json_number_at(d, "value") &&
               json_number_at(d, "value") <= json_number_at(d, "high"));
    }
    json_decref(v);
    free(args);
    free(out);
}

static const char *const dirs[] = {"r/base", "r/sft", "r/cat", "r/control"};
static const char *const titles[] = {"base model", "S", "C", "K"};
static const char arms[] = "[{name: sft, title: S, objective: sft, augment: true}, "
                           "{name: cat, title: C, objective: cat, from: sft}, "
                           "{name: control, title: K, objective: sft, from: sft, augment: true}]";

static void check_run(const whole *w, int judged)
{
    double x[4][N_FIGURES];
    json_t *results = whole_object(w, "r/results.json");
    int moved = 0;
    for (int i = 0; i < 4; i++)
        figures_of(w, dirs[i], judged, x[i]);
    for (int i = 0; i < 4; i++) {
        const json_t *a = arm_of(results, titles[i]);
        check_figures(json_at(a, "metrics"), i ? json_at(a, "difference_to_first") : NULL, x[i],
                      x[0]);
        if (i == 2) {
            assert_string_equal(whole_word(a, "versus"), "K");
            check_figures(json_at(a, "metrics"), json_at(a, "difference_to_versus"), x[2], x[3]);
        }
        for (int j = 0; j < 4; j++)
            check_compare(w, dirs[i], dirs[j], x[i], x[j]);
        moved += x[i][0] != x[0][0] && x[i][2] != x[0][2];
    }
    CHECK_(moved > 0);
    json_decref(results);
}

static void figures_and_signs_follow_from_the_answers(void **state)
{
    (void)state;
    whole w = whole_open();
    whole_put(&w, "tasks/second.json", second);
    whole_ran(&w, "r", "align.gold_target=true train.lr=3e-3", arms);
    check_run(&w, 0);
    whole_close(&w);
}

/* -- the judge -- */

/* same.jsonl is what this model says of these answers. */
static void check_said(const whole *w, const char *gguf, const char *arm)
{
    ch_err e = {0};
    ch_device *d;
    ch_model *m;
    char *a = ch_fmt("%s/answers.jsonl", arm), *s = ch_fmt("%s/same.jsonl", arm);
    json_t *rows = whole_rows(w, a), *same = whole_rows(w, s), *row;
    size_t i;
    CHECK_OK(ch_device_open(&d, CH_PRECISION_F32, CH_ISA_AUTO, 1, &e), &e);
    CHECK_OK(ch_model_load(&m, gguf, d, &e), &e);
    json_array_foreach(same, i, row)
    {
        const char *bits = whole_word(row, "same");
        json_t *y[3];
        assert_string_equal(whole_word(row, "sim"), "judge");
        assert_int_equal(strlen(bits), 3);
        for (size_t k = 0; k < 3; k++)
            y[k] = json_array_get(rows, 3 * i + k);
        static const int pair[3][2] = {{0, 1}, {0, 2}, {1, 2}};
        char *q = ch_fmt("%s\n%s", whole_word(y[0], "wording"), whole_word(y[0], "input"));
        for (int k = 0; k < 3; k++) {
            ch_judge_pair p = {q, whole_word(y[pair[k][0]], "answer"),
                               whole_word(y[pair[k][1]], "answer")};
            unsigned char says;
            CHECK_OK(ch_judge_same(m, &p, 1, &says, NULL, &e), &e);
            assert_int_equal(bits[k] - '0', says);
        }
        free(q);
    }
    ch_model_free(m);
    ch_device_close(d);
    json_decref(rows);
    json_decref(same);
    free(a);
    free(s);
}

/* The judge is another file than the model that is trained; its hash is in the record. */
static void another_judge_says_what_is_the_same(void **state)
{
    (void)state;
    whole w = whole_open();
    ch_err e = {0};
    ch_hash h;
    char *judge = source_path("tests/data/tiny/tiny_untied.gguf");
    char *keys = ch_fmt("align.gold_target=true measure.sim=judge measure.judge=%s", judge);
    whole_ran(&w, "r", keys, arms);
    check_run(&w, 1);
    check_said(&w, judge, "r/sft");
    check_said(&w, judge, "r/base");
    CHECK_OK(ch_hash_file(judge, &h, &e), &e);
    char *record = whole_text(&w, "r/sft/same.done.json"), *line = ch_fmt("judge: %s", h.hex);
    CHECK_(strstr(record, line) != NULL);
    free(record);
    free(line);
    free(keys);
    free(judge);
    whole_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_and_signs_follow_from_the_answers),
        cmocka_unit_test(another_judge_says_what_is_the_same),
    };
    return cmocka_run_group_tests_name("whole figures", tests, NULL, NULL);
}
