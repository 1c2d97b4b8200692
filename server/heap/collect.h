/*
 * The cycle collector: trial deletion, in slices between commands.
 *
 * A count says how many references an object has, not where they come from. A trial finds out, for
 * a batch of candidates (containers whose count went down and stayed above zero) and for what they
 * reach, in three passes:
 *
 *   1. gray   Give each object that is reached a shadow: its count. For each reference from one of
 *             them to another take one from the target's shadow. What is left of a shadow are
 *             references from outside.
 *   2. black  An object whose shadow is above zero is live; so is everything that it reaches.
 *   3. free   What was reached and is not live is garbage: it is referred to by nothing but itself.
 *
 * This is Bobrow's idea (1980) as Lins (1992), Bacon and Rajan ("Concurrent Cycle Collection in
 * Reference Counted Systems", 2001, section 3) and CPython's collector do it. Counts themselves are
 * never changed by a trial, so that it can be abandoned at any time. Commands run between slices;
 * the write barrier that makes that safe is our own, and most of the rules below are about it.
 *
 * The passes in detail. Each object that is reached gets a place in the trial's table, which holds
 * its shadow. The table is also the queue: places are scanned in order (Cheney). Having a place is
 * the colour: an object is gray or black if the table's entry at its `place` names it (the sparse
 * set of Briggs and Torczon, 1993), so ending a trial uncolours everything at once, and stale words
 * do no harm. The slice that finds the black list empty commits: the change of `phase` condemns
 * what has a place and is not black. Then, in three runs over the table, the condemned are pinned
 * (the collector takes a count), their slots are cleared by ordinary decrements, and they are
 * unpinned. A pinned object cannot die while another is being cleared, and its header alone says
 * that it is condemned; so the first run keeps only the condemned in the table, and sorts many of
 * them by address before the second.
 *
 * Why it is right. Let x be condemned. Nothing incremented its count since it was reached, or it
 * would have been rescued; so its references now are some of those that it had then. Its shadow is
 * zero, so each of those was visited, so each lies in a coloured object, and none of these is
 * black, or x would be. So only the condemned refer to the condemned. This rests on one counted
 * reference being one slot that is visited once, and on these rules:
 *
 *   1. An increment of a coloured object rescues it: black treats it as live (collect_rescue). This
 *      cannot fail, because the place in the table is the link. While the trial is still taking its
 *      candidates, the object also becomes a candidate again: one that is taken later may have
 *      become garbage together with it.
 *   2. A reference that moves without an increment rescues its target and makes it a candidate
 *      (rc_moved).
 *   3. Gray visits each slot at most once, black at least once.
 *   4. Before a container changes in the middle of its scan, collect_disturb is called. In gray the
 *      container is rescued and its scan stops; in black what moves past the cursor is rescued, or
 *      the cursor goes back.
 *   5. visit() reports exactly the counted references.
 *   6. An object whose count reaches zero leaves the table at once (collect_forget). A cell that
 * the candidate buffer names keeps its memory until the buffer lets go of it. New objects have no
 *      place.
 *   7. A dying object's slots may be cleared after it left the table: no object can be reached
 *      through it any more, because identities and weak references end at count zero. They are
 *      cleared before any of the condemned is unpinned.
 *   8. After the commit, identities and weak references treat the condemned as gone
 *      (collect_is_condemned).
 *   9. Slices run between commands only. Nothing that survives a command holds an uncounted
 *      reference.
 *  10. A candidate's flag is cleared when it is taken out of the buffer. An abandoned trial puts
 * its candidates back.
 *  11. Immortals have no place. The shadow is as wide as the count.
 *  12. A trial ends: what is born or becomes visible after its candidates were taken gets no place
 * in it (COLLECT_NEW), and a scan stops at the end that the container had when the scan began.
 *  13. A shadow below zero on an object that was not rescued is a bug: the trial is abandoned, and
 *      the fault is logged and counted; debug builds assert.
 *  14. While the collector is off, candidates are still noted.
 *
 * Between two slices bodies may move (store/compact.h), also that of the container in mid-scan: its
 * words move along, and a cursor counts slots, which keep their order. Cells, which the table
 * names, never move. What a root holds directly is live, and is not entered.
 *
 * When a trial starts (c = candidates; "fruitless" = condemned less than a quarter of what it
 * reached):
 *
 *   trigger                            condition
 *   enough candidates                  c >= threshold, and c >= half of what the last trial reached
 *                                      (twice that after a fruitless one); the threshold adapts
 *   quiet: no new candidate            for COLLECT_IDLE_NS; after a fruitless trial twice its cost,
 *                                      up to COLLECT_QUIET_NS_MAX
 *   the loop is idle                   candidates have waited for COLLECT_IDLE_NS, four times as
 *                                      long after each fruitless trial in a row
 *   at the latest                      candidates have waited for COLLECT_WAIT_NS_MAX
 *   memory grew since the last trial   by COLLECT_GROWTH_BYTES_MIN or a tenth, whichever is more
 *   GC COLLECT, maxmemory              at once
 *
 * A fruitless trial is followed by a rest of COLLECT_REST_FACTOR times its cost. Growth and GC
 * COLLECT do not wait for its end; quiet waits for a shorter rest, which doubles while what quiet
 * starts is fruitless too. A slice has a budget in nanoseconds. While memory grows during a trial,
 * each turn of the loop owes more slices (collect_slices_owed), not longer ones.
 *
 * A trial ends early when each of its candidates was rescued, is black or has died: everything that
 * it visited is reachable from them alone. So a hot object of a large live graph does not have the
 * graph traced again and again.
 *
 * Speed. On a large graph nearly all time is spent waiting for memory. Targets pass through a short
 * ring between the visit of their slot and their turn, in which their cells, bodies and places are
 * fetched (Cher, Hosking and Vitek, "Software prefetching for mark-sweep garbage collection",
 * 2004). The shadow lies in the table, so that black looks at no object that is garbage; the
 * objects it does look at are taken off its list in batches that are fetched together. The ring is
 * empty between two steps. A large trial writes all of its table once, so the table's pages are
 * requested 64 KiB at a time, which costs half of a page fault each.
 *
 * Memory: 16 bytes for each object that the trial reached, while it lasts, in blocks of 1 MiB that
 * are mapped and unmapped in steps; 8 bytes a candidate, in blocks of 4 KiB or 1 MiB. When either
 * cannot be had, the trial is abandoned, or the candidates are forgotten and found again by a walk
 * over all cells.
 *
 * GC FREEZE marks all containers that exist, in steps. The frozen are roots to the collector; when
 * they are thawed, the same walk that finds forgotten candidates makes them candidates.
 *
 * Where a rule leaves the usual path, its uses are counted (COLLECT_HITS): a test that attacks the
 * collector requires that each was used, and GC STATS shows them. Rules 5 and 9 are no events;
 * violations of rule 13 are `faults`.
 */
