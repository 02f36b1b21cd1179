#include "base/rng.h"

#include <math.h>

#include "base/err.h"

uint64_t ch_random_at(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (uint64_t)c1 << 32 | c0;
}

/* Code and index share 64 bits: code 0 leaves an epoch's stream its number. */
enum { INDEX_BITS = 48 };

uint64_t ch_stream(ch_use use, uint64_t index)
{
    if (use == CH_USE_SPLIT)
        return index >> INDEX_BITS < CH_N_USES ? index | (uint64_t)1 << 63 : index;
    return (uint64_t)use << INDEX_BITS | (index & (((uint64_t)1 << INDEX_BITS) - 1));
}

ch_rng ch_rng_of(uint64_t seed, ch_use use, uint64_t index)
{
    return (ch_rng){.seed = seed, .stream = ch_stream(use, index)};
}

uint64_t ch_random(ch_rng *r)
{
    return ch_random_at(r->seed, r->stream, r->index++);
}

double ch_random_unit(ch_rng *r)
{
    return (double)(ch_random(r) >> 11) * 0x1p-53;
}

int64_t ch_random_below(ch_rng *r, int64_t n)
{
    CH_MUST(n >= 1);
    uint64_t limit = UINT64_MAX - UINT64_MAX % (uint64_t)n;
    uint64_t x;
    do
        x = ch_random(r);
    while (x >= limit);
    return (int64_t)(x % (uint64_t)n);
}

double ch_random_normal(ch_rng *r)
{
    double u = 1.0 - ch_random_unit(r), v = ch_random_unit(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void ch_shuffle(ch_rng *r, int64_t *index, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = ch_random_below(r, i + 1), t = index[i];
        index[i] = index[j];
        index[j] = t;
    }
}
