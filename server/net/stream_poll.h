/*
 * Streams by libuv's poll (epoll on Linux): a system call for each read and each write. Where there
 * is no io_uring, or it is not wanted.
 *
 * Reading that is turned off stays polled for until an event shows that bytes wait: it is on again
 * by then as a rule, and each change costs two system calls.
 *
 * Ownership: the place owns the buffer that all its streams read into, one after the other.
 */
#ifndef HEAPD_NET_STREAM_POLL_H
#define HEAPD_NET_STREAM_POLL_H

#include "net/stream.h"

enum { STREAM_POLL_BYTES = (64 << 10) + INBOX_FRONT_BYTES };

/* `clock` is what sleeps for a gap. */
enum status stream_poll_init(struct stream_place *place, struct mem *m, uv_loop_t *loop,
                             struct clock *clock) MUST_USE;

#endif
