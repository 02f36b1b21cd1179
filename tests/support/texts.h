/* Where two greedy texts of one prompt part, and by how much that was decided. */
#ifndef CH_TESTS_TEXTS_H
#define CH_TESTS_TEXTS_H

#include "generate/generate.h"
#include "support/support.h"

/* log P by m, one scoring, of a's first token that is not b's, minus that of b's in its place; said
 * on stderr. Infinite when one text is the beginning of the other. */
double lead_where_they_part(ch_model *m, const ch_request *r, const ch_answer *a,
                            const ch_answer *b);

#endif
