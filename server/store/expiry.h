/*
 * The expiry queue: names in the order of the time at which they go. A 4-ary heap in segments, so that it grows without a copy;
 * each name knows its place, so that PERSIST and a new TTL are O(log n).
 *
 * Called by keyspace.c only. Invariants (expiry_check): 1. no item is due before its parent; 2. every item's entry names its place.
 * Cost: push, change and pop O(log4 n); 16 bytes a name with a TTL.
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
    uint32_t used; /* places 1 to used */
};

void expiry_init(struct expiry *x);
void expiry_fini(struct expiry *x, struct mem *m);
/* Sets or changes the time of a name (e->expiry_place tells which). Only a new one can fail. */
enum status expiry_set(struct expiry *x, struct mem *m, struct entry *e, int64_t when_ms) MUST_USE;
void expiry_remove(struct expiry *x, struct mem *m, struct entry *e);
/* The earliest, or NULL. */
const struct expiry_item *expiry_first(const struct expiry *x);
int64_t expiry_when(const struct expiry *x, const struct entry *e);
/* The name's entry has moved in memory. */
void expiry_moved(struct expiry *x, struct entry *e);
bool expiry_check(const struct expiry *x);

#endif
