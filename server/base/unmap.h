/*
 * Gives memory back to the system on a thread of its own, so that no step of a loop waits for the
 * system to take pages.
 *
 * To take back some pages takes microseconds as a rule. But above a few (x86 Linux: 33,
 * tlb_single_page_flush_ceiling) the kernel invalidates all that the processors know of the
 * process, and where a hypervisor keeps page tables of its own, that took 2 to 12 ms when much had
 * been touched before (tests/bench/machine.c shows it). As jemalloc's background threads do
 * (jemalloc(3), "background_thread"), this one gives back what nobody needs any more: blocks, which
 * it unmaps, and pages within blocks, whose addresses stay (lends). It is started when there is
 * something to give.
 *
 * Where the system refuses a thread, whoever has put something gives it back in steps
 * (unmap_step): slower, and nothing is lost.
 *
 * The address space is the process's, and so is this: there is one queue, which every thread may
 * use.
 *
 * Invariants
 *   1. Each byte that was put is given back once, and unmap_bytes() counts it until then.
 *   2. While something is queued there is a thread that takes it, or the last attempt to start one
 *      has failed.
 *   3. At most one thread at a time; no piece is larger than UNMAP_PIECE_BYTES, so that a thread
 *      which maps something or needs a page does not wait for long.
 *   4. Lends are done in the order in which they were put, where there is a thread.
 * Ownership: a block passes to the queue, which keeps its link in the block's first bytes. A lend
 * and its pages are the queue's until unmap_is_lent() says so. Cost: putting is O(1), and some
 * 50 us when the thread has to be started.
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
