#include "monitor/numbers.h"

/* clang-format off */
#define FORM(value)                                                                                \
    _Generic((value), uint64_t: NUMBER_U64, int64_t: NUMBER_I64, bool: NUMBER_BOOL,                \
             double: NUMBER_DOUBLE, const char *: NUMBER_TEXT)
#define ROW(section, key, unit, kind, family, label, help)                                         \
    {#section, #key, offsetof(struct figures, section.key),                                       \
     FORM(((struct figures *)NULL)->section.key), NUMBER_##unit, NUMBER_##kind,                   \
     family, label, help}
/* Of /stats.json alone: texts, what Prometheus computes itself, and what metrics.c writes under a
 * name that other programs share. */
#define ONLY_JSON(section, key)             ROW(section, key, PLAIN, GAUGE, NULL, "", "")
#define GAUGE(section, key, family, help)   ROW(section, key, PLAIN, GAUGE, family, "", help)
#define COUNTER(section, key, family, help) ROW(section, key, PLAIN, COUNTER, family, "", help)
#define SECONDS(section, key, family, help) ROW(section, key, MICROSECONDS, GAUGE, family, "", help)
#define SECONDS_TOTAL(section, key, family, help)                                                  \
    ROW(section, key, MICROSECONDS, COUNTER, family, "", help)
#define POOL(key, state)                                                                           \
    ROW(heap, key, PLAIN, GAUGE, "heapd_pool_bytes", "state=\"" state "\"",                        \
        "Memory of the pools: of live cells, of free cells, and what the pools need themselves.")

