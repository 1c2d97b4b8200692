/*
 * The replies of one turn's connections, on their way to the kernel: where a loop has a ring they
 * leave together, with the system call that ends the turn. A share's replies are written into the
 * buffer at hand (sends_at_hand); sends_later leaves them there until the ring has tried them, and
 * another buffer is at hand then. Without a ring, and for replies that are long or have large
 * values between them, conn.c sends from the buffer at hand at once, and there is only that. A
 * reply may wait for what others ask in the same turn, some twenty requests or pipelines as a rule;
 * as in Redis, which writes before it sleeps.
 *
 * Invariants (sends_check)
 *   1. What is free is empty.
 *   2. What is neither free nor at hand belongs to a stream of which something is under way.
 * Ownership: the buffers. Cost: O(1); a buffer keeps OUTBOX_SHARED_KEPT_BYTES at most.
 */
#ifndef HEAPD_NET_SENDS_H
#define HEAPD_NET_SENDS_H

#include "net/outbox.h"

enum {
    SENDS_MAX = 32, /* that leave together */
    SENDS_BYTES_MAX = 64 << 10,
};

struct send {
    struct ring_send ring; /* first */
    struct replies replies;
    struct stream *stream; /* NULL: free, or at hand */
    struct send *next;     /* of the free ones */
    struct sends *home;
};

struct sends {
    struct ring *ring;
    struct send *at_hand, *free;
    struct send all[SENDS_MAX + 1];
};

/* `ring`: NULL = nothing leaves later. */
void sends_init(struct sends *sends, struct ring *ring);
void sends_fini(struct sends *sends, struct reply_refs_all *refs);

static inline struct replies *sends_at_hand(struct sends *sends)
{
    return &sends->at_hand->replies;
}

/* The replies at hand leave later, if they may: the stream's user is told by `sent`. */
bool sends_later(struct sends *sends, struct stream *stream);

/* The number of the invariant above that does not hold, or 0. */
int sends_check(const struct sends *sends);

#endif
