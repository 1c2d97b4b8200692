/*
 * What a session waits for: an object with operations, in the queue of its source. A source is
 * whatever can make something ready (the collector, a compaction, the memory limit, a count; later
 * a key, or a time). Who makes something ready wakes the source's waiters, which moves them to the
 * queue of the woken; net/ looks at that queue alone, once a turn.
 *
 *     runs --wait_begin--> asleep in its source's queue --wait_wake--> woken
 *      ^                            ^                                    |
 *      |                            +-------- not ready after all -------+
 *      +---------------- ready: reply() is written, wait_end ------------+
 *
 * A wake-up is a hint: ready() decides, so a source may wake more waiters than it has to. What
 * waits is a request that has begun and not been answered. A new kind of wait (BLPOP) is a struct
 * wait_type and a source; what it has to remember goes into the union. One that ends for another
 * reason than its source's (a time that has come, CLIENT UNBLOCK) is woken like any other, and its
 * ready() and reply() look at what was noted in the union.
 *
 * Invariants (wait_check)
 *   1. A wait without a type is in no queue; one with a type is in its source's or in the woken's.
 *   2. The queues are linked in both directions.
 * Ownership: a wait is embedded in its session; a source's queue belongs to the engine and outlives
 * all waits in it. cancel() gives up what was asked for; a session that closes calls it.
 * Cost: O(1), waking O(waiters of the source).
 */
#ifndef HEAPD_SESSION_WAIT_H
#define HEAPD_SESSION_WAIT_H

#include "inspect/usage.h"

struct call;
struct engine;
struct sessions;
struct wait;

struct wait_type {
    /* Whether what it waits for is there. */
    bool (*ready)(const struct engine *engine, const struct wait *w);
    /* Writes the reply. NULL: the command has had it. */
    void (*reply)(struct call *c, struct wait *w);
    /* Nobody wants it any more. NULL: nothing is to be given up. */
    void (*cancel)(struct sessions *ss, struct wait *w);
};

struct wait_queue {
    struct wait *first, *last;
};

struct wait {
    const struct wait_type *type; /* NULL: the session runs */
    struct wait *previous, *next; /* in `queue` */
    struct wait_queue *queue, *source;
    union {
        uint64_t ticket;    /* of a collection or a compaction */
        struct usage usage; /* MEMORY USAGE */
    };
};

/* Begins one, asleep in the queue of its source; the union may be filled before. */
void wait_begin(struct wait *w, const struct wait_type *type, struct wait_queue *source);
void wait_end(struct wait *w);
/* To the end of the woken; one that is there already stays. */
void wait_wake(struct wait *w, struct wait_queue *woken);
/* All that sleep at the source. */
void wait_wake_all(struct wait_queue *source, struct wait_queue *woken);
/* A woken one is not ready: back to its source. */
void wait_sleep(struct wait *w);

/* The number of the invariant above that does not hold, or 0. */
int wait_check(const struct wait *w);

#endif
