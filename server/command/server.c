#include "command/server.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/unmap.h"
#include "command/room.h"

enum {
    STEP_NS = 100000, /* a step ends when this has passed */
    /* Between two looks at the clock: where each touches pages that nobody has touched for long, a
     * name may take 30 us. */
    PIECE_SLOTS = 16,
    PIECE_NAMES = 4,
    PIECE_HANDLES = 8,
    /* Of names and handles so many at most, that what dies by them does not pile up. */
    PIECES_MAX = 10,
    RELEASE_SLOTS_MIN = 8, /* of a command's own share in freeing and removing */
    FREE_SLOTS = 32,       /* in one step for a command that has no memory */
    SAMPLE_MS = 1000,      /* between two samples of the rate of commands */
};

/* How long freed mapped blocks wait while none comes or goes. */
#define TRIM_QUIET_NS INT64_C(100000000)

/* In a stressed build every command takes a slice of so many slots, and trials follow each other as
 * long as there are candidates: so the whole suite runs in the middle of trials. Compactions follow
 * each other likewise, and move whatever they meet. */
#ifdef HEAPD_STRESS
enum { STRESS_SLOTS = 1, STRESS_MOVES = 8 };
#else
enum { STRESS_SLOTS = 0, STRESS_MOVES = 0 };
#endif

/* The clock of the network turns the loop once a second also when nobody asks anything. */
static void sample_rate(struct server *s)
{
    struct server_stats *stats = &s->stats;
    int64_t passed_ms = s->now_ms - stats->sampled_ms;
    if (passed_ms >= 0 && passed_ms < SAMPLE_MS) return;
    if (stats->sampled_ms && passed_ms > 0)
        stats->commands_per_second =
            (stats->commands - stats->sampled_commands) * 1000 / (uint64_t)passed_ms;
    stats->sampled_commands = stats->commands;
    stats->sampled_ms = s->now_ms;
}

void server_turn(struct server *s)
{
    s->mono_ns = clock_ticker_set(&s->ticker);
    s->wall_offset_ns = clock_read_ns(CLOCK_REALTIME) - s->mono_ns;
    s->now_ms = (s->mono_ns + s->wall_offset_ns) / 1000000;
    s->keyspace.access.now_s = (uint32_t)(s->mono_ns / 1000000000);
    sample_rate(s);
}

void server_tick(struct server *s)
{
    s->mono_ns = clock_ticker_ns(&s->ticker);
    s->now_ms = (s->mono_ns + s->wall_offset_ns) / 1000000;
}

/* Redis's sizes of a list's block, from -1 on. */
static uint32_t list_bytes_of(int64_t size)
{
    static const uint32_t kib[] = {4, 8, 16, 32, 64};
    return kib[-size - 1] << 10;
}

static void configure_values(struct value_limits *l, const struct config *c)
{
    bool in_bytes = c->list_max_listpack_size < 0;
    l->list_entries = in_bytes ? UINT32_MAX : (uint32_t)c->list_max_listpack_size;
    l->list_bytes = in_bytes ? list_bytes_of(c->list_max_listpack_size) : UINT32_MAX;
    l->hash_entries = (uint32_t)c->hash_max_listpack_entries;
    l->hash_text_bytes = (uint32_t)c->hash_max_listpack_value;
    l->set_integers = (uint32_t)c->set_max_intset_entries;
    l->set_entries = (uint32_t)c->set_max_listpack_entries;
    l->set_text_bytes = (uint32_t)c->set_max_listpack_value;
    l->zset_entries = (uint32_t)c->zset_max_listpack_entries;
    l->zset_text_bytes = (uint32_t)c->zset_max_listpack_value;
}

static void configure_access(struct access *a, const struct config *c)
{
    a->log_factor = (uint32_t)c->lfu_log_factor;
    a->decay_minutes = (uint32_t)c->lfu_decay_time;
}

void server_configure(struct server *s)
{
    struct collect *c = &s->heap.collect;
    c->budget_ns = s->config.gc_budget_us * 1000;
    c->threshold_fixed = s->config.gc_threshold > 0;
    if (c->threshold_fixed) c->threshold = s->config.gc_threshold;
    if (c->enabled != s->config.gc) collect_enable(&s->heap, s->config.gc);
    s->compact.waste_percent = (uint32_t)s->config.memory_waste_percent;
    configure_values(&s->values.limits, &s->config);
    configure_access(&s->keyspace.access, &s->config);
    room_configure(s);
    static const char *const levels[] = {"debug", "verbose", "notice", "warning"};
    for (int i = LOG_DEBUG; i <= LOG_WARNING; i++)
        if (strcmp(s->config.loglevel, levels[i]) == 0) log_level_set((enum log_level)i);
}

