#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/unmap.h"
#include "engine/maxmemory.h"
#include "engine/reclaim.h"
#include "engine/steps.h"

enum { CLIENTS_BYTES_MIN = 32 << 20 }; /* of a percentage */
enum { SAMPLE_MS = 1000 };             /* between two samples of the rate of commands */

/* The clock of the network turns the loop once a second also when nobody asks anything. */
static void sample_rate(struct engine *s)
{
    struct engine_stats *stats = &s->stats;
    int64_t passed_ms = (s->mono_ns - stats->sampled_ns) / 1000000;
    if (passed_ms < SAMPLE_MS) return;
    if (stats->sampled_ns)
        stats->commands_per_second =
            (stats->commands - stats->sampled_commands) * 1000 / (uint64_t)passed_ms;
    stats->sampled_commands = stats->commands;
    stats->sampled_ns = s->mono_ns;
}

/* The wall clock, by which names are due. */
static inline void set_now(struct engine *s)
{
    s->now_ms = s->keyspace.now_ms = (s->mono_ns + s->wall_offset_ns) / 1000000;
}

void engine_turn(struct engine *s)
{
    s->mono_ns = clock_sync_ns(&s->clock);
    s->wall_offset_ns = clock_wall_ns(&s->clock) - s->mono_ns;
    set_now(s);
    s->keyspace.access.now_s = (uint32_t)(s->mono_ns / 1000000000);
    sample_rate(s);
}

void engine_tick(struct engine *s)
{
    s->mono_ns = clock_ticks_ns(&s->clock);
    set_now(s);
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

/* What maxmemory-clients comes to. */
static uint64_t clients_bytes_max(const struct config *c)
{
    int64_t most = c->maxmemory_clients;
    if (most >= 0) return (uint64_t)most;
    uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    uint64_t bytes = (c->maxmemory ? c->maxmemory : half) / 100 * (uint64_t)-most;
    return bytes > CLIENTS_BYTES_MIN ? bytes : CLIENTS_BYTES_MIN;
}

void engine_configure(struct engine *s)
{
    struct collect *c = &s->heap.collect;
    c->budget_ns = s->config.gc_budget_us * 1000;
    c->threshold_fixed = s->config.gc_threshold > 0;
    if (c->threshold_fixed) c->threshold = s->config.gc_threshold;
    if (c->enabled != s->config.gc) collect_enable(&s->heap, s->config.gc);
    s->compact.waste_percent = (uint32_t)s->config.memory_waste_percent;
    configure_values(&s->values.limits, &s->config);
    configure_access(&s->keyspace.access, &s->config);
    maxmemory_configure(s);
    s->clients_bytes_max = clients_bytes_max(&s->config);
    static const char *const levels[] = {"debug", "verbose", "notice", "warning"};
    for (int i = LOG_DEBUG; i <= LOG_WARNING; i++)
        if (strcmp(s->config.loglevel, levels[i]) == 0) log_level_set((enum log_level)i);
}

static struct hash_seed seed_of(const struct config *config)
{
    return config->hash_seed[0] ? hash_seed_of(strtoull(config->hash_seed, NULL, 16))
                                : hash_seed_random();
}

static bool let_go(void *engine)
{
    return reclaim_some(engine);
}

enum status engine_init(struct engine *s, const struct config *config, const struct clock *clock)
{
    *s = (struct engine){.config = *config, .clock = *clock};
    mem_init(&s->mem);
    struct hash_seed seed = seed_of(config);
    enum status status = heap_init(&s->heap, &s->mem, &s->clock, &seed);
    if (status) return status;
    value_init(&s->heap, &s->values);
    keyspace_init(&s->keyspace, &s->heap);
    evict_init(&s->evict, &s->keyspace);
    compact_init(&s->compact, &s->keyspace);
    sessions_init(&s->sessions, &s->heap);
    reply_refs_init(&s->reply_refs, &s->heap);
    s->heap.let_go = let_go;
    s->heap.let_go_ctx = s;
    s->heap.collect.slice_slots_max = STEPS_STRESS_SLOTS;
    s->heap.collect.eager = STEPS_STRESS_SLOTS > 0;
    if (STEPS_STRESS_SLOTS) s->heap.collect.sort_min = 1;
    s->compact.slots_max = STEPS_STRESS_SLOTS;
    pool_move_always(s->heap.pool, STEPS_STRESS_SLOTS > 0);
    engine_configure(s);
    engine_turn(s);
    s->started_ms = s->now_ms;
    s->started_ns = s->mono_ns;
    for (int i = 0; i < ENGINE_RUN_ID_CHARS - 1; i += 8)
        snprintf(s->run_id + i, 9, "%08x", (unsigned)hash_seed_random().words[0]);
    return STATUS_OK;
}

void engine_fini(struct engine *s)
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

/* --- memory --- */

uint64_t engine_used_bytes(const struct engine *s)
{
    const struct session_memory *clients = &s->sessions.memory;
    return heap_used_bytes(&s->heap) + clients->outside - clients->untouched;
}

uint64_t engine_waiting_bytes(const struct engine *s)
{
    return s->mem.trim_bytes + unmap_bytes();
}

uint64_t engine_resident_bytes(void)
{
    unsigned long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
