/*
 * Hashes: fields, which are strings, to values, which are anything.
 *
 * A small hash is packed (hash_pack.h): one block holds its values, which may be references. Its
 * fields are in the block too, or in a shape (shape.h) that it shares with hashes of the same
 * fields in the same order. A hash becomes a table (hash_table.h) when it exceeds the limits of
 * value/state.h or the size of a block, and with its first weak reference. It is packed again when
 * removals have left a quarter of the limit. This is tried only when the length is a power of two,
 * so that a hash that cannot be packed is not walked at every removal, and never while a trial runs
 * and the hash is visible.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (hash_check): those of the forms.
 *
 * Ownership: a hash owns one count of each object that its slots refer to, and of its shape. What
 * is read from a packed hash is borrowed from its block until the hash changes; val_keep makes it
 * last longer. The needle of hash_delete may be made from the field that it deletes; a value to be
 * stored must not be borrowed from the same hash.
 *
 * Cost: O(1) expected for a table, O(fields) for a packed hash. At most 2^32 - 1 fields
 * (STATUS_TOO_MANY). If a conversion runs out of memory, a growing hash returns STATUS_OOM
 * unchanged; a shrinking one keeps its form.
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
