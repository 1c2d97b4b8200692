/* INFO: the snapshot as text, in Redis's sections and field names where Redis has them. */
#include <hiredis/sds.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "command/command.h"
#include "engine/figures.h"

struct info {
    const struct engine *engine;
    struct figures now;
    sds text; /* NULL once memory was short */
};

static void put(struct info *info, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct info *info, const char *format, ...)
{
    if (!info->text) return;
    va_list args;
    va_start(args, format);
    sds longer = sdscatvprintf(info->text, format, args);
    va_end(args);
    if (!longer) sdsfree(info->text);
    info->text = longer;
}

static void put_number(struct info *info, const char *name, uint64_t n)
{
    put(info, "%s:%" PRIu64 "\r\n", name, n);
}

static void put_text(struct info *info, const char *name, const char *text)
{
    put(info, "%s:%s\r\n", name, text);
}

/* Bytes, and beside them as people read them: Redis's bytesToHuman. */
static void put_bytes(struct info *info, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    put_number(info, name, bytes);
    if (bytes < 1024) {
        put(info, "%s_human:%" PRIu64 "B\r\n", name, bytes);
        return;
    }
    double n = (double)bytes;
    int unit = 0;
    for (; n >= 1024 && units[unit + 1]; unit++) n /= 1024;
    put(info, "%s_human:%.2f%c\r\n", name, n, units[unit]);
}

/* --- sections --- */

static void put_server(struct info *info)
{
    const struct figures_process *p = &info->now.process;
    const struct config *config = &info->engine->config;
    struct utsname os = {0};
    uname(&os);
    uint64_t uptime_s = (uint64_t)p->uptime_ms / 1000;
    /* Clients choose by it what they may ask for. */
    put_text(info, "redis_version", "7.0.15");
    put_text(info, "heapd_version", HEAPD_VERSION);
    put_text(info, "redis_mode", "standalone");
    put(info, "os:%s %s %s\r\n", os.sysname, os.release, os.machine);
    put_number(info, "arch_bits", sizeof(void *) * 8);
    put_text(info, "multiplexing_api", info->engine->multiplexing);
    put(info, "process_id:%" PRId64 "\r\n", p->id);
    put_text(info, "run_id", p->run_id);
    put_number(info, "tcp_port", config->port);
    put_number(info, "http_port", config->http_port);
    put_number(info, "uptime_in_seconds", uptime_s);
    put_number(info, "uptime_in_days", uptime_s / (24 * 60 * 60));
    put_text(info, "config_file", config->file);
}

static void put_clients(struct info *info)
{
    const struct figures_clients *c = &info->now.clients;
    put_number(info, "connected_clients", c->connected);
    put_number(info, "maxclients", c->max);
    put_number(info, "client_recent_max_input_buffer", c->recent_max_input_bytes);
    put_number(info, "client_recent_max_output_buffer", c->recent_max_output_bytes);
    put_number(info, "blocked_clients", c->waiting);
}

static void put_memory(struct info *info)
{
    const struct figures_memory *m = &info->now.memory;
    put_bytes(info, "used_memory", m->used_bytes);
    put_bytes(info, "used_memory_rss", m->resident_bytes);
    put_bytes(info, "used_memory_peak", m->peak_bytes);
    put_bytes(info, "total_system_memory", m->system_bytes);
    put_bytes(info, "maxmemory", m->max_bytes);
    put_text(info, "maxmemory_policy", m->policy);
    put_number(info, "mem_not_counted_for_evict", m->unlimited_bytes);
    put_number(info, "mem_clients_normal", m->clients_bytes);
    put(info, "mem_fragmentation_ratio:%.2f\r\n", m->fragmentation);
    put_number(info, "mem_waiting_to_unmap_bytes", m->waiting_to_unmap_bytes);
    put_text(info, "mem_allocator", "heapd-pools");
}

