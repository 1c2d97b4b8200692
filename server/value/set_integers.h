/*
 * Sets of integers alone: sorted, side by side in the block of a packed body (packed.h), each in as
 * many bytes as the widest that has come into the set needs: 1, 2, 3, 4, 5, 6 or 8, two's
 * complement, little-endian.
 *
 * Called by set.c, which knows the limit. Only integers that an immediate can be are here, so that
 * what is read needs no place to lie in; a set with a wider one takes another form.
 *
 * Invariants (set_integers_check)
 *   1. They ascend strictly, and fit an immediate.
 *   2. The block's width is one of those widths. It does not become narrower again while the set
 *      has members: a set that lost its one large number may well get the next.
 * Ownership: the set owns the block. Cost: finding is a binary search; adding and removing move
 * what is above; a wider integer than any before rewrites the block.
 */
#ifndef HEAPD_VALUE_SET_INTEGERS_H
#define HEAPD_VALUE_SET_INTEGERS_H

#include "value/packed.h"

/* How many integers there may be so that n can be one of them, whatever the limit. */
uint32_t set_integers_max(const struct packed *b, int64_t n);
/* Whether n is there; *index is its place, or where it would be. */
bool set_integers_find(const struct packed *b, int64_t n, uint32_t *index);
/* index < count */
int64_t set_integers_at(const struct packed *b, uint32_t index);
/* n, which is not there, at the place that set_integers_find gave; into an empty set at 0. It fits
 * an immediate. */
enum status set_integers_add(struct heap *h, struct obj *o, uint32_t index, int64_t n) MUST_USE;
void set_integers_remove(struct heap *h, struct obj *o, uint32_t index);
bool set_integers_check(const struct packed *b);

#endif
