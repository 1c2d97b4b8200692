#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_BYTES = 2048 };

/* State that does not hang off struct engine: a line must be possible before there is one. */
static struct {
    int fd;
    bool owned; /* a file that the next log_open() closes */
    enum log_level level_min;
} the_log = {STDERR_FILENO, false, LOG_NOTICE};

static const char *const level_names[] = {"debug", "verbose", "notice", "warning"};
static const char level_marks[] = ".-*#";

bool log_level_of(struct view name, enum log_level *out)
{
    for (enum log_level level = LOG_DEBUG; level <= LOG_WARNING; level++) {
        if (!view_is(name, level_names[level])) continue;
        *out = level;
        return true;
    }
    return false;
}

int log_open(const char *path, enum log_level level_min)
{
    int fd = STDOUT_FILENO;
    if (*path) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0) return errno;
    }
    if (the_log.owned) close(the_log.fd);
    the_log.fd = fd;
    the_log.owned = *path != '\0';
    the_log.level_min = level_min;
    return 0;
}

void log_level_set(enum log_level level_min)
{
    the_log.level_min = level_min;
}

/* By the system's clock, not an engine's (clock.h): the log is the process's, and its lines stand
 * beside those of other programs. `pid:M 22 Nov 2026 15:00:00.123 * ` as Redis writes it, so that
 * its readers of logs read ours. */
static size_t put_head(char line[LOG_LINE_BYTES], enum log_level level)
{
    struct timespec now;
    struct tm local;
    char date[32];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
    return (size_t)snprintf(line, LOG_LINE_BYTES, "%d:M %s.%03d %c ", (int)getpid(), date,
                            (int)(now.tv_nsec / 1000000), level_marks[level]);
}

static void write_whole(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; /* a full disk: there is nobody left to tell */
        p += written;
        n -= (size_t)written;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < the_log.level_min) return;
    int errno_kept = errno;
    char line[LOG_LINE_BYTES];
    size_t head = put_head(line, level), room = sizeof line - head - 1;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + head, room, format, args);
    va_end(args);
    size_t n = wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    /* What a client named itself may stand in the text; it must not be able to forge a line of its
     * own. */
    for (size_t i = head; i < head + n; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = '?';
    }
    line[head + n] = '\n';
    write_whole(the_log.fd, line, head + n + 1);
    errno = errno_kept;
}
