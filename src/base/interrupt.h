/* SIGINT and SIGTERM as a flag that long work looks at. */
#ifndef CH_BASE_INTERRUPT_H
#define CH_BASE_INTERRUPT_H

/* From now on a first SIGINT or SIGTERM that comes while work is under way only raises the flag, and
 * a second one ends the process at once (exit code 128 + signal). While none is, the handler that
 * was there before has it. */
void ch_interrupt_install(void);
/* The handlers as they were before. */
void ch_interrupt_restore(void);
int ch_interrupted(void);

/* Round work; ch_enter calls them. The flag is lowered when the last work ends, of all threads. */
void ch_interrupt_begin(void);
void ch_interrupt_end(void);

#endif