static uint64_t seed_of(const struct config *config)
{
    uint64_t seed;
    if (num_get_hex(view_of(config->hash_seed), &seed)) return seed;
    return hash_seed_random();
}

enum status server_init(struct server *s, const struct config *config)
{
    *s = (struct server){.config = *config};
    mem_init(&s->mem);
    enum status status = heap_init(&s->heap, &s->mem, seed_of(config));
    if (status) return status;
    value_init(&s->heap, &s->values);
    keyspace_init(&s->keyspace, &s->heap);
    evict_init(&s->evict, &s->keyspace);
    compact_init(&s->compact, &s->keyspace);
    sessions_init(&s->sessions, &s->heap);
    held_init(&s->held, &s->heap);
    s->heap.collect.slice_slots_max = STRESS_SLOTS;
    s->heap.collect.eager = STRESS_SLOTS > 0;
    if (STRESS_SLOTS) s->heap.collect.sort_min = 1;
    s->compact.slots_max = STRESS_SLOTS;
    pool_move_always(s->heap.pool, STRESS_SLOTS > 0);
    server_configure(s);
    server_turn(s);
    s->started_ms = s->now_ms;
    for (int i = 0; i < SERVER_RUN_ID_CHARS - 1; i += 8)
        snprintf(s->run_id + i, 9, "%08x", (unsigned)hash_seed_random());
    return STATUS_OK;
}

void server_fini(struct server *s)
{
    sessions_fini(&s->sessions);
    keyspace_fini(&s->keyspace);
    while (heap_release_step(&s->heap, UINT32_MAX)) {
    }
    uint64_t found, ticket = collect_full_begin(&s->heap);
    while (!collect_full_found(&s->heap, ticket, &found)) collect_step(&s->heap, true);
    heap_fini(&s->heap);
    mem_fini(&s->mem);
    unmap_finish();
}

/* What is freed after an eviction was evicted, and what clients dropped meanwhile. */
static bool release(struct server *s, uint32_t slots)
{
    if (LIKELY(!s->room.evicted_last)) return heap_release_step(&s->heap, slots);
    uint64_t before = server_used_bytes(s);
    s->room.evicted_last = heap_release_step(&s->heap, slots);
    uint64_t after = server_used_bytes(s);
    if (after < before) s->evict.freed_bytes += before - after;
    return s->room.evicted_last;
}

/* Where a usage walk is, tables keep their buckets: it would see some slots twice. */
static bool may_compact(struct server *s, bool idle)
{
    return !usages_have_work(&s->sessions.usages) &&
           compact_has_work(&s->compact, s->mono_ns, idle);
}

/* Of a stressed build's own runs commands take the steps. */
static bool steps_compact(const struct server *s)
{
    return !STRESS_SLOTS || s->sessions.waiting;
}

static void stress(struct server *s)
{
    collect_step(&s->heap, true);
    if (s->mem.fail_at) return; /* a test means an allocation of a command, and no move fails */
    if (s->compact.phase == COMPACT_IDLE) compact_begin(&s->compact);
    for (int i = 0; i < STRESS_MOVES && may_compact(s, true); i++)
        compact_step(&s->compact, s->mono_ns, 0);
}

void server_after_command(struct server *s)
{
    struct heap *h = &s->heap;
    if (STRESS_SLOTS) stress(s);
    uint64_t made = h->allocated - s->allocated_before;
    s->allocated_before = h->allocated;
    uint64_t slots = 2 * made + RELEASE_SLOTS_MIN;
    if (slots > UINT32_MAX) slots = UINT32_MAX;
    if (h->weak.first) weak_step(h, (uint32_t)slots);
    if (h->release_pending) release(s, (uint32_t)slots);
}

/* --- bounded steps --- */

static bool release_piece(struct server *s)
{
    return release(s, PIECE_SLOTS);
}

static bool weak_piece(struct server *s)
{
    return weak_step(&s->heap, PIECE_SLOTS);
}

static bool names_piece(struct server *s)
{
    return keyspace_step(&s->keyspace, s->now_ms, PIECE_NAMES);
}

static bool handles_piece(struct server *s)
{
    return sessions_step(&s->sessions, PIECE_HANDLES);
}

/* Piece after piece until nothing is left or the time is up. */
static bool share(struct server *s, bool (*piece)(struct server *), uint32_t pieces_max)
{
    int64_t deadline = clock_mono_ns() + STEP_NS;
    while (piece(s))
        if (--pieces_max == 0 || clock_mono_ns() >= deadline) return true;
    return false;
}

