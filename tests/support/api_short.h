/* The C API on the tiny model with options that make each call short. */
#ifndef CH_TESTS_API_SHORT_H
#define CH_TESTS_API_SHORT_H

#include "chorus.h"

/* In f32; fails the test where the model does not open. */
chorus_model *open_on(const char *gguf, int threads);
chorus_measure_opts short_measure(void);
chorus_train_opts short_training(void);

#endif
