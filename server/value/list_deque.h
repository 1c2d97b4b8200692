/*
 * The plain form of a list: a deque of values in fixed chunks, so that both ends, an index and
 * growth are O(1). Its elements may be containers and weak references.
 *
 * A short one is a ring in its body, which doubles; a longer one is a directory of chunks of
 * LIST_CHUNK_SLOTS slots (list_slots.h), of which only the directory (8 bytes for each chunk) is
 * ever copied. Every element has a sequence number (`first_seq` + index) that pushes and pops at
 * the ends do not change. The number says where the element lies, and it is the collector's cursor:
 * so only LINSERT and LREM disturb a scan, and they rescue what they move.
 *
 * Called by list.c alone, for lists that have this form or are empty. What the functions do is said
 * in list.h.
 *
 * Invariants (list_deque_check), unless the collector is clearing the list:
 *   1. length > 0 while there is a body.
 *   2. A ring has a power of two of slots, at most LIST_RING_SLOTS_MAX, and a directory as many
 *      places for chunks.
 *   3. first_seq is far from both ends of its range (it begins at 2^62).
 *
 * Ownership: it owns one count of each element.
 *
 * Cost: ends and index O(1); insert and remove in the middle move the shorter side. At most
 * 2^32 - 1 elements (STATUS_TOO_MANY). What is cut off a list that has held weak references is
 * looked through, because they must not stay behind with an owner that they have left.
 */
#ifndef HEAPD_VALUE_LIST_DEQUE_H
#define HEAPD_VALUE_LIST_DEQUE_H

#include "value/list.h"

enum { LIST_CHUNK_SLOTS = 128 };

uint64_t list_deque_length(const struct obj *o);
/* index < length; weak references as they are. */
RC_BORROWED val list_deque_slot(const struct obj *o, uint64_t index);
enum status list_deque_push_take(struct heap *h, struct obj *o, enum list_end end,
                                 RC_STEALS val v) MUST_USE;
RC_NEW val list_deque_pop(struct heap *h, struct obj *o, enum list_end end);
void list_deque_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v);
enum status list_deque_insert_take(struct heap *h, struct obj *o, uint64_t index,
                                   RC_STEALS val v) MUST_USE;
uint64_t list_deque_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                                    enum list_end from, uint64_t max);
/* Whole chunks that are cut off go to the release queue as they are, so about two chunks of
 * elements are released here, whatever the length. */
enum status list_deque_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count) MUST_USE;
/* Into an empty list. */
enum status list_deque_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;

uint64_t list_deque_begin(const struct obj *o);
uint64_t list_deque_end(const struct obj *o);
uint64_t list_deque_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                          heap_visit *fn, void *ctx);
void list_deque_prefetch(const struct obj *o);
bool list_deque_clear(struct heap *h, struct obj *o, uint32_t slots_max);
size_t list_deque_bytes(const struct obj *o);
bool list_deque_check(const struct heap *h, const struct obj *o);

#endif
