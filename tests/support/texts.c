#include "support/texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

double lead_where_they_part(ch_model *m, const ch_request *r, const ch_answer *a,
                            const ch_answer *b)
{
    ch_err e = {0};
    int64_t d = 0;
    while (d < a->n && d < b->n && a->ids[d] == b->ids[d])
        d++;
    if (d == a->n || d == b->n)
        return INFINITY;
    ch_seq s[2];
    double logp[2];
    for (int k = 0; k < 2; k++) {
        const ch_answer *x = k ? b : a;
        s[k] = (ch_seq){ch_new((size_t)(r->n + d + 1), sizeof *s->ids), r->n + d + 1, r->n + d};
        memcpy(s[k].ids, r->ids, (size_t)r->n * sizeof *s->ids);
        memcpy(s[k].ids + r->n, x->ids, (size_t)(d + 1) * sizeof *s->ids);
    }
    CHECK_OK(ch_score(m, s, 2, NULL, logp, &e), &e);
    fprintf(stderr, "texts part at token %lld, log P %.6f and %.6f: \"%s\", \"%s\"\n", (long long)d,
            logp[0], logp[1], a->text, b->text);
    ch_seq_release(&s[0]);
    ch_seq_release(&s[1]);
    return logp[0] - logp[1];
}
