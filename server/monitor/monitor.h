/*
 * The HTTP port, for people, probes and Prometheus. daemon.c starts and stops it. libmicrohttpd
 * implements HTTP, in the daemon's loop and without a thread: libuv polls its epoll descriptor and
 * the listening sockets, and each event runs it once without blocking. It never changes the server.
 *
 * It serves GET and HEAD without a body; HTTP/1.1 connections stay open. At most VISITS_MAX
 * connections are served, each for the times of visits.h and with MONITOR_REQUEST_BYTES for its
 * request; further ones wait in the kernel until one ends. There is no password: `http-bind`
 * decides who can connect, and host.h under which names.
 *
 * The quota: one run answers at most two requests per connection, and renders each page once. The
 * rest waits 1 ms for a later turn of the loop, so that no turn has two runs for one event. While
 * clients of the other port are active, HTTP pauses after a run for MONITOR_REST_PART times the
 * duration of that run, which leaves eight ninths of the time to them.
 *
 * Invariants
 *   1. Between a successful monitor_start and monitor_stop, either libuv watches the epoll
 *      descriptor, and each listening socket unless all places are taken; or the timer is set.
 *   2. The timer is set whenever libmicrohttpd has work left, or a connection may become late. A
 *      timer is never started with 0 ms: libuv would run it again in the same turn, for ever.
 *   3. No rendered page is kept between two events, so figures are never older than their event.
 * Ownership: the monitor owns its connections; the server and the loop outlive it.
 * Cost: nothing without requests. An event renders each page at most once, however many connections
 * requested it.
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
