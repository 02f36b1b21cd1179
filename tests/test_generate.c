/* Decoding and scoring. The same prompt gives the same answer whatever else is in the batch: texts
 * on the real model, and how often bits differ is counted and printed. Sampling, limits and scores
 * on the tiny model, whose distribution over 270 tokens is broad. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/net.h"
#include "support/texts.h"

static ch_device *device;
static ch_model *tiny_model;

static int set_up(void **state)
{
    (void)state;
    ch_log_level(CH_WARN);
    tiny_open(&device, &tiny_model);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_model_free(tiny_model);
    ch_device_close(device);
    return 0;
}

static ch_answer *answers(ch_model *m, const ch_request *r, int64_t n, const ch_gen_opts *o,
                          ch_gen_stats *stats)
{
    ch_err e = {0};
    ch_answer *a = ch_new((size_t)n, sizeof *a);
    CHECK_OK(ch_generate(m, r, n, o, a, stats, &e), &e);
    return a;
}

static void drop(ch_answer *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ch_answer_release(a + i);
    free(a);
}

static int same(const ch_answer *a, const ch_answer *b)
{
    return a->n >= 1 && a->n == b->n && a->stopped == b->stopped && !strcmp(a->text, b->text) &&
           !memcmp(a->ids, b->ids, (size_t)a->n * sizeof *a->ids);
}

static int all_same(const ch_answer *a, const ch_answer *b, int64_t n)
{
    int ok = n >= 1;
    for (int64_t i = 0; i < n; i++)
        ok &= same(a + i, b + i);
    return ok;
}

/* -- the real model: whatever else is in the batch; the asked ones stand there twice -- */

enum { N_ASKED = 8, N_OTHERS = 40, N_ALL = 2 * N_ASKED + N_OTHERS, NEW = 8 };

static const char *const asked[N_ASKED] = {
    "What is the capital of Italy?",
    "Is the review positive or negative?\nThe soup was cold and the waiter rude.",
    "Is the review positive or negative?\nBest headphones I ever had!",
    "Give the amount in euros.\nPlease pay 14.50 for the tickets and 3.20 for the tea.",
    "Name a colour.",
    "¿Cómo se dice 'apple' en español?",
    "Write a line of Python that prints the numbers 1 to 5.",
    "Is the review positive or negative?\nIt works, more or less.",
};
static const char *const jobs[5] = {
    "Is the review positive or negative?", "Decide whether this review is good or bad.",
    "Give the amount in euros.", "Route the message to billing, technical or sales.",
    "Name the topic of the sentence in one word."};
static const char *const inputs[8] = {
    "My invoice shows two charges of 20 for May.", "The lamp flickers since the update.",
    "Can I get ten licences for 900 a year?",      "Lovely staff, will come again.",
    "The bread costs 2.80 and the butter 1.95.",   "Nothing worked and nobody cared.",
    "The match ended 3 to 1 after extra time.",    "Rain is expected in the north.",
};

typedef struct {
    int64_t texts, ties, bits, compared;
    double worst; /* largest difference of a log P */
} drift;

static void compare(drift *d, ch_model *m, const ch_request *r, const ch_answer *got,
                    const ch_answer *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        d->compared++;
        if (!same(got + i, want + i)) {
            d->texts++;
            d->ties += fabs(lead_where_they_part(m, r + i, got + i, want + i)) < 1e-3;
            continue;
        }
        d->bits += memcmp(&got[i].logp, &want[i].logp, sizeof got->logp) != 0;
        CHECK_(isfinite(got[i].logp));
        d->worst = fmax(d->worst, fabs(got[i].logp - want[i].logp));
    }
}

static void make_requests(const ch_model *m, ch_request *r)
{
    for (int i = 0; i < N_ALL; i++) {
        ch_err e = {0};
        int k = i - 2 * N_ASKED;
        char *user =
            k < 0 ? ch_dup(asked[i % N_ASKED]) : ch_fmt("%s\n%s", jobs[k % 5], inputs[k / 5]);
        char *text;
        int32_t *ids;
        CHECK_OK(ch_chat(m, user, &text, &e), &e);
        CHECK_OK(ch_tokenize(m, text, &ids, &r[i].n, &e), &e);
        r[i].ids = ids;
        r[i].how = (ch_sampling){.top_p = 1, .max_new = NEW};
        free(user);
        free(text);
    }
}