static const struct number rows[] = {
    ONLY_JSON(process, id),
    ONLY_JSON(process, uptime_ms),
    ONLY_JSON(process, cpu_user_us),
    ONLY_JSON(process, cpu_system_us),
    ONLY_JSON(process, run_id),

    GAUGE(clients, connected, "heapd_connected_clients", "Clients that are connected."),
    GAUGE(clients, waiting, "heapd_waiting_clients", "Clients that wait for a collection or a count."),
    GAUGE(clients, max, "heapd_max_clients", "Clients that may be connected at once."),
    GAUGE(clients, recent_max_input_bytes, "heapd_clients_recent_max_input_bytes",
          "The longest unfinished request of the last seconds."),
    GAUGE(clients, recent_max_output_bytes, "heapd_clients_recent_max_output_bytes",
          "The most replies that a client did not read, in the last seconds."),
    GAUGE(clients, handles, "heapd_handles", "Handles that clients hold, or left behind."),

    GAUGE(memory, used_bytes, "heapd_memory_used_bytes",
          "Memory of values, names, tables and buffers."),
    GAUGE(memory, peak_bytes, "heapd_memory_peak_bytes", "The most memory that was used."),
    ONLY_JSON(memory, resident_bytes),
    ONLY_JSON(memory, system_bytes),
    GAUGE(memory, max_bytes, "heapd_memory_max_bytes", "The limit maxmemory; 0 is none."),
    ONLY_JSON(memory, policy),
    GAUGE(memory, unlimited_bytes, "heapd_memory_unlimited_bytes",
          "Used memory that maxmemory does not limit: buffers of clients, the table of the trial."),
    GAUGE(memory, clients_bytes, "heapd_memory_clients_bytes",
          "Used memory of clients: unread replies and unfinished requests."),
    GAUGE(memory, waiting_to_unmap_bytes, "heapd_memory_waiting_to_unmap_bytes",
          "Memory that is free and goes back to the system in steps."),
    GAUGE(memory, fragmentation, "heapd_memory_fragmentation_ratio",
          "Resident memory to used memory."),

    ONLY_JSON(heap, objects),
    GAUGE(heap, containers, "heapd_containers", "Lists, hashes, sets and sorted sets that live."),
    GAUGE(heap, names, "heapd_names", "Names of the keyspace."),
    GAUGE(heap, names_with_expiry, "heapd_names_with_expiry", "Names that will expire."),
    ONLY_JSON(heap, mean_ttl_ms),
    GAUGE(heap, release_pending_objects, "heapd_release_pending_objects",
          "Dead objects that wait to be freed."),
    GAUGE(heap, release_pending_names, "heapd_release_pending_names",
          "Names that FLUSHALL dropped and that wait to be freed."),
    GAUGE(heap, saturated, "heapd_saturated_objects",
          "Objects with so many references that they stay for good."),
    GAUGE(heap, interned_strings, "heapd_interned_strings", "Strings of the intern table."),
    GAUGE(heap, intern_saved_bytes, "heapd_intern_saved_bytes",
          "Memory that equal strings share instead of repeating them."),
    COUNTER(heap, intern_hits, "heapd_intern_hits_total",
            "Strings that were there when they were to be interned."),
    COUNTER(heap, intern_misses, "heapd_intern_misses_total",
            "Strings that were not there when they were to be interned."),
    ONLY_JSON(heap, pool_reserved_bytes),
    POOL(pool_live_bytes, "live"),
    POOL(pool_free_bytes, "free"),
    POOL(pool_overhead_bytes, "overhead"),
    GAUGE(heap, pool_lent_bytes, "heapd_pool_lent_bytes",
          "Memory of the pools' arenas that the system has back."),
    GAUGE(heap, pool_waste_bytes, "heapd_pool_waste_bytes",
          "Free memory of the pools that a compaction could give back."),
    GAUGE(heap, pool_arenas, "heapd_pool_arenas", "Arenas that the pools reserve."),
    COUNTER(heap, compactions, "heapd_compactions_total", "Runs that moved data together."),
    COUNTER(heap, moved_blocks, "heapd_moved_blocks_total", "Blocks that were moved by them."),
    COUNTER(heap, moved_bytes, "heapd_moved_bytes_total", "Their memory."),
    COUNTER(heap, adopted_back_bytes, "heapd_given_back_bytes_total",
            "Memory that the process had less after a run than before it."),
    GAUGE(heap, large_blocks, "heapd_large_blocks", "Blocks too large for the pools."),
    GAUGE(heap, large_bytes, "heapd_large_bytes", "Memory of blocks too large for the pools."),

    GAUGE(gc, enabled, "heapd_gc_enabled", "1 while the collector is on."),
    ONLY_JSON(gc, phase_name),
    GAUGE(gc, threshold, "heapd_gc_threshold_candidates", "Candidates that start a trial."),
    SECONDS(gc, budget_us, "heapd_gc_budget_seconds", "Time that a slice may take."),
    GAUGE(gc, candidates, "heapd_gc_candidates",
          "Containers that lost a reference and wait for a trial."),
    GAUGE(gc, backlog_objects, "heapd_gc_backlog_objects",
          "Objects that the collector has still to look at or to clear."),
    GAUGE(gc, frozen_objects, "heapd_gc_frozen_objects", "Containers that GC FREEZE has exempted."),
    COUNTER(gc, trials, "heapd_gc_trials_total", "Trials that began."),
    COUNTER(gc, abandoned, "heapd_gc_abandoned_trials_total", "Trials that were given up."),
    COUNTER(gc, faults, "heapd_gc_faults_total",
            "Trials given up for a count that cannot be; more than 0 is a bug."),
    COUNTER(gc, collected_objects, "heapd_gc_collected_objects_total",
            "Objects that only the collector could free."),
    COUNTER(gc, collected_bytes, "heapd_gc_collected_bytes_total", "Their memory."),
    COUNTER(gc, reached_objects, "heapd_gc_reached_objects_total",
            "Objects that trials looked at; collected ones are their yield."),
    COUNTER(gc, rescued_objects, "heapd_gc_rescued_objects_total",
            "Objects that commands took hold of during a trial."),
    ONLY_JSON(gc, yield),
    ONLY_JSON(gc, slices),
    SECONDS_TOTAL(gc, cpu_us, "heapd_gc_cpu_seconds_total",
                  "CPU time of trials, clearing, and freeing what they found."),
    SECONDS(gc, longest_slice_us, "heapd_gc_longest_slice_seconds",
            "The longest slice since the start, or since CONFIG RESETSTAT."),
    ONLY_JSON(gc, slice_p50_us),
    ONLY_JSON(gc, slice_p99_us),
    GAUGE(gc, last_candidates, "heapd_gc_last_trial_candidates", "Candidates of the last trial."),
    GAUGE(gc, last_reached, "heapd_gc_last_trial_reached_objects",
          "Objects that the last trial reached."),
    GAUGE(gc, last_condemned, "heapd_gc_last_trial_condemned_objects",
          "Objects that the last trial condemned."),
    GAUGE(gc, last_rescued, "heapd_gc_last_trial_rescued_objects",
          "Objects that were rescued during the last trial."),
    SECONDS(gc, last_us, "heapd_gc_last_trial_seconds", "CPU time of the last trial."),

    COUNTER(stats, connections, "heapd_connections_total", "Connections that were accepted."),
    COUNTER(stats, rejected_connections, "heapd_rejected_connections_total",
            "Connections that were refused."),
    COUNTER(stats, commands, "heapd_commands_total", "Commands that were run."),
    ONLY_JSON(stats, commands_per_second),
    COUNTER(stats, net_input_bytes, "heapd_network_received_bytes_total",
            "Bytes that clients sent."),
    COUNTER(stats, net_output_bytes, "heapd_network_sent_bytes_total",
            "Bytes that were sent to clients."),
    COUNTER(stats, error_replies, "heapd_error_replies_total", "Replies that were errors."),
    COUNTER(stats, keyspace_hits, "heapd_keyspace_hits_total", "Lookups that found the name."),
    COUNTER(stats, keyspace_misses, "heapd_keyspace_misses_total",
            "Lookups that did not find the name."),
    COUNTER(stats, expired_names, "heapd_expired_names_total", "Names that expired."),
    COUNTER(stats, evicted_names, "heapd_evicted_names_total",
            "Names that were evicted for lack of memory."),
    COUNTER(stats, evicted_shared_names, "heapd_evicted_shared_names_total",
            "Of them, those whose object others referred to, so that it stayed."),
    COUNTER(stats, evicted_bytes, "heapd_evicted_bytes_total", "Memory that evictions freed."),
    COUNTER(stats, evicted_clients, "heapd_evicted_clients_total",
            "Clients closed because all together took more than maxmemory-clients allows."),
    SECONDS(stats, longest_step_us, "heapd_longest_step_seconds",
            "The longest bounded step of what runs beside commands, CPU time."),
    SECONDS(stats, poll_gap_us, "heapd_poll_gap_seconds",
            "How far apart polls are now, so that each finds several clients."),
    COUNTER(stats, poll_waits, "heapd_poll_waits_total", "Polls that waited for that."),
};

