/*
 * Compaction returns the memory of holes to the system. The pools mark their sparsest parts
 * (pool_leave_step). A walk over all names, then over all containers, moves blocks out of marked
 * pools. Then empty pools are returned (pool_purge_step). All of it runs in steps between commands.
 * command/ (MEMORY PURGE) and steps_run call this module.
 *
 * Entries of names move, bodies of containers with what hangs from them, and strings and numbers
 * with one reference, from a name or a slot. Cells, shared objects, shapes and weak references do
 * not move, because they do not know who refers to them. Blocks above POOL_SMALL_MAX are not in
 * pools. Tables that have lost many entries are merged first.
 *
 * Why moving is safe: a step runs between two commands, so only pointers that outlive a command
 * matter. These are all of them:
 *
 *   the table of names        its slots are what the walk visits
 *   the expiry queue          points to entries; each knows its place (expiry_moved)
 *   the binding index         points to entries, found by the container (binding_moved)
 *   the intern table          points to strings, and is told (intern_moved)
 *   weak references           name their owner: a cell, or an entry, which tells them
 *   held replies              count the strings that they send, whose count is then above one
 *   handles                   count what they hold, likewise
 *   the release queue         links dead objects through their bodies, which are not moved
 *   a trial of the collector  names cells; places in bodies move along with the bodies, and the
 *                             cursor of a scan counts slots, whose order does not change
 *   condemned objects         are being cleared, and are not moved
 *   MEMORY USAGE walks        name cells, with the same cursors; fitting a table would show some
 *                             slots twice, so none is fitted during such a walk
 *   SCAN cursors              are bits of hashes
 *   names FLUSHALL dropped    are in no table that is walked
 *   this walk                 keeps a place among the cells, and the current cell as a number to
 *                             compare with, since the container may be gone
 *
 * A run has up to COMPACT_PASSES_MAX passes. Pools that the first pass could not empty are filled
 * first, and the next pass marks others, until nothing more is gained. Several passes are needed
 * because marking does not know what the sparsest pools contain.
 *
 * Pacing. MEMORY PURGE waits for one whole run. A background run begins when all of these hold: the
 * waste in the pools (free bytes outside cells, at least COMPACT_WASTE_BYTES_MIN) exceeds
 * waste_percent; the waste has grown by 1/16 of the pools since the last run, which would otherwise
 * be repeated in vain; COMPACT_REST_FACTOR times the last run's cost has passed. Either run first
 * waits for pending frees, also the collector's, because they may empty whole arenas. While
 * commands are waiting, a background run gets 1 / COMPACT_BUSY_PART of the time, and a run that a
 * client waits for gets 1 / COMPACT_WANTED_PART. On an idle server a run gets all of it.
 *
 * Invariants
 *   1. Pools are marked only during a run.
 *   2. done <= wanted; running is 0 or the ticket that the run serves.
 * Ownership: nothing. Cost: a pass visits every name and slot once.
 */
#ifndef HEAPD_STORE_COMPACT_H
#define HEAPD_STORE_COMPACT_H

#include "store/keyspace.h"

enum {
    COMPACT_BUSY_PART = 20,
    COMPACT_WANTED_PART = 4,
    COMPACT_REST_FACTOR = 10,
    COMPACT_PASSES_MAX = 3,
    COMPACT_WASTE_BYTES_MIN = 8 << 20,
};
#define COMPACT_LOOK_NS          INT64_C(1000000000) /* between two looks at the waste */
#define COMPACT_DRAIN_NS         INT64_C(2000000000)
#define COMPACT_DRAIN_UNASKED_NS INT64_C(20000000000)

enum compact_phase {
    COMPACT_IDLE,
    COMPACT_DRAINS, /* waits for pending frees, which may empty whole arenas */
    COMPACT_FITS,   /* the table of names */
    COMPACT_MARKS,
    COMPACT_NAMES,
    COMPACT_CONTAINERS,
    COMPACT_TABLES, /* of the heap: interned strings, identities */
    COMPACT_UNMARKS,
    COMPACT_GIVES,
    COMPACT_PHASES
};

struct compact_stats {
    uint64_t runs;
    uint64_t adopted_bytes; /* total decrease of used memory over all runs */
    uint64_t cpu_ns;
};

struct compact {
    struct keyspace *ks;
    uint32_t waste_percent; /* of the pools; 0 = never in the background */
    uint32_t slots_max;     /* of one step; 0 = only its budget bounds it; tests use 1 */
    enum compact_phase phase;
    uint64_t cursor;  /* of the phase's walk */
    uintptr_t within; /* the container that the last step left unfinished; 0: none */
    uint64_t within_cursor;
    uint32_t passes;                /* of the run */
    uint64_t wanted, running, done; /* tickets */
    int64_t drain_until_ns, look_at_ns, rest_until_ns, busy_until_ns;
    uint64_t waste_mark;   /* waste left by the last run, or the least since */
    uint64_t bytes_before; /* of memory in use, when the run began */
    int64_t run_ns;
    struct compact_stats stats;
};

void compact_init(struct compact *c, struct keyspace *ks);
/* Requests a run that begins after this call; returns its ticket. */
uint64_t compact_begin(struct compact *c);
bool compact_is_done(const struct compact *c, uint64_t ticket);
/* Whether compact_step has work now; also starts a run that is due. `idle`: no command is waiting.
 */
bool compact_has_work(struct compact *c, int64_t now_ns, bool idle);
/* When the current run continues although commands are waiting; -1: no run. */
int64_t compact_due_ns(const struct compact *c);
/* Continues the current run until budget_ns have passed. True while it is unfinished. */
bool compact_step(struct compact *c, int64_t now_ns, int64_t budget_ns);
bool compact_check(const struct compact *c);

#endif
