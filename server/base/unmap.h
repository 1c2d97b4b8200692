/*
 * Unmaps memory on a thread of its own, so that no step of a loop waits for the system to take
 * pages back.
 *
 * munmap of 256 KiB takes some 10 us as a rule, but under a hypervisor that keeps page tables of
 * its own the first one after much was touched took 2 to 6 ms (tests/bench/machine.c shows it). As
 * jemalloc's background threads do (jemalloc(3), "background_thread"), this one takes what nobody
 * needs any more. It is started when there is something to unmap and ends when there has been
 * nothing for UNMAP_IDLE_MS: in a process with one thread the kernel need not count the uses of a
 * file at each read and write (fdget() of the kernel).
 *
 * Where the system refuses a thread, whoever has put something unmaps it in steps (unmap_step):
 * slower, and nothing is lost.
 *
 * The address space is the process's, and so is this: there is one queue, which every thread may
 * use.
 *
 * Invariants
 *   1. Each byte that was put is unmapped once, and unmap_bytes() counts it until then.
 *   2. While something is queued there is a thread that takes it, or the last attempt to start one
 *      has failed.
 *   3. At most one thread at a time; no piece is larger than UNMAP_PIECE_BYTES, so that a thread
 *      which maps something or needs a page does not wait for long.
 * Ownership: a block passes to the queue, which keeps its link in the block's first bytes. Cost:
 * putting is O(1), and some 50 us when the thread has to be started.
 */
#ifndef HEAPD_BASE_UNMAP_H
#define HEAPD_BASE_UNMAP_H

#include <stdbool.h>
#include <stddef.h>

enum {
    UNMAP_PIECE_BYTES = 256 << 10,
    UNMAP_IDLE_MS = 1000,
};

/* Whole pages of a mapping, which can be written. */
void unmap_put(void *p, size_t bytes);

/* Unmaps a piece if no thread could be started for it; true while that is so and more is left. */
bool unmap_step(void);

/* What was put and is still mapped. */
size_t unmap_bytes(void);

/* Returns when nothing is queued any more and the thread has ended. Nobody puts meanwhile. */
void unmap_finish(void);

/* At once, on the calling thread. */
void unmap_now(void *p, size_t bytes);

#endif