static void put_heap(struct info *info)
{
    const struct figures_heap *h = &info->now.heap;
    put_number(info, "heap_objects", h->objects);
    put_number(info, "heap_containers", h->containers);
    for (int t = OBJ_NONE + 1; t < OBJ_TYPES; t++)
        put(info, "heap_objects_%s:%" PRIu64 "\r\n", figures_type_name((enum obj_type)t),
            h->objects_by_type[t]);
    put_number(info, "heap_names", h->names);
    put_number(info, "heap_handles", info->now.clients.handles);
    put_number(info, "heap_release_pending_objects", h->release_pending_objects);
    put_number(info, "heap_release_pending_names", h->release_pending_names);
    put_number(info, "heap_saturated", h->saturated);
    put_number(info, "heap_interned_strings", h->interned_strings);
    put_number(info, "heap_intern_saved_bytes", h->intern_saved_bytes);
    put_number(info, "heap_pool_reserved_bytes", h->pool_reserved_bytes);
    put_number(info, "heap_pool_live_bytes", h->pool_live_bytes);
    put_number(info, "heap_pool_free_bytes", h->pool_free_bytes);
    put_number(info, "heap_pool_overhead_bytes", h->pool_overhead_bytes);
    put_number(info, "heap_pool_lent_bytes", h->pool_lent_bytes);
    put_number(info, "heap_pool_waste_bytes", h->pool_waste_bytes);
    put_number(info, "heap_large_bytes", h->large_bytes);
    put_number(info, "heap_compactions", h->compactions);
    put_number(info, "heap_moved_blocks", h->moved_blocks);
    put_number(info, "heap_moved_bytes", h->moved_bytes);
    put_number(info, "heap_given_back_bytes", h->adopted_back_bytes);
}

/* How many slices took at most 1 us, 2 but more than 1, and so on; the last row has no end. */
static void put_slices(struct info *info, const struct histogram *slices)
{
    uint64_t rows[COLLECT_SLICE_ROWS];
    histogram_doublings(slices, COLLECT_SLICE_ROWS, rows);
    put(info, "gc_slices_by_us:");
    for (int i = 0; i < COLLECT_SLICE_ROWS - 1; i++) put(info, "%d=%" PRIu64 ",", 1 << i, rows[i]);
    put(info, "more=%" PRIu64 "\r\n", rows[COLLECT_SLICE_ROWS - 1]);
}

static void put_gc(struct info *info)
{
    const struct figures_gc *g = &info->now.gc;
    put_number(info, "gc_enabled", g->enabled);
    put_text(info, "gc_phase", g->phase_name);
    put_number(info, "gc_threshold", g->threshold);
    put_number(info, "gc_budget_us", g->budget_us);
    put_number(info, "gc_trials", g->trials);
    put_number(info, "gc_abandoned", g->abandoned);
    put_number(info, "gc_faults", g->faults);
    put_number(info, "gc_candidates", g->candidates);
    put_number(info, "gc_backlog_objects", g->backlog_objects);
    put_number(info, "gc_frozen_objects", g->frozen_objects);
    put_number(info, "gc_collected_objects", g->collected_objects);
    put_number(info, "gc_collected_bytes", g->collected_bytes);
    put_number(info, "gc_reached_objects", g->reached_objects);
    put_number(info, "gc_rescued_objects", g->rescued_objects);
    put(info, "gc_yield_perc:%.2f%%\r\n", g->yield * 100);
    put_number(info, "gc_slices", g->slices);
    put_slices(info, &info->engine->heap.collect.stats.slice_ns);
    put_number(info, "gc_cpu_us", g->cpu_us);
    put_number(info, "gc_longest_slice_us", g->longest_slice_us);
    put_number(info, "gc_slice_p99_us", g->slice_p99_us);
    put_number(info, "gc_last_candidates", g->last_candidates);
    put_number(info, "gc_last_reached", g->last_reached);
    put_number(info, "gc_last_condemned", g->last_condemned);
    put_number(info, "gc_last_rescued", g->last_rescued);
    put_number(info, "gc_last_us", g->last_us);
}

/* Always so: nothing is loaded, and nothing is saved. Clients wait until loading is 0. */
static void put_persistence(struct info *info)
{
    put_number(info, "loading", 0);
    put_number(info, "rdb_bgsave_in_progress", 0);
    put_number(info, "aof_enabled", 0);
}

