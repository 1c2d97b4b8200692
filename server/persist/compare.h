/*
 * Whether a heap is what effects say it is: a heap that effects were applied to (persist/apply.h)
 * against the one that they came from. The same names with the same TTLs, the same containers with
 * the same identities, marks and slots, and the same sharing, up to where cells lie.
 *
 * For the oracle of the tests, which asks after each command, and for debugging a replica. What a
 * trial has condemned and not freed yet is gone already for every reader of the one heap, and still
 * there in the other, whose DEAD records are yet to come: the contents of those containers are not
 * compared, nor is the number of slots that might refer to them weakly.
 *
 * A command that failed may leave containers behind that it had filled and that wait to be freed,
 * each of which has died in both heaps, or will: a difference in what no name and no handle reaches
 * is none.
 *
 * Ownership: none; nothing is changed. Cost: looks at everything.
 */
#ifndef HEAPD_PERSIST_COMPARE_H
#define HEAPD_PERSIST_COMPARE_H

#include "persist/apply.h"

enum { COMPARE_TEXT_BYTES = 256 };

/* NULL: they are equal; else what is different, written into `text`. */
const char *compare(const struct keyspace *live, const struct apply *applied,
                    char text[COMPARE_TEXT_BYTES]);

#endif
