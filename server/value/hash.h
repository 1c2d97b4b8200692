/*
 * Hashes: fields, which are strings, to values, which are anything.
 *
 * A small hash is packed (hash_pack.h): it shares its fields with others that have the same ones in
 * the same order (shape.h), or has its own, and keeps its values in one block; references may be
 * among them. It takes its plain form, a table (hash_table.h), with more fields than the limits of
 * value/state.h allow, with more bytes than a block may have, and with its first weak reference. It
 * is packed again when what is left is a quarter of the limit; this is looked at when its length is
 * a power of two, so that a hash that cannot be is not looked through at every removal. No trial
 * may be under way then, if it is visible.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (hash_check): those of the forms.
 *
 * Ownership: a hash owns one count of what its slots refer to, and of its shape. What is read from
 * a packed hash is borrowed from its block, until the hash changes; val_keep outlives that. A
 * needle of hash_delete may be made from the field itself; what is stored must not lie in the hash.
 *
 * Cost: O(1) expected of a table, O(fields) of a packed hash. At most 2^32 - 1 fields
 * (STATUS_TOO_MANY). A form that cannot be had for want of memory is STATUS_OOM where the hash
 * grows, and nothing has changed; where it shrinks it stays as it is.
 */
#ifndef HEAPD_VALUE_HASH_H
#define HEAPD_VALUE_HASH_H

#include "value/val.h"

/* One field as walks show it; both borrowed. */
typedef void hash_each(void *ctx, val field, val value);

enum hash_form { HASH_PACKED, HASH_SHAPED, HASH_TABLE };
/* What OBJECT ENCODING tells; an empty hash says HASH_PACKED. */
enum hash_form hash_form(const struct obj *o);

/* Fields whose weak reference's target is gone count until they are removed; all else treats them
 * as not there. hash_shown leaves them out, for which it may have to walk the hash. */
uint64_t hash_length(const struct obj *o);
uint64_t hash_shown(const struct heap *h, const struct obj *o);
/* VAL_NONE when the field is not there. */
RC_BORROWED val hash_get(const struct obj *o, const struct needle *field);
/* The same, a weak reference as it is. */
RC_BORROWED val hash_slot(const struct obj *o, const struct needle *field);
/* Steals `value` on every path. *created (may be NULL) tells whether the field is new. */
enum status hash_set_take(struct heap *h, struct obj *o, const struct needle *field,
                          RC_STEALS val value, bool *created) MUST_USE;
/* The same of a text, of which no object need be made. */
enum status hash_set_text(struct heap *h, struct obj *o, const struct needle *field,
                          struct view text, bool *created) MUST_USE;
bool hash_delete(struct heap *h, struct obj *o, const struct needle *field);

/* Fields and what they are to hold: texts[0] is a field's name, texts[1] its value, and so on. */
struct hash_pairs {
    const struct view *texts;
    const val *values; /* of the fields in order, borrowed; NULL: the texts say them */
    uint32_t n;
};
/* Sets all of them or, on failure, none; the last of equal fields counts (hash_pairs.c). *created
 * is how many were not there. */
enum status hash_set_pairs(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                           int64_t *created) MUST_USE;

/* All fields, from *cursor 0 on, about `max` a call; false at the end. For replies within one
 * command: nothing may change between calls. */
bool hash_walk(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each, void *ctx);
/* The same, weak references as they are: for copies. */
bool hash_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each,
                     void *ctx);
/* SCAN's order and promise; returns the next cursor. A packed hash is shown at once. */
uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx);
/* A copy of one level: fields and values shared, weak references made anew. */
enum status hash_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool hash_check(const struct heap *h, const struct obj *o);

extern const struct heap_type hash_heap_type;

#endif
