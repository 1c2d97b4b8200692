/*
 * The connections of the HTTP port, and how long each may keep its place. monitor.c reports their
 * events here; this module closes late ones. The timeout of libmicrohttpd restarts with each byte,
 * so a client that sends a byte now and then would keep a place for ever.
 *
 *   from the accept, or from a request's first line, to the end of the answer   VISIT_REQUEST_MS
 *   from the end of an answer to the next request's first line                  VISIT_IDLE_MS
 *
 * While all places are taken, the connection that was accepted first is closed once it has had
 * VISIT_CROWDED_MS. So no client, idle or busy, keeps others out for longer.
 *
 * Closing is shutdown(2): libmicrohttpd, which owns the descriptor, then finds the connection
 * ended.
 *
 * Invariants (visits_check)
 *   1. `count` visits are open, `late` of them were shut down, and no two have the same descriptor.
 * Ownership: a visit is open from visits_begin to visits_end; its descriptor belongs to
 * libmicrohttpd.
 * Cost: each call of visits_end_late and visits_due_ns scans all VISITS_MAX places.
 */
#ifndef HEAPD_MONITOR_VISITS_H
#define HEAPD_MONITOR_VISITS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VISITS_MAX = 64,
    VISIT_REQUEST_MS = 5000,
    VISIT_IDLE_MS = 30000, /* longer than Prometheus' usual 15 s between two scrapes */
    VISIT_CROWDED_MS = 1000,
};

enum visit_state {
    VISIT_NONE,    /* the place is free */
    VISIT_REQUEST, /* a request comes or is answered */
    VISIT_IDLE,    /* between two requests */
    VISIT_LATE,    /* it was shut */
};

struct visit {
    enum visit_state state;
    int fd;
    int64_t begun_ns; /* when it was accepted */
    int64_t since_ns; /* in this state */
};

struct visits {
    struct visit of[VISITS_MAX];
    unsigned count, late;
};

/* A connection was accepted; NULL when no place is free. */
struct visit *visits_begin(struct visits *all, int fd, int64_t now_ns);
/* The connection is closed; NULL is allowed. */
void visits_end(struct visits *all, struct visit *v);
/* Its next request has begun, or it was answered. */
void visit_enters(struct visit *v, enum visit_state state, int64_t now_ns);
/* Shuts those that have used up their time, and when all places are taken the first. */
void visits_end_late(struct visits *all, int64_t now_ns);
/* When the next one will have; INT64_MAX when there is none. */
int64_t visits_due_ns(const struct visits *all);
/* The number of the invariant above that does not hold, or 0. */
int visits_check(const struct visits *all);

#endif
