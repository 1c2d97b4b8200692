/*
 * A model of the cycle collector: a heap of up to seven objects, the algorithm of
 * server/heap/collect.h at one slot a slice, each of its rules as a switch, and an oracle that
 * knows what the roots reach. It shares no code with the engine. model_random and model_exhaustive
 * drive it with steps (commands and slices) in any order, and it says when a live object was
 * condemned or freed, garbage stayed behind, or a trial outgrew its bound. With every rule on
 * nothing of that may happen; with any one off it must, or the rule is redundant (README.md).
 *
 * What it leaves out: values that are not containers, the budget's clock, thresholds (one candidate
 * starts a trial), and the containers' layouts: slots are numbered from the head, and a cursor into
 * a container in mid-scan is renumbered as its head grows or shrinks.
 *
 * Invariants
 *   1. count == references from slots (those of dead objects included) and roots, unless the count
 * has reached count_max (model_check).
 *   2. A step changes the model only through the counts and the barrier of model_parts.h; one that
 * cannot be done does nothing. So any history stays a history when steps are taken out of it.
 *   3. After a failure nothing happens any more.
 * Ownership: struct model is plain bytes, copied and compared as a whole; it points nowhere.
 * Cost: a step some tens of nanoseconds; a slice about ten.
 */
#ifndef HEAPD_MODEL_H
#define HEAPD_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    MODEL_OBJECTS = 7, /* cells, numbered from 1; 0 is nil */
    MODEL_SLOTS = 3,
    MODEL_ROOTS = 4, /* names and handles: the collector does not tell them apart */
    MODEL_PLACES = 20,
    MODEL_PLACE_NEW = 0x80, /* in `place`: became visible in this trial, or since the last one */
    MODEL_CANDIDATES = 16,
    MODEL_SLICES_MAX = 4000, /* of one full collection: each has at most eight trials, and a trial
                                some hundred slices */
};

/*
 * The switches: what the name says is what the collector does while the switch is on. The numbers
 * are those of the rules in collect.h. `7` is off in the real collector, and so by default here.
 */
#define MODEL_RULES(X)                                                                             \
    X(1_GRAY, "1.gray", "an increment of a coloured object rescues it, before black")              \
    X(1_BLACK, "1.black", "... and in black puts it on the black list")                            \
    X(1_TAKE, "1.take", "what is rescued while candidates are taken becomes a candidate again")    \
    X(2_RESCUE, "2.rescue", "a reference that moves without a count rescues its target")           \
    X(2_CANDIDATE, "2.candidate", "... and makes it a candidate")                                  \
    X(3_GRAY, "3.gray", "gray goes on behind the slot it visited last, not at it")                 \
    X(3_BLACK, "3.black", "black goes on at the next slot, skipping none")                         \
    X(4_GRAY, "4.gray", "a changed layout ends the container's gray scan and rescues it")          \
    X(4_RESTART, "4.restart", "... and does not restart it")                                       \
    X(4_BLACK, "4.black", "in black what changes its slot in mid-scan is rescued")                 \
    X(5_TWICE, "5.twice", "a reference with two slots is visited once")                            \
    X(5_MISSED, "5.missed", "every slot is visited")                                               \
    X(6_TABLE, "6.table", "an object leaves the trial's table at count zero")                      \
    X(6_CURSOR, "6.cursor", "... and the scan")                                                    \
    X(6_BUFFER, "6.buffer", "... and its cell is kept while the candidate buffer names it")        \
    X(6_NEW, "6.new", "new objects have no place")                                                 \
    X(7, "7", "a coloured object that dies rescues what it refers to")                             \
    X(8_COMMIT, "8.commit", "after commit weak reads end at what has a place and is not black")    \
    X(8_UNPIN, "8.unpin", "... and nothing dead refers to the condemned when they are unpinned")   \
    X(8_DEAD, "8.dead", "weak reads end at count zero")                                            \
    X(9_SLICE, "9.slice", "no slice runs inside a command")                                        \
    X(9_HOLD, "9.hold", "no command leaves an uncounted reference behind")                         \
    X(10_FLAG, "10.flag", "a candidate's flag is cleared when it is taken out")                    \
    X(10_ABANDON, "10.abandon", "an abandoned trial puts its candidates back")                     \
    X(10_RESET, "10.reset", "the end of a trial uncolours everything")                             \
    X(11_IMMORTAL, "11.immortal", "immortals have no place")                                       \
    X(11_SHADOW, "11.shadow", "the shadow is as wide as the count")                                \
    X(12_BORN, "12.born", "what becomes visible in a trial has no place in it")                    \
    X(12_TAKE, "12.take", "... once the trial's candidates are taken, not before")                 \
    X(12_LIMIT, "12.limit", "a scan stops at the end that the container had when it began")        \
    X(13, "13", "a shadow below zero ends the trial")                                              \
    X(14_ROOT, "14.root", "a frozen object that gray reaches is not coloured")                     \
    X(14_TAKE, "14.take", "... nor one that was a candidate")                                      \
    X(14_TRIAL, "14.trial", "FREEZE waits for the end of the trial")                               \
    X(14_QUEUE, "14.queue", "UNFREEZE makes candidates of what there is")                          \
    X(14_OFF, "14.off", "a decrement while the collector is off is noted")

