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

/* Members whose weak reference's target is gone count until they are removed; all else treats them
 * as not there. set_shown leaves them out, for which it may have to walk the set. */
uint64_t set_length(const struct obj *o);
uint64_t set_shown(const struct heap *h, const struct obj *o);
bool set_has(const struct obj *o, const struct needle *member);
/* The member as its slot holds it, which may be a weak reference: for SMOVE. VAL_NONE: not there.
 */
RC_BORROWED val set_slot(const struct obj *o, const struct needle *member);
/* Weakly or not, a container is a member once, and what was stored first stays. *added tells
 * whether it is new; the set retains or makes the value itself. */
enum status set_add(struct heap *h, struct obj *o, const struct needle *member,
                    bool *added) MUST_USE;
bool set_remove(struct heap *h, struct obj *o, const struct needle *member);
/* Removes the member and hands its count to the caller (SMOVE, SPOP): report it with val_moved
 * where it is stored. VAL_NONE: not there. */
RC_NEW val set_take(struct heap *h, struct obj *o, const struct needle *member);
/* A uniformly chosen member; VAL_NONE when there is none. */
RC_BORROWED val set_random(struct heap *h, const struct obj *o);

bool set_walk(const struct obj *o, uint64_t *cursor, uint32_t max, set_each *each, void *ctx);
/* The same, weak references as they are: for copies. */
bool set_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, set_each *each, void *ctx);
uint64_t set_scan(const struct obj *o, uint64_t cursor, set_each *each, void *ctx);
enum status set_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool set_check(const struct heap *h, const struct obj *o);

extern const struct heap_type set_heap_type;

#endif
