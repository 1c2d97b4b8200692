/*
 * A heapd of the tour's own: started on a free port of 127.0.0.1, without HTTP, and ended with
 * SIGTERM. The tour calls it when no --url is given. It does not speak to the server.
 *
 * Whatever ends the tour ends the server: process_stop; SIGINT, SIGTERM and SIGHUP, which stop the
 * server within their handler and exit with 128 + their number; and the kernel, should the tour be
 * killed. The server has a process group of its own, so that a Ctrl-C reaches it in one way only.
 *
 * Invariants: 1. at most one server at a time, for a signal handler has no argument.
 * Ownership: the caller stops what it started.
 */
#ifndef EXAMPLES_PROCESS_H
#define EXAMPLES_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROCESS_PATH_BYTES = 4096, PROCESS_STOP_MS = 30000 };

/* The path of a file relative to the folder of the running program; false: it is too long, or that
 * folder is not known. Called before anything changes the working directory. */
bool process_beside(const char *relative, char path[PROCESS_PATH_BYTES]);
/* A port that nobody listens on just now; 0: none. */
uint16_t process_free_port(void);

/* Starts `program`; the pid, or -1 (errno says why). That it cannot be executed shows in
 * process_running alone. */
int process_start(const char *program, uint16_t port);
/* Whether what was started still runs. */
bool process_running(void);
/* SIGTERM, and SIGKILL after PROCESS_STOP_MS. True if it exited with 0, or nothing runs. */
bool process_stop(void);

#endif