static void free_requests(ch_request *r, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        union {
            const int32_t *in;
            void *io;
        } u = {.in = r[i].ids};
        free(u.io);
    }
}

static void the_same_prompt_gets_the_same_text_whatever_else_is_in_the_batch(void **state)
{
    (void)state;
    ch_err e = {0};
    char *path = model_file();
    CHECK_(path != NULL);
    ch_model *m;
    CHECK_OK(ch_model_load(&m, path, device, &e), &e);
    ch_request r[N_ALL];
    make_requests(m, r);
    ch_answer alone[N_ASKED];
    for (int i = 0; i < N_ASKED; i++)
        CHECK_OK(ch_generate(m, r + i, 1, NULL, alone + i, NULL, &e), &e);
    drift d = {0};
    static const ch_gen_opts how[] = {{.batch = 64}, {.batch = 5}, {.batch = 16, .max_rows = 300}};
    for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
        int64_t n = k ? 2 * N_ASKED + 8 : N_ALL;
        ch_answer *a = answers(m, r, n, how + k, NULL);
        compare(&d, m, r, a, alone, N_ASKED);
        compare(&d, m, r, a + N_ASKED, alone, N_ASKED);
        CHECK_(all_same(a, a + N_ASKED, N_ASKED)); /* the same rows: no tie to excuse it */
        drop(a, n);
    }
    fprintf(stderr,
            "f32: of %lld answers given in company, %lld have another text than alone (%lld at a "
            "near tie), %lld more other bits in log P, by at most %.2g\n",
            (long long)d.compared, (long long)d.texts, (long long)d.ties, (long long)d.bits,
            d.worst);
    CHECK_(d.texts == d.ties && 10 * d.texts <= d.compared);
    CHECK_(d.worst < 1e-3);
    for (int i = 0; i < N_ASKED; i++)
        ch_answer_release(alone + i);
    free_requests(r, N_ALL);
    ch_model_free(m);
    free(path);
}

/* -- the tiny model -- */

/* Short prompts, so that more of them end in one piece than a piece has logits for. */
enum { N_TINY = 320, MOST_PROMPT = 4, MOST_NEW = 24 };

/* Prompts of random ids, every other one behind the beginning of the one before. */
static void tiny_requests(ch_request *r, int32_t ids[N_TINY][MOST_PROMPT])
{
    ch_rng g = {.seed = 9};
    for (int i = 0; i < N_TINY; i++) {
        int64_t n = 1 + ch_random_below(&g, MOST_PROMPT);
        for (int64_t k = 0; k < MOST_PROMPT; k++)
            ids[i][k] = (int32_t)(3 + ch_random_below(&g, 267));
        if (i % 2)
            memcpy(ids[i], ids[i - 1], sizeof ids[i] / 2);
        r[i] = (ch_request){ids[i], n, {.temperature = 1, .top_p = 1, .seed = 1}};
        r[i].how.stream = (uint64_t)i;
        r[i].how.max_new = 1 + ch_random_below(&g, MOST_NEW);
    }
}

