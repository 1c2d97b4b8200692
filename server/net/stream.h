/*
 * A client's socket, whoever waits for it: io_uring (stream_ring.h), libuv's poll (stream_poll.h),
 * later TLS above either. conn.c asks through the functions below and is called back through struct
 * stream_user, always from the loop. It never learns which backend serves it: a backend is one
 * struct stream_backend, and a loop has one place of streams, which names its backend.
 *
 * Received bytes lie in a buffer that the backend lends: they are the user's until `received`
 * returns, and the INBOX_FRONT_BYTES before them may be overwritten (inbox.h). A user that knows
 * where bytes belong names that space instead (`space`).
 *
 * Invariants
 *   1. At most one read and one write of a stream are under way. A read that is under way when
 *      reading is turned off may still bring bytes.
 *   2. After stream_close no function of the user is called but `closed`, once, when nothing is
 *      under way any more.
 *   3. place->open counts the streams that are open or being closed.
 * Ownership: whoever embeds a stream keeps it until `closed`. The descriptor is the stream's from
 * stream_open on. Cost: no allocation.
 */
#ifndef HEAPD_NET_STREAM_H
#define HEAPD_NET_STREAM_H

#include "net/inbox.h"
#include "net/ring.h"

enum {
    STREAM_READS_MAX = 8, /* in a row, into the user's own space */
};

#define STREAM_LATER INT64_MAX /* of a backend's write: `written` will tell */

struct clock;
struct stream;
struct stream_place;

/* p NULL: a lent buffer, of which at most n bytes are to be used; n = 0: all of it. */
struct stream_space {
    char *p;
    size_t n;
};

struct stream_user {
    /* Where the next read is to go. Not OK: no memory, and `received` is told of UV_ENOBUFS. */
    enum status (*space)(struct stream *s, struct stream_space *space);
    /* n bytes were read: to p, or where `space` had said (p NULL); or UV_EOF, or another error. */
    void (*received)(struct stream *s, char *p, ssize_t n);
    /* The result of a write that stream_write had put off: bytes, UV_EAGAIN, or another error. */
    void (*written)(struct stream *s, int result);
    /* The socket takes bytes again, or an error. */
    void (*writable)(struct stream *s, int status);
    void (*closed)(struct stream *s);
};

struct stream_backend {
    const char *name; /* INFO's multiplexing_api */
    void (*open)(struct stream *s);
    void (*read)(struct stream *s);
    int64_t (*write)(struct stream *s, const uv_buf_t *pieces, unsigned count);
    void (*await_writable)(struct stream *s);
    int (*shut)(struct stream *s, int how);
    uint64_t (*unread)(struct stream *s);
    void (*close)(struct stream *s);
    void (*release)(struct stream *s); /* the descriptor */
    /* Of a place: see the functions of the same names. */
    void (*submit)(struct stream_place *place);
    void (*hurry)(struct stream_place *place);
    void (*turn)(struct stream_place *place, ring_gap *gap, void *self);
    void (*place_close)(struct stream_place *place);
    void (*place_fini)(struct stream_place *place);
};

/* What the streams of a loop share. */
struct stream_place {
    const struct stream_backend *backend;
    struct mem *mem;
    uv_loop_t *loop;
    uint64_t open;
    void (*before_submit)(void *self); /* called before a turn hands over writes; may be NULL */
    void *self;
    union {
        struct {
            char *buffer; /* that reads go to */
            struct clock *clock;
        } poll;
        struct stream_rings *rings;
        void *own; /* another backend's */
    };
};

struct stream {
    const struct stream_user *user;
    struct stream_place *place;
    int fd;
    bool reading, closing;
    bool full; /* the last read filled its space: more is likely there */
    union {
        struct {
            uv_poll_t handle;
            int events; /* that are polled for */
            bool awaits_writable;
        } poll;
        struct {
            uint32_t under_way; /* operations */
            size_t asked;       /* of the read under way, if it goes to the user's own space */
            bool receiving, no_memory, awaits_writable;
            struct ring_receive receive;
            struct ring_op writable, end;
        } ring;
    };
};

/* --- streams --- */

void stream_open(struct stream *s, const struct stream_user *user, struct stream_place *place,
                 int fd);
void stream_read(struct stream *s, bool on);

/* Writes what the socket takes: bytes, UV_EAGAIN, or another error of libuv's; in *later whether
 * the result comes by `written` instead, until when the pieces must stay. */
static inline int stream_write(struct stream *s, const uv_buf_t *pieces, unsigned count,
                               bool *later)
{
    int64_t n = s->place->backend->write(s, pieces, count);
    *later = n == STREAM_LATER;
    return *later ? 0 : (int)n;
}

/* After UV_EAGAIN: `writable` tells when to try again. */
static inline void stream_await_writable(struct stream *s)
{
    s->place->backend->await_writable(s);
}

/* As shutdown(2): SHUT_WR, no more will be written; or SHUT_RDWR. 0 or an error of libuv's. */
static inline int stream_shut(struct stream *s, int how)
{
    return s->place->backend->shut(s, how);
}

/* Bytes that have arrived and were not read. */
static inline uint64_t stream_unread(struct stream *s)
{
    return s->place->backend->unread(s);
}

void stream_close(struct stream *s);

/* --- their place --- */

/* What stream_write put off is tried now, and `written` is called. */
static inline void stream_submit(struct stream_place *place)
{
    place->backend->submit(place);
}

/* The next turn does not wait. */
static inline void stream_hurry(struct stream_place *place)
{
    place->backend->hurry(place);
}

/* In the loop's prepare phase: hands over what was put off, and where the backend does the waiting,
 * waits as long as the loop's poll would have. `gap` as ring_turn has it. */
static inline void stream_turn(struct stream_place *place, ring_gap *gap, void *self)
{
    place->backend->turn(place, gap, self);
}

/* All streams were closed; ends those that need turns for that. The loop must run until it is empty
 * before stream_place_fini. */
static inline void stream_place_close(struct stream_place *place)
{
    place->backend->place_close(place);
}

static inline void stream_place_fini(struct stream_place *place)
{
    place->backend->place_fini(place);
}

/* --- for backends --- */

/* Of a socket: shut, unread, release. */
int stream_socket_shut(struct stream *s, int how);
uint64_t stream_socket_unread(struct stream *s);
void stream_socket_release(struct stream *s);
/* One write, now. */
int64_t stream_write_now(struct stream *s, const uv_buf_t *pieces, unsigned count);
/* One read, now: into the user's space, or into the n bytes at p (NULL: only the former). True when
 * another may follow: it filled the user's own space, and reading is still on. */
bool stream_read_now(struct stream *s, char *p, size_t n);
/* Tells of a read: n > 0, 0 for the end of the input, or an error. */
void stream_received(struct stream *s, char *p, ssize_t n, size_t asked);
/* Nothing is under way, and the descriptor may go. */
void stream_gone(struct stream *s);

#endif
