/*
 * Returns memory to the system on a thread, so that no step of a loop waits for it.
 *
 * Returning some pages usually takes microseconds. Above a few pages (x86 Linux: 33,
 * tlb_single_page_flush_ceiling), the kernel flushes all TLB entries of the process. Under a
 * hypervisor with page tables of its own, that took 2 to 12 ms after much memory had been touched
 * (tests/bench/machine.c shows it). The thread works like jemalloc's background threads
 * (jemalloc(3), "background_thread"): it unmaps blocks, and returns pages within blocks whose
 * addresses stay reserved (lends). It is started when there is work.
 *
 * If the system refuses a thread, whoever queued memory returns it in steps (unmap_step): slower,
 * but nothing is lost.
 *
 * The address space belongs to the process, so there is one queue, which every thread may use.
 *
 * Invariants
 *   1. Each queued byte is returned once, and unmap_bytes() counts it until then.
 *   2. While something is queued there is a thread that takes it, or the last attempt to start one
 *      failed.
 *   3. There is at most one thread. No piece is larger than UNMAP_PIECE_BYTES, so other threads
 *      that map memory or need a page do not wait long.
 *   4. The thread handles lends in the order in which they were queued.
 * Ownership: a block passes to the queue, which stores its link in the block's first bytes. A lend
 * and its pages belong to the queue until unmap_is_lent() returns true. Cost: queueing is O(1),
 * plus some 50 us when the thread has to be started.
 */
#ifndef HEAPD_BASE_UNMAP_H
#define HEAPD_BASE_UNMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNMAP_PIECE_BYTES = 256 << 10 };

/* Whole pages of a mapping, which can be written. */
void unmap_put(void *p, size_t bytes);

/* Up to 64 cells of a mapping, side by side and all of the same size, some of which are lent. */
struct unmap_lend {
    struct unmap_lend *next;
    char *base;        /* where cell 0 begins: a page */
    size_t cell_bytes; /* whole pages, UNMAP_PIECE_BYTES at most */
    size_t kept_bytes; /* of cell 0, whole pages: what stays of it */
    uint64_t cells;    /* a bit for each cell to lend, at least one */
    atomic_bool lent;
};

/* The fields but for next and lent are set. What the cells hold is lost, now or later. */
void unmap_lend(struct unmap_lend *l);
/* The bytes of those cells. */
size_t unmap_lend_bytes(const struct unmap_lend *l);
/* Whether all were given back: they can be used again, and read as zeros. */
bool unmap_is_lent(const struct unmap_lend *l);

/* Whether something is queued for which no thread could be started. */
bool unmap_wants_steps(void);
/* Gives a piece back if unmap_wants_steps(); true while it still does. */
bool unmap_step(void);
/* Gives a piece back, whether there is a thread or not: for whoever needs memory and was refused.
 * False when nothing is queued (the thread may be at the last piece). */
bool unmap_help(void);

/* What was put and is not given back yet. */
size_t unmap_bytes(void);

/* Returns when nothing is queued any more and the thread has ended. Nobody puts meanwhile. */
void unmap_finish(void);

/* At once, on the calling thread. */
void unmap_now(void *p, size_t bytes);

#endif
