/*
 * The log: one line an event, to standard output or a file, with time, process and level. Called by main, daemon,
 * net, and by others only for what an operator must know. Never for an error that is returned.
 */
#ifndef HEAPD_BASE_LOG_H
#define HEAPD_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

/* The process has one log; before log_open() lines go to standard error at LOG_NOTICE. `path` "" = standard output.
 * 0, or errno. */
int log_open(const char *path, enum log_level level_min);
void log_level_set(enum log_level level_min);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
