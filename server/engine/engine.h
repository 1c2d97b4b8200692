/*
 * The engine: heap, names, sessions, configuration and statistics, which is all that a command can
 * see. daemon.c embeds it and runs it in the event loop; tests run it without one. It is
 * single-threaded.
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

/* ENOUGH: nothing to do. BEHIND: steps are evicting names, or a collection is looking for garbage.
 * NONE: eviction was tried and nothing can be evicted. */
enum maxmemory_state { MAXMEMORY_ENOUGH, MAXMEMORY_BEHIND, MAXMEMORY_NONE };

/* maxmemory.h */
struct maxmemory {
    enum maxmemory_state state;
    bool evicted_last; /* the release queue holds what was evicted, as far as is known */
    /* How often a collection might have helped since the last request for one; how many requested
     * collections found nothing; what the collector had found before. */
    uint32_t wanted, fruitless;
    uint64_t collected_before;
    uint64_t ticket; /* of the last requested collection */
};

/* The queue of each source that sessions wait for, and the source's progress at the last wake-up.
 */
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
    uint64_t killed; /* sessions that CLIENT KILL has marked and net/ has not closed yet */
    struct {
        uint64_t changes; /* mem.trim_changes when last read */
        int64_t due_ns;   /* mono_ns at which trimming starts if `changes` stays the same */
    } trim;
    uint64_t clients_bytes_max; /* maxmemory-clients in bytes; 0 = no limit */
    const char *multiplexing;   /* how clients' sockets are waited for; kept by net/ */
    struct proto_buf *(*push)(struct session *to); /* see engine_push; set by net/ */
#ifdef HEAPD_DEBUG
    uint64_t commands_checked; /* stats.commands when the invariants were last checked */
#endif
    uint64_t allocated_before; /* heap.allocated at the last release, see steps_after_command */
};

/* Initializes everything but the network. Copies `config` and `clock`; a zeroed clock is the
 * machine's. */
enum status engine_init(struct engine *s, const struct config *config,
                        const struct clock *clock) MUST_USE;
void engine_fini(struct engine *s);
/* Reads the clocks; called once per turn of the loop. */
void engine_turn(struct engine *s);
/* Advances the time between commands without reading a clock. */
void engine_tick(struct engine *s);
/* Applies the directives that CONFIG SET can change. */
void engine_configure(struct engine *s);

/* Maximum bytes of one reply: the hard output limit of the client's class, or
 * ENGINE_REPLY_BYTES_MAX if the class has none. */
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

/* The buffer in which a running command writes a message to another session's client. It leaves
 * with the replies of this turn. A command may push to its own session only before its reply. NULL:
 * the session's connection is closing, or there is no memory. */
static inline struct proto_buf *engine_push(const struct engine *s, struct session *to)
{
    return s->push ? s->push(to) : NULL;
}

/* Resident bytes, from /proc/self/statm. */
uint64_t engine_resident_bytes(void);
/* The bytes that values, names, tables and buffers take now; see maxmemory.h for the limit. */
uint64_t engine_used_bytes(const struct engine *s);
/* Bytes freed but not unmapped yet; not part of the used bytes. */
uint64_t engine_waiting_bytes(const struct engine *s);

#endif
