/*
 * A loop's io_uring: the operations of a turn are submitted together, and the system call that
 * submits them also waits for the next completion. So a turn that serves ten connections costs
 * about as many system calls as one that serves a single connection, where epoll wants a read and a
 * write for each. stream_ring.c calls it.
 *
 * The caller embeds a ring_op for each operation that may be under way. Its `done` is called once,
 * from ring_turn (or ring_flush), never from the function that starts the operation. Nothing that
 * an operation refers to (descriptor, memory, itself) may go before that.
 *
 *   receive    bytes, into a provided buffer: the kernel picks one when bytes are there, so a
 *              connection that waits holds none. It is provided again when `done` returns. The
 *              INBOX_FRONT_BYTES in front of the bytes may be overwritten (inbox.h). Or into memory
 *              that the caller names. A connection's next receive is submitted only after all
 *              completions of this turn were handled, and at most RING_BUFFERS / 2 receives are
 *              submitted at once, so that buffers never run out for the same connections every
 *              turn.
 *   send       what the socket takes at once. It has been tried when the next system call returns.
 *              A send that took everything has no completion of its own: sends are reported before
 *              all other operations, so their buffers are free again when the next request runs.
 *   writable   waits until the socket takes bytes
 *   later      nothing, but not now
 *
 * The ring waits for libuv's loop as well, by its backend descriptor: the loop's own poll, which
 * follows, finds what there is and does not block. Linux 6.1 has what is needed; where it is older,
 * or a container forbids io_uring, ring_new fails, and streams are libuv's.
 *
 * Source: io_uring(7), io_uring_setup(2) for DEFER_TASKRUN (completions are gathered when this
 * thread asks for them, and never interrupt it), io_uring_register_buf_ring(3) for provided
 * buffers.
 *
 * Ownership: the ring owns the buffers; one thread owns the ring, the one that made it. Cost:
 * 100 KiB of entries, and the blocks, as far as bytes came: they go round, so a few of them serve
 * few clients.
 */
#ifndef HEAPD_NET_RING_H
#define HEAPD_NET_RING_H

#include <uv.h>

#include "base/mem.h"

enum {
    RING_OPS = 256,          /* that are handed over together, at most */
    RING_COMPLETIONS = 4096, /* beyond, the kernel keeps them for later */
    RING_BUFFERS = 64,       /* provided, a power of two; */
    RING_BUFFERS_FIRST = 8,  /* so many at first, and twice as many when they did not suffice */
    RING_BUFFER_BYTES = 16 << 10,
    RING_TURN_DONE = 1024, /* that a turn tells of, about, before the loop goes on */
};

struct ring;

struct ring_op {
    /* `result`: of the system call, negative: -errno. `buffer`: the provided one that bytes were
     * received into, or NULL. It may close, free, or start the next operation. */
    void (*done)(struct ring_op *op, int result, char *buffer);
};

/* 0, or why there is none, as -errno. */
int ring_new(struct ring **out, struct mem *m, uv_loop_t *loop);
/* Nothing is under way any more; the loop must run until it has closed its handle, then ring_free.
 */
void ring_close(struct ring *r);
void ring_free(struct ring *r);

/* At most n bytes to p, or (p NULL) into a provided buffer; n = 0: as many as that holds. -ENOBUFS:
 * all were in use; try again. */
struct ring_receive {
    struct ring_op op;
    bool wanted;               /* it is to be asked for, */
    struct ring_receive *next; /* and so is this one, behind it */
    char *p;
    size_t n;
    int fd;
};
void ring_receive(struct ring *r, struct ring_receive *receive, int fd, char *p, size_t n);
void ring_writable(struct ring *r, struct ring_op *op, int fd);
void ring_later(struct ring *r, struct ring_op *op);
/* The result is what the socket took, or -EAGAIN. */
struct ring_send {
    struct ring_op op;
    struct ring_send *next; /* of those that are tried together */
    int result;
};
void ring_send(struct ring *r, struct ring_send *send, int fd, const char *p, size_t n);
/* `done` of what is under way comes soon, with -ECANCELED unless it was done by then. */
void ring_cancel(struct ring *r, struct ring_op *op);
void ring_cancel_receive(struct ring *r, struct ring_receive *receive);

/* The next turn does not wait. */
void ring_hurry(struct ring *r);
/* Submits what was started; nothing is reported. */
void ring_submit(struct ring *r);
/* The same, and reports sends. */
void ring_flush(struct ring *r);
/* How many ns are to pass before a turn that is about to wait; 0 = none. */
typedef int64_t ring_gap(void *self);

struct ring_hooks {
    ring_gap *gap; /* NULL: no time is to pass */
    void *gap_self;
    void (*before_submit)(void *self); /* may start operations, which are submitted too; or NULL */
    void *submit_self;
};

/* In the loop's prepare phase. Submits, waits as long as the loop's poll would have, and calls
 * `done` of what has completed by then. With a gap so many ns pass at least, or until RING_BUFFERS
 * operations have completed. The kernel reports some twenty completions at a time: what they
 * started is submitted before the next. */
void ring_turn(struct ring *r, const struct ring_hooks *hooks);

#endif
