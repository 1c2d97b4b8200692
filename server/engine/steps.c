#include "engine/steps.h"

#include "base/log.h"
#include "engine/maxmemory.h"
#include "engine/reclaim.h"
#include "heap/check.h"

enum {
    STEP_NS = 100000, /* a step ends when this has passed */
    PIECE_SLOTS = 16, /* between two looks at the clock */
    /* Of names and handles so many pieces at most, so that what dies by them does not pile up. */
    PIECES_MAX = 10,
    RELEASE_SLOTS_MIN = 8, /* of a command's own share in freeing and removing */
};

/* How long freed mapped blocks wait while none comes or goes. */
#define TRIM_QUIET_NS INT64_C(100000000)

enum { STRESS_MOVES = 8 };

/* Where a usage walk is, tables keep their buckets: it would see some slots twice. */
static bool may_compact(struct engine *s, bool idle)
{
    return !usages_have_work(&s->sessions.usages) &&
           compact_has_work(&s->compact, s->mono_ns, idle);
}

/* Of a stressed build's own runs commands take the steps. */
static bool steps_compact(const struct engine *s)
{
    return !STEPS_STRESS_SLOTS || s->sessions.waiting;
}

static void stress(struct engine *s)
{
    collect_step(&s->heap, true);
    if (s->mem.fail_at) return; /* a test means an allocation of a command, and no move fails */
    if (s->compact.phase == COMPACT_IDLE) compact_begin(&s->compact);
    for (int i = 0; i < STRESS_MOVES && may_compact(s, true); i++)
        compact_step(&s->compact, s->mono_ns, 0);
}

void steps_after_command(struct engine *s)
{
    struct heap *h = &s->heap;
    if (STEPS_STRESS_SLOTS) stress(s);
    uint64_t made = h->allocated - s->allocated_before;
    s->allocated_before = h->allocated;
    uint64_t slots = 2 * made + RELEASE_SLOTS_MIN;
    if (slots > UINT32_MAX) slots = UINT32_MAX;
    if (h->weak.first) weak_step(h, (uint32_t)slots);
    if (h->release_pending) reclaim_release(s, (uint32_t)slots);
    effects_commit(&h->effects);
}

/* --- bounded steps --- */

static bool release_piece(struct engine *s)
{
    return reclaim_release(s, PIECE_SLOTS);
}

static bool weak_piece(struct engine *s)
{
    return weak_step(&s->heap, PIECE_SLOTS);
}

/* Piece after piece until nothing is left or the time is up. */
static bool repeat(struct engine *s, bool (*piece)(struct engine *), uint32_t pieces_max)
{
    int64_t deadline = clock_mono_ns(&s->clock) + STEP_NS;
    while (piece(s))
        if (--pieces_max == 0 || clock_mono_ns(&s->clock) >= deadline) return true;
    return false;
}

static bool step_release(struct engine *s)
{
    return repeat(s, release_piece, UINT32_MAX);
}

static bool step_weak(struct engine *s)
{
    return repeat(s, weak_piece, UINT32_MAX);
}

static bool step_names(struct engine *s)
{
    return repeat(s, reclaim_names, PIECES_MAX);
}

static bool step_handles(struct engine *s)
{
    return repeat(s, reclaim_handles, PIECES_MAX);
}

static bool step_usage(struct engine *s)
{
    return usages_step(&s->sessions.usages, STEP_NS);
}

static bool step_compact(struct engine *s)
{
    return compact_step(&s->compact, s->mono_ns, STEP_NS);
}

/* Where threads are refused, what has been handed over goes before more is. */
static bool step_trim(struct engine *s)
{
    if (unmap_wants_steps()) return unmap_step();
    return pool_has_spare(s->heap.pool) ? pool_trim_step(s->heap.pool) : mem_trim_step(&s->mem);
}

/* Freed mapped blocks may be asked for again by the next large value: as long as some come and go
 * they wait, up to a limit. */
static bool trim_is_due(struct engine *s, bool idle)
{
    if (pool_has_spare(s->heap.pool) || mem_trim_is_urgent(&s->mem)) return true;
    if (s->trim.changes != s->mem.trim_changes) {
        s->trim.changes = s->mem.trim_changes;
        s->trim.due_ns = s->mono_ns + TRIM_QUIET_NS;
    }
    if (unmap_wants_steps()) return true;
    return idle && s->mem.trim_bytes && s->mono_ns >= s->trim.due_ns;
}

