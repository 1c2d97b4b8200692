/*
 * The figures of a running server, gathered in one pass. INFO prints them, and the monitor serves
 * them as /metrics and /stats.json. Field names and formats are decided there.
 *
 * Tables and histograms are read in place, from struct engine: stats.command[] by command_index(),
 * stats.step_ns, and heap.collect.stats.slice_ns.
 *
 * Invariants
 *   1. objects == the sum of objects_by_type; containers <= objects.
 *   2. peak_bytes >= used_bytes.
 *   3. pool_reserved_bytes == live + free + overhead.
 * Ownership: the figures hold numbers, and texts that live as long as the engine.
 * Cost: reads counters, /proc/self/statm and getrusage; visits no object, name or client.
 */
#ifndef HEAPD_ENGINE_FIGURES_H
#define HEAPD_ENGINE_FIGURES_H

#include "engine/engine.h"

struct figures_process {
    int64_t id;
    int64_t uptime_ms;
    uint64_t cpu_user_us, cpu_system_us;
    const char *run_id;
};

struct figures_clients {
    uint64_t connected;
    uint64_t waiting; /* have a wait (session/wait.h) */
    uint64_t max;
    uint64_t recent_max_input_bytes,
        recent_max_output_bytes; /* of one client, in the last seconds */
    uint64_t handles;            /* including those of closed clients, until they are released */
};

struct figures_memory {
    uint64_t used_bytes, peak_bytes, resident_bytes;
    uint64_t system_bytes;           /* memory of the machine */
    uint64_t max_bytes;              /* maxmemory; 0 = no limit */
    const char *policy;              /* maxmemory-policy */
    uint64_t clients_bytes;          /* client buffers; part of used_bytes */
    uint64_t unlimited_bytes;        /* part of used_bytes that maxmemory does not limit */
    uint64_t waiting_to_unmap_bytes; /* freed; not part of used_bytes */
    double fragmentation;            /* resident / used; 0 when nothing is used */
};

struct figures_heap {
    uint64_t objects, containers;
    uint64_t objects_by_type[OBJ_TYPES];
    uint64_t names, names_with_expiry;
    int64_t mean_ttl_ms; /* of names with a TTL */
    uint64_t release_pending_objects, release_pending_names;
    uint64_t saturated; /* objects that became immortal */
    uint64_t interned_strings, intern_saved_bytes, intern_hits, intern_misses;
    uint64_t pool_reserved_bytes, pool_live_bytes, pool_free_bytes, pool_overhead_bytes;
    uint64_t pool_lent_bytes, pool_waste_bytes; /* see heap/pool.h */
    uint64_t pool_arenas;
    uint64_t compactions, moved_blocks, moved_bytes, adopted_back_bytes; /* see store/compact.h */
    uint64_t large_blocks, large_bytes;                                  /* beside the pools */
};

struct figures_gc {
    bool enabled;
    enum collect_phase phase;
    const char *phase_name;
    uint64_t threshold, budget_us;
    uint64_t candidates, backlog_objects, frozen_objects;
    uint64_t trials, abandoned, faults;
    uint64_t collected_objects, collected_bytes, reached_objects, rescued_objects;
    double yield; /* collected / reached; 0 when nothing was reached */
    uint64_t slices;
    uint64_t cpu_us;
    uint64_t longest_slice_us, slice_p50_us, slice_p99_us;
    uint64_t last_candidates, last_reached, last_condemned, last_rescued, last_us;
};

struct figures_stats {
    uint64_t connections, rejected_connections;
    uint64_t commands, commands_per_second;
    uint64_t net_input_bytes, net_output_bytes;
    uint64_t error_replies;
    uint64_t keyspace_hits, keyspace_misses, expired_names;
    uint64_t evicted_names, evicted_shared_names, evicted_bytes; /* see store/evict.h */
    uint64_t evicted_clients;                                    /* closed for maxmemory-clients */
    uint64_t longest_step_us;         /* longest background step; thread CPU time */
    uint64_t poll_gap_us, poll_waits; /* see net/pace.h */
};

struct figures {
    struct figures_process process;
    struct figures_clients clients;
    struct figures_memory memory;
    struct figures_heap heap;
    struct figures_gc gc;
    struct figures_stats stats;
};

void figures_take(const struct engine *s, struct figures *out);

/* The name of a type in INFO and in metrics: "string", "list" and so on. */
const char *figures_type_name(enum obj_type type);

/* CONFIG RESETSTAT: sets counters and longest times back to zero. Figures of the current state
 * (objects, memory, the last trial) stay. */
void figures_reset(struct engine *s);

#endif
