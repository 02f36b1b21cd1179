/* For tests/mutants/list.txt only: scales what a piece of backward has just written. */
#ifndef CH_TESTS_MUTANTS_SCALE_H
#define CH_TESTS_MUTANTS_SCALE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void mutant_f32(float *x, int64_t n, float k)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= k;
}

/* Activations of act_bytes each: f32, or bf16 (rounded towards zero). */
static inline void mutant_act(size_t act_bytes, void *x, int64_t n, float k)
{
    uint16_t *half = x;
    if (act_bytes == sizeof(float)) {
        mutant_f32(x, n, k);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)half[i] << 16;
        float f;
        memcpy(&f, &bits, sizeof f);
        f *= k;
        memcpy(&bits, &f, sizeof bits);
        half[i] = (uint16_t)(bits >> 16);
    }
}

#endif
