/*
 * Sets: members are strings (by bytes) and containers (by identity), in a table of 8-byte entries.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (set_check)
 *   1. The table is never empty while there is a body (unless the collector is clearing it).
 *   2. No two members are equal.
 *
 * Ownership: a set owns one count of each member.
 *
 * Cost: O(1) expected; growth is one bucket at a time. At most 2^32 - 1 members (STATUS_TOO_MANY).
 */
#ifndef HEAPD_VALUE_SET_H
#define HEAPD_VALUE_SET_H

#include "value/val.h"

typedef void set_each(void *ctx, val member);

uint64_t set_length(const struct obj *o);
bool set_has(const struct obj *o, const struct needle *member);
/* *added tells whether it is new; the set retains or makes the value itself. */
enum status set_add(struct heap *h, struct obj *o, const struct needle *member,
                    bool *added) MUST_USE;
bool set_remove(struct heap *h, struct obj *o, const struct needle *member);
/* Removes the member and hands its count to the caller (SMOVE, SPOP): report it with val_moved
 * where it is stored. VAL_NONE: not there. */
RC_NEW val set_take(struct heap *h, struct obj *o, const struct needle *member);
/* A uniformly chosen member; VAL_NONE when empty. */
RC_BORROWED val set_random(struct heap *h, const struct obj *o);

bool set_walk(const struct obj *o, uint64_t *cursor, uint32_t max, set_each *each, void *ctx);
uint64_t set_scan(const struct obj *o, uint64_t cursor, set_each *each, void *ctx);
enum status set_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool set_check(const struct heap *h, const struct obj *o);

extern const struct heap_type set_heap_type;

#endif
