/*
 * The plain form of a hash: a table of 16-byte entries, interned field and value. It takes what the
 * packed forms do not: many fields, and weak references.
 *
 * Called by hash*.c alone, for hashes that have this form or are empty.
 *
 * Invariants (hash_table_check)
 *   1. The table is never empty while there is a body (unless the collector is clearing it).
 *   2. No two fields are equal.
 *   3. Every field that is a string object is interned.
 *   4. A weak reference knows its field.
 * Ownership: the table owns one count of each field and each value.
 * Cost: O(1) expected; growth is one bucket at a time. At most 2^32 - 1 fields (STATUS_TOO_MANY).
 */
#ifndef HEAPD_VALUE_HASH_TABLE_H
#define HEAPD_VALUE_HASH_TABLE_H

#include "value/body.h"
#include "value/hash.h"

struct hash_entry {
    val field;
    val value;
};

static_assert(sizeof(struct hash_entry) == 16, "two values to an entry");

/* NULL: the field is not there. */
struct hash_entry *hash_table_find(const struct obj *o, const struct needle *field);
/* Adds a field that is not there, of that hash. Takes over both counts on success only. */
enum status hash_table_put(struct heap *h, struct obj *o, uint32_t hash, val field,
                           val value) MUST_USE;
/* The same by a needle; takes over the value's count on success only. */
enum status hash_table_add(struct heap *h, struct obj *o, const struct needle *field,
                           val value) MUST_USE;
void hash_table_replace(struct heap *h, struct obj *o, struct hash_entry *e, RC_STEALS val value);
void hash_table_remove(struct heap *h, struct obj *o, uint32_t hash, struct hash_entry *e);

/* False at the end. */
bool hash_table_walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                     hash_each *each, void *ctx);
uint64_t hash_table_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx);
/* Into an empty hash. */
enum status hash_table_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;

uint64_t hash_table_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                          heap_visit *fn, void *ctx);
bool hash_table_clear(struct heap *h, struct obj *o, uint32_t slots_max);
bool hash_table_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
size_t hash_table_bytes(const struct obj *o);
bool hash_table_check(const struct heap *h, const struct obj *o);

#endif
