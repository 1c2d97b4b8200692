/*
 * Frees condemned memory: dead objects in the release queue, slots that refer weakly to dead
 * objects, names dropped by FLUSHALL, handles of closed clients, and what a trial condemned.
 * steps.c calls it beside commands; maxmemory.c calls it before it evicts anything.
 *
 * Invariants: none of its own. Ownership: none.
 * Cost: each call does one bounded piece of work, some tens of slots or a few names.
 */
#ifndef HEAPD_ENGINE_RECLAIM_H
#define HEAPD_ENGINE_RECLAIM_H

#include "engine/engine.h"

/* Names and handles per call. Each may touch cold pages, which can take 30 us. */
enum { RECLAIM_NAMES = 4, RECLAIM_HANDLES = 8 };

/* Clears about `slots` slots of dead objects; true while more wait. Bytes freed after an
 * eviction are credited to it. */
bool reclaim_release(struct engine *s, uint32_t slots);
/* Removes due names, and frees names that FLUSHALL dropped; true while more wait. */
bool reclaim_names(struct engine *s);
/* Releases handles of closed clients; true while more wait. */
bool reclaim_handles(struct engine *s);
/* Frees one piece of any of these; false when nothing waits. */
bool reclaim_some(struct engine *s);

#endif
