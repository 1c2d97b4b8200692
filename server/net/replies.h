/*
 * A piece of a connection's output: bytes, and the large values that are sent between them from the
 * heap (engine/reply_refs.h). The pieces of all connections of a loop come from one pool, which
 * keeps a few with their buffers: a connection takes one when it has something to say, and gives it
 * back when that was sent, so an idle connection holds none.
 *
 * Invariants (replies_pool_check)
 *   1. The pool keeps at most REPLIES_KEPT pieces, which are empty, of REPLIES_KEPT_BYTES each.
 * Ownership: a piece belongs to its outbox until it is put back. The buffers come from malloc,
 * since proto/ knows no other allocator: who counts memory asks replies_memory. Cost: O(1).
 */
#ifndef HEAPD_NET_REPLIES_H
#define HEAPD_NET_REPLIES_H

#include "engine/reply_refs.h"
#include "proto/buf.h"

enum { REPLIES_KEPT = 64, REPLIES_KEPT_BYTES = 64 << 10 };

struct replies {
    struct proto_buf buf;
    struct reply_refs refs;
    struct replies *next; /* in the outbox, or among the free ones */
};

struct replies_pool {
    struct mem *mem;
    struct reply_refs_all *refs;
    struct replies *free;
    uint32_t free_count;
};

void replies_pool_init(struct replies_pool *pool, struct mem *m, struct reply_refs_all *refs);
void replies_pool_fini(struct replies_pool *pool);

/* An empty piece; NULL: no memory. */
struct replies *replies_take(struct replies_pool *pool) MUST_USE;
/* Whatever is in it is forgotten. */
void replies_put_back(struct replies_pool *pool, struct replies *r);

/* Bytes that the client reads. */
static inline uint64_t replies_bytes(const struct replies *r)
{
    return r->buf.n + r->refs.bytes;
}

/* Bytes of its buffer that were touched: the rest of a large one is not there yet. What is only
 * referred to lies in the heap. */
static inline uint64_t replies_memory(const struct replies *r)
{
    return r->buf.cap <= REPLIES_KEPT_BYTES ? r->buf.cap : r->buf.n;
}

/* The number of the invariant above that does not hold, or 0. */
int replies_pool_check(const struct replies_pool *pool);

#endif
