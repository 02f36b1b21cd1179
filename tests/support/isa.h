/* Tests that run once for each instruction set. */
#ifndef CH_TESTS_ISA_H
#define CH_TESTS_ISA_H

#include "tensor/device.h"

/* The one that $TEST_ISA names; without it auto. A test that runs in a process of its own for each
 * has oneDNN's products in it, too, which are fixed with the first product of a process. */
ch_isa test_isa(void);
/* 0, said on stderr, where this CPU lacks the instruction set or what the precision needs. */
int can_compute(ch_precision p, ch_isa isa);
/* For main: the test is left out (return SKIPPED) on a CPU that lacks what $TEST_ISA names. */
int isa_is_here(void);
enum { SKIPPED = 77 };

#endif
