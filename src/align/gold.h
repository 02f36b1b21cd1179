/* An answer held against the gold and the labels of its task. */
#ifndef CH_ALIGN_GOLD_H
#define CH_ALIGN_GOLD_H

#include "data/task.h"

/* Most labels that are shown to a judge and taken as the closed set of a task: an extraction task
 * has as many labels as inputs, and an answer outside of them can still be of the right type. */
enum { CH_LABELS_MOST = 20 };

extern const char ch_why_exact[], ch_why_empty[]; /* how rewards say it */

int ch_labels_closed(const ch_task *t);
/* 1 when text equals, after normalising, one of the labels. */
int ch_is_label(const ch_task *t, const char *text);
/* 1 when text equals, after normalising, one of the right answers. */
int ch_is_right(const ch_instance *item, const char *text);

#endif
