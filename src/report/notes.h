/* Inside the report room: what a reader must know beside the figures, as clean single lines. The
 * caller frees each text and the list (NULL when there are none). */
#ifndef CH_REPORT_NOTES_H
#define CH_REPORT_NOTES_H

#include "report/report.h"

/* What casts doubt: collapsed arms and tasks, empty answers (more than 3 % of an arm's), the
 * caller's warnings, what was dropped, a judge whose kappa on pairs with a known verdict is below
 * 0.8 (with as many of each side: that is right on less than 90 % of them). */
int64_t ch_report_warnings(const ch_report_data *d, char ***list);
/* What was done and how far it goes: the caller's notes, uneven wordings by task, what the
 * intervals are worth, how the judge did. */
int64_t ch_report_notes(const ch_report_data *d, char ***list);

#endif
