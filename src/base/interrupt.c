#define _GNU_SOURCE
#include "base/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { N_SIGNALS = 2 };
static const int signals[N_SIGNALS] = {SIGINT, SIGTERM};
static struct sigaction before[N_SIGNALS];
static volatile sig_atomic_t installed, interrupted;
static atomic_int at_work;

/* As if we had never been there; only functions that a handler may call. */
static void hand_on(int sig, siginfo_t *info, void *where)
{
    const struct sigaction *old = &before[sig == SIGTERM];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(sig, info, where);
    } else if (old->sa_handler == SIG_DFL) {
        sigaction(sig, old, NULL);
        raise(sig); /* delivered when this handler returns */
    } else if (old->sa_handler != SIG_IGN) {
        old->sa_handler(sig);
    }
}

static void on_signal(int sig, siginfo_t *info, void *where)
{
    if (!atomic_load(&at_work))
        hand_on(sig, info, where);
    else if (interrupted)
        _exit(128 + sig);
    else
        interrupted = 1;
}

void ch_interrupt_install(void)
{
    struct sigaction a;
    if (installed)
        return;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = on_signal;
    a.sa_flags = SA_SIGINFO;
    for (int i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], NULL, &before[i]); /* known before the first can come */
    for (int i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &a, NULL);
    installed = 1;
}

void ch_interrupt_restore(void)
{
    for (int i = 0; installed && i < N_SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    installed = 0;
}

int ch_interrupted(void)
{
    return interrupted;
}

void ch_interrupt_begin(void)
{
    atomic_fetch_add(&at_work, 1);
}

void ch_interrupt_end(void)
{
    if (atomic_fetch_sub(&at_work, 1) == 1)
        interrupted = 0;
}
