/*
 * The expiry queue: names in the order of the time at which they go. A 4-ary heap in segments, so
 * that it grows without a copy (but of the directory, 8 bytes for each segment); each name knows
 * its place, so that PERSIST and a new TTL are O(log n).
 *
 * Place p is item p + 2 of the segments: so the four children of a place, 4p - 2 to 4p + 1, begin
 * at a multiple of four items and share a cache line. It decides nothing: keyspace.c asks for the
 * earliest and removes it.
 *
 * Invariants (expiry_check)
 *   1. No item is due before its parent.
 *   2. Every item's entry names its place.
 *   3. There are segments for all items, and at most one more: a name that comes and goes at the
 *      edge of a segment does not allocate and free it each time.
 *   4. sum_ms is the sum of all times. It does not fit in 64 bits.
 * Ownership: the queue owns its segments, never an entry. An item is good until the queue changes.
 * Cost: set and remove O(log4 n), first and mean O(1); 16 bytes a name with a TTL, and 4 in its
 * entry. Freeing a queue is a segment a step: the items need no work.
 */
#ifndef HEAPD_STORE_EXPIRY_H
#define HEAPD_STORE_EXPIRY_H

#include "base/mem.h"
#include "base/status.h"

struct entry;

struct expiry_item {
    int64_t when_ms;
    struct entry *e;
};

enum { EXPIRY_SEGMENT_ITEMS = 4096 };

struct expiry {
    struct expiry_item **segments;
    uint32_t segment_count, segment_slots;
    uint32_t used;      /* places 1 to used */
    uint64_t sum_ms[2]; /* the low half, the high half: an __int128 wants 16 bytes' alignment */
};

void expiry_init(struct expiry *x);
/* Frees all at once; the entries keep places that mean nothing. */
void expiry_fini(struct expiry *x, struct mem *m);
/* The same in steps of segments_max (> 0) segments: true when no memory is left. Nothing else may
 * be called in between. */
bool expiry_free_step(struct expiry *x, struct mem *m, uint32_t segments_max);

/* Room for one more: the next expiry_set of a new one cannot fail. */
enum status expiry_reserve(struct expiry *x, struct mem *m) MUST_USE;
/* Sets or changes the time of a name, whose entry has room for a place. Only a new one can fail. */
enum status expiry_set(struct expiry *x, struct mem *m, struct entry *e, int64_t when_ms) MUST_USE;
/* The name, which has a place, lives on without one. */
void expiry_remove(struct expiry *x, struct mem *m, struct entry *e);
/* The earliest, or NULL. */
const struct expiry_item *expiry_first(const struct expiry *x);
/* The index-th (< used) of the queue: the first is the earliest, and about the first of a few are
 * early; the order beyond that is nobody's. */
const struct expiry_item *expiry_at(const struct expiry *x, uint32_t index);
/* The mean of all times; 0 for none. */
int64_t expiry_mean_ms(const struct expiry *x);
/* The time of a name that has a place. */
int64_t expiry_when(const struct expiry *x, const struct entry *e);
/* `e`, which bears the place now, stands for the name that had it. */
void expiry_moved(struct expiry *x, struct entry *e);
/* Whether the queue names this very entry at the entry's place. */
bool expiry_names(const struct expiry *x, const struct entry *e);

/* What the queue takes. */
size_t expiry_bytes(const struct expiry *x);
bool expiry_check(const struct expiry *x);

#endif
