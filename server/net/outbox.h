/*
 * The replies of a connection on their way out. conn.c calls it.
 *
 * Replies are written into a buffer that connections share and sent from there, at once or with
 * those of others (sends.h); what the socket does not take becomes the connection's own, buffer and
 * all, and is written when there is room, while further replies collect in a second buffer. So an
 * idle connection holds no output memory,
 * and nothing is copied: large values are not even in the buffer, but beside it, held by their
 * strings (engine/reply_refs.h), and are sent in between, several pieces to one system call. It
 * decides nothing about limits: it only knows how many bytes wait.
 *
 * A socket may take megabytes, and copying them takes milliseconds in which nobody else is served:
 * one write has OUTBOX_WRITE_BYTES at most. If the socket took all of that and there is more, it
 * rests (outbox_rests) until the connection's next turn, which calls outbox_resend. Redis has such
 * a limit, too (NET_MAX_WRITES_PER_EVENT, 64 KiB).
 *
 * Invariants (outbox_check)
 *   1. Nothing waits behind unless something is flying, or being sent.
 *   2. While a write is under way something is flying; and nothing is, while something is sent.
 *   3. What is held lies within its buffer.
 * Ownership: both buffers, and what is held beside them; the shared buffer is whoever sends from
 * it's, and empty whenever another connection begins. The outbox must not be freed before its
 * stream is closed. Cost: one write(2) for the replies of a share, when the reader keeps up and
 * they are no more than OUTBOX_WRITE_BYTES.
 */
#ifndef HEAPD_NET_OUTBOX_H
#define HEAPD_NET_OUTBOX_H

#include "engine/reply_refs.h"
#include "net/stream.h"
#include "proto/buf.h"

enum {
    OUTBOX_SHARED_KEPT_BYTES = 128 << 10, /* what a shared buffer keeps between two shares */
    OUTBOX_WRITE_BYTES = 256 << 10,
};

/* Bytes, and the large values that go out between them. */
struct replies {
    struct proto_buf buf;
    struct reply_refs held;
};

static inline uint64_t replies_bytes(const struct replies *r)
{
    return r->buf.n + r->held.bytes;
}

/* In replies: after so much of the buffer, and of the next held value. */
struct outbox_place {
    size_t buf;
    const struct reply_ref *held; /* NULL: none comes any more */
    size_t within;
};

struct outbox {
    struct reply_refs_all *refs;
    struct replies flying, behind;
    struct outbox_place at; /* how far `flying` was given to the stream, */
    uint64_t given;         /* and how many bytes that were */
    bool under_way;         /* the stream was left with some, or waits for room */
    bool sending;           /* replies leave with those of others */
};

void replies_init(struct replies *r);
void replies_fini(struct replies *r, struct reply_refs_all *refs);

void outbox_init(struct outbox *out, struct reply_refs_all *refs);
void outbox_fini(struct outbox *out);

/* Whether anything waits for the reader. */
static inline bool outbox_is_busy(const struct outbox *out)
{
    return out->flying.buf.p != NULL || out->sending;
}

/* Whether more can be sent without waiting for the reader. */
static inline bool outbox_rests(const struct outbox *out)
{
    return out->flying.buf.p != NULL && !out->under_way;
}

/* Where replies go now. */
static inline struct replies *outbox_target(struct outbox *out, struct replies *shared)
{
    return outbox_is_busy(out) ? &out->behind : shared;
}

/* Makes one write of what lies in the target; what the socket does not take is left to the stream,
 * whose user calls outbox_landed. 0 or a libuv error, after which the connection is of no more use.
 */
int outbox_send(struct outbox *out, struct stream *stream, struct replies *shared);
/* Its replies, of which nothing is held, leave with those of others, from `shared`; outbox_sent is
 * called when they have been tried. */
static inline void outbox_send_later(struct outbox *out)
{
    out->sending = true;
}
/* So many bytes have left, or a libuv error. As outbox_send. */
int outbox_sent(struct outbox *out, struct stream *stream, struct replies *shared, int result);
/* From the stream's `wrote`: the write has ended. What is left rests, unless it ends here: the
 * connection is closed, or will be. */
void outbox_landed(struct outbox *out, bool ends);
/* One more write of what rests, as outbox_send. */
int outbox_resend(struct outbox *out, struct stream *stream);

/* Bytes that wait for the reader: what the stream still has to write, and what is behind. */
uint64_t outbox_bytes(const struct outbox *out, const struct stream *stream);

/* The number of the invariant above that does not hold, or 0. */
int outbox_check(const struct outbox *out);

#endif
