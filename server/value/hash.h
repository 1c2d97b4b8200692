/*
 * Hashes: fields (interned strings) to values, in a table of 16-byte entries.
 *
 * A body is { gc_words, struct table } (body.h). Fields are strings, never containers; values are
 * anything. Nothing here replies or checks types; the command floor does.
 *
 * Invariants (hash_check)
 *   1. The table is never empty while there is a body (unless the collector is clearing it).
 *   2. No two fields are equal.
 *   3. Every field that is a string object is interned.
 *   4. A weak reference knows its field.
 *
 * Ownership: a hash owns one count of each field and each value. Borrowed values are good until the
 * hash changes. A needle of hash_delete may be made from the field itself.
 *
 * Cost: O(1) expected; growth is one bucket at a time. At most 2^32 - 1 fields (STATUS_TOO_MANY).
 */
#ifndef HEAPD_VALUE_HASH_H
#define HEAPD_VALUE_HASH_H

#include "value/val.h"

/* One field as walks show it; both borrowed. */
typedef void hash_each(void *ctx, val field, val value);

/* Fields whose weak reference's target is gone count until they are removed; all else treats them
 * as not there. hash_shown leaves them out, for which it may have to walk the hash. */
uint64_t hash_length(const struct obj *o);
uint64_t hash_shown(const struct heap *h, const struct obj *o);
/* VAL_NONE when the field is not there. */
RC_BORROWED val hash_get(const struct obj *o, const struct needle *field);
/* The same, a weak reference as it is: to be put back by hash_set_take. */
RC_BORROWED val hash_slot(const struct obj *o, const struct needle *field);
/* Steals `value` on every path. *created (may be NULL) tells whether the field is new. */
enum status hash_set_take(struct heap *h, struct obj *o, const struct needle *field,
                          RC_STEALS val value, bool *created) MUST_USE;
bool hash_delete(struct heap *h, struct obj *o, const struct needle *field);

/* All fields, from *cursor 0 on, about `max` a call; false at the end. For replies within one
 * command: nothing may change between calls. */
bool hash_walk(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each, void *ctx);
/* The same, weak references as they are: for copies. */
bool hash_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each,
                     void *ctx);
/* SCAN's order and promise; returns the next cursor. */
uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx);
/* A copy of one level: fields and values shared, weak references made anew. */
enum status hash_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool hash_check(const struct heap *h, const struct obj *o);

extern const struct heap_type hash_heap_type;

#endif
