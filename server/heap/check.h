/*
 * heap_check(): recounts the whole heap, for tests and for debug builds. It stops the world and
 * takes time proportional to the heap; no command path calls it.
 *
 * It visits all cells, the slots of each, and every holder that registered (names, handles, pins),
 * adds up what refers to each object, and compares: counts, roots, the numbers of objects by type,
 * identities, interned strings and what they save, weak references and who holds them, the release
 * queue, the pools, the collector's table, and each type's own invariants.
 */
#ifndef HEAPD_HEAP_CHECK_H
#define HEAPD_HEAP_CHECK_H

#include "heap/heap.h"

/* NULL when all is well, else what is wrong, in `text`. Needs ordinary malloc; without memory it
 * answers so. */
const char *heap_check(struct heap *h, char text[256]);

/* What the holders reach: an oracle for the collector that uses nothing of it. */
struct heap_trace {
    uint64_t objects;   /* reachable */
    uint64_t condemned; /* of them, condemned by the running trial: must be 0 */
    bool failed;        /* no memory to trace */
};
struct heap_trace heap_trace(struct heap *h);

#endif
