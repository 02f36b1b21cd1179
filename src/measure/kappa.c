#include "measure/kappa.h"

#include <math.h>

double ch_balanced(const ch_verdicts *v)
{
    if (!v->n_same || !v->n_differ)
        return NAN;
    return ((double)v->right_same / (double)v->n_same +
            (double)v->right_differ / (double)v->n_differ) /
           2;
}

/* (observed - by chance) / (1 - by chance); chance is 1 only where a side has no pairs. */
double ch_kappa(const ch_verdicts *v)
{
    if (!v->n_same || !v->n_differ)
        return NAN;
    double n = (double)(v->n_same + v->n_differ);
    double says_same = (double)(v->right_same + v->n_differ - v->right_differ) / n;
    double is_same = (double)v->n_same / n;
    double observed = (double)(v->right_same + v->right_differ) / n;
    double chance = says_same * is_same + (1 - says_same) * (1 - is_same);
    return (observed - chance) / (1 - chance);
}