static void put_stats(struct info *info)
{
    const struct figures_stats *s = &info->now.stats;
    put_number(info, "total_connections_received", s->connections);
    put_number(info, "total_commands_processed", s->commands);
    put_number(info, "instantaneous_ops_per_sec", s->commands_per_second);
    put_number(info, "total_net_input_bytes", s->net_input_bytes);
    put_number(info, "total_net_output_bytes", s->net_output_bytes);
    put_number(info, "rejected_connections", s->rejected_connections);
    put_number(info, "expired_keys", s->expired_names);
    put_number(info, "evicted_keys", s->evicted_names);
    put_number(info, "evicted_keys_shared", s->evicted_shared_names);
    put_number(info, "evicted_bytes", s->evicted_bytes);
    put_number(info, "evicted_clients", s->evicted_clients);
    put_number(info, "keyspace_hits", s->keyspace_hits);
    put_number(info, "keyspace_misses", s->keyspace_misses);
    put_number(info, "total_error_replies", s->error_replies);
    put_number(info, "loop_longest_step_us", s->longest_step_us);
    put_number(info, "poll_gap_us", s->poll_gap_us);
    put_number(info, "poll_waits", s->poll_waits);
}

static void put_replication(struct info *info)
{
    put_text(info, "role", "master");
    put_number(info, "connected_slaves", 0);
}

static void put_seconds(struct info *info, const char *name, uint64_t us)
{
    put(info, "%s:%" PRIu64 ".%06" PRIu64 "\r\n", name, us / 1000000, us % 1000000);
}

static void put_cpu(struct info *info)
{
    put_seconds(info, "used_cpu_sys", info->now.process.cpu_system_us);
    put_seconds(info, "used_cpu_user", info->now.process.cpu_user_us);
}

/* Of each command that was called at least once, or refused. */
static void put_commandstats(struct info *info)
{
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command_stats *s = &info->engine->stats.command[i];
        if (s->calls + s->rejected == 0) continue;
        double us = (double)s->ns / 1000;
        put(info,
            "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64
            ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
            command_at(i)->name, s->calls, s->ns / 1000, s->calls ? us / (double)s->calls : 0,
            s->rejected, s->failed);
    }
}

/* By the word that they begin with. */
static void put_errorstats(struct info *info)
{
    const struct error_stats *e = &info->engine->stats.errors;
    for (uint32_t i = 0; i < e->count; i++)
        put(info, "errorstat_%s:count=%" PRIu64 "\r\n", e->of[i].word, e->of[i].replies);
    if (e->other) put(info, "errorstat_" ERROR_STATS_OTHER ":count=%" PRIu64 "\r\n", e->other);
}

/* avg_ttl is the true mean, where Redis estimates it from what it samples. */
static void put_keyspace(struct info *info)
{
    const struct figures_heap *h = &info->now.heap;
    if (h->names == 0) return;
    put(info, "db0:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRId64 "\r\n", h->names,
        h->names_with_expiry, h->mean_ttl_ms);
}

/* --- the command --- */

static const struct section {
    const char *name, *title;
    void (*put)(struct info *info);
    bool common; /* shown unless sections are asked for */
} sections[] = {
    {"server", "Server", put_server, true},
    {"clients", "Clients", put_clients, true},
    {"memory", "Memory", put_memory, true},
    {"heap", "Heap", put_heap, true},
    {"gc", "GC", put_gc, true},
    {"persistence", "Persistence", put_persistence, true},
    {"stats", "Stats", put_stats, true},
    {"replication", "Replication", put_replication, true},
    {"cpu", "CPU", put_cpu, true},
    {"commandstats", "Commandstats", put_commandstats, false},
    {"errorstats", "Errorstats", put_errorstats, true},
    {"keyspace", "Keyspace", put_keyspace, true},
};

static bool asked_for(const struct call *c, const struct section *section)
{
    if (c->argc == 1) return section->common;
    for (uint32_t i = 1; i < c->argc; i++) {
        if (call_is(c, i, section->name)) return true;
        if (call_is(c, i, "all") || call_is(c, i, "everything")) return true;
        if (call_is(c, i, "default") && section->common) return true;
    }
    return false;
}

/* INFO [section ...] */
enum status cmd_info(struct call *c)
{
    struct info info = {.engine = c->engine, .text = sdsempty()};
    figures_take(c->engine, &info.now);
    bool first = true;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (!asked_for(c, &sections[i])) continue;
        put(&info, "%s# %s\r\n", first ? "" : "\r\n", sections[i].title);
        sections[i].put(&info);
        first = false;
    }
    if (!info.text) return STATUS_OOM;
    reply_verbatim(c, (struct view){info.text, sdslen(info.text)});
    sdsfree(info.text);
    return STATUS_OK;
}
