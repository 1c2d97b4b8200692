/*
 * Effects: what a command or a step changes, recorded where it is changed.
 *
 * Every change that a later command could see is made by a mutator of value/, by a binder of
 * store/, or by the heap itself (births, deaths, identities). Each of them puts one record here
 * when it has succeeded, so a command handler has nothing to remember. The records of one command,
 * one transaction or one step form a batch. dispatch and the steps commit it, and the listener (a
 * journal, a replica, the oracle of the tests) gets it whole; a command that fails rewinds it. Who
 * only asks which container or name has changed is told then, too (heap/interest.h). Changes of
 * representation (packing, sharing, interning, compaction, repacking) are no effects.
 *
 * A record says what to do, never how it came about: it is applied without judgement, clock,
 * randomness or counts (persist/apply.h). Its values are bytes and cells, never other state. A
 * container is named by its cell, whose address is a number (effect_cell) from NEW to DEAD, since a
 * cell never moves and is reused only after it was freed.
 *
 *   record   operation u8, then those of the following that `parts_of` in effect.c says it has, in
 *            this order: key, cell, number, count, field, value, when, score
 *   cell, number, count   LEB128          when   LEB128 of ms + 1, 0: never
 *   key      LEB128 length, bytes         score  8 bytes, an IEEE double, little endian
 *   value    kind u8, then nothing | zigzag LEB128 | length and bytes | cell
 *
 * NEW, DEAD, IDENT and REFERRED are facts: a command that fails takes back what it stored, but not
 * that a cell was used, that an identity was given out, or that REF stored a container. So
 * rewinding keeps them.
 *
 * Invariants (effect_check)
 *   1. What is buffered is a sequence of whole records.
 *   2. Nothing is buffered while nobody listens, or while the effects are paused.
 *   3. Between two commands or steps nothing is buffered or touched (dispatch asserts it).
 *   4. The interests are sound (interest.h).
 * Ownership: the buffer is the effects' own; views in a struct effect are borrowed by effect_put
 *    until it returns, and by who reads a batch until the batch goes.
 * Cost: one predicted branch where nobody listens. Memory that runs out while a record is put is no
 *    failure of the command: the batch is marked `lost`, and the listener begins anew.
 */
#ifndef HEAPD_HEAP_EFFECT_H
#define HEAPD_HEAP_EFFECT_H

#include "base/mem.h"
#include "base/panic.h"
#include "base/view.h"
#include "heap/interest.h"
#include "heap/obj.h"

enum effect_op {
    EFFECT_NONE,
    EFFECT_BIND,        /* key value when: the name is bound to the value, with this TTL or none */
    EFFECT_UNBIND,      /* key number: the name goes; why, as enum name_gone */
    EFFECT_EXPIRY,      /* key when */
    EFFECT_FLUSH,       /* every name goes */
    EFFECT_NEW,         /* cell number: an empty container of this type */
    EFFECT_DEAD,        /* cell: nothing refers to it any more; its slots go with it */
    EFFECT_REFERRED,    /* cell: REF stored it (OBJ_REFERRED) */
    EFFECT_IDENT,       /* cell number: its identity */
    EFFECT_HASH_SET,    /* cell field value */
    EFFECT_HASH_DELETE, /* cell field */
    EFFECT_LIST_INSERT, /* cell number value: before this index */
    EFFECT_LIST_DELETE, /* cell number count: so many elements from this index on */
    EFFECT_LIST_SET,    /* cell number value */
    EFFECT_SET_ADD,     /* cell value */
    EFFECT_SET_REMOVE,  /* cell value */
    EFFECT_ZSET_SET,    /* cell value score */
    EFFECT_ZSET_REMOVE, /* cell value */
    EFFECT_OPS
};

enum effect_kind {
    EFFECT_NIL,
    EFFECT_INTEGER,
    EFFECT_TEXT,
    EFFECT_SHARED_TEXT, /* interned: who applies it does well to share it, too */
    EFFECT_REFERENCE,   /* to a cell */
    EFFECT_WEAK,        /* the same, weakly; cell 0: the target is gone */
    EFFECT_KINDS
};

struct effect_value {
    enum effect_kind kind; /* says which of the others it has */
    union {
        int64_t integer;
        struct view text;
        uint64_t cell;
    };
};

struct effect {
    enum effect_op op;
    uint64_t cell;
    uint64_t number, count;
    int64_t when_ms; /* of the wall clock, or EFFECT_NEVER */
    double score;
    struct view key;
    struct effect_value field, value;
};

enum { EFFECT_NEVER = -1 };

/* A whole batch. `lost`: some of its records could not be kept. */
struct effect_batch {
    struct view records;
    bool lost;
};
typedef void effect_listener(void *ctx, struct effect_batch batch);

struct effects {
    bool on;      /* somebody listens or is interested, and the effects are not paused */
    bool pending; /* something is buffered, lost or touched */
    bool lost;
    uint8_t *records;
    size_t used, size;
    struct mem *mem;
    effect_listener *listener;
    void *ctx;
    struct interests interests;
    uint64_t batches, bytes; /* committed so far */
};

/* The number that names a cell in records. */
static inline uint64_t effect_cell(const struct obj *o)
{
    return (uint64_t)(uintptr_t)o >> 4;
}

/* Both outlive it. */
void effects_init(struct effects *x, struct pool *pool, const struct hash_key *hash_key);
/* From now on every change is recorded; NULL: not any more. The buffer is taken from `m`. Nothing
 * is buffered. */
void effects_listen(struct effects *x, struct mem *m, effect_listener *listener, void *ctx);
void effects_fini(struct effects *x);

/* Between these, what is done is invisible: a container that only the running function knows is
 * made, filled or let go. Nothing that others can reach may change or die meanwhile. */
static inline bool effects_pause(struct effects *x)
{
    bool was_on = x->on;
    x->on = false;
    return was_on;
}

static inline void effects_resume(struct effects *x, bool was_on)
{
    x->on = was_on;
}

/* Puts a record into the batch. To be called while effects.on alone. */
void effect_put(struct effects *x, const struct effect *e);

/* Hands the batch to the listener, if there is anything in it. */
void effects_commit_batch(struct effects *x);
static inline void effects_commit(struct effects *x)
{
    if (UNLIKELY(x->pending)) effects_commit_batch(x);
}
/* Where the batch is now. */
struct effects_mark {
    size_t used;
    struct interest *touched;
};
static inline struct effects_mark effects_mark(const struct effects *x)
{
    return (struct effects_mark){x->used, x->interests.last_touched};
}
/* Takes back what was put and touched since then, except facts. */
void effects_rewind(struct effects *x, struct effects_mark mark);

/* Who wants to know that a container or a name changes, but not how (heap/interest.h). */
enum status effects_add_interest(struct effects *x, struct interest *i) MUST_USE;
void effects_remove_interest(struct effects *x, struct interest *i);

/* Takes the next record off the front of *records. EFFECT_BROKEN: it is not whole, or no record. */
enum effect_read { EFFECT_READ, EFFECT_END, EFFECT_BROKEN };
enum effect_read effect_next(struct view *records, struct effect *out);

/* The number of the invariant above that does not hold, or 0. */
int effect_check(const struct effects *x);

#endif
