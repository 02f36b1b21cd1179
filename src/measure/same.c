#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/intern.h"
#include "measure/measure.h"

void ch_same_exact(const char *const *answers, int64_t n, unsigned char *out)
{
    ch_intern seen = {0};
    int64_t *id = ch_new((size_t)n + 1, sizeof *id);
    for (int64_t i = 0; i < n; i++)
        id[i] = ch_text_empty(answers[i]) ? -1 - i : ch_intern_key(&seen, answers[i]);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] = id[i] == id[j];
    free(id);
    ch_intern_free(&seen);
}

double ch_cr(const unsigned char *same, int64_t n)
{
    int64_t agree = 0;
    CH_MUST(n >= 2);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            agree += same[i * n + j] != 0;
    return (double)agree / ((double)n * (double)(n - 1) / 2);
}

double ch_mcr(const unsigned char *same, int64_t n)
{
    int64_t *first = ch_new((size_t)n, sizeof *first), *size = ch_new((size_t)n, sizeof *size);
    int64_t clusters = 0, top = 0;
    CH_MUST(n >= 1);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = 0;
        while (k < clusters && !same[first[k] * n + i])
            k++;
        if (k == clusters)
            first[clusters++] = i;
        if (++size[k] > top)
            top = size[k];
    }
    free(first);
    free(size);
    return (double)top / (double)n;
}

int ch_exact(const char *answer, const char *const *gold, int64_t n_gold)
{
    int hit = 0;
    for (int64_t k = 0; k < n_gold && !hit; k++)
        hit = ch_text_agree(answer, gold[k]);
    return hit;
}
