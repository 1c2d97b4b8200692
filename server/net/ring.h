/*
 * A loop's io_uring: what a turn's streams ask of the kernel is handed over together, and the
 * system call that hands it over also waits for what comes next. So a turn that serves ten
 * connections costs about as many system calls as one that serves a single connection, where epoll
 * wants a read and a write for each. stream.c asks, sends.c sends, net.c turns it.
 *
 * Who asks embeds a ring_op for each thing that may be under way, and is told once: `done` runs in
 * ring_turn (or ring_flush), never in the call that asks. Nothing that an op refers to (descriptor,
 * memory, itself) may go before that.
 *
 *   receive    bytes, into a loan: a block that the ring lends when bytes are there, so that who
 *              waits holds none. It is given back when `done` returns. INBOX_FRONT_BYTES in front
 *              of the bytes may be written to (inbox.h). Or straight to where they belong. Who
 *              receives again is asked for again when everybody else was told: a turn is fair. So
 *              many together that loans suffice for them: nobody finds none turn after turn.
 *   send       what the socket takes at once. It has been tried when the next system call returns,
 *              and a send that went well has no completion of its own: it is told of before all
 *              others, so its buffer is free again when the next request runs.
 *   room       waits until the socket has room
 *   later      nothing, but not now
 *
 * The ring waits for libuv's loop as well, by its backend descriptor: the loop's own poll, which
 * follows, finds what there is and does not block. Linux 6.1 has what is needed; where it is older,
 * or a container forbids io_uring, ring_new fails, and streams are libuv's.
 *
 * Source: io_uring(7), io_uring_setup(2) for DEFER_TASKRUN (completions are gathered when this
 * thread asks for them, and never interrupt it), io_uring_register_buf_ring(3) for what is lent.
 *
 * Ownership: the ring owns the loans; one thread owns the ring, the one that made it. Cost:
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
    RING_LOANS = 64,         /* blocks, a power of two; */
    RING_LOANS_FIRST = 8,    /* so many go round, and twice as many when they did not suffice */
    RING_LOAN_BYTES = 16 << 10,
    RING_TURN_DONE = 1024, /* that a turn tells of, about, before the loop goes on */
};

struct ring;

struct ring_op {
    /* `result`: of the system call, negative: -errno. `loan`: where bytes were received to, if that
     * is one; else NULL. It may close, free, or ask for the next. */
    void (*done)(struct ring_op *op, int result, char *loan);
};

/* 0, or why there is none, as -errno. */
int ring_new(struct ring **out, struct mem *m, uv_loop_t *loop);
/* Nothing is under way any more; the loop must run until it has closed its handle, then ring_free.
 */
void ring_close(struct ring *r);
void ring_free(struct ring *r);

/* At most n bytes to p, or (p NULL) into a loan; n = 0: as many as that has room for. -ENOBUFS: all
 * were lent; try again. */
struct ring_receive {
    struct ring_op op;
    bool wanted;               /* it is to be asked for, */
    struct ring_receive *next; /* and so is this one, behind it */
    char *p;
    size_t n;
    int fd;
};
void ring_receive(struct ring *r, struct ring_receive *receive, int fd, char *p, size_t n);
void ring_room(struct ring *r, struct ring_op *op, int fd);
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
/* Hands over what was asked; nobody is told of anything. */
void ring_submit(struct ring *r);
/* The same, and tells of sends. */
void ring_flush(struct ring *r);
/* In the loop's prepare phase. Hands over, waits as long as the loop's poll would have, and tells
 * of what was done by then. `gap` (NULL: there is none) is asked when the turn is about to wait: so
 * many ns pass at least, or until RING_LOANS are done. The kernel does some twenty ops at a time:
 * what they were told of is handed over before the next. */
typedef int64_t ring_gap(void *self);
void ring_turn(struct ring *r, ring_gap *gap, void *self);

#endif
