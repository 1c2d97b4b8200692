/*
 * What a connection consists of: for conn.c, and for requests.c, which runs its requests. conn.h is
 * the map.
 */
#ifndef HEAPD_NET_CONN_STATE_H
#define HEAPD_NET_CONN_STATE_H

#include "net/bulk.h"
#include "net/loop.h"
#include "net/outbox.h"
#include "proto/request.h"

enum conn_state { CONN_OPEN, CONN_FINISHING, CONN_LINGERING, CONN_CLOSING };

struct conn {
    struct session session; /* first */
    struct loop *loop;
    struct queue_node node;
    struct output_node output;
    enum conn_state state;
    bool ended;      /* the input has ended, or no more of it is wanted */
    bool unfinished; /* the bytes that wait are an unfinished request */
    bool in_bulk;    /* the read under way goes to a bulk that lies apart */
    bool session_open;
    uint64_t drain_bytes; /* while the process ends: input that is still wanted */
    int64_t linger_until_ns;
    int64_t soft_since_ns; /* since when its output is over the soft limit; 0: it is not */
    struct {
        uint64_t turn; /* the quota belongs to this turn of the loop */
        uint64_t bytes, commands, reply_bytes;
        int64_t began_ns;
    } quota;
    struct pace_count pace;
    struct inbox in;
    struct bulks bulks; /* of the request that is unfinished, or runs */
    struct outbox out;
    struct request_reader reader;
    struct stream stream;
};

/* Why a connection is closed without having asked for it; why NULL: it is not. */
struct conn_fault {
    const char *why;
    uint64_t bytes;
    bool finishes; /* what it was answered before is sent first */
};

/* What the connection's buffers take now. */
static inline struct session_memory conn_memory(const struct conn *c)
{
    struct session_memory m = {
        .outside = outbox_memory(&c->out) + request_reader_memory(&c->reader),
        .inside = c->in.cap + c->bulks.caps,
        .untouched = inbox_untouched(&c->in),
    };
    if (c->bulks.caps > c->bulks.bytes) m.untouched += c->bulks.caps - c->bulks.bytes;
    m.total = m.outside + m.inside - m.untouched;
    return m;
}

/* Tells the registry of sessions. */
static inline void conn_count_memory(struct conn *c)
{
    struct session_memory m = conn_memory(c);
    if (c->session_open) sessions_count(&c->loop->engine->sessions, &c->session, &m);
}

#endif
