/*
 * The heap: memory, counts and cycles. It knows no value type: it reaches upward only through
 * `struct heap_type`, which value/ hands in. One thread.
 *
 * What a command does to an object goes through rc.h (counts, roots), which calls the collector's
 * barrier (collect.h). What dies waits in the release queue and is freed in bounded steps, never
 * recursively; a packed container, which is small and refers to strings alone, is freed at once.
 *
 * Invariants (heap_check, heap/check.h)
 *   1. objects[t] == objects of type t, dead ones in the release queue included.
 *   2. release_pending == the length of the release queue.
 *   3. saturated == objects whose count is OBJ_COUNT_MAX.
 * Ownership: the heap owns all objects; struct heap is owned by struct engine.
 */
#ifndef HEAPD_HEAP_HEAP_H
#define HEAPD_HEAP_HEAP_H

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/view.h"
#include "heap/collect.h"
#include "heap/effect.h"
#include "heap/ident.h"
#include "heap/intern.h"
#include "heap/obj.h"
#include "heap/pool.h"
#include "heap/table.h"
#include "heap/weak.h"

/* Called by a type's visit for each slot that refers to an object. */
typedef void heap_visit(void *ctx, struct obj *target);

/*
 * What a type tells the heap. Cursors are the type's own: `begin` gives the first, `end` the one at
 * which a scan that starts now stops; they stay meaningful while the container changes (see
 * collect_disturb).
 */
struct heap_type {
    const char *name;
    /* Strings: the bytes and their hash, for the intern table. Containers: NULL. */
    struct view (*text)(const struct obj *o);
    uint32_t (*hash)(const struct heap *h, const struct obj *o);
    /* Frees an object without slots at once. Containers: NULL. */
    void (*destroy)(struct heap *h, struct obj *o);
    /* Containers only. */
    uint64_t (*begin)(const struct obj *o);
    uint64_t (*end)(const struct obj *o);
    /* Visits each counted reference of the slots from cursor on once; about slots_max slots.
     * Returns the next cursor. */
    uint64_t (*visit)(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                      heap_visit *fn, void *ctx);
    /* Fetches the slots into the cache; the cell and the body are there. May be NULL. */
    void (*prefetch)(const struct obj *o);
    /* Drops about slots_max slots (ordinary decrements); true when none is left and the body is
     * freed (body NULL). */
    bool (*clear)(struct heap *h, struct obj *o, uint32_t slots_max);
    /* Removes the slot that holds a weak reference whose target is gone; it cannot fail. NULL: its
     * slots stay. */
    void (*drop_weak)(struct heap *h, struct obj *o, struct weak *w);
    /* Moves what of the body lies in pools that are leaving, and the strings that its slots alone
     * hold: about slots_max slots from *cursor on (0: the beginning); true at the end. The cell,
     * and what a scan's cursors mean, stay. Any number is a good cursor. */
    bool (*move)(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
    /* Bytes of the cell and the body, or of the string: pool_good_bytes of its parts; nothing it
     * refers to. */
    size_t (*bytes)(const struct obj *o);
    /* The type's own invariants, for heap_check(); may be NULL. */
    bool (*check)(const struct heap *h, const struct obj *o);
};

/* Somebody outside the slots who holds references: heap_check() asks them all. */
enum heap_hold { HEAP_HOLD_ROOT, HEAP_HOLD_COUNT };
typedef void heap_hold_visit(void *ctx, struct obj *o, enum heap_hold how);
struct heap_holder {
    struct heap_holder *next;
    const char *name;
    void (*each)(void *self, heap_hold_visit *visit, void *ctx);
    void *self;
};

struct value_state;

struct heap {
    struct mem *mem;
    struct clock *clock;
    struct value_state *values; /* what value/ keeps here; the heap does not look at it */
    struct pool *pool;
    struct hash_key hash_key;
    const struct heap_type *types[OBJ_TYPES];
    uint64_t objects[OBJ_TYPES];
    uint64_t saturated;
    uint64_t allocated;        /* objects ever made: what a command owes the release queue */
    struct cell *release_head; /* dead containers, newest first; linked through their words */
    struct cell *release_now;  /* the one that is being cleared */
    uint64_t release_pending;
    struct table roots_over; /* containers with OBJ_ROOTS_MAX roots and more: true numbers */
    struct intern intern;
    struct ident ident;
    struct weaks weak;
    struct collect collect;
    struct effects effects;
    struct heap_holder *holders;
    /* A container without OBJ_REFERRED has lost its last slot, and no command was there that would
     * see to its name. May be NULL. */
    void (*emptied)(void *ctx, struct obj *o);
    void *emptied_ctx;
    /* What waits outside to let go of objects (names, handles) does so with some of them; false:
     * nothing waits. A full collection counts what goes by this. May be NULL. */
    bool (*let_go)(void *ctx);
    void *let_go_ctx;
    uint64_t random[4]; /* state of heap_random */
};

/* `m` and `clock` outlive it. */
enum status heap_init(struct heap *h, struct mem *m, struct clock *clock,
                      const struct hash_seed *seed) MUST_USE;
/* Frees the arenas; what is still alive goes with them (large blocks are freed by releasing
 * everything before). */
void heap_fini(struct heap *h);
void heap_set_type(struct heap *h, enum obj_type t, const struct heap_type *type);
void heap_add_holder(struct heap *h, struct heap_holder *holder);

/* An empty container: count 1, no body. NULL: no memory. */
RC_NEW struct obj *heap_container_new(struct heap *h, enum obj_type t);
/* Counts an object without slots that value/ has laid out in `o` (pool_alloc'ed by it), with
 * count 1. */
void heap_object_made(struct heap *h, struct obj *o, enum obj_type t);
/* The reverse, before its memory is given back. */
void heap_object_gone(struct heap *h, struct obj *o);
/* The first reference to a container is about to be stored in it: it has a body. */
void heap_make_visible(struct heap *h, struct obj *o);

/* REF has stored the container in a name or a slot, or it is the copy of such a one in a slot: it
 * outlives being emptied. Names that go with their containers have to know (keyspace_refer). */
void heap_mark_referred(struct heap *h, struct obj *o);

/* release.c: called by rc.h when the count has become zero. */
void heap_release(struct heap *h, struct obj *o);
/* Clears about slots_max slots of what waits in the release queue; true while anything is left. */
bool heap_release_step(struct heap *h, uint32_t slots_max);

/* For store/compact.h: table_compact_step of the heap's own tables, one after the other. */
bool heap_compact_step(struct heap *h, uint64_t *cursor, uint32_t slots_max);

/* What is handed out: all bytes of `mem` but what the pools keep free or need themselves. What
 * waits to be freed is in it. */
static inline uint64_t heap_used_bytes(const struct heap *h)
{
    return h->mem->bytes - pool_unused_bytes(h->pool);
}
uint64_t heap_objects(const struct heap *h);
uint64_t heap_containers(const struct heap *h);
/* 64 random bits (xoshiro256**), for sampling only. */
uint64_t heap_random(struct heap *h);

#endif
