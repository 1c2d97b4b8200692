/*
 * libheapd: a connection to heapd, or to anything that speaks RESP. heapctl is built on it, the
 * tour under examples/ is, and any C program may be. It sends commands one at a time
 * (heapd_call) or many at once (heapd_append, heapd_read), hands out replies as the trees of
 * proto/reply_tree.h, walks the SCAN family lazily, and gives handles back when the scope ends that
 * took them. Calls block, bounded by a timeout. It knows no command but those of its own handshake
 * (HELLO, SELECT), SCAN's shape and RELEASE; it starts no thread, and does not reconnect by itself.
 *
 *     struct heapd *h = heapd_new();
 *     if (h == NULL || heapd_connect(h, NULL) != HEAPD_OK) ...heapd_error(h)...
 *     struct heapd_reply *reply = heapd_call(h, "HGET", "user:42", "name");
 *     if (reply == NULL) ...the connection is lost: heapd_error(h)...
 *     if (heapd_is_error(reply)) ...the server refused: reply->text...
 *     heapd_reply_free(reply);
 *     heapd_free(h);
 *
 * Invariants
 *  1. A connection has a socket (fd >= 0) only between a heapd_connect that came to the server and
 *     the first failure of the connection, or heapd_close.
 *  2. Replies come out in the order of their commands, whichever function hands them out.
 *  3. While bytes are written, what arrives is read: neither side waits for the other, however long
 *     the pipeline. With a taker (heapd_on_reply) memory stays bounded; without one, replies that
 *     are not read wait here.
 *  4. The scopes of a connection end in the reverse order of their beginning; no handle is
 *     held by two of them.
 *
 * Ownership: a struct heapd belongs to who made it; it is used by one thread at a time. A tree
 * handed out belongs to the caller (heapd_reply_free), but for heapd_scan_next, which lends. Texts
 * passed in are borrowed for the call, options of a connection and of a scan included.
 *
 * Cost: a command is copied once into the outgoing buffer; a system call moves up to 64 KiB.
 */
#ifndef CLIENT_HEAPD_H
#define CLIENT_HEAPD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reply_tree.h"
#include "proto/view.h"

#define HEAPD_PORT_DEFAULT 7379
#define HEAPD_HOST_DEFAULT "127.0.0.1"

enum heapd_status {
    HEAPD_OK,
    HEAPD_NO_CONNECTION, /* no address, or nobody listens there; or there is no connection now */
    HEAPD_CLOSED,        /* the server closed the connection, or the network did */
    HEAPD_TIMEOUT,
    HEAPD_BROKEN,  /* what arrived is not RESP */
    HEAPD_REFUSED, /* the server answered with an error; the connection stands */
    HEAPD_INVALID, /* the caller's arguments make no sense */
    HEAPD_OOM
};

struct heapd_options {
    const char *host;     /* a name or an address; NULL: 127.0.0.1 */
    const char *user;     /* NULL: default */
    const char *password; /* NULL: no authentication */
    const char *name;     /* of the connection, as CLIENT LIST shows it; NULL: none */
    int64_t db;           /* other than 0: sent to the server with SELECT */
    int timeout_ms;       /* of connecting, and of any wait for progress; 0: for ever */
    uint16_t port;        /* 0: 7379 */
    uint8_t protocol;     /* 2 or 3; 0: 3 */
};

struct heapd;

/* NULL if there is no memory. */
struct heapd *heapd_new(void);
/* Closes first. NULL is allowed. No scope may be open. */
void heapd_free(struct heapd *h);

/*
 * Connects and introduces itself; a connection that stands is closed first. NULL options are all
 * defaults. REFUSED: the server did not take the password, the protocol or the database; the text
 * is heapd_error, and the connection stands, as what the server made of it.
 */
enum heapd_status heapd_connect(struct heapd *h, const struct heapd_options *options);
/* Unread replies are forgotten, and what was not yet written is not sent. */
void heapd_close(struct heapd *h);
bool heapd_connected(const struct heapd *h);
/* Looks, without waiting, whether the other side closed a connection on which nothing is awaited.
 */
enum heapd_status heapd_alive(struct heapd *h);

/* What the last failure was, one line for a person; "" if there was none. Borrowed. */
const char *heapd_error(const struct heapd *h);
enum heapd_status heapd_last_status(const struct heapd *h);

/* --- one command --- */

/* The reply, or NULL when the connection failed. Replies of earlier heapd_append stay to be read.
 */
struct heapd_reply *heapd_call_argv(struct heapd *h, size_t argc, const struct proto_view *argv);
/* C strings, the last followed by NULL. */
struct heapd_reply *heapd_call_strings(struct heapd *h, const char *command, ...)
    __attribute__((sentinel));
/* heapd_call(h, "SET", "a", "1") */
#define heapd_call(h, ...) heapd_call_strings((h), __VA_ARGS__, (char *)0)

static inline bool heapd_is_error(const struct heapd_reply *reply)
{
    return reply->type == HEAPD_REPLY_ERROR;
}

/* --- many commands --- */

/* Queues a command; writes when enough are queued. */
enum heapd_status heapd_append_argv(struct heapd *h, size_t argc, const struct proto_view *argv);
enum heapd_status heapd_append_strings(struct heapd *h, const char *command, ...)
    __attribute__((sentinel));
#define heapd_append(h, ...) heapd_append_strings((h), __VA_ARGS__, (char *)0)

/*
 * Queues bytes that are commands in RESP already. How many is not looked at: their replies are not
 * among heapd_pending, go to the taker if there is one, and the caller knows when to read.
 */
enum heapd_status heapd_append_raw(struct heapd *h, const char *bytes, size_t n);

