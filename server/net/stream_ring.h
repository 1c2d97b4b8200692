/*
 * Streams by io_uring (ring.h): what a turn's streams read and write is handed to the kernel
 * together, with the system call that waits for the next events.
 *
 * A write of one piece of at most STREAM_RING_WRITE_BYTES is put off until then, and `written`
 * tells its result; what is longer, or has large values in between, is written at once, and so is
 * what finds all STREAM_RING_WRITES slots taken.
 *
 * Invariants
 *   1. A slot is free, or belongs to a stream of which a write is under way. Slots outlive streams:
 *      a completion that comes late never refers to memory that is gone.
 * Ownership: the place owns the ring and the slots.
 */
#ifndef HEAPD_NET_STREAM_RING_H
#define HEAPD_NET_STREAM_RING_H

#include "net/stream.h"

enum { STREAM_RING_WRITES = 64, STREAM_RING_WRITE_BYTES = 64 << 10 };

/* 0, or why there is no ring, as -errno; *place is untouched then. */
int stream_ring_init(struct stream_place *place, struct mem *m, uv_loop_t *loop) MUST_USE;

/* The number of the invariant above that does not hold, or 0. Of any backend's place. */
int stream_ring_check(const struct stream_place *place);

#endif