#ifndef HEAPD_HEAP_COLLECT_H
#define HEAPD_HEAP_COLLECT_H

#include "base/histogram.h"
#include "heap/obj.h"

struct heap;
struct collect_chunk;
struct collect_place;

enum {
    COLLECT_BUDGET_NS = 100000,
    COLLECT_THRESHOLD_MIN = 256, /* candidates that start a trial, at least */
    COLLECT_THRESHOLD_MAX = 1 << 16,
    COLLECT_FRUITLESS_MAX = 3, /* each makes candidates wait four times as long */
    COLLECT_FRUITLESS_QUIET_MAX = 6,
    COLLECT_REST_FACTOR = 16,
    COLLECT_GROWTH_BYTES_MIN = 16 << 20,
    COLLECT_SLICES_OWED_MAX = 16, /* of one turn of the loop */
    COLLECT_SEGMENT_PLACES = 1 << 16,
    COLLECT_POPULATED_PLACES = 1 << 11, /* 32 KiB */
    COLLECT_SORT_BUCKETS = 512,
    COLLECT_SORT_MIN = 4096, /* of the condemned are brought into the order of their addresses, */
    COLLECT_SORT_FALLS_MIN = 16, /* if one in so many at least lies below the one before it */
    COLLECT_TRIALS_SHOWN = 8,
    COLLECT_SLICE_ROWS = 12, /* of the histogram, as people are shown it: up to 1 ms, and more */
    COLLECT_FULL_TRIALS_MAX =
        8, /* trials of one full collection, when commands keep disturbing it */
};

