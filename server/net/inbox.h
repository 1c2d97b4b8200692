/*
 * The bytes that a connection has received and not yet executed: the unfinished rest of a request,
 * or requests that wait for their connection's next quota. conn.c and requests.c call it.
 *
 * Bytes are read into a buffer of the backend (stream.h) and parsed there: a request that arrives
 * whole is never copied, and an idle connection holds no memory. Only a rest is copied here. When
 * more arrives, a small rest is put in front of it, where the backend's buffer has
 * INBOX_FRONT_BYTES for that; behind a large rest, what arrives is copied into this buffer, which
 * grows with it. The bytes of a large bulk do not come here (bulk.h).
 *
 *   p  |  executed  |  begin: waits  |  end: free  |  cap
 *
 * Invariants (inbox_check)
 *   1. begin <= end <= cap; begin == end only when both are 0.
 *   2. An empty inbox keeps at most INBOX_KEPT_BYTES.
 * Ownership: the inbox owns p, which comes from mem_alloc.
 * Cost: a rest of up to INBOX_FRONT_BYTES is copied twice; what comes behind a larger one, once.
 */
#ifndef HEAPD_NET_INBOX_H
#define HEAPD_NET_INBOX_H

#include "base/mem.h"
#include "base/status.h"
#include "base/view.h"

enum {
    INBOX_FRONT_BYTES = 1 << 10, /* a rest of this size goes in front of what arrives */
    INBOX_KEPT_BYTES = 4 << 10,
    INBOX_BLOCK_BYTES = 64 << 10, /* what is more is got in blocks of this size or above */
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

/* Bytes of its block that were not touched: what waits in a large one has never been more. */
static inline size_t inbox_untouched(const struct inbox *in)
{
    return in->cap > INBOX_BLOCK_BYTES ? in->cap - in->end : 0;
}

static inline struct view inbox_view(const struct inbox *in)
{
    return (struct view){in->p + in->begin, in->end - in->begin};
}

/* What has waited and the n bytes that arrived at p, in one piece: *all is in the inbox, or (false
 * in *inside) not, and then it ends where they do. On failure nothing changed. */
enum status inbox_join(struct inbox *in, struct mem *m, char *p, size_t n, struct view *all,
                       bool *inside) MUST_USE;
/* Copies these bytes behind what waits. On failure nothing changed. */
enum status inbox_append(struct inbox *in, struct mem *m, struct view bytes) MUST_USE;
/* Holds a copy of these bytes, and nothing else. On failure nothing changed. */
enum status inbox_replace(struct inbox *in, struct mem *m, struct view rest) MUST_USE;
/* Only the first n waiting bytes (> 0) stay. */
void inbox_cut(struct inbox *in, size_t n);
/* The first n waiting bytes were executed. */
void inbox_skip(struct inbox *in, struct mem *m, size_t n);

/* The number of the invariant above that does not hold, or 0. */
int inbox_check(const struct inbox *in);

#endif