/* A step has ended: its effects are whole, and it is measured. */
static void note_step(struct engine *s, int64_t began)
{
    effects_commit(&s->heap.effects);
    uint64_t took = (uint64_t)(clock_thread_ns(&s->clock) - began);
    if (took > s->stats.longest_step_ns) s->stats.longest_step_ns = took;
    histogram_record(&s->stats.step_ns, took);
}

static bool measured(struct engine *s, bool (*step)(struct engine *))
{
    int64_t began = clock_thread_ns(&s->clock);
    bool more = step(s);
    note_step(s, began);
    return more;
}

/* Wakes the waiters of each source that has advanced. */
static void wake(struct engine *s)
{
    struct waits *w = &s->waits;
    struct wait_queue *woken = &s->sessions.woken;
    if (w->collected != s->heap.collect.full_done) wait_wake_all(&w->collect, woken);
    if (w->compacted != s->compact.done) wait_wake_all(&w->compact, woken);
    if (w->answered != s->sessions.usages.answered) wait_wake_all(&w->usage, woken);
    if (w->memory.first && !maxmemory_is_short(s)) wait_wake_all(&w->memory, woken);
    w->collected = s->heap.collect.full_done;
    w->compacted = s->compact.done;
    w->answered = s->sessions.usages.answered;
}

#ifdef HEAPD_DEBUG
/* Whatever runs a debug build has its invariants checked, after about so many commands: a small
 * heap, where that takes no time. Between requests, since a large argument of a running one is an
 * object that no holder lists. */
static void check_sampled(struct engine *s)
{
    enum { COMMANDS = 1009, OBJECTS_MAX = 5000 };
    char text[256];
    if (s->stats.commands - s->commands_checked < COMMANDS) return;
    s->commands_checked = s->stats.commands;
    if (heap_objects(&s->heap) > OBJECTS_MAX) return;
    const char *wrong = heap_check(&s->heap, text);
    if (wrong) log_line(LOG_WARNING, "heap_check: %s", wrong);
    ASSERT(!wrong);
    ASSERT(keyspace_check(&s->keyspace));
    ASSERT(evict_check(&s->evict));
}
#endif

bool steps_run(struct engine *s, bool idle)
{
#ifdef HEAPD_DEBUG
    check_sampled(s);
#endif
    bool more = false;
    int64_t due = keyspace_next_expiry_ms(&s->keyspace);
    if (s->maxmemory.state != MAXMEMORY_ENOUGH && maxmemory_has_work(s))
        more |= measured(s, maxmemory_step);
    if (s->heap.release_pending) more |= measured(s, step_release);
    if (s->heap.weak.first) more |= measured(s, step_weak);
    if (s->keyspace.debris || (due != KEYSPACE_NEVER && due <= s->now_ms))
        more |= measured(s, step_names);
    if (s->sessions.buried_count) more |= measured(s, step_handles);
    if (usages_have_work(&s->sessions.usages)) more |= measured(s, step_usage);
    if (steps_compact(s) && may_compact(s, idle)) more |= measured(s, step_compact);
    if (trim_is_due(s, idle)) more |= measured(s, step_trim);
    bool collects = collect_has_work(&s->heap, idle);
    for (uint32_t owed = collect_slices_owed(&s->heap); owed && collects; owed--) {
        int64_t began = clock_thread_ns(&s->clock);
        collects = collect_step(&s->heap, idle);
        note_step(s, began);
    }
    wake(s);
    uint64_t used = engine_used_bytes(s);
    if (used > s->stats.memory_peak_bytes) s->stats.memory_peak_bytes = used;
    /* The collector comes last, and what it frees may have to wait for the next step. */
    return more || collects || s->heap.release_pending || s->heap.weak.first ||
           trim_is_due(s, idle);
}

/* Of two times, of which a negative one is none. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t steps_due_ms(const struct engine *s)
{
    int64_t due_ms = keyspace_next_expiry_ms(&s->keyspace);
    int64_t due_ns = s->mem.trim_bytes ? s->trim.due_ns : -1;
    due_ns = earlier(due_ns, collect_due_ns(&s->heap));
    due_ns = earlier(due_ns, steps_compact(s) ? compact_due_ns(&s->compact) : -1);
    if (due_ns < 0) return due_ms;
    int64_t tried_ms = (due_ns + s->wall_offset_ns) / 1000000 + 1;
    return due_ms == KEYSPACE_NEVER || tried_ms < due_ms ? tried_ms : due_ms;
}
