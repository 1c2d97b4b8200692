#include "engine/figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include "engine/maxmemory.h"

static uint64_t micros(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void take_process(const struct engine *s, struct figures_process *out)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    *out = (struct figures_process){
        .id = getpid(),
        .uptime_ms = (s->mono_ns - s->started_ns) / 1000000,
        .cpu_user_us = micros(usage.ru_utime),
        .cpu_system_us = micros(usage.ru_stime),
        .run_id = s->run_id,
    };
}

static void take_clients(const struct engine *s, struct figures_clients *out)
{
    *out = (struct figures_clients){
        .connected = s->sessions.count,
        .waiting = s->sessions.waiting,
        .max = s->config.maxclients,
        .handles = sessions_handles(&s->sessions),
        .recent_max_input_bytes = sessions_recent_input(&s->sessions),
        .recent_max_output_bytes = sessions_recent_output(&s->sessions),
    };
}

static void take_memory(const struct engine *s, struct figures_memory *out)
{
    uint64_t used = engine_used_bytes(s), peak = s->stats.memory_peak_bytes;
    *out = (struct figures_memory){
        .used_bytes = used,
        .peak_bytes = peak > used ? peak : used,
        .resident_bytes = engine_resident_bytes(),
        .system_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
        .max_bytes = s->config.maxmemory,
        .policy = s->evict.policy->name,
        .unlimited_bytes = used - maxmemory_counted_bytes(s),
        .clients_bytes = s->sessions.memory.total,
        .waiting_to_unmap_bytes = engine_waiting_bytes(s),
    };
    if (used) out->fragmentation = (double)out->resident_bytes / (double)used;
}

static void take_heap(const struct engine *s, struct figures_heap *out)
{
    const struct heap *h = &s->heap;
    struct pool_stats pool;
    pool_get_stats(h->pool, &pool);
    *out = (struct figures_heap){
        .objects = heap_objects(h),
        .containers = heap_containers(h),
        .names = keyspace_names(&s->keyspace),
        .names_with_expiry = keyspace_names_with_expiry(&s->keyspace),
        .mean_ttl_ms = keyspace_mean_ttl_ms(&s->keyspace),
        .release_pending_objects = h->release_pending,
        .release_pending_names = keyspace_dropped_names(&s->keyspace),
        .saturated = h->saturated,
        .interned_strings = h->intern.strings.used,
        .intern_saved_bytes = h->intern.saved_bytes,
        .intern_hits = h->intern.hits,
        .intern_misses = h->intern.misses,
        .pool_reserved_bytes = pool.reserved_bytes,
        .pool_live_bytes = pool.live_bytes,
        .pool_free_bytes = pool.free_bytes,
        .pool_overhead_bytes = pool.overhead_bytes,
        .pool_lent_bytes = pool.lent_bytes,
        .pool_waste_bytes = pool.waste_bytes,
        .pool_arenas = pool.arenas,
        .compactions = s->compact.stats.runs,
        .moved_blocks = pool.moved_blocks,
        .moved_bytes = pool.moved_bytes,
        .adopted_back_bytes = s->compact.stats.adopted_bytes,
        .large_blocks = pool.large_blocks,
        .large_bytes = pool.large_bytes,
    };
    memcpy(out->objects_by_type, h->objects, sizeof out->objects_by_type);
}

static void take_gc(const struct engine *s, struct figures_gc *out)
{
    static const char *const phases[] = {"idle", "gray", "black", "free", "abandon"};
    const struct collect *c = &s->heap.collect;
    const struct collect_stats *stats = &c->stats;
    *out = (struct figures_gc){
        .enabled = c->enabled,
        .phase = c->phase,
        .phase_name = phases[c->phase],
        .threshold = c->threshold,
        .budget_us = c->budget_ns / 1000,
        .candidates = c->candidates.count - c->candidates.dead,
        .backlog_objects = collect_backlog(&s->heap),
        .frozen_objects = c->frozen,
        .trials = stats->trials,
        .abandoned = stats->abandoned,
        .faults = stats->faults,
        .collected_objects = stats->collected_objects,
        .collected_bytes = stats->collected_bytes,
        .reached_objects = stats->reached_objects,
        .rescued_objects = stats->rescued_objects,
        .yield = stats->reached_objects
                     ? (double)stats->collected_objects / (double)stats->reached_objects
                     : 0,
        .slices = stats->slices,
        .cpu_us = stats->cpu_ns / 1000,
        .longest_slice_us = stats->longest_slice_ns / 1000,
        .slice_p50_us = histogram_quantile(&stats->slice_ns, 0.5) / 1000,
        .slice_p99_us = histogram_quantile(&stats->slice_ns, 0.99) / 1000,
        .last_candidates = stats->last[0].candidates,
        .last_reached = stats->last[0].reached,
        .last_condemned = stats->last[0].condemned,
        .last_rescued = stats->last[0].rescued,
        .last_us = stats->last[0].ns / 1000,
    };
}

static void take_stats(const struct engine *s, struct figures_stats *out)
{
    const struct engine_stats *stats = &s->stats;
    *out = (struct figures_stats){
        .connections = stats->connections,
        .rejected_connections = stats->rejected_connections,
        .commands = stats->commands,
        .commands_per_second = stats->commands_per_second,
        .net_input_bytes = stats->net_input_bytes,
        .net_output_bytes = stats->net_output_bytes,
        .error_replies = stats->error_replies,
        .keyspace_hits = s->keyspace.hits,
        .keyspace_misses = s->keyspace.misses,
        .expired_names = s->keyspace.expired,
        .evicted_names = s->keyspace.evicted,
        .evicted_shared_names = s->evict.names_shared,
        .evicted_bytes = s->evict.freed_bytes,
        .evicted_clients = stats->evicted_clients,
        .longest_step_us = stats->longest_step_ns / 1000,
        .poll_gap_us = stats->poll_gap_ns / 1000,
        .poll_waits = stats->poll_waits,
    };
}

void figures_take(const struct engine *s, struct figures *out)
{
    take_process(s, &out->process);
    take_clients(s, &out->clients);
    take_memory(s, &out->memory);
    take_heap(s, &out->heap);
    take_gc(s, &out->gc);
    take_stats(s, &out->stats);
}

const char *figures_type_name(enum obj_type type)
{
    switch (type) {
    case OBJ_STRING: return "string";
    case OBJ_NUMBER: return "number";
    case OBJ_LIST: return "list";
    case OBJ_HASH: return "hash";
    case OBJ_SET: return "set";
    case OBJ_ZSET: return "zset";
    case OBJ_WEAK: return "weak";
    case OBJ_SHAPE: return "shape";
    case OBJ_NONE:
    case OBJ_TYPES: break;
    }
    return "none";
}

void figures_reset(struct engine *s)
{
    /* Not by assignment: the histograms of all commands would pass over the stack. */
    uint64_t peak = s->stats.memory_peak_bytes;
    memset(&s->stats, 0, sizeof s->stats);
    s->stats.memory_peak_bytes = peak;
    s->stats.sampled_ns = s->mono_ns;
    struct collect_stats *gc = &s->heap.collect.stats;
    struct collect_stats kept = {.ended = gc->ended};
    memcpy(kept.last, gc->last, sizeof kept.last); /* the pacing needs them, too */
    *gc = kept;
    s->keyspace.hits = s->keyspace.misses = s->keyspace.expired = s->keyspace.evicted = 0;
    s->evict.names_shared = s->evict.freed_bytes = 0;
    s->heap.intern.hits = s->heap.intern.misses = 0;
    s->keyspace.evidence.asked_all = s->keyspace.evidence.hits_all = 0;
}
