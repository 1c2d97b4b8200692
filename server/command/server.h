/*
 * What a command can see: the heap, the names, the sessions, the configuration and the statistics.
 * daemon.c builds it around the loop; tests build it without one. One thread.
 */
#ifndef HEAPD_COMMAND_SERVER_H
#define HEAPD_COMMAND_SERVER_H

#include "base/clock.h"
#include "base/config.h"
#include "base/histogram.h"
#include "command/held.h"
#include "session/session.h"
#include "store/compact.h"
#include "store/evict.h"

enum { SERVER_RUN_ID_CHARS = 41, COMMANDS_MAX = 256 };

/* Per command, for INFO commandstats and /metrics. */
struct command_stats {
    uint64_t calls, rejected, failed;
    uint64_t ns;
    struct histogram duration_ns;
};

struct server_stats {
    uint64_t commands;
    uint64_t commands_per_second; /* of the last second or more; server_turn samples it */
    uint64_t sampled_commands;
    int64_t sampled_ms;
    uint64_t connections, rejected_connections;
    uint64_t net_input_bytes, net_output_bytes;
    uint64_t error_replies;
    uint64_t longest_step_ns; /* of anything bounded that runs beside commands, thread CPU time */
    struct histogram step_ns;
    uint64_t poll_gap_ns, poll_waits; /* net/pace.h: what it is now, and how often it was waited */
    uint64_t memory_peak_bytes;
    struct command_stats command[COMMANDS_MAX]; /* by command_index() */
};

enum server_shutdown { SERVER_RUNS, SERVER_SHUTTING_DOWN };

/* What is done about maxmemory: nothing; names are being evicted, in steps too, or it is waited for
 * garbage; it was tried, and nothing was found. */
enum room_state { ROOM_ENOUGH, ROOM_BEHIND, ROOM_NONE };

/* room.h */
struct room {
    enum room_state state;
    bool evicted_last; /* what is in the release queue was evicted, as far as is known */
    /* How often a collection might have helped since the last one was asked for, how many of those
     * that were asked for found nothing, and what the collector had found before. */
    uint32_t wanted, fruitless;
    uint64_t collected_before;
    uint64_t ticket; /* of the last one that was asked for */
};

struct server {
    struct mem mem;
    struct heap heap;
    struct value_state values;
    struct keyspace keyspace;
    struct evict evict;
    struct room room;
    struct compact compact;
    struct sessions sessions;
    struct held_all held;
    struct held_list *held_into; /* beside the buffer that replies go to now; NULL: none is kept */
    struct config config;
    struct server_stats stats;
    int64_t now_ms;  /* wall clock; server_tick keeps it */
    int64_t mono_ns; /* the last reading of the monotonic clock */
    struct clock_ticker ticker;
    int64_t wall_offset_ns; /* wall - monotonic, read once a turn of the loop */
    int64_t started_ms;
    char run_id[SERVER_RUN_ID_CHARS];
    enum server_shutdown shutdown;
    struct {
        uint64_t changes; /* mem.trim_changes, */
        int64_t due_ns;   /* and since then for so long there were no more, by mono_ns */
    } trim;
    const char *multiplexing;  /* how clients' sockets are waited for; kept by net/ */
    uint64_t io_bytes;         /* input that I/O threads hold; kept by net/ */
    uint64_t allocated_before; /* heap.allocated at the last release, see server_after_command */
};

/* Everything but the network. `config` is copied. */
enum status server_init(struct server *s, const struct config *config) MUST_USE;
void server_fini(struct server *s);
/* Once a turn of the loop: reads the clocks. */
void server_turn(struct server *s);
/* Between commands: counts on from that without asking a clock. */
void server_tick(struct server *s);
/* Applies what CONFIG SET can change. */
void server_configure(struct server *s);

/*
 * One bounded share of what runs beside commands: room under maxmemory, release queue, what
 * referred weakly to the dead, expiry, debris, buried handles, walks that sessions wait for,
 * compaction, trims, and a slice of the collector. `idle`: no command is waiting. True while more
 * waits; pools that base/unmap's thread has lent since are not waited for. Steps are measured into
 * stats.
 */
bool server_step(struct server *s, bool idle);
/* When server_step(idle) will have something to do though nothing happens, in ms of the wall clock;
 * KEYSPACE_NEVER. */
int64_t server_due_ms(const struct server *s);
/* Frees at least twice what the command allocated (model: a command that allocates n objects frees
 * at least 2n), and removes as many of the slots that referred weakly to the dead. */
void server_after_command(struct server *s);
/* For a command that has no memory: frees some of what is in use and waits to be freed, wherever it
 * waits; false when nothing does. */
bool server_free_step(struct server *s);
/* Resident bytes, from /proc/self/statm. */
uint64_t server_resident_bytes(void);
/* The bytes that values, names, tables and buffers take now; what maxmemory limits (room.h). */
uint64_t server_used_bytes(const struct server *s);
/* Freed and not unmapped yet: not part of the used ones. */
uint64_t server_waiting_bytes(const struct server *s);

#endif