static void a_seed_and_a_stream_are_an_answer_whatever_else_is_in_the_batch(void **state)
{
    (void)state;
    int32_t ids[N_TINY][MOST_PROMPT];
    ch_request r[N_TINY], other[N_TINY];
    tiny_requests(r, ids);
    memcpy(other, r, sizeof r);
    ch_answer *want = answers(tiny_model, r, N_TINY, NULL, NULL);
    static const ch_gen_opts how[] = {{.batch = 64}, {.batch = 1}, {.batch = 7, .max_rows = 90}};
    for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
        ch_answer *a = answers(tiny_model, r, N_TINY, how + k, NULL);
        CHECK_(all_same(a, want, N_TINY));
        drop(a, N_TINY);
    }
    int by_seed = 0, by_stream = 0;
    for (int i = 0; i < N_TINY; i++)
        other[i].how.seed = 2;
    ch_answer *seed = answers(tiny_model, other, N_TINY, NULL, NULL);
    for (int i = 0; i < N_TINY; i++) {
        other[i] = r[i];
        other[i].how.stream += 1000;
    }
    ch_answer *stream = answers(tiny_model, other, N_TINY, NULL, NULL);
    for (int i = 0; i < N_TINY; i++) {
        by_seed += !same(seed + i, want + i);
        by_stream += !same(stream + i, want + i);
    }
    CHECK_(by_seed > N_TINY * 8 / 10 && by_stream > N_TINY * 8 / 10);
    drop(want, N_TINY);
    drop(seed, N_TINY);
    drop(stream, N_TINY);
}

static void the_likeliest_of_one_is_greedy(void **state)
{
    (void)state;
    int32_t ids[N_TINY][MOST_PROMPT];
    ch_request r[N_TINY];
    tiny_requests(r, ids);
    for (int i = 0; i < N_TINY; i++)
        r[i].how.top_k = 1;
    ch_answer *one = answers(tiny_model, r, N_TINY, NULL, NULL);
    for (int i = 0; i < N_TINY; i++)
        r[i].how = (ch_sampling){.top_p = 1, .max_new = r[i].how.max_new};
    ch_answer *greedy = answers(tiny_model, r, N_TINY, NULL, NULL);
    CHECK_(all_same(one, greedy, N_TINY));
    drop(one, N_TINY);
    drop(greedy, N_TINY);
}

/* Lengths, stop tokens, the counts in stats; six lanes for all requests. */
static void answers_end_at_a_stop_token_or_at_their_limit_and_the_next_takes_the_place(void **state)
{
    (void)state;
    int32_t ids[N_TINY][MOST_PROMPT];
    ch_request r[N_TINY];
    tiny_requests(r, ids);
    for (int i = 0; i < N_TINY; i++)
        r[i].how.temperature = 3; /* stop tokens become likely enough */
    ch_gen_stats stats;
    ch_answer *a = answers(tiny_model, r, N_TINY, &(ch_gen_opts){.batch = 6}, &stats);
    int64_t stopped = 0, limited = 0, tokens = 0, prompt = 0;
    for (int i = 0; i < N_TINY; i++) {
        CHECK_(a[i].n >= 1 && a[i].n <= r[i].how.max_new && a[i].text != NULL);
        for (int64_t k = 0; k < a[i].n; k++)
            CHECK_(ch_is_stop(tiny_model, a[i].ids[k]) == (a[i].stopped && k == a[i].n - 1));
        CHECK_(a[i].stopped || a[i].n == r[i].how.max_new);
        stopped += a[i].stopped;
        limited += !a[i].stopped;
        tokens += a[i].n;
        prompt += r[i].n;
    }
    CHECK_(stopped >= 3 && limited >= 3);
    assert_int_equal(stats.new_tokens, tokens);
    assert_int_equal(stats.prompt_tokens, prompt);
    CHECK_(stats.prompt_rows < prompt && stats.prompt_rows > prompt / 4);
    drop(a, N_TINY);
}

/* -- the first token of one prompt, drawn many times -- */

enum { DRAWS = 20000, TINY_V = 270 };
static const int32_t prompt[] = {17, 99, 204, 5, 63};
enum { N_PROMPT = 5 };

/* Softmax of the last position, in double. */
static void first_token(double *p)
{
    ch_err e = {0};
    ch_net *net;
    const ch_dims *z = ch_model_dims(tiny_model);
    assert_int_equal(z->V, TINY_V);
    CHECK_OK(ch_net_new(&net, tiny_model, CH_NET_GENERATE, 32, 32, &e), &e);
    int32_t ids[8], pos[8] = {0}, slot[8] = {0}, last = N_PROMPT - 1;
    for (int32_t i = 0; i < 8; i++) {
        ids[i] = i < N_PROMPT ? prompt[i] : -1;
        pos[i] = slot[i] = i < N_PROMPT ? i : 0;
    }
    ch_plan plan = {0};
    ch_plan_piece(&plan, 0, N_PROMPT, 0);
    ch_plan_tiles(&plan, 16);
    const float *x = ch_net_decode(net, &(ch_rows){8, N_PROMPT, ids, pos, slot, &plan, &last, 1});
    double sum = 0;
    for (int v = 0; v < TINY_V; v++)
        sum += p[v] = exp((double)x[v]);
    for (int v = 0; v < TINY_V; v++)
        p[v] /= sum;
    ch_plan_release(&plan);
    ch_net_free(net);
}

