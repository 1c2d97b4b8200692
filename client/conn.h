/*
 * What a connection is inside libheapd, and the little that its files need of each other: conn.c
 * (socket and bytes) serves call.c (commands and replies), and scan.c and scope.c stand on both. No
 * program includes this.
 *
 * Invariants
 *  1. out_at <= out.n; both are 0 once everything is written.
 *  2. `awaited` replies are still to be read off the wire, `ready_count` were read already and wait
 *     for heapd_read; the latter come first.
 *  3. A failure closes the socket and leaves the reader: what had arrived can still be taken, such
 *     as the error that a server sends before it closes.
 *
 * Ownership: all of it is the connection's; scopes are linked, not owned.
 *
 * Cost: ready is a ring; adding and taking are O(1), amortised.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <stdarg.h>

#include "client/heapd.h"
#include "proto/reply.h"

enum { CONN_ERROR_BYTES = 256 };
/* Queued bytes above this are written at once; also what one system call moves. */
#define CONN_CHUNK_BYTES ((size_t)64 * 1024)
/* An outgoing buffer that is empty keeps at most this much room. */
#define CONN_OUT_BYTES_KEPT ((size_t)1024 * 1024)

struct heapd {
    int fd; /* -1: none */
    int timeout_ms;
    enum heapd_status status;
    char error[CONN_ERROR_BYTES];
    uint64_t connection; /* how many there were; tells handles of an earlier one */

    struct proto_buf out;
    size_t out_at;
    struct reply_reader in;

    uint64_t awaited;
    uint64_t kept; /* the last so many of them are not for the taker: a call waits for its own */
    struct heapd_reply **ready;
    size_t ready_first, ready_count, ready_room;

    void (*take)(void *context, struct heapd_reply *reply);
    void *take_context;
    void (*take_push)(void *context, struct heapd_reply *push);
    void *take_push_context;

    struct heapd_scope *scope; /* the innermost */
};

/* Notes the failure and closes the socket; returns `status`. */
enum heapd_status heapd_conn_fail(struct heapd *h, enum heapd_status status, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));

/* Notes what is wrong and leaves the connection as it is; returns `status`. */
enum heapd_status heapd_conn_note(struct heapd *h, enum heapd_status status, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));

/* Opens a socket to the first address that answers. */
enum heapd_status heapd_conn_open(struct heapd *h, const char *host, uint16_t port);

/* Writes the outgoing buffer. Whatever arrives meanwhile is fed to the reader, and then `arrived`
 * is called (it may be NULL). */
enum heapd_status heapd_conn_write(struct heapd *h, void (*arrived)(struct heapd *h));

/* Feeds the reader what is there now; *got is false if nothing is. */
enum heapd_status heapd_conn_receive(struct heapd *h, bool *got);

/* Waits for bytes, once, and feeds them to the reader. */
enum heapd_status heapd_conn_read(struct heapd *h);

/* heapd_call_strings with the rest of the strings in a list that ends with NULL. */
struct heapd_reply *heapd_conn_call_list(struct heapd *h, const char *command, va_list args);

/* The reply to bytes that are one command in RESP. */
enum heapd_status heapd_conn_call_raw(struct heapd *h, const char *bytes, size_t n,
                                      struct heapd_reply **out);

#endif
