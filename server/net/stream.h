/*
 * A client's socket on a loop: by io_uring where the loop has a ring (ring.h), by libuv elsewhere.
 * conn.c sees no difference: what it does is asked for here, and what comes of it it is told by the
 * functions of struct stream_user, from the loop, never from within a call.
 *
 * What is read goes to a loan, a buffer that belongs to the loop: the bytes are the user's until
 * `got` returns, and INBOX_FRONT_BYTES before them may be written to (inbox.h). Or where the user
 * wants them (`room`).
 *
 * Invariants
 *   1. At most one read is under way. Where there is a ring it stays so when reading is turned off,
 *      and the user may still get what it brings.
 *   2. After stream_close no function is called but `closed`, and that once nothing is under way.
 * Ownership: whoever embeds a stream; it must stay until `closed`. The descriptor is the stream's
 * from stream_open on. Cost: no allocation.
 */
#ifndef HEAPD_NET_STREAM_H
#define HEAPD_NET_STREAM_H

#include "net/inbox.h"
#include "net/ring.h"

enum { STREAM_LOAN_BYTES = (64 << 10) + INBOX_FRONT_BYTES }; /* libuv's */

/* What the streams of a loop share. */
struct stream_place {
    uv_loop_t *loop;
    struct mem *mem;
    struct ring *ring; /* NULL: libuv's streams, */
    char *loan;        /* which read into this one, of STREAM_LOAN_BYTES */
};

struct stream;
struct replies;

/* p NULL: a loan, of which n bytes are to be used; n = 0: all. */
struct stream_room {
    char *p;
    size_t n;
};

struct stream_user {
    /* Where the next read is to go. Not OK: there is no memory, `got` is told of UV_ENOBUFS. */
    enum status (*room)(struct stream *s, struct stream_room *room);
    /* n bytes were read: to p, unless `room` had said where; or UV_EOF, or another error of
     * libuv's. */
    void (*got)(struct stream *s, char *p, ssize_t n);
    /* What stream_leave took is written, or there is room; or an error of libuv's. */
    void (*wrote)(struct stream *s, int status);
    /* Only with a ring: what lies in `shared` was tried (sends.h). Whatever of it was not taken
     * must be gone from there when this returns. */
    void (*sent)(struct stream *s, struct replies *shared, int result);
    void (*closed)(struct stream *s);
};

struct stream {
    const struct stream_user *user;
    struct stream_place *place;
    bool reading, closing;
    bool full; /* the last read filled its loan: more is likely there */
    union {
        struct {
            uv_tcp_t tcp;
            uv_write_t write;
        } uv;
        struct {
            int fd;
            uint32_t under_way; /* ops, sends among them */
            size_t asked;       /* of the read under way, if it goes to the user's own place */
            bool receiving, no_room;
            bool awaits_room;
            struct ring_receive receive;
            struct ring_op room, end;
        } ring;
    };
};

/* A ring, if `uring`; if there is none, *error is why (0: it was not wanted), and libuv serves. */
enum status stream_place_init(struct stream_place *place, struct mem *m, uv_loop_t *loop,
                              bool uring, int *error) MUST_USE;
/* All streams are closed. The loop must run until it is empty before stream_place_fini. */
void stream_place_close(struct stream_place *place);
void stream_place_fini(struct stream_place *place);

/* Not 0: libuv does not take the descriptor, which stays the caller's; the stream is to be closed
 * all the same. */
int stream_open(struct stream *s, const struct stream_user *user, struct stream_place *place,
                int fd);
void stream_read(struct stream *s, bool on);
/* Writes what the socket takes; bytes, UV_EAGAIN, or another error of libuv's. */
int stream_write(struct stream *s, const uv_buf_t *pieces, unsigned count);
/* The socket is full: how many of these bytes will be written without further ado, or an error.
 * `wrote` tells of the end. */
int64_t stream_leave(struct stream *s, const uv_buf_t *pieces, unsigned count);
/* Bytes that were left, and are not written yet. */
uint64_t stream_left(const struct stream *s);
/* No more will be written; everything was. 0 or an error of libuv's. */
int stream_shut(struct stream *s);
void stream_close(struct stream *s);

/* Only with a ring: something else of the stream is under way, until stream_ended. */
static inline void stream_began(struct stream *s)
{
    s->ring.under_way++;
}
void stream_ended(struct stream *s);

#endif
