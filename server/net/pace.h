/*
 * How far apart a loop's polls are.
 *
 * A loop that answers one client and at once looks for the next serves one connection a poll as
 * long as it is faster than its clients together: for each it falls asleep and is woken, and so are
 * the clients. If it lets a little time pass first, a poll finds several connections: with fifty
 * clients at pipeline 1 that takes a seventh less CPU or more, and where they share a core, and so
 * save it too, they get their answers earlier all the same (tests/bench/pace.py). Network cards
 * moderate their interrupts for the same reason (net_dim in Linux).
 *
 * A request may wait for as long as the gap is; who asks again and again must hardly notice. Over
 * windows of PACE_WINDOW_NS the arrivals of each connection are counted, and from the last window
 * follows the gap: polls that may block are at least so far apart. It is
 *   - at most what the configuration says (poll-gap-us),
 *   - at most 1 / PACE_PART of the time between two arrivals of the busiest connection: no client
 *     that waits for its answers gets fewer of them by more than that part, and one that asks
 *     alone, or a few that do, by none,
 *   - 0 if fewer than PACE_ARRIVALS_MIN connections would be found: waiting would gain nothing.
 * A turn that took longer than the gap is followed by a poll at once. And waits take no time that
 * the loop needs: in one window of PACE_REFERENCE none is allowed, so that the loop blocks as long
 * as it has nothing to do, and in the others waits take at most twice as long, since a loop that
 * waits has less to do. One that is never idle never waits.
 *
 * net.c asks before a poll that may block, sleeps, and tells when a turn begins; conn.c tells of
 * arrivals. Nothing here knows libuv, or the clock. Ownership: one struct pace a loop, one struct
 * pace_share a connection; both begin as zeros. Cost: a few instructions an arrival and a poll.
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
struct pace_share {
    uint32_t window, arrivals;
};

/* The connection has got input. */
static inline void pace_arrived(struct pace *p, struct pace_share *s)
{
    if (s->window != p->window) *s = (struct pace_share){.window = p->window};
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
