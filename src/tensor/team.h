/* The OpenMP team that a region of the calling thread really gets. Whoever splits work by a number
 * of threads splits it by this one: asking for more is granted in silence with fewer. */
#ifndef CH_TENSOR_TEAM_H
#define CH_TENSOR_TEAM_H

/* Threads of a region of num_threads(want) opened now by this thread, 1 .. want: one inside any
 * parallel region (also a host program's), else what OMP_THREAD_LIMIT and the system's limits
 * leave. Tried once a thread, then tens of nanoseconds. */
int ch_team_now(int want);

/* What a thread has set for its next regions. */
typedef struct {
    int threads, dynamic;
} ch_team_icv;

/* Libraries that size their work by omp_get_max_threads see `threads` from here on, in this thread;
 * returns what stood there, for ch_team_restore. */
ch_team_icv ch_team_set(int threads);
void ch_team_restore(ch_team_icv was);

#endif
