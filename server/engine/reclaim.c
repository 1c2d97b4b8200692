#include "engine/reclaim.h"

enum { FREE_SLOTS = 32 }; /* in one call of reclaim_some */

/* Frees what waits in the release queue. What is freed after an eviction counts as evicted, and so
 * does what clients dropped meanwhile. */
bool reclaim_release(struct engine *s, uint32_t slots)
{
    if (LIKELY(!s->maxmemory.evicted_last)) return heap_release_step(&s->heap, slots);
    uint64_t before = engine_used_bytes(s);
    s->maxmemory.evicted_last = heap_release_step(&s->heap, slots);
    uint64_t after = engine_used_bytes(s);
    if (after < before) s->evict.freed_bytes += before - after;
    return s->maxmemory.evicted_last;
}

bool reclaim_names(struct engine *s)
{
    return keyspace_step(&s->keyspace, RECLAIM_NAMES);
}

bool reclaim_handles(struct engine *s)
{
    return sessions_step(&s->sessions, RECLAIM_HANDLES);
}

bool reclaim_some(struct engine *s)
{
    if (s->heap.release_pending)
        reclaim_release(s, FREE_SLOTS);
    else if (s->heap.weak.first)
        weak_step(&s->heap, FREE_SLOTS);
    else if (s->keyspace.debris)
        reclaim_names(s);
    else if (s->sessions.buried_count)
        reclaim_handles(s);
    else if (s->heap.collect.phase == COLLECT_FREE)
        collect_step(&s->heap, false);
    else
        return false;
    effects_commit(&s->heap.effects);
    return true;
}
