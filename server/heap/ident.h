/*
 * Identities: the numbers of objects. Given on demand, never twice, and gone with the object.
 *
 * Invariants (ident_check)
 *   1. The two tables are inverse to each other; an object in them has OBJ_IDENTIFIED, and no other
 *      has.
 *   2. Every number is below `next`.
 */
#ifndef HEAPD_HEAP_IDENT_H
#define HEAPD_HEAP_IDENT_H

#include "heap/table.h"

struct heap;

struct ident {
    struct table by_number;
    struct table by_object;
    uint64_t next; /* the next number to give; numbers begin at 1 */
};

/* The number of a container or weak reference, given now if it had none. */
enum status ident_number(struct heap *h, struct obj *o, uint64_t *out) MUST_USE;
/* Gives a container that has no number this one, which no object has. */
enum status ident_restore(struct heap *h, struct obj *o, uint64_t number) MUST_USE;
/* The number if it already has one, else 0. */
uint64_t ident_get(const struct heap *h, const struct obj *o);
/* The living object of a number, or NULL: also for what has died or is condemned (rule 8). */
RC_BORROWED struct obj *ident_find(struct heap *h, uint64_t number);
/* A number that no object has and none will have: for handles to strings and immediates. */
uint64_t ident_fresh(struct heap *h);
void ident_forget(struct heap *h, struct obj *o);
/* table_compact_step of either table. */
bool ident_compact_numbers_step(struct heap *h, uint64_t *cursor, uint32_t slots_max);
bool ident_compact_objects_step(struct heap *h, uint64_t *cursor, uint32_t slots_max);
/* Whether the invariants hold; that no other object has the flag is heap_check()'s. */
bool ident_check(const struct heap *h);

#endif
