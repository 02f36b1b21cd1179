#include "support/api_short.h"

#include "support/support.h"

chorus_model *open_on(const char *gguf, int threads)
{
    ch_err e = {0};
    chorus_model *m;
    chorus_device_opts how = {threads, "f32", "auto"};
    CHECK_OK(chorus_open(&m, gguf, &how, &e), &e);
    return m;
}

chorus_measure_opts short_measure(void)
{
    chorus_measure_opts how;
    chorus_measure_defaults(&how);
    how.max_new = 4;
    how.resamples = 20;
    return how;
}

chorus_train_opts short_training(void)
{
    chorus_train_opts how;
    chorus_train_defaults(&how);
    how.steps = 4;
    how.batch = 2;
    how.device = (chorus_device_opts){1, "f32", "auto"};
    return how;
}
