#include "run/answer_how.h"

ch_answer_how ch_answer_how_of(const ch_recipe *r, const char *what)
{
    return (ch_answer_how){.max_new = r->generate.max_new,
                           .batch = r->generate.batch,
                           .max_rows = r->generate.max_rows,
                           .overlong = r->data.overlong,
                           .decode = r->generate.decode,
                           .what = what};
}
