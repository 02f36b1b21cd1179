#include "tensor/device_state.h"

#include <omp.h>

#include "base/log.h"
#include "tensor/team.h"

ch_precision ch_device_precision(const ch_device *d)
{
    return d->precision;
}

int ch_device_threads(const ch_device *d)
{
    return d->threads;
}

int ch_device_team(const ch_device *d)
{
    static _Thread_local int told;
    if (!d)
        return 1; /* a model that is read or written, and not computed with */
    int team = ch_team_now(d->threads);
    if (team < d->threads && !told) {
        told = 1;
        ch_log(CH_WARN, "threads: a call from %s computes with %d of the device's %d",
               omp_get_level() > 0 ? "inside a parallel region" : "under a smaller limit", team,
               d->threads);
    }
    return team;
}

const char *ch_device_text(const ch_device *d)
{
    return d->text;
}

const ch_ops *ch_device_ops(const ch_device *d)
{
    return d->ops;
}

void *ch_device_room(ch_device *d, int t)
{
    return d->rooms + (size_t)t * d->room_bytes;
}
