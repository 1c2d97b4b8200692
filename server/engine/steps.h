/*
 * Background work in bounded steps: eviction, freeing, expiry, walks that sessions wait for,
 * compaction, trimming, and slices of the collector. The daemon calls steps_run once per turn of
 * the loop; dispatch calls steps_after_command after each command. Nothing here answers a client.
 *
 * Invariants: none of its own; a step ends with the piece during which it exceeds STEP_NS.
 * Ownership: none.
 * Cost: some compares per turn when there is no work. Each step is measured into stats with the
 * thread's CPU clock.
 */
#ifndef HEAPD_ENGINE_STEPS_H
#define HEAPD_ENGINE_STEPS_H

#include "engine/engine.h"

/* In a stressed build each command is followed by a collector slice of this many slots, and a new
 * trial starts while there are candidates, so the whole suite runs in the middle of trials.
 * Compactions also follow each other, and move whatever they meet. */
#ifdef HEAPD_STRESS
enum { STEPS_STRESS_SLOTS = 1 };
#else
enum { STEPS_STRESS_SLOTS = 0 };
#endif

/* One step of each kind of pending work. `idle`: no command is waiting. True while work is left;
 * pools whose pages the thread of base/unmap is returning do not count. */
bool steps_run(struct engine *s, bool idle);
/* The wall-clock ms at which steps_run(idle) will next have work without any event, or
 * KEYSPACE_NEVER. */
int64_t steps_due_ms(const struct engine *s);
/* Called when a command has ended. If the command allocated n objects, frees at least 2n dead ones
 * and clears as many weak slots of dead targets. Commits the effects of both in one batch. */
void steps_after_command(struct engine *s);

#endif
