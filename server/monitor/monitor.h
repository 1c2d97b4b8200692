/*
 * The HTTP port: what people, probes and Prometheus read about the server. daemon.c starts and
 * stops it. HTTP itself is libmicrohttpd's, in the daemon's own loop and without a thread: its
 * epoll descriptor and the listening sockets are polled by libuv, and each event lets it run once
 * without blocking. It never changes the server.
 *
 * GET and HEAD only, requests without a body; HTTP/1.1 connections stay open. At most VISITS_MAX
 * connections are served, for the times of visits.h, each within MONITOR_REQUEST_BYTES for its
 * request; more of them wait in the kernel until one ends. Without a password: `http-bind` says who
 * reaches it, and host.h by which names.
 *
 * The quota: one run answers at most two requests of each connection, and renders each page once.
 * What is left waits for a later turn of the loop, 1 ms on, so that no turn holds two runs for one
 * event. While clients of the other port are at work, nothing of HTTP is looked at after a run for
 * MONITOR_REST_PART times as long as it took: they keep eight ninths of the time.
 *
 * Invariants
 *   1. While monitor_start has not failed and monitor_stop has not begun, either libuv watches the
 *      epoll descriptor, and each listening socket unless all places are taken; or the timer is
 * set.
 *   2. The timer is set whenever libmicrohttpd has work left, or a connection may become late. A
 *      timer is never started with 0 ms: libuv would run it again in the same turn, and for ever.
 *   3. Between two events no rendered page is kept: numbers are never older than their event.
 * Ownership: the monitor owns its connections; the server and the loop outlive it.
 * Cost: nothing while nobody asks. An event renders each page at most once, however many
 * connections asked for it.
 */
#ifndef HEAPD_MONITOR_MONITOR_H
#define HEAPD_MONITOR_MONITOR_H

#include <uv.h>

#include "engine/engine.h"
#include "monitor/visits.h"

enum {
    MONITOR_REQUEST_BYTES = 16 * 1024,
    MONITOR_BACKLOG = 64,
    MONITOR_DEAF_MS = 100, /* after an accept that failed for lack of descriptors or memory */
    MONITOR_REST_PART = 8,
    MONITOR_REST_MS_MAX = 100, /* a run may seem long because another process had the core */
};

struct monitor;

/* Listens on http-bind and http-port; with port 0 nothing is started and *out is NULL. 0, or 1
 * after one line on standard error that says which address and why; then *out is untouched. */
int monitor_start(struct monitor **out, const struct engine *s, uv_loop_t *loop);
/* Closes the port and every connection. The loop has to run once more, which frees the monitor.
 * NULL is allowed. */
void monitor_stop(struct monitor *m);

#endif
