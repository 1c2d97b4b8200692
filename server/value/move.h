/*
 * Compaction of containers: `move` of struct heap_type for lists, hashes, sets and zsets. It copies
 * the parts of a body that lie in leaving pools to other pools (pool_move), and the strings that
 * only this container holds. store/compact.h says who calls it, when, and why it is safe; this
 * table lists the pointer that is updated for each block.
 *
 *   cell -> body                      the cell
 *   body -> ring or directory,        the body
 *           buckets or directory
 *   directory -> chunk, segment       the directory
 *   bucket -> overflow bucket         the bucket (table_move_step)
 *   tree -> root, inner -> child,     the tree or the parent; both neighbours of a leaf
 *           leaf <-> leaf
 *   slot -> string of count 1         the slot; of a zset also its leaf, and the key of the inner
 *                                     node that names it, and the intern table
 *
 * Blocks above POOL_SMALL_MAX are not in the pools and stay. Shared objects, shapes and weak
 * references stay because their holders cannot be found from them; the fields of a hash that is a
 * table stay because weak references point at them.
 *
 * Cursors count slots of a deque, buckets of a table, and ranks of a tree behind those of its
 * table; what is packed is moved at once. Any number is a good cursor.
 *
 * Ownership: nothing changes hands. Cost: a look at each slot's string, and a copy of what moves;
 * nothing can fail, what finds no room stays.
 */
#ifndef HEAPD_VALUE_MOVE_H
#define HEAPD_VALUE_MOVE_H

#include "value/val.h"

/* An object to which the caller's is the only reference, elsewhere if it is a string or number that
 * can move; else the object itself. */
struct obj *move_string(struct heap *h, struct obj *o) MUST_USE;
/* The same of a slot's value, in place; whether it moved. */
bool move_val(struct heap *h, val *slot);
/* The body of a container, whose cell follows. */
void move_body(struct heap *h, struct obj *o, size_t bytes);
/* The references among so many entries of pack.h. */
void move_entries(struct heap *h, uint8_t *at, uint64_t entries);

/* About slots_max slots from *cursor on (0: the beginning); true at the end. */
bool list_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
bool hash_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
bool set_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
bool zset_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);

#endif
