/* How far a judge of pairs (the same or not) is right where the truth is known. */
#ifndef CH_MEASURE_KAPPA_H
#define CH_MEASURE_KAPPA_H

#include <stdint.h>

/* Pairs that are the same and pairs that differ, and of each how many the judge was right on. */
typedef struct {
    int64_t n_same, right_same, n_differ, right_differ;
} ch_verdicts;

/* Mean of the two sides' shares of right verdicts, however many pairs each has: 0.5 for a judge
 * that always says the same thing. NAN when a side has no pairs. */
double ch_balanced(const ch_verdicts *v);
/* Cohen's kappa between judge and truth: 1 right throughout, 0 no better than chance, as one that
 * always says the same thing is. NAN when a side has no pairs. */
double ch_kappa(const ch_verdicts *v);

#endif