enum model_rule {
#define X(id, name, text) RULE_##id,
    MODEL_RULES(X)
#undef X
        RULES
};

/* Sets of switches. */
#define RULE_BIT(rule) (UINT64_C(1) << (rule))
#define RULES_OFF_REAL RULE_BIT(RULE_7)

enum model_failure {
    FAIL_NONE,
    FAIL_LIVE_CONDEMNED,
    FAIL_LIVE_FREED,
    FAIL_FROZEN_CONDEMNED,
    FAIL_HANDED_OUT,
    FAIL_GARBAGE,
    FAIL_ENDLESS,
    FAIL_MEMORY,
    FAIL_COUNT,
    FAIL_SLICE_INSIDE,
    FAILURES
};

struct model_config {
    uint64_t off; /* rules, by RULE_BIT */
    uint8_t objects, slots, roots;
    uint8_t count_max; /* a count that has reached it stays there: 255 = never, 3 = counts of two
                          bits */
};

enum model_cell {
    CELL_FREE,
    CELL_LIVE,
    CELL_DEAD,
    CELL_KEPT
}; /* KEPT: freed, but the buffer still names it */

struct model_object {
    uint8_t state, flags;
    uint8_t count, roots;
    uint8_t place;
    uint8_t length; /* 0 = no body */
    uint8_t slots[MODEL_SLOTS];
};

struct model_place {
    uint8_t o; /* 0: it died since */
    uint8_t shadow, black_next;
    bool black, rescued;
};

enum model_freezing { FREEZING_NOT, FREEZING_FREEZES, FREEZING_THAWS };

enum model_pass { PASS_PINS, PASS_CLEARS, PASS_UNPINS };

enum model_phase { PHASE_IDLE, PHASE_GRAY, PHASE_BLACK, PHASE_FREE, PHASE_ABANDON };

struct model {
    struct model_config config;
    uint8_t failure;
    uint8_t roots[MODEL_ROOTS];
    uint8_t borrowed; /* rule 9.hold off: a reference without a count that a command left behind */
    bool in_command;
    struct model_object objects[MODEL_OBJECTS + 1];
    uint8_t doomed; /* the oracle's: cells that a commit has condemned, by bit o - 1 */

    /* The release queue, newest first, and the one being cleared. */
    uint8_t released[MODEL_OBJECTS], released_count, releasing;

    /* The candidate buffer, first in first out. */
    uint8_t candidates[MODEL_CANDIDATES], candidate_count, candidates_dead;
    bool lost, walking, memory_out;
    uint8_t walk_next;

