#include "support/isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/close.h"

int can_compute(ch_precision p, ch_isa isa)
{
    ch_device *d;
    ch_err e = {0};
    ch_code c = ch_device_open(&d, p, isa, 1, &e);
    ch_device_close(d);
    if (c == CH_EUSER) {
        fprintf(stderr, "skipped: %s\n", e.msg);
        return 0;
    }
    CHECK_OK(c, &e);
    return 1;
}

ch_isa test_isa(void)
{
    static const char *const names[] = {"auto", "portable", "avx2", "avx512"};
    const char *want = getenv("TEST_ISA");
    ch_isa isa = CH_ISA_AUTO;
    while (want && *want && isa < CH_ISA_AVX512 && strcmp(names[isa], want) != 0)
        isa++;
    CHECK_(!want || !*want || !strcmp(names[isa], want));
    return isa;
}

int isa_is_here(void)
{
    return test_isa() == CH_ISA_AUTO || can_compute(CH_PRECISION_F32, test_isa());
}
