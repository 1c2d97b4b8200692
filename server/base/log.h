/*
 * The log: one line per event, to standard output or a file, with time, process and level. Called
 * by main, daemon and net, and by others only for what an operator must know. Errors that a
 * function returns are never logged.
 *
 * A line is one write(2) of at most 2048 bytes (longer lines are truncated). Control characters
 * become '?'. errno is preserved. One thread at a time may log.
 */
#ifndef HEAPD_BASE_LOG_H
#define HEAPD_BASE_LOG_H

#include <stdbool.h>

#include "base/view.h"

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

/* "debug", "verbose", "notice" or "warning", in any case. */
bool log_level_of(struct view name, enum log_level *out);

/* The process has one log; before log_open() lines go to standard error at LOG_NOTICE. `path` "" =
 * standard output; a file is appended to, and closed by the next log_open(). 0, or errno and the
 * log stays where it was. */
int log_open(const char *path, enum log_level level_min);
void log_level_set(enum log_level level_min);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
