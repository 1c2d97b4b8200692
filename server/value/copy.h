/*
 * Copies of values: COPY, and COPY ... DEEP.
 *
 * A copy of one level shares everything that the container refers to. A deep copy copies every
 * container that can be reached, each of them once: what was shared is shared in the copy, and a
 * cycle is a cycle again. Strings never change, so original and copy share them. A weak reference
 * becomes a weak reference: to the copy of its target if other slots reach the target (a child's
 * weak reference to its parent), else to the target itself. One whose target is gone is left out; a
 * list gets nil in its position.
 *
 * Called by the command floor. All or nothing: without memory nothing is left behind.
 *
 * Ownership: the copy's count is the caller's. The copy itself is not marked OBJ_REFERRED; copies
 * in its slots are, as their originals were when REF stored them. Cost: O(elements) of one
 * container, or of all that are reached, which take 16 bytes each for the map from old to new and
 * 16 for each that waits; what holds weak references is walked twice. Nothing recurses.
 */
#ifndef HEAPD_VALUE_COPY_H
#define HEAPD_VALUE_COPY_H

#include "value/val.h"

enum copy_depth { COPY_LEVEL, COPY_DEEP };

enum status copy_value(struct heap *h, val v, enum copy_depth depth, RC_OUT val *out) MUST_USE;

#endif
