/*
 * Letters between threads: any thread puts, one takes. Nothing is allocated and nothing waits, so
 * neither can fail: a letter lies in what it is about, and it can be in one mailbox at a time.
 *
 * net/ carries the connections of I/O threads with it, and the heap's thread gets back in it what
 * other threads have sent (engine/reply_refs.h). Waking whoever takes is the caller's business:
 * putting tells whether the box was empty, and only then is anybody asleep before it.
 *
 * A thread gathers what it has to say in a bundle, and puts that at once: one exchange of a shared
 * word, and one wake-up, for all that it has done meanwhile.
 *
 * Invariants
 *   1. What a thread wrote before it put a letter is seen by whoever has taken it.
 *   2. The letters of one thread are taken in the order in which it bundled them.
 * Ownership: a letter, and what it is about, belongs to who puts it until then, and to who takes it
 * from then on. Cost: one atomic exchange a bundle, and one for all that is taken.
 */
#ifndef HEAPD_BASE_MAILBOX_H
#define HEAPD_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct letter {
    struct letter *next;
    int kind; /* its owners' */
};

/* Zeros are an empty one, of either. */
struct mailbox {
    _Atomic(struct letter *) newest;
};

struct bundle {
    struct letter *newest, *oldest;
};

static inline void bundle_add(struct bundle *b, struct letter *l)
{
    l->next = b->newest;
    b->newest = l;
    if (!b->oldest) b->oldest = l;
}

/* All of the bundle, which is empty then. True when the box was empty, and the bundle was not. */
bool mailbox_put(struct mailbox *m, struct bundle *b);
/* All that is there, the oldest first, linked by `next`; NULL when nothing is. */
struct letter *mailbox_take(struct mailbox *m);

#endif
