/*
 * Frees memory that is already condemned: dead objects in the release queue, slots that refer
 * weakly to the dead, names that FLUSHALL dropped, handles of closed clients, and what a trial
 * condemned. steps.c runs these pieces beside commands; maxmemory.c runs them before it evicts
 * anything. Nothing here decides when.
 *
 * Invariants: none of its own. Ownership: none.
 * Cost: every call does a bounded piece of work, some tens of slots or a few names.
 */
#ifndef HEAPD_ENGINE_RECLAIM_H
#define HEAPD_ENGINE_RECLAIM_H

#include "engine/engine.h"

/* Names and handles in one piece. Each may touch pages that nobody has touched for long, which can
 * take 30 us. */
enum { RECLAIM_NAMES = 4, RECLAIM_HANDLES = 8 };

/* Clears about `slots` slots of dead objects; true while more wait. What is freed after an eviction
 * is counted as what the eviction gave. */
bool reclaim_release(struct engine *s, uint32_t slots);
/* Removes names whose time has come, and frees names that FLUSHALL dropped; true while more wait.
 */
bool reclaim_names(struct engine *s);
/* Releases handles of closed clients; true while more wait. */
bool reclaim_handles(struct engine *s);
/* Frees a piece of whatever waits to be freed; false when nothing waits. */
bool reclaim_some(struct engine *s);

#endif