/* Fine up to a millisecond, where commands and slices should lie, coarse above. */
static const struct number_limit limits[] = {
    {(1ULL << 8) - 1, "2.55e-07"},
    {(1ULL << 9) - 1, "5.11e-07"},
    {(1ULL << 10) - 1, "1.023e-06"},
    {(1ULL << 11) - 1, "2.047e-06"},
    {(1ULL << 12) - 1, "4.095e-06"},
    {(1ULL << 13) - 1, "8.191e-06"},
    {(1ULL << 14) - 1, "1.6383e-05"},
    {(1ULL << 15) - 1, "3.2767e-05"},
    {(1ULL << 16) - 1, "6.5535e-05"},
    {(1ULL << 17) - 1, "0.000131071"},
    {(1ULL << 18) - 1, "0.000262143"},
    {(1ULL << 19) - 1, "0.000524287"},
    {(1ULL << 20) - 1, "0.001048575"},
    {(1ULL << 22) - 1, "0.004194303"},
    {(1ULL << 24) - 1, "0.016777215"},
    {(1ULL << 26) - 1, "0.067108863"},
    {(1ULL << 28) - 1, "0.268435455"},
    {(1ULL << 30) - 1, "1.073741823"},
    {(1ULL << 32) - 1, "4.294967295"},
};
/* clang-format on */

const struct number *number_at(uint32_t index)
{
    return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

const struct number_limit *number_limit_at(uint32_t index)
{
    return index < sizeof limits / sizeof *limits ? &limits[index] : NULL;
}
