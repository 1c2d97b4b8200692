/*
 * The memory limit: what happens before and after a command that may need memory.
 *
 * Limited memory is used memory (engine_used_bytes, used_memory in INFO) minus two parts:
 *   - Client buffers, which maxmemory-clients limits. Otherwise names would be evicted for requests
 *     that a client has not finished sending or replies that it does not read. A large argument
 *     counts once its command runs.
 *   - The collector's trial table (mem_not_counted_for_evict in INFO). It is temporary, and names
 *     would be evicted to search for garbage.
 *
 * Used memory does not include free space in the pools or freed blocks that wait to be unmapped.
 * Eviction frees pool space at once but returns pages later or never, so it could not enforce a
 * limit on those.
 *
 * While usage exceeds maxmemory, dispatch.c calls maxmemory_make before each command that has the
 * flag denyoom, or that replies by reference and so makes handles. Condemned memory is freed first
 * (reclaim.h). Then names are evicted one by one (store/evict.h), each with what it alone kept
 * alive, until usage is below the limit. If nothing can be evicted, the command is refused.
 *
 * One command works at this for at most MAXMEMORY_NS. If usage is still above the limit,
 * maxmemory_step continues beside commands, and commands run meanwhile, as in Redis. Redis then has
 * no bound on memory if commands allocate faster than it evicts. Here a client whose command of
 * that kind ran while usage exceeded maxmemory + slack is paused until usage drops below that
 * (session/wait.h). So usage exceeds maxmemory by at most the slack (twice the slack during a
 * collection) plus one command per client. Clients that only read are not paused.
 *
 * If evicted names may have left garbage, or no name helps, a full collection is requested. While
 * it runs, names that share their object are kept, and commands run and wait as above, since the
 * garbage may be enough. Commands are refused beyond twice the slack, after a collection that found
 * nothing, and where the policy allows no eviction.
 *
 * Invariants: none of its own. The state is MAXMEMORY_BEHIND while maxmemory_step has work, and
 * sessions wait for memory only in that state, so each wait ends. Ownership: none.
 * Cost: two compares per command without a limit; a sum of some counters below it; above it see
 * evict.h.
 */
#ifndef HEAPD_ENGINE_MAXMEMORY_H
#define HEAPD_ENGINE_MAXMEMORY_H

#include "engine/engine.h"

enum {
    MAXMEMORY_NS = 200000,     /* per command or step */
    MAXMEMORY_SLACK_PART = 32, /* the slack is maxmemory / this, but at most */
    MAXMEMORY_SLACK_BYTES = 16 << 20,
};

/* What is compared with maxmemory. */
static inline uint64_t maxmemory_counted_bytes(const struct engine *s)
{
    return heap_used_bytes(&s->heap) - s->sessions.memory.inside - collect_table_bytes(&s->heap);
}
/* Called when usage exceeds maxmemory. True: the command may run, because usage is or soon will be
 * below the limit. False: it is refused. */
bool maxmemory_make(struct engine *s);
/* The limit or the policy may have changed. */
void maxmemory_configure(struct engine *s);
/* One step of the work that maxmemory_make left; true while more is left. Call it while
 * maxmemory_has_work: also to leave MAXMEMORY_NONE once usage has dropped by other means. */
bool maxmemory_has_work(const struct engine *s);
bool maxmemory_step(struct engine *s);
/* Whether a client whose command needed memory must wait. */
bool maxmemory_is_short(const struct engine *s);

#endif
