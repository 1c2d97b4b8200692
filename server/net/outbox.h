/*
 * The replies of a connection on their way out. conn.c and wire.c call it.
 *
 * Replies are written into a buffer that all connections share and sent from there at once; what
 * the socket does not take becomes the connection's own, buffer and all, and is written by libuv
 * while further replies collect in a second buffer. So an idle connection holds no output memory,
 * and nothing is copied: large values are not even in the buffer, but beside it, held by their
 * strings (command/held.h), and are sent in between, several pieces to one system call. It decides
 * nothing about limits: it only knows how many bytes wait.
 *
 * On an I/O thread the replies come from another one (wire.c). What was held is then not let go
 * here, but collected for the heap's thread.
 *
 * Invariants (outbox_check)
 *   1. Nothing waits behind unless a write is under way.
 *   2. `flying` holds memory exactly while a write is under way.
 *   3. What is held lies within its buffer.
 * Ownership: both buffers, what is held beside them, and the request; the shared buffer is net's,
 * and empty whenever another connection begins. The outbox must not be freed while a write is under
 * way (libuv ends it before it closes the handle).
 * Cost: one write(2) for the replies of a share, when the reader keeps up.
 */
#ifndef HEAPD_NET_OUTBOX_H
#define HEAPD_NET_OUTBOX_H

#include <uv.h>

#include "command/held.h"
#include "proto/buf.h"

/* What the shared buffer keeps between two shares. */
enum { OUTBOX_SHARED_KEPT_BYTES = 1 << 20 };

/* Bytes, and the large values that go out between them. */
struct replies {
    struct proto_buf buf;
    struct held_list held;
};

static inline uint64_t replies_bytes(const struct replies *r)
{
    return r->buf.n + r->held.bytes;
}

/* Where held values go when their bytes have left, or will not. */
struct outlet {
    struct held_all *all;
    struct held_list *landed; /* NULL: they are let go at once; else they are gathered here */
};

struct outbox {
    struct outlet outlet;
    struct replies flying, behind;
    uv_write_t request;
    bool under_way;
};

void replies_init(struct replies *r);
void replies_fini(struct replies *r, const struct outlet *outlet);

void outbox_init(struct outbox *out, struct outlet outlet);
void outbox_fini(struct outbox *out);

/* Where replies go now. */
static inline struct replies *outbox_target(struct outbox *out, struct replies *shared)
{
    return out->under_way ? &out->behind : shared;
}

/* Sends what lies in the target; `done` is called once if a write had to be left to libuv. 0 or a
 * libuv error, after which the connection is of no more use. */
int outbox_send(struct outbox *out, uv_stream_t *stream, struct replies *shared, uv_write_cb done);
/* From `done`: the write has ended. What waits behind it is sent by the next outbox_resend. */
void outbox_landed(struct outbox *out);
int outbox_resend(struct outbox *out, uv_stream_t *stream, uv_write_cb done);

/* Bytes that wait for the reader: what libuv still has to write, and what is behind. */
uint64_t outbox_bytes(const struct outbox *out);

/* The number of the invariant above that does not hold, or 0. */
int outbox_check(const struct outbox *out);

#endif
