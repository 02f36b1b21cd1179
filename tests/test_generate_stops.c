/* What ends decoding and scoring: options out of range, before anything is computed, and an interrupt
 * in the middle. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "generate/generate.h"
#include "support/support.h"

static ch_device *device;
static ch_model *tiny_model;
static const int32_t prompt[] = {17, 99, 204, 5, 63};
enum { N_PROMPT = 5 };

#ifdef __SANITIZE_ADDRESS__
static const double MOST_LATE = 10;
#else
static const double MOST_LATE = 1;
#endif

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

static void refused(const ch_sampling *how, const ch_gen_opts *o, const char *word)
{
    ch_err e = {0};
    ch_answer a;
    const ch_request r = {prompt, N_PROMPT, *how};
    CHECK_FAILS(ch_generate(tiny_model, &r, 1, o, &a, NULL, &e), CH_EUSER, &e, word);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    const ch_sampling sound = {.temperature = 1, .top_p = 1, .max_new = 3};
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -0.5, 1e300};
    for (int i = 0; i < 5; i++) {
        ch_sampling how = sound;
        how.temperature = bad[i];
        refused(&how, NULL, "temperature");
        how = sound;
        how.top_p = bad[i];
        refused(&how, NULL, "top_p");
    }
    const int64_t far[] = {-1, INT64_MIN, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        ch_sampling how = sound;
        how.max_new = far[i];
        refused(&how, NULL, far[i] < 0 ? "new ones wanted" : "context");
        refused(&sound, &(ch_gen_opts){.max_rows = far[i]}, "max_rows");
        if (far[i] > 0)
            continue;
        refused(&sound, &(ch_gen_opts){.batch = far[i]}, "batch");
        how = sound;
        how.top_k = far[i];
        refused(&how, NULL, "top_k");
    }
    ch_err e = {0};
    double logp;
    int32_t ids[2] = {1, 2};
    const ch_seq odd[] = {{ids, 2, 0}, {ids, 0, 0}, {ids, 1, 2}, {ids, 2, -1}, {ids, -5, 1}};
    for (int i = 0; i < 5; i++, e = (ch_err){0})
        CHECK_FAILS(ch_score(tiny_model, odd + i, 1, NULL, &logp, &e), CH_EUSER, &e, "sequence 1");
    CHECK_FAILS(ch_score(tiny_model, odd, -1, NULL, &logp, &e), CH_EUSER, &e, "-1");
    ch_answer a;
    const ch_request r = {prompt, N_PROMPT, sound};
    e = (ch_err){0};
    CHECK_OK(ch_generate(tiny_model, &r, 1, &(ch_gen_opts){.batch = INT64_MAX}, &a, NULL, &e), &e);
    ch_answer_release(&a);
}

/* SIGINT comes from a timer in the middle of the work. */
static void interrupt_soon(int sig)
{
    (void)sig;
    raise(SIGINT);
}

static void an_interrupt_ends_answers_scores_and_labels_within_a_second(void **state)
{
    (void)state;
    enum { ASKED = 400000, MANY = 60000, TOKENS = 40 }; /* their first tokens alone take seconds */
    int32_t *ids = ch_new(MANY + TOKENS, sizeof *ids);
    static const char *const labels[] = {"yes", "no"};
    ch_request *r = ch_new(ASKED, sizeof *r);
    ch_answer *a = ch_new(ASKED, sizeof *a);
    ch_seq *s = ch_new(MANY, sizeof *s);
    ch_choice *c = ch_new(MANY, sizeof *c);
    ch_chosen *chosen = ch_new(MANY, sizeof *chosen);
    double *logp = ch_new(MANY, sizeof *logp);
    for (int i = 0; i < ASKED; i++) {
        r[i] = (ch_request){
            prompt, N_PROMPT, {.temperature = 2, .top_p = 0.9, .top_k = 250, .max_new = 200}};
        r[i].how.stream = (uint64_t)i;
    }
    for (int i = 0; i < MANY; i++) {
        s[i] = (ch_seq){ids + i, TOKENS, 1};
        c[i] = (ch_choice){i % 2 ? "Say which." : "Say whether.", labels, 2, "row"};
    }
    ch_rng g = {.seed = 2};
    for (int i = 0; i < MANY + TOKENS; i++)
        ids[i] = (int32_t)(3 + ch_random_below(&g, 267));
    signal(SIGALRM, interrupt_soon);
    ch_interrupt_install();
    ch_interrupt_begin();
    for (int kind = 0; kind < 3; kind++) {
        const struct itimerval soon = {.it_value = {.tv_usec = 300000}};
        ch_err e = {0};
        double start = ch_now_s();
        setitimer(ITIMER_REAL, &soon, NULL);
        ch_code code = kind == 0   ? ch_generate(tiny_model, r, ASKED, NULL, a, NULL, &e)
                       : kind == 1 ? ch_score(tiny_model, s, MANY, NULL, logp, &e)
                                   : ch_choose_labels(tiny_model, c, MANY, NULL, chosen, &e);
        CHECK_FAILS(code, CH_ESTOP, &e, "interrupted");
        double late = ch_now_s() - start - 0.3;
        fprintf(stderr, "interrupt %d: seen after %.2f s\n", kind, late);
        CHECK_(late < MOST_LATE);
        ch_interrupt_end(); /* lowers the flag */
        ch_interrupt_begin();
    }
    CHECK_(!a[0].text && !a[ASKED - 1].ids);
    free(ids);
    free(r);
    free(a);
    free(s);
    free(c);
    free(chosen);
    free(logp);
}

int main(void)
{
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(an_interrupt_ends_answers_scores_and_labels_within_a_second),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
