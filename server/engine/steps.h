/*
 * Everything that runs beside commands, in bounded steps: making room under maxmemory, freeing,
 * expiry, walks that sessions wait for, compaction, trimming, and slices of the collector. The
 * daemon calls it once a turn of the loop, dispatch after each command. Nothing here answers a
 * client.
 *
 * Invariants: none of its own; each step takes STEP_NS and a piece at most.
 * Ownership: none.
 * Cost: a turn with nothing to do costs some compares. Each step is measured into stats with the
 * thread's CPU clock.
 */
#ifndef HEAPD_ENGINE_STEPS_H
#define HEAPD_ENGINE_STEPS_H

#include "engine/engine.h"

/* In a stressed build every command takes a slice of the collector of so many slots, and trials
 * follow each other as long as there are candidates: so the whole suite runs in the middle of
 * trials. Compactions follow each other likewise, and move whatever they meet. */
#ifdef HEAPD_STRESS
enum { STEPS_STRESS_SLOTS = 1 };
#else
enum { STEPS_STRESS_SLOTS = 0 };
#endif

/* One step of each kind of work that waits. `idle`: no command is waiting. True while more waits;
 * pools whose pages base/unmap's thread is giving back are not waited for. */
bool steps_run(struct engine *s, bool idle);
/* When steps_run(idle) will have something to do though nothing happens, in ms of the wall clock;
 * KEYSPACE_NEVER. */
int64_t steps_due_ms(const struct engine *s);
/* A command has ended. Frees at least twice what it allocated (model: a command that allocates n
 * objects frees at least 2n), removes as many of the slots that referred weakly to the dead, and
 * commits its effects together with those of this. */
void steps_after_command(struct engine *s);

#endif