static void draw(const ch_sampling *how, int64_t *count)
{
    ch_request *r = ch_new(DRAWS, sizeof *r);
    memset(count, 0, TINY_V * sizeof *count);
    for (int i = 0; i < DRAWS; i++) {
        r[i] = (ch_request){prompt, N_PROMPT, *how};
        r[i].how.stream = (uint64_t)i;
        r[i].how.max_new = 1;
    }
    ch_answer *a = answers(tiny_model, r, DRAWS, NULL, NULL);
    for (int i = 0; i < DRAWS; i++)
        count[a[i].ids[0]]++;
    drop(a, DRAWS);
    free(r);
}

/* Pearson's statistic over the tokens with an expectation of 5 or more, the rest in one bin; 5
 * standard deviations above its mean is too much. A token of no probability must not come. */
static void check_counts(const char *what, const int64_t *count, const double *p)
{
    double chi = 0, rest_p = 0, rest = 0;
    int64_t bins = 0, total = 0;
    for (int v = 0; v < TINY_V; v++) {
        double want = p[v] * DRAWS, gap = (double)count[v] - want;
        total += count[v];
        CHECK_(p[v] > 0 || count[v] == 0);
        if (want < 5) {
            rest_p += p[v];
            rest += (double)count[v];
            continue;
        }
        chi += gap * gap / want;
        bins++;
    }
    if (rest_p * DRAWS >= 5) {
        chi += pow(rest - rest_p * DRAWS, 2) / (rest_p * DRAWS);
        bins++;
    }
    fprintf(stderr, "%s: chi-square %.1f over %lld bins\n", what, chi, (long long)bins);
    assert_int_equal(total, DRAWS);
    CHECK_(bins >= 4);
    CHECK_(chi < (double)(bins - 1) + 5 * sqrt(2 * (double)(bins - 1)));
}

/* p sharpened, then cut to the k likeliest, then to the fewest that hold top_p of what is left. */
static void cut(const double *p, double *q, double temperature, int64_t k, double top_p)
{
    double sum = 0, kept = 0;
    int used[TINY_V] = {0};
    for (int v = 0; v < TINY_V; v++) {
        int64_t rank = 0;
        for (int u = 0; u < TINY_V; u++)
            rank += p[u] > p[v] || (p[u] == p[v] && u < v);
        q[v] = rank < k ? pow(p[v], 1 / temperature) : 0;
        sum += q[v];
    }
    while (kept < top_p * sum * (1 - 1e-12)) {
        int best = -1;
        for (int v = 0; v < TINY_V; v++)
            if (!used[v] && (best < 0 || q[v] > q[best]))
                best = v;
        used[best] = 1;
        kept += q[best];
    }
    for (int v = 0; v < TINY_V; v++)
        q[v] = used[v] ? q[v] / kept : 0;
}

static void draws_follow_the_softmax_and_its_cuts(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        double temperature, top_p;
        int64_t top_k;
    } kinds[] = {{"temperature 1", 1, 1, 0},
                 {"temperature 0.5", 0.5, 1, 0},
                 {"temperature 2, 12 likeliest", 2, 1, 12},
                 {"temperature 2, top p 0.8", 2, 0.8, 0},
                 {"temperature 1.5, 30 likeliest, top p 0.8", 1.5, 0.8, 30}};
    double p[TINY_V], q[TINY_V];
    int64_t count[TINY_V];
    first_token(p);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ch_sampling how = {.temperature = kinds[i].temperature,
                           .top_k = kinds[i].top_k,
                           .top_p = kinds[i].top_p,
                           .seed = 31 + i};
        draw(&how, count);
        cut(p, q, how.temperature, how.top_k ? how.top_k : TINY_V, how.top_p);
        check_counts(kinds[i].what, count, q);
    }
}

