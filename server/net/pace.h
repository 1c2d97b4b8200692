/*
 * How far apart a loop's polls are.
 *
 * A loop that is faster than its clients together serves one connection a poll: for each it falls
 * asleep and is woken, and so are the clients. If a little time passes before the poll, it finds
 * several connections: with fifty clients at pipeline 1 the server takes a ninth less CPU per
 * request, and with one to sixteen clients nothing changes (tests/bench/pace.py). Network cards
 * moderate their interrupts for the same reason (net_dim in Linux).
 *
 * The delay adds up to gap_ns of latency; for request/response clients it must be negligible. The
 * arrivals of each connection are counted over windows of PACE_WINDOW_NS, and the last window gives
 * the gap, the least time between two polls that may block. It is
 *   - at most what the configuration says (poll-gap-us),
 *   - at most 1 / PACE_PART of the time between two arrivals of the busiest connection: a client
 *     that waits for each answer loses at most that part of its throughput, and a few clients that
 *     do lose none,
 *   - 0 if fewer than PACE_ARRIVALS_MIN connections would be found: waiting would gain nothing.
 * A turn that took longer than the gap is followed by a poll at once. Waits use idle time only: one
 * window of PACE_REFERENCE has no waits and measures how long the loop blocks; in the others waits
 * take at most twice as long, since a loop that waits has less to do. A loop that is never idle
 * never waits.
 *
 * net.c asks before a poll that may block, sleeps, and tells when a turn begins; conn.c tells of
 * arrivals. Nothing here knows libuv, or the clock. Ownership: one struct pace a loop, one struct
 * pace_count a connection; both begin as zeros. Cost: a few instructions an arrival and a poll.
 */
#ifndef HEAPD_NET_PACE_H
#define HEAPD_NET_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_WINDOW_NS INT64_C(10000000)

enum {
    PACE_PART = 8,
    PACE_ARRIVALS_MIN = 2,
    PACE_REFERENCE = 16,
    PACE_WAIT_NS_MIN = 3000, /* falling asleep for less takes longer than it */
};

struct pace {
    int64_t gap_ns;
    int64_t budget_ns;          /* of waiting, in a window */
    bool polling;               /* in a poll that may block, */
    int64_t polled_ns;          /* and since when; or when the last began */
    uint32_t window;            /* its number; and in it: */
    uint32_t arrivals, busiest; /* all, and of the connection that has most */
    int64_t window_ns;          /* when it began */
    int64_t blocked_ns, waited_ns;
};

/* What of a window's arrivals are a connection's. */
struct pace_count {
    uint32_t window, arrivals;
};

/* The connection has got input. */
static inline void pace_arrived(struct pace *p, struct pace_count *s)
{
    if (s->window != p->window) *s = (struct pace_count){.window = p->window};
    s->arrivals++;
    p->arrivals++;
    if (s->arrivals > p->busiest) p->busiest = s->arrivals;
}

/* A turn begins at now_ns. */
static inline void pace_turn(struct pace *p, int64_t now_ns)
{
    if (p->polling && now_ns > p->polled_ns) p->blocked_ns += now_ns - p->polled_ns;
    p->polling = false;
}

/* A poll that may block is due at now_ns: how long to wait before it, 0 = not at all. gap_ns_max:
 * what the configuration says. */
int64_t pace_poll(struct pace *p, int64_t now_ns, int64_t gap_ns_max);

#endif
