/*
 * One client's connection: reads requests, runs them, sends the replies, and ends well.
 *
 * Its stream calls it when bytes arrive or the socket takes bytes again; net.c when it is to go on
 * without an event (input left over, a wait that ended) and when the turn ends (conn_send). Each
 * time its requests run within their quota (requests.h); what is left continues in a later turn,
 * before more is read.
 *
 *   OPEN       reads, runs, writes
 *   FINISHING  runs nothing more (QUIT, a broken request, the end of the input): sends what waits
 *   LINGERING  all is sent and the output is shut: discards input until the client has closed,
 *              since closing over unread input would destroy the last replies on their way
 *   CLOSING    the stream is being closed; then the connection is freed
 *
 * A client that does not read is still read from: clients that write a whole pipeline before they
 * read are many, and if the server waited for them as well, nobody would ever go on. The replies
 * that wait for it are its memory. Above a limit of client-output-buffer-limit it is closed.
 *
 * No connection is closed while a command runs: what another session's command writes to it
 * (conn_push) is judged when the turn ends.
 *
 * A client that has shut its output (the end of the input) is still answered. One that broke off
 * is closed at once; what it held is buried with its session and released in steps.
 *
 * Invariants (conn_check)
 *   1. The session is open exactly in OPEN and FINISHING.
 *   2. Its stream is told to read only while nothing that it sent waits to be run.
 *   3. What its session waits for is sound (session/wait.h).
 *   4. Between two turns of its requests the outbox is not open, and what can be sent is listed.
 *   5. While it is OPEN and has nothing to send, its session's memory is what its buffers take.
 * Ownership: a connection owns itself; no pointer to it is good across a call that can close it,
 * except in the stream's callbacks, since memory is freed in a later phase of the loop only.
 * Cost: no allocation for requests that arrive whole and replies that are taken at once.
 */
#ifndef HEAPD_NET_CONN_H
#define HEAPD_NET_CONN_H

#include "net/conn_state.h"

enum { CONN_LINGER_NS = 1000000000 }; /* how long a client may take to read the end and to close */

/* Memory for a connection, which conn_begin then uses; NULL: there is none. */
struct conn *conn_new(struct loop *loop) MUST_USE;
/* It is not used. */
void conn_discard(struct conn *c);
/* A client was accepted: fd is the connection's. */
void conn_begin(struct conn *c, int fd);

/* Runs what waits, then does whatever is due: reads, ends. */
void conn_continue(struct conn *c);
/* Its session was woken: if the wait is over, writes the reply and goes on. */
void conn_resume(struct conn *c);
/* The turn ends: sends what waits, and ends when that was all. */
void conn_send(struct conn *c);
/* Where a command writes what the client of another session is told: whole replies or pushes, and
 * to the running session only before its own reply. NULL: it is ending, or there is no memory. */
struct proto_buf *conn_push(struct session *to);
/* The process ends: takes note of what has arrived by now. Then, when all have (for what one of
 * them does may read for others), conn_drain answers it and ends. */
void conn_before_drain(struct conn *c);
void conn_drain(struct conn *c);
/* All clients together take more than maxmemory-clients allows, and it takes most. */
void conn_evict(struct conn *c);
/* At once; unsent replies are lost. */
void conn_close(struct conn *c);
/* A second has passed: closes one that lingers for too long, or whose output has been over the soft
 * limit for too long. */
void conn_tick(struct conn *c);

static inline struct conn *conn_of(struct session *s)
{
    return (struct conn *)s;
}

static inline struct conn *conn_in(struct queue_node *node)
{
    return (struct conn *)((char *)node - offsetof(struct conn, node));
}

static inline struct conn *conn_with_output(struct output_node *output)
{
    return (struct conn *)((char *)output - offsetof(struct conn, output));
}

/* The number of the invariant above that does not hold, or 0. */
int conn_check(const struct conn *c);

#endif