    /* The trial. */
    uint8_t phase;
    uint8_t free_pass;
    bool enabled, faulted, fault_injected;
    uint8_t freezing, freeze_next; /* the walk that freezes or thaws */
    uint8_t full;                  /* 0 = none, 1 = wanted, 2 = running */
    uint8_t full_trials;
    uint8_t scanning;
    int8_t cursor, limit, scan_left; /* scan_left: the bound on what this scan may still visit */
    bool resumed;                    /* the scan has visited something in an earlier slice */
    uint8_t clearing;
    uint8_t places, trial_roots, roots_left, next, black_list, take_left;
    uint8_t places_max; /* the bound of the trial, known when its candidates are taken */
    struct model_place table[MODEL_PLACES];
};

/* What a step does; operands that it does not use are ignored. `at` and `what` are objects that the
 * roots reach. */
#define MODEL_OPS(X)                                                                               \
    X(MAKE, 6)   /* root i = a new object */                                                       \
    X(NAME, 6)   /* root i = what */                                                               \
    X(DROP, 6)   /* root i = nil */                                                                \
    X(RENAME, 2) /* root j = root i, moved */                                                      \
    X(PUSH, 8)   /* what, at the end of at */                                                      \
    X(PUSH_HEAD, 2)                                                                                \
    X(STORE, 3) /* at[i] = what */                                                                 \
    X(CLEAR, 2) /* at[i] = nil */                                                                  \
    X(POP, 3)   /* root i = the last of at, moved */                                               \
    X(POP_HEAD, 2)                                                                                 \
    X(DISCARD, 2) /* the first of at is dropped */                                                 \
    X(MOVE, 4)    /* the first of at is pushed to what, moved */                                   \
    X(PLANT, 2)   /* root i is pushed to at, moved */                                              \
    X(SWAP, 2)    /* at[i] and at[j] change places */                                              \
    X(INSERT, 2)  /* what, before at[i] */                                                         \
    X(REMOVE, 2)  /* at[i], closing the gap */                                                     \
    X(REHASH, 2)  /* at's slots in another order, as a read may cause it */                        \
    X(TRIM, 2)    /* all of at goes to a dying container, moved */                                 \
    X(WEAK, 4)    /* root j = cell i, by its identity */                                           \
    X(HOLD, 1)    /* what, kept without a count (9.hold) */                                        \
    X(SLICE, 26)  /* i + 1 slices */                                                               \
    X(RELEASE, 4) /* i + 1 steps of the release queue */                                           \
    X(FULL, 1)    /* a full collection is asked for */                                             \
    X(ENABLE, 2)                                                                                   \
    X(DISABLE, 1)                                                                                  \
    X(FREEZE, 1)                                                                                   \
    X(UNFREEZE, 2)                                                                                 \
    X(MEMORY_OUT, 1)                                                                               \
    X(MEMORY_BACK, 2)                                                                              \
    X(FAULT, 1)        /* the next gray visit takes more than the shadow has (13) */               \
    X(SLICE_INSIDE, 0) /* a command in which the allocator takes a slice: rule 9's assertion */

enum model_op {
#define X(name, weight) OP_##name,
    MODEL_OPS(X)
#undef X
        OPS
};

struct model_step {
    uint8_t op, at, what, ij; /* ij: i in the low half, j in the high half */
};

void model_init(struct model *m, const struct model_config *config);
void model_do(struct model *m, struct model_step s);
/* What commands may use: the objects that the roots reach, by bit o - 1. */
uint8_t model_reached(const struct model *m);
/* Two full collections with nothing else going on; then nothing but the reachable may be left. */
void model_settle(struct model *m);
/* Recounts everything; sets FAIL_COUNT. */
void model_check(struct model *m);

const char *model_rule_name(enum model_rule rule);
const char *model_rule_text(enum model_rule rule);
/* The switches whose name is `name` or begins with it and a dot; 0 = none. */
uint64_t model_rules_named(const char *name);
const char *model_failure_text(enum model_failure failure);
/* One line: the step, in words. */
void model_print_step(FILE *f, const struct model *m, struct model_step s);
/* One line: roots, objects and what the collector is at. */
void model_print(FILE *f, const struct model *m);

#endif
