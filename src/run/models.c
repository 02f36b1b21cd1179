#include "run/models.h"

#include <string.h>

ch_code ch_know_load(ch_model **m, const ch_state *s, const char *path, const ch_hash *want,
                     ch_err *e)
{
    CH_TRY(ch_model_load(m, path, s->device, e));
    ch_hash is = ch_model_hash(*m);
    if (!strcmp(is.hex, want->hex))
        return CH_OK;
    ch_model_free(*m);
    *m = NULL;
    return ch_fail(e, CH_EUSER,
                   "%s: was replaced while the run was on (SHA-256 %.8s.. now, %.8s.. before); put "
                   "the old file back, or start again",
                   path, is.hex, want->hex);
}

ch_code ch_run_base(ch_state *s, ch_model **m, ch_err *e)
{
    int first = !s->facts.base.hex[0];
    if (!s->base && first)
        CH_TRY(ch_model_load(&s->base, s->r->model, s->device, e));
    else if (!s->base)
        CH_TRY(ch_know_load(&s->base, s, s->r->model, &s->facts.base, e));
    *m = s->base;
    return CH_OK;
}

void ch_run_drop_base(ch_state *s)
{
    ch_model_free(s->base);
    s->base = NULL;
}
