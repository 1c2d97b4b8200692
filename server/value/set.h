/*
 * Sets: members are strings (by bytes) and containers (by identity).
 *
 * A small set of strings is packed (packed.h). If all members are integers, the block holds them
 * sorted, in the narrowest width that fits (set_integers.h); else as entries in no order. A set
 * becomes a table (set_table.h) when it exceeds the limits of value/state.h in length or in the
 * size of a member, and with its first container or weak reference. It is packed again when
 * removals have left a quarter of a limit. This is tried only when the length is a power of two, so
 * that a set that cannot be packed is not walked at every removal, and never while a trial runs and
 * the set is visible.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (set_check): those of the three forms; no two members are equal.
 *
 * Ownership: a set owns one count of each member. What is read from a packed set is borrowed from
 * its block, until the set changes: a removal, too, may move all members.
 *
 * Cost: O(1) expected of a table, O(length) of a packed set, O(log length) to find an integer among
 * integers. At most 2^32 - 1 members (STATUS_TOO_MANY). If a conversion runs out of memory, a
 * growing set returns STATUS_OOM unchanged; a shrinking one keeps its form.
 */
#ifndef HEAPD_VALUE_SET_H
#define HEAPD_VALUE_SET_H

#include "value/packed.h"

typedef void set_each(void *ctx, val member);

enum set_form { SET_INTEGERS, SET_PACKED, SET_TABLE };
/* What OBJECT ENCODING tells; an empty set says SET_TABLE. */
enum set_form set_form(const struct obj *o);

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
/* When several come in one command: after the first of them, and after the last. Neither changes
 * more than the length of a packed body. */
void set_expect(struct heap *h, struct obj *o, struct packed_more more);
void set_expect_end(struct heap *h, struct obj *o);
bool set_remove(struct heap *h, struct obj *o, const struct needle *member);
/* Removes some member, also one that is gone; false when the set is empty. */
bool set_remove_any(struct heap *h, struct obj *o);
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