static bool release_share(struct server *s)
{
    return share(s, release_piece, UINT32_MAX);
}

static bool weak_share(struct server *s)
{
    return share(s, weak_piece, UINT32_MAX);
}

static bool names_share(struct server *s)
{
    return share(s, names_piece, PIECES_MAX);
}

static bool handles_share(struct server *s)
{
    return share(s, handles_piece, PIECES_MAX);
}

static bool usage_share(struct server *s)
{
    return usages_step(&s->sessions.usages, STEP_NS);
}

static bool compact_share(struct server *s)
{
    return compact_step(&s->compact, s->mono_ns, STEP_NS);
}

static bool trim_share(struct server *s)
{
    return pool_has_spare(s->heap.pool) ? pool_trim_step(s->heap.pool) : mem_trim_step(&s->mem);
}

/* Freed mapped blocks may be asked for again by the next large value: as long as some come and go
 * they wait, up to a limit. */
static bool trim_is_due(struct server *s, bool idle)
{
    if (pool_has_spare(s->heap.pool) || mem_trim_is_urgent(&s->mem)) return true;
    if (s->trim.changes != s->mem.trim_changes) {
        s->trim.changes = s->mem.trim_changes;
        s->trim.due_ns = s->mono_ns + TRIM_QUIET_NS;
    }
    return idle && s->mem.trim_bytes && s->mono_ns >= s->trim.due_ns;
}

bool server_free_step(struct server *s)
{
    if (s->heap.release_pending)
        release(s, FREE_SLOTS);
    else if (s->heap.weak.first)
        weak_step(&s->heap, FREE_SLOTS);
    else if (s->keyspace.debris)
        names_piece(s);
    else if (s->sessions.buried_count)
        handles_piece(s);
    else if (s->heap.collect.phase == COLLECT_FREE)
        collect_step(&s->heap, false);
    else
        return false;
    return true;
}

static void note_step(struct server *s, int64_t began)
{
    uint64_t took = (uint64_t)(clock_thread_ns() - began);
    if (took > s->stats.longest_step_ns) s->stats.longest_step_ns = took;
    histogram_record(&s->stats.step_ns, took);
}

static bool measured(struct server *s, bool (*step)(struct server *))
{
    int64_t began = clock_thread_ns();
    bool more = step(s);
    note_step(s, began);
    return more;
}

bool server_step(struct server *s, bool idle)
{
    bool more = false;
    int64_t due = keyspace_next_expiry_ms(&s->keyspace);
    if (s->room.state != ROOM_ENOUGH && room_has_work(s)) more |= measured(s, room_step);
    if (s->heap.release_pending) more |= measured(s, release_share);
    if (s->heap.weak.first) more |= measured(s, weak_share);
    if (s->keyspace.debris || (due != KEYSPACE_NEVER && due <= s->now_ms))
        more |= measured(s, names_share);
    if (s->sessions.buried_count) more |= measured(s, handles_share);
    if (usages_have_work(&s->sessions.usages)) more |= measured(s, usage_share);
    if (steps_compact(s) && may_compact(s, idle)) more |= measured(s, compact_share);
    if (trim_is_due(s, idle)) more |= measured(s, trim_share);
    bool collects = collect_has_work(&s->heap, idle);
    for (uint32_t owed = collect_slices_owed(&s->heap); owed && collects; owed--) {
        int64_t began = clock_thread_ns();
        collects = collect_step(&s->heap, idle);
        note_step(s, began);
    }
    uint64_t used = server_used_bytes(s);
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

int64_t server_due_ms(const struct server *s)
{
    int64_t due_ms = keyspace_next_expiry_ms(&s->keyspace);
    int64_t due_ns = s->mem.trim_bytes ? s->trim.due_ns : -1;
    due_ns = earlier(due_ns, collect_due_ns(&s->heap));
    due_ns = earlier(due_ns, steps_compact(s) ? compact_due_ns(&s->compact) : -1);
    if (due_ns < 0) return due_ms;
    int64_t tried_ms = (due_ns + s->wall_offset_ns) / 1000000 + 1;
    return due_ms == KEYSPACE_NEVER || tried_ms < due_ms ? tried_ms : due_ms;
}

/* --- memory --- */

uint64_t server_used_bytes(const struct server *s)
{
    return heap_used_bytes(&s->heap) + s->io_bytes;
}

uint64_t server_waiting_bytes(const struct server *s)
{
    return s->mem.trim_bytes + unmap_bytes();
}

uint64_t server_resident_bytes(void)
{
    unsigned long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