/* -- scores -- */

static void scores_together_are_scores_apart_and_those_of_decoding(void **state)
{
    (void)state;
    int32_t ids[N_TINY][MOST_PROMPT];
    ch_request r[N_TINY];
    tiny_requests(r, ids);
    ch_answer *a = answers(tiny_model, r, N_TINY, NULL, NULL);
    ch_seq s[N_TINY + 2];
    double together[N_TINY + 2], apart[N_TINY + 2], given[N_TINY];
    for (int i = 0; i < N_TINY; i++) {
        s[i] = (ch_seq){ch_new((size_t)(r[i].n + a[i].n), sizeof *s->ids), r[i].n + a[i].n, r[i].n};
        memcpy(s[i].ids, r[i].ids, (size_t)r[i].n * sizeof *s->ids);
        memcpy(s[i].ids + r[i].n, a[i].ids, (size_t)a[i].n * sizeof *s->ids);
        given[i] = a[i].logp;
    }
    s[N_TINY] = s[3];     /* once more */
    s[N_TINY + 1] = s[4]; /* nothing to score */
    s[N_TINY + 1].n_prompt = s[4].n;
    ch_err e = {0};
    CHECK_OK(ch_score(tiny_model, s, N_TINY + 2, NULL, together, &e), &e);
    for (int i = 0; i < N_TINY + 2; i++)
        CHECK_OK(ch_score(tiny_model, s + i, 1, NULL, apart + i, &e), &e);
    CHECK_CLOSE_F64(together, apart, N_TINY + 2, 1e-6);
    CHECK_CLOSE_F64(given, apart, N_TINY, 1e-6);
    CHECK_(together[N_TINY] == together[3] && together[N_TINY + 1] == 0);
    for (int i = 0; i < N_TINY; i++) {
        CHECK_NEAR(given[i], apart[i], 1e-5);
        ch_seq_release(&s[i]);
    }
    drop(a, N_TINY);
}

static void what_cannot_be_generated_is_said(void **state)
{
    (void)state;
    ch_err e = {0};
    ch_answer a[2];
    ch_request r[2] = {{prompt, N_PROMPT, {.top_p = 1, .max_new = 3}},
                       {prompt, N_PROMPT, {.top_p = 1, .max_new = 0}}};
    CHECK_FAILS(ch_generate(tiny_model, r, 2, NULL, a, NULL, &e), CH_EUSER, &e, "prompt 2");
    r[1].how.max_new = 252;
    e = (ch_err){0};
    CHECK_FAILS(ch_generate(tiny_model, r, 2, NULL, a, NULL, &e), CH_EUSER, &e, "256");
    e = (ch_err){0};
    CHECK_OK(ch_generate(tiny_model, r, 0, NULL, NULL, NULL, &e), &e);
    CHECK_OK(ch_score(tiny_model, NULL, 0, NULL, NULL, &e), &e);
    r[1].how.max_new = 251; /* the context to its last token */
    CHECK_OK(ch_generate(tiny_model, r, 2, NULL, a, NULL, &e), &e);
    CHECK_(a[1].stopped || a[1].n == 251);
    ch_answer_release(a);
    ch_answer_release(a + 1);
}

int main(void)
{
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_and_a_stream_are_an_answer_whatever_else_is_in_the_batch),
        cmocka_unit_test(the_likeliest_of_one_is_greedy),
        cmocka_unit_test(
            answers_end_at_a_stop_token_or_at_their_limit_and_the_next_takes_the_place),
        cmocka_unit_test(draws_follow_the_softmax_and_its_cuts),
        cmocka_unit_test(scores_together_are_scores_apart_and_those_of_decoding),
        cmocka_unit_test(what_cannot_be_generated_is_said),
        cmocka_unit_test(the_same_prompt_gets_the_same_text_whatever_else_is_in_the_batch),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