#define COLLECT_IDLE_NS      INT64_C(50000000)
#define COLLECT_QUIET_NS_MAX INT64_C(200000000)
#define COLLECT_REST_NS_MIN  INT64_C(100000000)
#define COLLECT_REST_NS_MAX  INT64_C(10000000000)
#define COLLECT_WAIT_NS_MAX  INT64_C(10000000000)

/* In `place`: became visible during the trial whose number follows. */
#define COLLECT_NEW 0x80000000u

/* ABANDON puts a trial's candidates back, in slices too. */
enum collect_freeze { COLLECT_NO_WALK, COLLECT_FREEZES, COLLECT_THAWS };

/* The passes of FREE. COUNTS and SORTS only where the condemned are many. */
enum collect_free { COLLECT_PINS, COLLECT_COUNTS, COLLECT_SORTS, COLLECT_CLEARS, COLLECT_UNPINS };

enum collect_phase { COLLECT_IDLE, COLLECT_GRAY, COLLECT_BLACK, COLLECT_FREE, COLLECT_ABANDON };

/* What each counts begins with the rule's number. */
#define COLLECT_HITS(X)                                                                            \
    X(ROOTED, "0-not-entered")           /* a slot refers to what a root holds */                  \
    X(RESCUED_GRAY, "1-rescued-in-gray") /* an object, once a trial */                             \
    X(RESCUED_BLACK, "1-rescued-in-black")                                                         \
    X(RESCUED_TAKING, "1-candidate-again") /* rescued while candidates are taken */                \
    X(MOVED, "2-moved")                    /* a reference to a coloured object */                  \
    X(RESUMED_GRAY, "3-resumed-in-gray")   /* a scan, in a later step than it began */             \
    X(RESUMED_BLACK, "3-resumed-in-black")                                                         \
    X(DISTURBED_GRAY, "4-disturbed-in-gray")                                                       \
    X(DISTURBED_BLACK, "4-disturbed-in-black")                                                     \
    X(SLOT_MOVED, "4-slot-moved-in-black") /* in the container in mid-scan */                      \
    X(DIED_COLOURED, "6-died-coloured")                                                            \
    X(DIED_SCANNED, "6-died-in-mid-scan")                                                          \
    X(DIED_LISTED, "6-died-on-black-list")                                                         \
    X(DIED_CANDIDATE, "6-died-candidate")   /* its cell was kept for the buffer */                 \
    X(DEAD_CLEARED, "7-dead-cleared-first") /* steps of it before the condemned are unpinned */    \
    X(REFUSED, "8-condemned-refused")       /* by an identity or a weak reference */               \
    X(CAME_AGAIN, "10-came-up-again")       /* a candidate that its trial has a place for */       \
    X(PUT_BACK, "10-put-back")              /* a candidate, by an abandoned trial */               \
    X(IMMORTAL, "11-immortal")              /* a slot or the buffer refers to one */               \
    X(NEW, "12-new")                        /* a slot refers to what became visible since */       \
    X(LIMIT, "12-limit-reached")            /* a scan, before the present end */                   \
    X(FROZEN, "14-frozen")                  /* a slot or the buffer refers to one */               \
    X(NOTED_OFF, "14-noted-while-off")

