/*
 * One client's connection: reads requests, runs them, writes the replies, and ends well.
 *
 * Its stream calls it when bytes arrive; net.c when it is to go on without an event (input left
 * over, a wait that ended). Each time it takes a share: requests are parsed in place and run one
 * after another, replies collect in one buffer, and they are written once. A share is bounded in
 * bytes, commands and time, so that no client starves another; what is left goes on in the next
 * turn, before more is read.
 *
 *   OPEN       reads, runs, writes
 *   FINISHING  runs nothing more (QUIT, a broken request, the end of the input): writes what waits
 *   LINGERING  all is written and the output is shut: discards input until the client has closed,
 *              since closing over unread input would destroy the last replies on their way
 *   CLOSING    the stream is being closed; then the connection is freed
 *
 * A slow reader: above CONN_HIGH_BYTES of unsent replies nothing more is run or read for it until
 * it is below CONN_LOW_BYTES; so at most that, and one reply, wait. Above the configuration's
 * output-buffer-limit it is closed.
 *
 * A client that has shut its output (the end of the input) is still answered. One that broke off
 * is closed at once; what it held is buried with its session and released in steps.
 *
 * Invariants (conn_check)
 *   1. The session is open exactly in OPEN and FINISHING.
 *   2. Its stream is told to read only while nothing that it sent waits to be run.
 *   3. What its session waits for is sound (session/wait.h).
 * Ownership: a connection owns itself; no pointer to it is good across a call that can close it,
 * except in the stream's callbacks, since memory is freed in a later phase of the loop only.
 * Cost: no allocation for requests that arrive whole and replies that are taken at once.
 */
#ifndef HEAPD_NET_CONN_H
#define HEAPD_NET_CONN_H

#include "net/bulk.h"
#include "net/net.h"
#include "net/outbox.h"
#include "proto/request.h"

enum {
    CONN_SHARE_BYTES = 256 << 10,
    CONN_SHARE_COMMANDS = 1024,
    CONN_SHARE_NS = 200000,
    CONN_SEND_BYTES = 256 << 10, /* a share's replies are sent when they exceed this */
    CONN_HIGH_BYTES = 1 << 20,
    CONN_LOW_BYTES = 256 << 10,
    /* An unfinished request may be so much longer than proto-max-bulk-len: by default 1 GiB. */
    CONN_REQUEST_BYTES_MORE = 512 << 20,
};

enum conn_state { CONN_OPEN, CONN_FINISHING, CONN_LINGERING, CONN_CLOSING };

struct conn {
    struct session session;
    struct net *net;
    struct net_seat seat;
    enum conn_state state;
    bool ended;   /* the input has ended, or no more of it is wanted */
    bool hungry;  /* the waiting bytes are an unfinished request */
    bool slow;    /* over CONN_HIGH_BYTES, and not yet below CONN_LOW_BYTES */
    bool in_bulk; /* the read under way goes to a bulk that lies apart */
    bool session_open;
    uint64_t drain_bytes; /* while the process ends: input that is still wanted */
    int64_t linger_until_ns;
    struct {
        uint64_t turn; /* the share belongs to this turn of the loop */
        uint64_t bytes, commands;
        int64_t began_ns;
    } share;
    struct pace_share pace;
    struct inbox in;
    struct bulks bulks; /* of the request that is unfinished, or runs */
    struct outbox out;
    struct request_reader reader;
    struct stream stream;
};

/* Takes the next connection of a listening stream; one too many is told so and closed. False when
 * there was no memory, and it still waits. */
bool conn_accept(struct net *net, uv_stream_t *listening) MUST_USE;

/* Takes a share of what waits, then whatever is due: writes, reads, ends. */
void conn_continue(struct conn *c);
/* Its session was woken: if the wait is over, writes the reply and goes on. */
void conn_resume(struct conn *c);
/* The process ends: takes note of what has arrived by now. Then, when all have (for what one of
 * them does may read for others), conn_drain answers it and ends. */
void conn_before_drain(struct conn *c);
void conn_drain(struct conn *c);
/* At once; unsent replies are lost. */
void conn_close(struct conn *c);

static inline struct conn *conn_of(struct session *s)
{
    return (struct conn *)s;
}

static inline struct conn *conn_in(struct net_seat *seat)
{
    return (struct conn *)((char *)seat - offsetof(struct conn, seat));
}

/* The number of the invariant above that does not hold, or 0. */
int conn_check(const struct conn *c);

#endif