/* Reads what has arrived, without waiting, for the taker; does nothing without one. */
enum heapd_status heapd_poll(struct heapd *h);
/* Writes all that is queued. */
enum heapd_status heapd_flush(struct heapd *h);
/* Flushes, then waits for the next reply: *out is the caller's. */
enum heapd_status heapd_read(struct heapd *h, struct heapd_reply **out);
/* Commands appended whose replies were not handed out. */
uint64_t heapd_pending(const struct heapd *h);

/*
 * Replies that arrive from now on go to `take`, in order, from within
 * heapd_append, heapd_flush, heapd_read (those before the one that it hands out, if they are there
 * already) and heapd_call. `take` owns the tree, and must not use the connection. NULL: replies
 * wait for heapd_read again.
 */
void heapd_on_reply(struct heapd *h, void (*take)(void *context, struct heapd_reply *reply),
                    void *context);
/* Flushes, and waits until nothing is pending: replies go to the taker, or are freed without one.
 */
enum heapd_status heapd_drain(struct heapd *h);

/* RESP3 push messages, which answer no command, go to `take`; they are dropped while it is NULL. */
void heapd_on_push(struct heapd *h, void (*take)(void *context, struct heapd_reply *push),
                   void *context);

/* --- walking --- */

struct heapd_scan_options {
    const char *command;     /* "SCAN", "SSCAN", "HSCAN" or "ZSCAN"; NULL: "SCAN" */
    struct proto_view key;   /* of the set, hash or zset; a handle is allowed; not for SCAN */
    struct proto_view match; /* p == NULL: everything */
    const char *type;        /* SCAN: names of this type alone; NULL: of all */
    uint64_t count;          /* how much the server looks at in one call; 0: its default */
    bool by_reference;       /* with the prefix REF: values come as handles */
};

/* What a scan gives: a name, a member, a field with its value, or a member with its score. */
struct heapd_scan_item {
    const struct heapd_reply *key;
    const struct heapd_reply *value; /* HSCAN and ZSCAN; else NULL */
};

struct heapd_scan {
    enum heapd_status status; /* OK; or why the walk ended early: heapd_error says more */

    /* Private. */
    struct heapd *h;
    struct proto_view before, after; /* the request in RESP, on either side of the cursor; owned */
    struct heapd_reply *batch;
    size_t at; /* in the elements of the batch */
    char cursor[32];
    bool pairs, last;
};

/*
 * Prepares a walk; nothing is sent before the first heapd_scan_next, and a batch only when the one
 * before it was given out. What the server says of SCAN holds: elements that come or go meanwhile
 * may be seen or not, and one may be seen twice.
 */
void heapd_scan_init(struct heapd_scan *s, struct heapd *h,
                     const struct heapd_scan_options *options);
/* True: *item is the next element, borrowed until the next call. False: the end; see status. */
bool heapd_scan_next(struct heapd_scan *s, struct heapd_scan_item *item);
void heapd_scan_fini(struct heapd_scan *s);

/* --- handles --- */

/*
 * The handles taken within a stretch of code; the end of the scope gives them all back with one
 * RELEASE. A handle that a scope around this one holds stays with that one, for the server knows a
 * handle only once however often it was asked for.
 */
struct heapd_scope {
    struct heapd *h;
    struct heapd_scope *outer;
    struct heapd_scope_handle **table; /* by hash of the text, linear probing */
    size_t count, room;                /* handles; slots of the table, 0 or a power of two */
    uint64_t connection;               /* which of h's connections took them */
};

/* The connection remembers the address of *scope until its end. */
void heapd_scope_begin(struct heapd_scope *scope, struct heapd *h);
/* Sends RELEASE and reads its answer. On a lost connection there is nothing to give back. */
void heapd_scope_end(struct heapd_scope *scope);

/* HEAPD_SCOPE(scope, h); begins a scope that ends where the variable does. */
#define HEAPD_SCOPE(scope, h)                                                                      \
    struct heapd_scope scope __attribute__((cleanup(heapd_scope_end)));                            \
    heapd_scope_begin(&scope, (h))

/*
 * The handle that a reply is ("&:1f"), held by the scope now: a text that lives as long as the
 * scope (as the outer one's, if that holds it). NULL: the reply is no handle, or there is no memory
 * (the handle then lives until the connection closes). The reply stays the caller's.
 */
const char *heapd_scope_take(struct heapd_scope *scope, const struct heapd_reply *reply);
/* heapd_call and heapd_scope_take in one; the reply is freed. NULL also if the call failed, or gave
 * nil or an error: heapd_error has the text ("" for nil). */
const char *heapd_scope_call_strings(struct heapd_scope *scope, const char *command, ...)
    __attribute__((sentinel));
/* heapd_ref(&scope, "HGET", "user:42", "address") sends REF HGET user:42 address. */
#define heapd_ref(scope, ...) heapd_scope_call_strings((scope), "REF", __VA_ARGS__, (char *)0)
/* RELEASE before the scope ends; false if the scope does not hold it, or the connection failed. */
bool heapd_scope_drop(struct heapd_scope *scope, const char *handle);

/* --- addresses --- */

/* A URL taken apart: options whose texts lie in `text`. */
struct heapd_url {
    struct heapd_options options; /* what the URL does not say is 0 or NULL */
    char *text;
};

/*
 * redis://[[user][:password]@][host][:port][/db], with percent-encoding in all parts but the
 * numbers; heapd:// means the same; an IPv6 address stands in brackets. INVALID: *error says what
 * is wrong (a literal); nothing to free. OOM likewise.
 */
enum heapd_status heapd_url_parse(const char *url, struct heapd_url *out, const char **error);
void heapd_url_fini(struct heapd_url *url);

#endif
