/*
 * What a command can see: the heap, the names, the sessions, the configuration and the statistics.
 * daemon.c builds it around the loop; tests build it without one. One thread.
 */
#ifndef HEAPD_ENGINE_ENGINE_H
#define HEAPD_ENGINE_ENGINE_H

#include "base/clock.h"
#include "base/config.h"
#include "base/histogram.h"
#include "engine/error_stats.h"
#include "engine/reply_refs.h"
#include "session/session.h"
#include "store/compact.h"
#include "store/evict.h"

enum { ENGINE_RUN_ID_CHARS = 41, COMMANDS_MAX = 256, ENGINE_REPLY_BYTES_MAX = 1 << 30 };

struct proto_buf;

/* Per command, for INFO commandstats and /metrics. */
struct command_stats {
    uint64_t calls, rejected, failed;
    uint64_t ns;
    struct histogram duration_ns;
};

struct engine_stats {
    uint64_t commands;
    uint64_t commands_per_second; /* of the last second or more; engine_turn samples it */
    uint64_t sampled_commands;
    int64_t sampled_ns; /* monotonic */
    uint64_t connections, rejected_connections;
    uint64_t evicted_clients; /* closed for maxmemory-clients */
    uint64_t net_input_bytes, net_output_bytes;
    uint64_t error_replies;
    struct error_stats errors; /* the same by the word that they begin with */
    uint64_t longest_step_ns;  /* of anything bounded that runs beside commands, thread CPU time */
    struct histogram step_ns;
    uint64_t poll_gap_ns, poll_waits; /* net/pace.h: what it is now, and how often it was waited */
    uint64_t memory_peak_bytes;
    struct command_stats command[COMMANDS_MAX]; /* by command_index() */
};

enum engine_shutdown { ENGINE_RUNS, ENGINE_SHUTTING_DOWN };

/* What is done about maxmemory: nothing; names are being evicted, in steps too, or it is waited for
 * garbage; it was tried, and nothing was found. */
enum maxmemory_state { MAXMEMORY_ENOUGH, MAXMEMORY_BEHIND, MAXMEMORY_NONE };

/* maxmemory.h */
struct maxmemory {
    enum maxmemory_state state;
    bool evicted_last; /* what is in the release queue was evicted, as far as is known */
    /* How often a collection might have helped since the last one was asked for, how many of those
     * that were asked for found nothing, and what the collector had found before. */
    uint32_t wanted, fruitless;
    uint64_t collected_before;
    uint64_t ticket; /* of the last one that was asked for */
};

/* What sessions can wait for, and how far each source was when its waiters were last woken. */
struct waits {
    struct wait_queue collect, compact, usage, memory;
    uint64_t collected, compacted, answered;
};

struct engine {
    struct mem mem;
    struct heap heap;
    struct value_state values;
    struct keyspace keyspace;
    struct evict evict;
    struct maxmemory maxmemory;
    struct compact compact;
    struct sessions sessions;
    struct waits waits;
    struct reply_refs_all reply_refs;
    struct config config;
    struct engine_stats stats;
    int64_t now_ms;  /* wall clock; engine_tick keeps it */
    int64_t mono_ns; /* the last reading of the monotonic clock */
    struct clock clock;
    int64_t wall_offset_ns; /* wall - monotonic, read once a turn of the loop */
    int64_t started_ms;     /* wall clock, as it was then, */
    int64_t started_ns;     /* and monotonic: what the uptime is measured by */
    char run_id[ENGINE_RUN_ID_CHARS];
    enum engine_shutdown shutdown;
    uint64_t killed; /* sessions that CLIENT KILL has marked, and net/ has not yet looked for */
    struct {
        uint64_t changes; /* mem.trim_changes, */
        int64_t due_ns;   /* and since then for so long there were no more, by mono_ns */
    } trim;
    uint64_t clients_bytes_max; /* maxmemory-clients in bytes; 0 = no limit */
    const char *multiplexing;   /* how clients' sockets are waited for; kept by net/ */
    struct proto_buf *(*push)(struct session *to); /* see engine_push; set by net/ */
#ifdef HEAPD_DEBUG
    uint64_t commands_checked; /* stats.commands when the invariants were last checked */
#endif
    uint64_t allocated_before; /* heap.allocated at the last release, see steps_after_command */
};

/* Everything but the network. `config` and `clock` are copied; a clock of zeros is the machine's.
 */
enum status engine_init(struct engine *s, const struct config *config,
                        const struct clock *clock) MUST_USE;
void engine_fini(struct engine *s);
/* Once a turn of the loop: reads the clocks. */
void engine_turn(struct engine *s);
/* Between commands: counts on from that without asking a clock. */
void engine_tick(struct engine *s);
/* Applies what CONFIG SET can change. */
void engine_configure(struct engine *s);

/* The most bytes that a reply may have: what the client could not be owed anyway, and where its
 * output has no limit, ENGINE_REPLY_BYTES_MAX. */
static inline uint64_t engine_reply_bytes_max(const struct engine *s, enum client_class class)
{
    uint64_t hard_bytes = s->config.output_limits[class].hard_bytes;
    return hard_bytes ? hard_bytes : ENGINE_REPLY_BYTES_MAX;
}

/* Whether the buffers of all clients take more than maxmemory-clients allows. */
static inline bool engine_clients_are_over(const struct engine *s)
{
    return s->clients_bytes_max && s->sessions.memory.total > s->clients_bytes_max;
}

/* Where a running command writes what the client of another session is told, which leaves with the
 * replies of this turn; of the running session only before its own reply. NULL: nobody reads it
 * any more, or there is no memory. */
static inline struct proto_buf *engine_push(const struct engine *s, struct session *to)
{
    return s->push ? s->push(to) : NULL;
}

/* Resident bytes, from /proc/self/statm. */
uint64_t engine_resident_bytes(void);
/* The bytes that values, names, tables and buffers take now; what maxmemory limits (maxmemory.h).
 */
uint64_t engine_used_bytes(const struct engine *s);
/* Freed and not unmapped yet: not part of the used ones. */
uint64_t engine_waiting_bytes(const struct engine *s);

#endif
