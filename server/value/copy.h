/*
 * Copies of values: COPY, and COPY ... DEEP.
 *
 * A copy of one level shares everything that the container refers to. A deep copy copies every
 * container that can be reached, and each of them once: what was shared is shared in the copy, and
 * a cycle is a cycle again. Strings never change, so both share them. Slots that refer weakly do so
 * in the copy, too: to the copy of what they refer to if there is one, for it was reached through
 * other slots (a child's weak reference to its parent), else to the very object. What they referred
 * to and is gone is not copied; a list's position becomes nil.
 *
 * Called by the command floor. All or nothing: without memory nothing is left behind.
 *
 * Ownership: the copy's count is the caller's; a copied container has not been stored by REF.
 * Cost: O(elements) of one container, or of all that are reached, which take 16 bytes each for the
 *    map from old to new and 16 for each that waits; what holds weak references is walked twice.
 *    Nothing recurses.
 */
#ifndef HEAPD_VALUE_COPY_H
#define HEAPD_VALUE_COPY_H

#include "value/val.h"

enum copy_depth { COPY_LEVEL, COPY_DEEP };

enum status copy_value(struct heap *h, val v, enum copy_depth depth, RC_OUT val *out) MUST_USE;

#endif
