#define _GNU_SOURCE
#include "cli/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/shown.h"
#include "base/utf8.h"

enum { BUFFER = 1 << 16 };

static int filters; /* stdout is a terminal, and what comes is not known to be clean */
static char part[4];
static size_t n_part; /* bytes in part of a character whose end has not come yet */
static int why;       /* errno of the first write that failed */

static void put(const char *s, size_t n)
{
    while (n && !why) {
        ssize_t k = write(STDOUT_FILENO, s, n);
        struct pollfd wait = {STDOUT_FILENO, POLLOUT, 0};
        if (k >= 0)
            s += k, n -= (size_t)k;
        else if (errno == EAGAIN)
            why = poll(&wait, 1, -1) < 0 && ch_interrupted() ? EINTR : 0;
        else if (errno != EINTR || ch_interrupted()) /* a pipe may be full for ever */
            why = errno;
    }
}

static void show(const char *s, size_t n)
{
    char room[1 << 12], buf[4];
    const char *shown;
    size_t used = 0;
    for (size_t k, len; n; s += k, n -= k) {
        k = ch_shown_char(s, n, buf, &shown, &len);
        if (used + len > sizeof room) {
            put(room, used);
            used = 0;
        }
        memcpy(room + used, shown, len);
        used += len;
    }
    put(room, used);
}

static ssize_t take(void *ctx CH_UNUSED, const char *s, size_t n)
{
    size_t left = n;
    if (!filters) {
        put(s, n);
        return why ? 0 : (ssize_t)n; /* 0 is a failure */
    }
    while (left && n_part) {
        part[n_part++] = *s++;
        left--;
        if (ch_utf8_whole(part, n_part) == n_part || n_part == sizeof part) {
            show(part, n_part);
            n_part = 0;
        }
    }
    size_t whole = ch_utf8_whole(s, left);
    show(s, whole);
    if (left > whole) {
        n_part = left - whole; /* and it was 0 */
        memcpy(part, s + whole, n_part);
    }
    return why ? 0 : (ssize_t)n;
}

void ch_screen_open(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd)
            break; /* it would have been fd, the lowest that is free: there is no /dev/null */
    FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take});
    if (!f)
        return;
    filters = isatty(STDOUT_FILENO);
    setvbuf(f, NULL, filters ? _IOLBF : _IOFBF, BUFFER);
    stdout = f;
}

void ch_screen_trust(int on)
{
    fflush(stdout);
    filters = !on && isatty(STDOUT_FILENO);
}

int64_t ch_screen_columns(void)
{
    struct winsize w = {0};
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
        return 0;
    return w.ws_col;
}

ch_code ch_screen_close(ch_err *e)
{
    errno = 0;
    if (fflush(stdout) && !why)
        why = errno ? errno : EIO;
    show(part, n_part);
    n_part = 0;
    return why ? ch_fail(e, CH_EIO, "stdout: cannot be written: %s", strerror(why)) : CH_OK;
}
