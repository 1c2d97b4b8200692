/*
 * The plain form of a set: a table of 8-byte entries, the members, which may be containers and weak
 * references.
 *
 * Called by set.c alone, for sets that have this form or are empty.
 *
 * Invariants (set_table_check)
 *   1. The table is never empty while there is a body (unless the collector is clearing it).
 *   2. No two members are equal.
 * Ownership: the table owns one count of each member.
 * Cost: O(1) expected; growth is one bucket at a time. At most 2^32 - 1 members (STATUS_TOO_MANY).
 */
#ifndef HEAPD_VALUE_SET_TABLE_H
#define HEAPD_VALUE_SET_TABLE_H

#include "value/body.h"
#include "value/set.h"

/* The slot, or NULL. */
val *set_table_find(const struct obj *o, const struct needle *member);
/* Adds a member that is not there, of that hash. Takes over its count on success only. */
enum status set_table_put(struct heap *h, struct obj *o, uint32_t hash, val member) MUST_USE;
/* Removes what set_table_find found, and hands out its count. */
RC_NEW val set_table_take(struct heap *h, struct obj *o, uint32_t hash, val *slot);
/* Any slot, each with the same chance; there is one. */
val *set_table_random(struct heap *h, const struct obj *o);

/* False at the end. */
bool set_table_walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                    set_each *each, void *ctx);
uint64_t set_table_scan(const struct obj *o, uint64_t cursor, set_each *each, void *ctx);
/* Into an empty set. */
enum status set_table_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;

uint64_t set_table_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                         heap_visit *fn, void *ctx);
bool set_table_clear(struct heap *h, struct obj *o, uint32_t slots_max);
bool set_table_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
size_t set_table_bytes(const struct obj *o);
bool set_table_check(const struct heap *h, const struct obj *o);

#endif
