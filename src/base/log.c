#define _GNU_SOURCE
#include "base/log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static ch_level most = CH_INFO;
static int line_open; /* a redrawn progress line stands on the terminal */
static volatile sig_atomic_t interrupted;

static int is_tty(void)
{
    static int known = -1;
    if (known < 0)
        known = isatty(STDERR_FILENO);
    return known;
}

static void clear_line(void)
{
    if (line_open)
        fputs("\r\033[K", stderr);
    line_open = 0;
}

void ch_log_level(ch_level level)
{
    most = level;
}

void ch_log(ch_level level, const char *fmt, ...)
{
    if (level > most)
        return;
    clear_line();
    va_list ap;
    va_start(ap, fmt);
    if (level == CH_WARN)
        fputs("warning: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

int ch_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return is_tty() && !(no && no[0]);
}

double ch_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *ch_duration(double s, char *buf)
{
    long n = (long)(s + 0.5);
    if (s < 10)
        snprintf(buf, 32, "%.1f s", s);
    else if (n < 60)
        snprintf(buf, 32, "%ld s", n);
    else if (n < 3600)
        snprintf(buf, 32, "%ld:%02ld min", n / 60, n % 60);
    else
        snprintf(buf, 32, "%ld h %02ld min", n / 3600, n / 60 % 60);
    return buf;
}

void ch_progress_start(ch_progress *p, const char *what, const char *unit, int64_t total)
{
    *p = (ch_progress){.what = what, .unit = unit, .total = total, .start_s = ch_now_s()};
    p->drawn_s = p->start_s;
}

void ch_progress_at(ch_progress *p, int64_t done, const char *note)
{
    p->done = done;
    double now = ch_now_s(), every = is_tty() ? 0.1 : 15.0;
    if (most < CH_INFO || now - p->drawn_s < every)
        return;
    p->drawn_s = now;
    double rate = (double)done / (now - p->start_s + 1e-9);
    char eta[32] = "", line[256];
    if (p->total && rate > 0)
        ch_duration((double)(p->total - done) / rate, eta);
    snprintf(line, sizeof line, "%s: %ld/%ld %s, %.1f/s%s%s%s%s", p->what, (long)done,
             (long)p->total, p->unit, rate, eta[0] ? ", " : "", eta, eta[0] ? " left" : "",
             note ? note : "");
    clear_line();
    fputs(line, stderr);
    if (is_tty())
        line_open = 1;
    else
        fputc('\n', stderr);
    fflush(stderr);
}

void ch_progress_end(ch_progress *p)
{
    char t[32];
    double s = ch_now_s() - p->start_s;
    ch_log(CH_INFO, "%s: %ld %s in %s", p->what, (long)p->done, p->unit, ch_duration(s, t));
}

static void on_signal(int sig)
{
    if (interrupted)
        _exit(128 + sig);
    interrupted = 1;
}

void ch_interrupt_install(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

void ch_interrupt_lower(void)
{
    interrupted = 0;
}

int ch_interrupted(void)
{
    return interrupted;
}
