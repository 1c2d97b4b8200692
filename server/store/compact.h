/*
 * Compaction: memory that deletions have left in holes goes back to the system. The pools say which
 * of them are sparse (pool_leave_step), a walk over all names and then over all containers moves
 * what lies in those elsewhere, and what is empty then is given back (pool_purge_step). All of it
 * in steps between commands. Called by command/ (MEMORY PURGE) and steps_run.
 *
 * What moves: entries of names, bodies of containers with what hangs from them, and strings and
 * numbers that are referred to once, by a name or a slot. Cells never move, nor do shared objects,
 * shapes and weak references: who refers to them is not known from them. Blocks above
 * POOL_SMALL_MAX are not of the pools. Tables that have lost many entries are merged first.
 *
 * Why that is safe: a step runs between two commands, so all that could still point at something
 * that moves is what outlives a command. That is
 *
 *   the table of names        its slots are what the walk goes along
 *   the expiry queue          names entries; each knows its place (expiry_moved)
 *   known containers' names   are entries, found by the container (binding_moved)
 *   the intern table          names strings, and is told (intern_moved)
 *   weak references           name their owner: a cell, or an entry, which tells them
 *   held replies              count the strings that they send, whose count is then above one
 *   handles                   count what they hold, likewise
 *   the release queue         links the dead through their bodies; they are not moved
 *   a trial of the collector  names cells; the places in bodies move along with them, and the
 *                             cursor of a scan counts slots, which stay where they are
 *   the condemned             are being cleared, and are not moved
 *   walks of people (usage)   name cells, with the same cursors; only fitting a table would show
 *                             some slots twice, so none is fitted while there is such a walk
 *   SCAN cursors              are bits of hashes
 *   names FLUSHALL dropped    are in no table that is walked
 *   this walk itself          keeps a place among the cells, and the cell that it is in as a
 *                             number to compare with: the container may be gone
 *
 * A run has passes. What could not be moved in the first keeps its pools, which then are filled
 * first: the next pass marks others, until there is no more to gain. The order matters: who marks
 * the sparsest pools does not know what lies in them.
 *
 * Pacing. MEMORY PURGE waits for one whole run. In the background a run begins when the waste in
 * the pools (free bytes that are no cells', COMPACT_WASTE_BYTES_MIN of them at least) passes the
 * share waste_percent; it has grown by a sixteenth of the pools since the last run ended (what that
 * could not move would be tried in vain again); and COMPACT_REST_FACTOR times what that run cost
 * has passed. It too waits for what is still being freed, also by the collector, which may leave
 * whole arenas empty. While
 * commands are waiting a run gets one part in COMPACT_BUSY_PART of the time, and one that somebody
 * waits for one part in COMPACT_WANTED_PART; nobody there, all of it.
 *
 * Invariants
 *   1. Marks are on pools only while a run is under way.
 *   2. done <= wanted; running is 0 or the ticket that the run serves.
 * Ownership: nothing. Cost: a pass looks at every name and slot once.
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
#define COMPACT_LOOK_NS INT64_C(1000000000) /* between two looks at the waste */
/* A run that somebody waits for waits so long for what is being freed, and one in the background.
 */
#define COMPACT_DRAIN_NS         INT64_C(2000000000)
#define COMPACT_DRAIN_UNASKED_NS INT64_C(20000000000)

enum compact_phase {
    COMPACT_IDLE,
    COMPACT_DRAINS, /* what has been deleted is freed first: it may leave whole arenas empty */
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
    uint64_t adopted_bytes; /* what the process has less after a run than before it, in all */
    uint64_t cpu_ns;
};

struct compact {
    struct keyspace *ks;
    uint32_t waste_percent; /* of the pools; 0 = never in the background */
    uint32_t slots_max;     /* of one step; 0 = its budget alone bounds it; tests use 1 */
    enum compact_phase phase;
    uint64_t cursor;  /* of the phase's walk */
    uintptr_t within; /* the container that the last step left unfinished; 0: none */
    uint64_t within_cursor;
    uint32_t passes;                /* of the run */
    uint64_t wanted, running, done; /* tickets */
    int64_t drain_until_ns, look_at_ns, rest_until_ns, busy_until_ns;
    uint64_t waste_mark;   /* what the last run could not give back, or less since */
    uint64_t bytes_before; /* of memory in use, when the run began */
    int64_t run_ns;
    struct compact_stats stats;
};

void compact_init(struct compact *c, struct keyspace *ks);
/* Asks for a run that begins after this; returns its ticket. */
uint64_t compact_begin(struct compact *c);
bool compact_is_done(const struct compact *c, uint64_t ticket);
/* Whether compact_step would do something now; it also decides whether a run is due. `idle`: no
 * command is waiting. */
bool compact_has_work(struct compact *c, int64_t now_ns, bool idle);
/* When a run that is under way goes on though commands were waiting; -1: none is. */
int64_t compact_due_ns(const struct compact *c);
/* Some of the run that is under way, until budget_ns have passed. True while more is to be done. */
bool compact_step(struct compact *c, int64_t now_ns, int64_t budget_ns);
bool compact_check(const struct compact *c);

#endif
