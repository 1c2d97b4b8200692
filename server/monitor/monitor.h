/*
 * The HTTP port: what people, probes and Prometheus read about the engine. daemon.c starts and
 * stops it. HTTP itself is libmicrohttpd's, in the daemon's own loop and without a thread: its
 * epoll descriptor and its next timeout are polled by libuv, and each event lets it run once
 * without blocking. It never changes the server, and nothing here stands between a client and its
 * reply but the time that a page takes to be written.
 *
 * GET and HEAD only, requests without a body; HTTP/1.1 connections stay open. At most
 * MONITOR_CONNECTIONS_MAX connections are served, each within MONITOR_REQUEST_BYTES for its request
 * and MONITOR_IDLE_S without progress; more of them wait in the kernel until one ends. Without
 * a password: `http-bind` says who reaches it.
 *
 * Invariants
 *   1. While monitor_start has not failed and monitor_stop has not begun, libuv watches the epoll
 *      descriptor, and the timer is set whenever libmicrohttpd has a timeout.
 *   2. Between two events no rendered page is kept: numbers are never older than their event.
 * Ownership: the monitor owns its connections; the server and the loop outlive it.
 * Cost: nothing while nobody asks. An event renders each page at most once, however many
 * connections asked for it.
 */
#ifndef HEAPD_MONITOR_MONITOR_H
#define HEAPD_MONITOR_MONITOR_H

#include <uv.h>

#include "engine/engine.h"

enum {
    MONITOR_CONNECTIONS_MAX = 64,
    MONITOR_IDLE_S = 30, /* longer than Prometheus' usual 15 between two scrapes */
    MONITOR_REQUEST_BYTES = 16 * 1024,
};

struct monitor;

/* Listens on http-bind and http-port; with port 0 nothing is started and *out is NULL. 0, or 1
 * after one line on standard error that says which address and why; then *out is untouched. */
int monitor_start(struct monitor **out, const struct engine *s, uv_loop_t *loop);
/* Closes the port and every connection. The loop has to run once more, which frees the monitor.
 * NULL is allowed. */
void monitor_stop(struct monitor *m);

#endif
