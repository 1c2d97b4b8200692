/*
 * The expiry queue: names in the order of their expiry times. It is a 4-ary heap in segments, so it
 * grows without copying items (only the directory is copied, 8 bytes per segment). Each name knows
 * its place, so PERSIST and a new TTL are O(log n). keyspace.c asks for the earliest name and
 * removes it.
 *
 * Place p is item p + 2 of the segments, so the four children of a place, 4p - 2 to 4p + 1, begin
 * at a multiple of four items and share a cache line.
 *
 * Invariants (expiry_check)
 *   1. No item is due before its parent.
 *   2. Every item's entry names its place.
 *   3. There are segments for all items, and at most one more, so that a name that comes and goes
 *      at the edge of a segment does not allocate and free it each time.
 *   4. sum_ms is the sum of all times. It does not fit in 64 bits.
 * Ownership: the queue owns its segments, never an entry. An item is valid until the queue changes.
 * Cost: set and remove O(log4 n), first and mean O(1); 16 bytes per name with a TTL, and 4 in its
 * entry. Freeing a queue takes one step per segment, because items need no work.
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
/* Frees everything at once; the places in the entries become meaningless. */
void expiry_fini(struct expiry *x, struct mem *m);
/* The same in steps of segments_max (> 0) segments; true when all is freed. Nothing else may be
 * called in between. */
bool expiry_free_step(struct expiry *x, struct mem *m, uint32_t segments_max);

/* Reserves one item: the next expiry_set of a new name cannot fail. */
enum status expiry_reserve(struct expiry *x, struct mem *m) MUST_USE;
/* Sets or changes the time of a name, whose entry has room for a place. Only a new one can fail. */
enum status expiry_set(struct expiry *x, struct mem *m, struct entry *e, int64_t when_ms) MUST_USE;
/* Removes a name, which must have a place, from the queue. */
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
/* The entry that had e's place has moved to `e`. */
void expiry_moved(struct expiry *x, struct entry *e);
/* Whether the queue names this very entry at the entry's place. */
bool expiry_names(const struct expiry *x, const struct entry *e);

/* Bytes of the queue. */
size_t expiry_bytes(const struct expiry *x);
bool expiry_check(const struct expiry *x);

#endif
