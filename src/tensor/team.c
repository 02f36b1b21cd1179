#include "tensor/team.h"

#include <omp.h>
#include <pthread.h>

/* OpenMP's pool belongs to the thread that opens regions, so what was proven holds for that one:
 * of `asked` threads `got` were there. */
static _Thread_local struct {
    int asked, got;
} proven = {1, 1};

static void *pass(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many of n threads the system starts at the same time. Asked here, as OpenMP's runtime ends
 * the process when it is refused one. */
static int startable(int n)
{
    enum { MOST = 256 };
    pthread_t thread[MOST];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int k = 0;
    pthread_mutex_lock(&gate);
    while (k < n && k < MOST && !pthread_create(&thread[k], NULL, pass, &gate))
        k++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < k; i++)
        pthread_join(thread[i], NULL);
    return k;
}

/* Only a region itself knows its team. */
static int open_region(int want)
{
    int n = 1;
    ch_team_icv was = ch_team_set(want);
#pragma omp parallel num_threads(want)
#pragma omp single
    n = omp_get_num_threads();
    ch_team_restore(was);
    return n;
}

static void prove(int want)
{
    proven.got += startable(want - proven.got);
    proven.got = open_region(proven.got);
    proven.asked = want;
}

int ch_team_now(int want)
{
    if (want <= 1 || omp_get_level() > 0)
        return 1;
    int limit = omp_get_thread_limit();
    want = want < limit ? want : limit;
    if (want > proven.asked)
        prove(want);
    return want < proven.got ? want : proven.got;
}

ch_team_icv ch_team_set(int threads)
{
    ch_team_icv was = {omp_get_max_threads(), omp_get_dynamic()};
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    return was;
}

void ch_team_restore(ch_team_icv was)
{
    omp_set_num_threads(was.threads);
    omp_set_dynamic(was.dynamic);
}
