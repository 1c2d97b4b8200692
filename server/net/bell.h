/*
 * A bell by a loop: any thread rings, and the loop calls back in its poll phase. io.c hangs one at
 * either end of what passes between the heap's thread and the others.
 *
 * It is an eventfd. libuv's own uv_async_t is one too, but its receiver waits, spinning, until the
 * sender has left uv_async_send; on a core that both share the sender was put aside just there, for
 * the receiver that it has woken, and that spinning came to half of the receiver's time. Here
 * nothing is waited for: what a ring announces was written before it.
 *
 * Rings before the loop answers are one. Ownership: the bell owns its descriptor; it must not be
 * rung once it is closed. Cost: a system call to ring, and one to answer.
 */
#ifndef HEAPD_NET_BELL_H
#define HEAPD_NET_BELL_H

#include <stdbool.h>
#include <uv.h>

struct bell;

typedef void bell_rung(void *self);

struct bell {
    int fd;
    uv_poll_t poll;
    bell_rung *rung;
    void *self;
};

/* False: the system has no descriptors or memory left. */
bool bell_init(struct bell *b, uv_loop_t *loop, bell_rung *rung, void *self);
/* From any thread. */
void bell_ring(struct bell *b);
/* On its loop; the memory may go when the loop has closed its handles. */
void bell_close(struct bell *b);

#endif
