/*
 * Bytes that a name keeps: its entry, the object, and what that reaches through counts of 1. Called
 * by MEMORY USAGE.
 *
 * What a count of 1 leads to has no other holder, so the walk is over a tree: no object is met
 * twice, and no set of visited objects is needed. Only the start can be met again: an identity
 * holds nothing, so what it names may be garbage, held by nothing but its own cycle. It is left out
 * by name.
 *
 * Cost: proportional to what is counted; 8 bytes for each container that waits to be entered.
 */
#ifndef HEAPD_INSPECT_USAGE_H
#define HEAPD_INSPECT_USAGE_H

#include "value/val.h"

/* The object's own bytes and those that only it keeps. An immediate takes none. */
enum status usage_bytes(struct heap *h, val v, uint64_t *out) MUST_USE;

#endif
