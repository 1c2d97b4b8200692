/*
 * Room under maxmemory: what is done before a command that may need memory is run, and after it.
 *
 * Limited is used memory (engine_used_bytes, used_memory in INFO) that holds data: objects, names,
 * tables. The buffers of clients are used memory, too, but maxmemory-clients limits them: names
 * would be evicted for what a client has not finished sending, or does not read. A large argument
 * counts from the moment that its command runs. What the pools keep free in their arenas, and what
 * was freed and waits to be unmapped, is not in it: evicting a name gives bytes back to the pools
 * at once, and pages to the system later or never, so a limit on those could not be kept by
 * evicting.
 *
 * dispatch.c calls maxmemory_make before each command of the flag denyoom, and before each that
 * replies by reference and so makes handles, while more is used than maxmemory allows. What waits
 * to be freed is freed first: the release queue, names that FLUSHALL dropped, handles of closed
 * clients, slots that referred to the dead, what the collector has condemned. Then names are
 * evicted (store/evict.h), one by one, each with what it alone kept alive, until there is room.
 * When nothing is left that may go and helps, the command is refused.
 *
 * No command works at that for longer than MAXMEMORY_NS. If there is not room by then, it goes on
 * in steps beside commands (maxmemory_step), and commands are run meanwhile, as in Redis. In Redis
 * memory then grows without bound if they need more than is evicted beside them. Here a client
 * whose command was run while more than a slack beyond the limit was used is not read from until it
 * is less (session/wait.h): so at most the slack more is used than maxmemory (twice as much
 * while the collector looks for garbage), and what a command of each client takes. Clients that
 * only read are not held up.
 *
 * The collector's table of places is used memory and not limited (mem_not_counted_for_evict in
 * INFO): it grows with what a trial reaches and is gone soon, and names would be evicted for the
 * search for what could be freed instead.
 *
 * Where names that went may have left garbage, or no name helps, a full collection is asked for.
 * While it looks, names that share what they refer to stay, and where nothing else may go commands
 * are run and wait as above: what it finds may be enough. Beyond twice the slack they are refused
 * all the same; so are they after a collection that found nothing, and where no name may go at all.
 *
 * Invariants: none of its own. While something is left for maxmemory_step the state is
 * MAXMEMORY_BEHIND, and sessions wait for room only then, so every wait ends. Ownership: none.
 * Cost: two compares a command without a limit, and adding up some counters below it; beyond it see
 *    evict.h.
 */
#ifndef HEAPD_ENGINE_MAXMEMORY_H
#define HEAPD_ENGINE_MAXMEMORY_H

#include "engine/engine.h"

enum {
    MAXMEMORY_NS = 200000,     /* of a command or of a step */
    MAXMEMORY_SLACK_PART = 32, /* the slack is this part of maxmemory, but no more than */
    MAXMEMORY_SLACK_BYTES = 16 << 20,
};

/* What is compared with maxmemory. */
static inline uint64_t maxmemory_counted_bytes(const struct engine *s)
{
    return heap_used_bytes(&s->heap) - s->sessions.memory.inside - collect_table_bytes(&s->heap);
}
/* More is used than maxmemory allows. True: there is room, or soon will be; false: there is none.
 */
bool maxmemory_make(struct engine *s);
/* The limit or the policy may have changed. */
void maxmemory_configure(struct engine *s);
/* A step of what maxmemory_make did not end; true while more is to be done. To be called while
 * there is work: also when it had found nothing, and there is room now without it. */
bool maxmemory_has_work(const struct engine *s);
bool maxmemory_step(struct engine *s);
/* Whether a client whose command needed memory has to wait. */
bool maxmemory_is_short(const struct engine *s);

#endif
