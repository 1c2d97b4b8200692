/*
 * What a connection has to say: the pieces of its output in order, and how far they were sent.
 * conn.c calls it. It decides nothing about limits: it only knows how many bytes wait.
 *
 * Requests that run write into the piece that outbox_open gives, what other sessions' commands say
 * to this client goes to outbox_push. Nothing is sent then: replies leave at the end of a turn
 * (net.h). A piece that is full (OUTBOX_PIECE_BYTES), or that the kernel reads from, is left alone,
 * and the next one begins: so a client that does not read costs its replies and no copying.
 *
 *   first (sent as far as `at`) -> piece -> ... -> last (grows)
 *
 * A socket may take megabytes, and copying them takes milliseconds in which nobody else is served:
 * a turn sends OUTBOX_WRITE_BYTES of a connection at most, and the rest in the next. Redis has such
 * a limit, too (NET_MAX_WRITES_PER_EVENT, 64 KiB).
 *
 * Invariants (outbox_check)
 *   1. bytes_before and memory_before are the sums of all pieces but the last.
 *   2. `at` lies within the first piece, and `sent` is how many bytes stand before it.
 *   3. While it writes or waits for the socket there is something to send.
 * Ownership: the pieces, until they are put back. The outbox must not be freed before its stream is
 * closed. Cost: one write for the replies of a turn, when the reader keeps up and they are no more
 * than OUTBOX_WRITE_BYTES.
 */
#ifndef HEAPD_NET_OUTBOX_H
#define HEAPD_NET_OUTBOX_H

#include "net/replies.h"
#include "net/stream.h"

enum {
    OUTBOX_PIECE_BYTES = 64 << 10,
    OUTBOX_WRITE_BYTES = 256 << 10,
};

/* In a piece: behind so much of the buffer, the values up to `done`, and of the next value. */
struct outbox_place {
    size_t buf;
    const struct reply_ref *done; /* NULL: none yet */
    size_t within;
};

struct outbox {
    struct replies_pool *pool;
    struct replies *first, *last;
    struct replies *open; /* that running requests write to; NULL: none run */
    struct outbox_place at;
    uint64_t sent;
    uint64_t bytes_before, memory_before;
    uint64_t asked;     /* bytes of the write under way */
    bool writing;       /* the result of a write is still to come */
    bool awaits_socket; /* which is full */
};

void outbox_init(struct outbox *out, struct replies_pool *pool);
void outbox_fini(struct outbox *out);

/* Where requests that run now write their replies; NULL: no memory. Then outbox_shut. */
struct replies *outbox_open(struct outbox *out) MUST_USE;
void outbox_shut(struct outbox *out);
/* Where somebody else's command writes to; NULL: no memory. */
struct proto_buf *outbox_push(struct outbox *out) MUST_USE;

/* Bytes that wait for the reader. */
static inline uint64_t outbox_bytes(const struct outbox *out)
{
    return out->last ? out->bytes_before + replies_bytes(out->last) - out->sent : 0;
}

/* Bytes of memory that they take. */
static inline uint64_t outbox_memory(const struct outbox *out)
{
    return out->last ? out->memory_before + replies_memory(out->last) : 0;
}

/* Whether outbox_send has something to do. */
static inline bool outbox_can_send(const struct outbox *out)
{
    return out->first && !out->writing && !out->awaits_socket;
}

/* Sends what the socket takes, up to OUTBOX_WRITE_BYTES; if that is full, the stream's `writable`
 * is to call outbox_writable. 0 or a libuv error, after which the connection is of no more use. */
int outbox_send(struct outbox *out, struct stream *stream);
/* From the stream's `written`. As outbox_send. */
int outbox_written(struct outbox *out, struct stream *stream, int result);
static inline void outbox_writable(struct outbox *out)
{
    out->awaits_socket = false;
}

/* The number of the invariant above that does not hold, or 0. */
int outbox_check(const struct outbox *out);

#endif