#define COLLECT_HIT(name, text) COLLECT_HIT_##name,
enum collect_hit { COLLECT_HITS(COLLECT_HIT) COLLECT_HIT_COUNT };
#undef COLLECT_HIT

/* What became of a trial. */
struct collect_trial {
    uint64_t candidates, reached, condemned, rescued;
    uint64_t ns; /* CPU time */
};

/* What GC STATS and INFO show. */
struct collect_stats {
    uint64_t trials;
    uint64_t abandoned;
    uint64_t faults; /* rule 13 */
    uint64_t collected_objects;
    uint64_t collected_bytes;
    uint64_t reached_objects; /* the yield is what was collected of them */
    uint64_t rescued_objects;
    uint64_t slices;
    uint64_t cpu_ns;
    uint64_t longest_slice_ns;
    struct histogram slice_ns;
    struct collect_trial last[COLLECT_TRIALS_SHOWN]; /* those that ended last, newest first */
    uint64_t ended;                                  /* trials, of which `last` has that many */
    uint64_t hits[COLLECT_HIT_COUNT];
};

/* The candidate buffer: chunks, first in first out (candidates.c). */
struct candidates {
    struct collect_chunk *first, *last, *spare;
    size_t bytes;   /* of the chunks, the spare one too */
    uint64_t count; /* dead cells included */
    uint64_t dead;
    bool lost; /* memory was out: some are known to nobody, and the cells must be walked */
    /* When the buffer became non-empty, or the last trial began to take what was there, and when
     * the last one came: by the coarse clock. */
    int64_t oldest_ns, newest_ns;
};

/* The sort of the condemned by their addresses (trial_free.c). */
struct collect_sort {
    uintptr_t least, most, last;
    uint32_t falls;  /* how often an address was below the last one */
    uint32_t shift;  /* what an address above `least` is shifted by, to be a bucket */
    uint32_t bucket; /* all before it are filled */
    uint32_t heads[COLLECT_SORT_BUCKETS], ends[COLLECT_SORT_BUCKETS]; /* places */
};

struct collect {
    /* Read by the barrier. */
    bool trial_open; /* gray or black: increments rescue */
    bool enabled;
    enum collect_phase phase;
    struct obj *scanning;   /* the container in mid-scan, or NULL */
    uint64_t cursor, limit; /* of that scan */
    struct obj *clearing;   /* the condemned one whose slots are being cleared */
    enum collect_free free_pass;

    /* The trial's table: segments of places, addressed from 1. */
    struct collect_place **segments;
    uint32_t segment_count, segment_slots;
    uint32_t populated;  /* below this place the pages are there, or come one by one */
    uint32_t places;     /* highest place in use */
    uint32_t roots;      /* the first places are the trial's candidates */
    uint32_t roots_left; /* of them, neither rescued, black nor dead: when none is left the trial is
                            futile */
    uint32_t next;       /* the place that the current phase looks at next */
    uint32_t black_list; /* first place on the black list, 0 = none */
    uint32_t trial_number; /* 31 bits, for COLLECT_NEW */
    uint64_t take_left;    /* candidates that the trial has still to take out */
    bool faulted;          /* rule 13, or no memory for a place: abandon */
    bool ended;            /* in this slice, so that the rest after it is still to be set */
    uint64_t trial_taken, trial_rescued, trial_condemned;
    uint64_t
        trial_reached;  /* in FREE, whose table holds the condemned alone from its first pass on */
    uint64_t collected; /* objects, ever: statistics can be reset, and decide and answer nothing */
    uint32_t condemned; /* so many are pinned, in the first places */
    uint32_t sort_min;  /* COLLECT_SORT_MIN; tests use less */
    struct collect_sort sort;
    uint64_t trial_ns;

