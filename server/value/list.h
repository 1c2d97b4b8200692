/*
 * Lists: a deque of values in fixed chunks, so that both ends, LINDEX and growth are O(1).
 *
 * A short list is one small ring that doubles; a longer one is a directory of chunks of
 * LIST_CHUNK_SLOTS slots, of which only the directory (8 bytes for each chunk) is ever copied.
 * Every element has a sequence number (`first_seq` + index) that pushes and pops at the ends do not
 * change. The number says where the element lies, and it is the collector's cursor: so only LINSERT
 * and LREM disturb a scan, and they rescue what they move.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (list_check), unless the collector is clearing the list:
 *   1. length > 0 while there is a body.
 *   2. A ring has a power of two of slots, at most LIST_CHUNK_SLOTS; a list of chunks has more
 *      than half a chunk of elements.
 *   3. first_seq is far from both ends of its range (it begins at 2^62).
 *
 * Ownership: a list owns one count of each element. Needles must not live by the list alone.
 *
 * Cost: ends and index O(1); insert and remove in the middle move the shorter side. At most
 * 2^32 - 1 elements (STATUS_TOO_MANY). What is cut off a list that has held weak references is
 * looked through, because they must not stay behind with an owner that they have left.
 */
#ifndef HEAPD_VALUE_LIST_H
#define HEAPD_VALUE_LIST_H

#include "value/val.h"

enum { LIST_CHUNK_SLOTS = 512 };
enum list_end { LIST_HEAD, LIST_TAIL };

uint64_t list_length(const struct obj *o);
/* index < length. Nil: a weak reference whose target is gone. */
RC_BORROWED val list_get(const struct obj *o, uint64_t index);
/* The same, weak references as they are: for what moves or copies them. */
RC_BORROWED val list_slot(const struct obj *o, uint64_t index);
enum status list_push_take(struct heap *h, struct obj *o, enum list_end end,
                           RC_STEALS val v) MUST_USE;
/* Hands the element's count to the caller; VAL_NONE when empty. The caller reports it with
 * val_moved once it is stored. */
RC_NEW val list_pop(struct heap *h, struct obj *o, enum list_end end);
/* index < length; the old value is released. */
void list_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v);
/* Before `index` (<= length). */
enum status list_insert_take(struct heap *h, struct obj *o, uint64_t index,
                             RC_STEALS val v) MUST_USE;
/* Removes up to `max` elements that match, from the given end; returns how many. One pass; cannot
 * fail. */
uint64_t list_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                              enum list_end from, uint64_t max);
/* Keeps `count` elements from `first` on (first + count <= length). Whole chunks that are cut off
 * go to the release queue as they are, so about two chunks of elements are released here, whatever
 * the length. On failure nothing has changed. */
enum status list_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count) MUST_USE;
enum status list_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool list_check(const struct heap *h, const struct obj *o);

extern const struct heap_type list_heap_type;

#endif
