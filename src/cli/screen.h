/* The command's standard streams. What goes to stdout when that is a terminal passes a filter that
 * leaves nothing of a text's control characters (base/shown.h); into a file or a pipe it goes as it
 * is. */
#ifndef CH_CLI_SCREEN_H
#define CH_CLI_SCREEN_H

#include <stdint.h>

#include "base/err.h"

/* First of all in main: standard descriptors that are closed are opened on /dev/null, so that no
 * file of ours takes their place; a closed stdout stays one that cannot be written. */
void ch_screen_open(void);
/* What is printed from now on is clean and has colours of our own: the filter is off (1), on (0). */
void ch_screen_trust(int on);
/* Columns of the terminal on stdout, 0 when it is none. */
int64_t ch_screen_columns(void);
/* Last of all: writes what is left. Error (CH_EIO): something, now or before, could not be written. */
ch_code ch_screen_close(ch_err *e) CH_CHECK_RESULT;

#endif