    struct candidates candidates;
    bool walking; /* lost candidates are being looked for */
    uint64_t walk_cursor;

    enum collect_freeze freezing; /* the walk that sets or clears OBJ_FROZEN */
    uint64_t freeze_cursor;
    uint64_t frozen; /* containers with OBJ_FROZEN */

    int64_t rest_until_ns;    /* no trial before, unless memory grows; 0 = no rest */
    int64_t quiet_until_ns;   /* the same when nothing more comes up */
    uint32_t fruitless;       /* trials in a row that found little, as far as they count */
    uint32_t fruitless_quiet; /* of them, those that started because nothing more came up */
    bool trial_quiet;
    size_t bytes_mark;  /* memory in use when the last trial ended, or less since */
    uint64_t threshold; /* candidates that start a trial; adapts unless fixed */
    bool threshold_fixed;
    uint64_t budget_ns;
    uint32_t slice_slots_max; /* 0 = the budget alone bounds a slice; tests use 1 */
    bool eager;               /* a trial starts whenever there is a candidate; for tests */
    uint64_t full_wanted;     /* tickets given by collect_full_begin */
    uint64_t full_running;    /* the ticket that the running full collection serves, 0 = none */
    uint64_t full_done;
    uint32_t full_trials;
    uint64_t full_before, full_found;
    struct collect_stats stats;
};

void collect_init(struct collect *c);
void collect_fini(struct heap *h);

/* The barrier (rc.h and value/ call it). */
void collect_rescue(struct heap *h, struct obj *o);
/* Rescues what a reference that moved refers to (rule 2); called through rc_moved. */
void collect_moved(struct heap *h, struct obj *o);
void collect_candidate(struct heap *h, struct obj *o);
void collect_forget(struct heap *h, struct obj *o);
/* The container in mid-scan is about to change the places of its slots (rule 4); called through
 * collect_disturb, rc.h. */
void collect_disturbed(struct heap *h, struct obj *o, uint64_t back);
/* Whether a trial has committed the object to be freed. */
bool collect_is_condemned(struct heap *h, const struct obj *o);

/* One slice; false when there is nothing to do now. `idle`: no command is waiting, so small
 * backlogs are tried too. */
bool collect_step(struct heap *h, bool idle);
/* Whether collect_step would do something. */
bool collect_has_work(const struct heap *h, bool idle);

/* A full collection: every candidate known now. Returns a ticket; done when collect_full_found says
 * so. */
uint64_t collect_full_begin(struct heap *h);
bool collect_full_found(const struct heap *h, uint64_t ticket, uint64_t *found);

/* How many slices this turn of the loop owes while commands are waiting: more than one when memory
 * grows faster than it is reclaimed. */
uint32_t collect_slices_owed(const struct heap *h);

/* When collect_step(idle) will have something to do though nothing happens, on the monotonic clock;
 * -1 = never. */
int64_t collect_due_ns(const struct heap *h);

/* Freezes what there is now, or thaws it: the walk goes on in slices. */
void collect_freeze(struct heap *h, bool on);

/* Off: the running trial is abandoned (what is condemned is still freed). */
void collect_enable(struct heap *h, bool on);
/* Objects that wait for the collector: candidates, and the places of the running trial. */
uint64_t collect_backlog(const struct heap *h);
/* What the trial's table of places takes. */
uint64_t collect_table_bytes(const struct heap *h);
bool collect_check(const struct heap *h);

/* candidates.c: the buffer. Adding clears nothing and sets OBJ_CANDIDATE; without memory the buffer
 * says `lost` instead. */
void candidates_add(struct heap *h, struct obj *o);
/* The oldest, with its flag cleared; NULL when empty, or when the oldest was a dead cell (now
 * freed). */
struct obj *candidates_take(struct heap *h);
void candidates_fini(struct heap *h);
/* What the buffer takes. */
size_t candidates_bytes(const struct candidates *b);

#endif
