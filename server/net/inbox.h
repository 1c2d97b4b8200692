/*
 * The bytes that a connection has received and not yet executed: the unfinished rest of a request,
 * or requests that wait for their connection's next share. conn.c calls it, and for connections of
 * I/O threads wire.c and parcel.c.
 *
 * Reads go into a buffer that all connections share, and are parsed there: a request that arrives
 * whole is never copied and an idle connection holds no memory. Only a rest is copied here. A small
 * rest goes back to the front of the shared buffer at the next read; behind a large one the next
 * read goes straight into this buffer, which grows with what has arrived. The bytes of a large bulk
 * do not come here (bulk.h).
 *
 *   p  |  executed  |  begin: waits  |  end: free  |  cap
 *
 * Invariants (inbox_check)
 *   1. begin <= end <= cap; begin == end only when both are 0.
 *   2. An empty inbox keeps at most INBOX_KEPT_BYTES.
 * Ownership: the inbox owns p, which comes from mem_alloc; the shared buffer is net's.
 * Cost: a rest of up to INBOX_SMALL_BYTES is copied twice, a larger one once.
 */
#ifndef HEAPD_NET_INBOX_H
#define HEAPD_NET_INBOX_H

#include "base/mem.h"
#include "base/status.h"
#include "base/view.h"

enum {
    INBOX_SHARED_BYTES = 64 << 10, /* of the shared buffer */
    INBOX_SMALL_BYTES = 16 << 10,  /* a rest of this size goes back to the shared buffer */
    INBOX_KEPT_BYTES = 4 << 10,
    INBOX_GROWTH_BYTES_MAX = 8 << 20,
};

struct inbox {
    char *p;
    size_t begin, end, cap;
};

void inbox_init(struct inbox *in);
void inbox_fini(struct inbox *in, struct mem *m);

static inline size_t inbox_bytes(const struct inbox *in)
{
    return in->end - in->begin;
}

static inline struct view inbox_view(const struct inbox *in)
{
    return (struct view){in->p + in->begin, in->end - in->begin};
}

/* Where the next bytes are to be read to. In the shared buffer a copy of what waits lies before the
 * place. */
struct inbox_room {
    char *p;
    size_t n;
};
enum status inbox_offer(struct inbox *in, struct mem *m, char *shared,
                        struct inbox_room *room) MUST_USE;
/* `n` bytes were read to the place that was offered in the inbox itself. */
void inbox_filled(struct inbox *in, size_t n);
/* Holds a copy of these bytes, and nothing else. On failure nothing changed. */
enum status inbox_replace(struct inbox *in, struct mem *m, struct view rest) MUST_USE;
/* Only the first n waiting bytes (> 0) stay. */
void inbox_cut(struct inbox *in, size_t n);
/* The first n waiting bytes were executed. */
void inbox_skip(struct inbox *in, struct mem *m, size_t n);

/* The number of the invariant above that does not hold, or 0. */
int inbox_check(const struct inbox *in);

#endif
