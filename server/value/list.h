/*
 * Lists.
 *
 * A short list of strings is packed (packed.h): its elements lie end to end in one block. A list
 * becomes a deque (list_deque.h) when it exceeds the limits of value/state.h in length, in bytes or
 * in the size of an element, and with its first container or weak reference. It is packed again
 * when removals have left a quarter of the limit. After pops this is tried only when the length is
 * a power of two, so that a queue of long texts is not walked at every pop, and never while a trial
 * runs and the list is visible.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (list_check): those of the two forms.
 *
 * Ownership: a list owns one count of each element. What is read from a packed list is borrowed
 * from its block, until the list changes: any change may move all elements. A needle, or a text to
 * be stored, must not be borrowed from the same list.
 *
 * Cost: in a deque the ends and an index are O(1). In a packed list everything but the head is
 * O(length), which the limits bound; several elements are read with an iterator. If a conversion
 * runs out of memory, a growing list returns STATUS_OOM unchanged; a shrinking one keeps its form.
 * At most 2^32 - 1 elements (STATUS_TOO_MANY).
 */
#ifndef HEAPD_VALUE_LIST_H
#define HEAPD_VALUE_LIST_H

#include "value/packed.h"

enum list_end { LIST_HEAD, LIST_TAIL };

uint64_t list_length(const struct obj *o);
/* What OBJECT ENCODING tells; an empty list is not packed. */
bool list_is_packed(const struct obj *o);
/* index < length. Nil: a weak reference whose target is gone. */
RC_BORROWED val list_get(const struct obj *o, uint64_t index);
/* The same, weak references as they are: for what moves or copies them. */
RC_BORROWED val list_slot(const struct obj *o, uint64_t index);

/* A place in a list; good until the list changes. */
struct list_iter {
    const struct obj *o;
    uint64_t index;
    struct packed_iter packed; /* of a packed list */
};
/* index < length. */
void list_seek(const struct obj *o, uint64_t index, struct list_iter *it);
/* As list_get and list_slot. */
RC_BORROWED val list_at(const struct list_iter *it);
RC_BORROWED val list_at_slot(const struct list_iter *it);
/* False past the end. */
bool list_next(struct list_iter *it);
bool list_prev(struct list_iter *it);

/* What is stored, as a value or as a text: a packed list makes no value of a text. */
enum status list_push_take(struct heap *h, struct obj *o, enum list_end end,
                           RC_STEALS val v) MUST_USE;
enum status list_push_text(struct heap *h, struct obj *o, enum list_end end,
                           struct view text) MUST_USE;
/* When several come in one command: after the first of them, and after the last. Neither changes
 * more than the length of a packed body. */
void list_expect(struct heap *h, struct obj *o, struct packed_more more);
void list_expect_end(struct heap *h, struct obj *o);
/* index < length; the old value is released. */
enum status list_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v) MUST_USE;
enum status list_set_text(struct heap *h, struct obj *o, uint64_t index, struct view text) MUST_USE;
/* Before `index` (<= length). */
enum status list_insert_take(struct heap *h, struct obj *o, uint64_t index,
                             RC_STEALS val v) MUST_USE;
enum status list_insert_text(struct heap *h, struct obj *o, uint64_t index,
                             struct view text) MUST_USE;

/* Drops the element at an end; the list is not empty. Cannot fail. */
void list_drop(struct heap *h, struct obj *o, enum list_end end);
/* The same, and hands out the element: of a packed list an equal value. The caller reports a
 * container with val_moved once it is stored. VAL_NONE: the list is empty, or there is no memory
 * for a value, and nothing has changed. */
RC_NEW val list_pop(struct heap *h, struct obj *o, enum list_end end);
/* Removes up to `max` elements that match, from the given end; returns how many. One pass; cannot
 * fail. */
uint64_t list_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                              enum list_end from, uint64_t max);
/* Keeps `count` elements from `first` on (first + count <= length). What is cut off a long list is
 * released in steps, later. On failure nothing has changed. */
enum status list_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count) MUST_USE;
enum status list_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool list_check(const struct heap *h, const struct obj *o);

extern const struct heap_type list_heap_type;

#endif
