/* What a run would take. */
#ifndef CH_RUN_FORECAST_H
#define CH_RUN_FORECAST_H

#include "run/setup.h"

typedef struct {
    int64_t rows, tokens, shared, longest; /* shared: tokens when equal prefixes count once */
} ch_load;

/* Highest resident bytes of the process in a kind of stage; 0 when no arm has one. */
typedef struct {
    int64_t train, measure, align; /* align: candidates and their rewards */
} ch_peaks;

typedef struct {
    ch_load sft, sft_ia;
    ch_prompt_load test;
    int64_t candidates;
    int64_t timed; /* rows that the times are from */
    double train_s, measure_s;
    ch_peaks peak;
    ch_train_load *arms; /* one an arm of the recipe; base has none */
} ch_forecast;

/* Counts all, times some on s->base; s is loaded and split. */
ch_code ch_forecast_make(ch_forecast *x, ch_state *s, ch_err *e) CH_CHECK_RESULT;
void ch_forecast_release(ch_forecast *x);

#endif
