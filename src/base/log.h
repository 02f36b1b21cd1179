/* What a person sees on stderr: log lines, progress with rate and ETA; and the interrupt flag.
 * Progress is one redrawn line on a terminal and a plain line now and then in a pipe. */
#ifndef CH_BASE_LOG_H
#define CH_BASE_LOG_H

#include <stdint.h>

typedef enum { CH_QUIET, CH_WARN, CH_INFO, CH_DEBUG } ch_level;

void ch_log_level(ch_level most);
/* One line (no newline in fmt) on stderr if level <= what ch_log_level allows (default CH_INFO). */
void ch_log(ch_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 1 when stderr is a terminal and NO_COLOR is not set. */
int ch_colour(void);

double ch_now_s(void); /* monotonic seconds */

typedef struct {
    const char *what, *unit;
    int64_t total, done;
    double start_s, drawn_s;
} ch_progress;

/* total 0: unknown. what and unit are borrowed. */
void ch_progress_start(ch_progress *p, const char *what, const char *unit, int64_t total);
/* note may be NULL; it is shown behind the count. */
void ch_progress_at(ch_progress *p, int64_t done, const char *note);
/* Ends the line; says how long it took. */
void ch_progress_end(ch_progress *p);
/* "1:05", "2 h 03 min". buf needs 32 bytes. */
const char *ch_duration(double seconds, char *buf);

/* From now on SIGINT and SIGTERM only raise the flag (a second one ends the process at once). */
void ch_interrupt_install(void);
int ch_interrupted(void);
/* Lowers the flag: what it stopped may be called again. */
void ch_interrupt_lower(void);

#endif
