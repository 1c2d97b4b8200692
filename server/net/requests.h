/*
 * The requests of one connection: reads them from its input, runs them within its quota, and keeps
 * what is left. conn.c calls it and decides what follows.
 *
 * Requests are parsed in place and run one after another; of a pipeline several are read first, so
 * that memory is fetched for all of them (command/prefetch.h). Their replies collect in one piece
 * of the outbox and leave when the turn ends.
 *
 * The quota of a turn is bounded in bytes received, commands, bytes of replies, and time, so that
 * no client starves another. A client whose quota is used up continues in a later turn (net.h).
 *
 * Ownership: none. Cost: no allocation for requests that arrive whole.
 */
#ifndef HEAPD_NET_REQUESTS_H
#define HEAPD_NET_REQUESTS_H

#include "net/conn_state.h"

enum {
    QUOTA_BYTES = 256 << 10,
    QUOTA_COMMANDS = 1024,
    QUOTA_REPLY_BYTES = 256 << 10,
    QUOTA_NS = 200000,
    /* An unfinished request may be so much longer than proto-max-bulk-len: by default 1 GiB. */
    REQUEST_BYTES_MORE = 512 << 20,
};

/* The connection has its turn: its quota is a new one, unless it has had part of it already. */
void requests_begin_quota(struct conn *c);
/* Runs requests from these bytes until they or the quota are used up. What is left is kept:
 * `in_inbox` says whether it lies in the inbox already. */
struct conn_fault requests_run(struct conn *c, struct view bytes, bool in_inbox) MUST_USE;
/* Its session was woken: whether the wait is over; then its reply was written. */
bool requests_resume(struct conn *c, struct conn_fault *fault);

#endif
