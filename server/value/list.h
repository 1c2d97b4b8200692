/*
 * Lists: a deque of values in fixed chunks, so that both ends, LINDEX and growth are O(1).
 *
 * A short list is one small ring that doubles; a longer one is a directory of chunks of LIST_CHUNK_SLOTS slots, of which only the
 * directory (8 bytes for each chunk) is ever copied. Every position has a sequence number (`first_seq` + index) that pushes and
 * pops at the ends do not change: it is the collector's cursor, so only LINSERT and LREM disturb a scan (collect_disturb: a
 * removal of n sends a black cursor back by n at most).
 *
 * Invariants (list_check): 1. length > 0 while there is a body; 2. every chunk but the outer two is full; 3. first_seq + index is in range.
 * Ownership: a list owns one count of each element. Cost: ends and index O(1); insert and remove in the middle move the shorter side.
 */
#ifndef HEAPD_VALUE_LIST_H
#define HEAPD_VALUE_LIST_H

#include "value/val.h"

enum { LIST_CHUNK_SLOTS = 512 };
enum list_end { LIST_HEAD, LIST_TAIL };

uint64_t list_length(const struct obj *o);
/* index < length. */
RC_BORROWED val list_get(const struct obj *o, uint64_t index);
enum status list_push_take(struct heap *h, struct obj *o, enum list_end end, RC_STEALS val v) MUST_USE;
/* Hands the element's count to the caller; VAL_NONE when empty. The caller reports it with val_moved where it is stored. */
RC_NEW val list_pop(struct heap *h, struct obj *o, enum list_end end);
/* index < length; the old value is released. */
void list_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v);
/* Before `index` (<= length). */
enum status list_insert_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v) MUST_USE;
/* Removes up to `max` elements that match, from the given end; returns how many. One pass; cannot fail. */
uint64_t list_remove_matching(struct heap *h, struct obj *o, const struct needle *n, enum list_end from, uint64_t max);
/* Keeps `count` elements from `first` on. What is cut off goes to the release queue as it is, so the work here is a chunk at most. */
enum status list_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count) MUST_USE;
enum status list_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool list_check(const struct heap *h, const struct obj *o);

extern const struct heap_type list_heap_type;

#endif
