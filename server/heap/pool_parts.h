/*
 * The parts of the pools that heap/pool.c, pool_cell.c, pool_leave.c and pool_stats.c share; nobody
 * else includes this.
 *
 *   arena (POOL_ARENA_BYTES, aligned to its size)
 *   +----------------------------+-----------+---------------+--     --+----------------+
 *   | struct pool_arena          | slab 0    | slab 1        |   ...   | slab 63        |
 *   | 64 headers, lists, masks   | (shorter) | POOL_BYTES    |         |                |
 *   +----------------------------+-----------+---------------+--     --+----------------+
 *
 * A slab is one pool; the word keeps it apart from `struct pool`, the set of them all. The headers
 * of the slabs lie together in the arena's beginning and not each in its slab: at a stride of
 * POOL_BYTES they would all fall into the same few sets of the processor's caches, and every free
 * of an old block would miss.
 *
 * Blocks from `fresh` to `end` were never handed out since the slab was taken: their pages may
 * never have been touched.
 *
 * Invariants (pool_check)
 *   4. used + free list + never used == capacity, for each slab; used counts the blocks in
 * quarantine too.
 *   5. A slab that is neither full nor unused is in the list of its bin, used * SLAB_BINS /
 * capacity, or, if it is leaving, in the list of those; a full one is in no list, because unlinking
 * it on its first free would touch two more slabs' headers. One that could not be emptied counts as
 * one of the fullest bin until it is full.
 *   6. A class's `current` is the head of its fullest non-empty bin, or the set's `none`.
 *   7. An arena with slabs that can be had is in the list of their number. Slabs are taken from the
 * arena that has the fewest.
 *   8. cell_mask has the slabs of POOL_CLASS_CELLS; the arena is in the table at `slot`.
 *   9. lent_mask has slabs that no class uses, and whose pages the system has or is about to get;
 * lent_bytes is the sum of those. The latter are lend.cells to begin with, and in lending_mask; no
 * class gets them before lent_settle (pool.c) has found that they are lent. An arena that has such
 * slabs waits for that in the list from lending_first on, oldest first; it is not empty.
 * leaving_capacity is the blocks of all leaving slabs.
 */
#ifndef HEAPD_HEAP_POOL_PARTS_H
#define HEAPD_HEAP_POOL_PARTS_H

#include "base/panic.h"
#include "base/sanitize.h"
#include "heap/pool.h"

enum {
    ARENA_SLABS = POOL_ARENA_BYTES / POOL_BYTES,
    ARENA_SLOTS_MIN = 64,
    SLAB_BINS = 8,
    SLAB_UNLISTED = SLAB_BINS, /* the bin of full slabs */
    SLAB_LEAVING = SLAB_BINS + 1,
};

struct pool_slab {
    char *free;  /* free blocks, linked through themselves */
    char *fresh; /* the first block that was never handed out */
    char *base;
    char *end; /* the end of the last block */
    struct pool_slab *next, *prev;
    uint16_t used;
    uint16_t low, high; /* the bin is right while low <= used < high */
    uint16_t capacity;
    uint8_t class_index;
    uint8_t bin;
};

struct pool_arena {
    struct pool_slab slabs[ARENA_SLABS];
    struct pool_arena *next, *prev;
    uint64_t free_mask; /* slabs that a class can have */
    uint64_t cell_mask;
    uint64_t lent_mask;    /* unused slabs without pages */
    uint64_t lending_mask; /* those among them that nobody can have yet */
    uint64_t slot;         /* in the table of arenas */
    struct unmap_lend lend;
    struct pool_arena *lending_next; /* that waits for its lend */
};

struct pool_class {
    struct pool_slab *current;
    uint64_t live;   /* blocks handed out */
    uint32_t bytes;  /* of a block */
    uint32_t stride; /* from block to block: more than bytes only where a red zone lies between */
    uint32_t index;
    uint32_t bins_set; /* a bit for each bin that is not empty */
    struct pool_slab *bins[SLAB_BINS];
    struct pool_slab *leaving; /* the last to be marked first: those are the fullest */
    uint64_t leaving_capacity;
    uint64_t held;     /* blocks in quarantine */
    uint64_t capacity; /* blocks of all slabs */
    uint64_t span;     /* bytes of all slabs */
    uint32_t slabs;
};

/* A place in the table of arenas: an arena, or the number of the next free place. The table only
 * ever grows. */
union pool_slot {
    struct pool_arena *arena;
    uint64_t next_free; /* odd: 2 * slot + 1, which tells it from an arena */
};

struct pool {
    struct pool_class classes[POOL_CLASSES];
    struct mem *mem;
    /* Full from the beginning: the current slab of a class that has no room. */
    struct pool_slab none;
    uint64_t live_bytes; /* of all classes */
    uint64_t arenas;
    uint64_t arenas_empty; /* in arenas_free[ARENA_SLABS] */
    /* By the number of slabs that can be had: [ARENA_SLABS] has the empty ones. Bit n - 1:
     * arenas_free[n] is not empty. */
    struct pool_arena *arenas_free[ARENA_SLABS + 1];
    uint64_t arenas_set;
    union pool_slot *slots;
    uint64_t slots_max, slots_used; /* places in the table, and those that ever had an arena */
    uint64_t slot_free;             /* as next_free; 0 = none */
    uint64_t large_blocks, large_bytes;
    char *held_first, *held_last; /* the quarantine, oldest first */
    size_t held_bytes;
    bool moves_always;
    uint32_t leave_class; /* where pool_leave_step goes on */
    uint64_t leave_slot;
    uint64_t lend_slot; /* where pool_purge_step goes on */
    uint64_t lent_bytes;
    struct pool_arena *lending_first, *lending_last;
    uint64_t moved_blocks, moved_bytes;
};

/* What slab 0 leaves to the arena's header: whole cache lines. */
enum { ARENA_HEAD_BYTES = (sizeof(struct pool_arena) + 63) / 64 * 64 };

static_assert(sizeof(struct pool_slab) == 64, "a slab's header is one cache line");
static_assert(ARENA_SLABS == 64, "the masks of an arena are one word");
static_assert(ARENA_HEAD_BYTES < POOL_BYTES - 2 * POOL_SMALL_MAX, "slab 0 has room for blocks");

static inline struct pool_arena *arena_of(const void *block)
{
    return (struct pool_arena *)((uintptr_t)block & ~(uintptr_t)(POOL_ARENA_BYTES - 1));
}

static inline struct pool_slab *slab_of(const void *block)
{
    return &arena_of(block)->slabs[(uintptr_t)block / POOL_BYTES % ARENA_SLABS];
}

/* Where the blocks of slab `i` begin, and the bytes that it has for them. */
static inline char *slab_base(struct pool_arena *a, uint32_t i)
{
    return (char *)a + (i ? i * (size_t)POOL_BYTES : ARENA_HEAD_BYTES);
}

static inline size_t slab_span(uint32_t i)
{
    return i ? POOL_BYTES : POOL_BYTES - ARENA_HEAD_BYTES;
}

/* What of an unused slab can be lent to the system. */
static inline size_t slab_lendable(struct pool_arena *a, uint32_t i)
{
    return mem_lendable(slab_base(a, i), slab_span(i));
}

/* Slabs that no class uses. */
static inline uint64_t unused_mask(const struct pool_arena *a)
{
    return a->free_mask | a->lending_mask;
}

static inline bool slot_is_arena(union pool_slot s)
{
    return s.arena && !(s.next_free & 1);
}

/* Where the link of a free block lies. A free cell keeps its head, which says OBJ_NONE, so that a
 * walk can tell it. */
static inline size_t link_at(uint32_t class_index)
{
    return class_index == POOL_CLASS_CELLS ? offsetof(struct cell, body) : 0;
}

SANITIZE_UNCHECKED static inline char *link_get(const char *block, size_t at)
{
    return *(char *const *)(const void *)(block + at);
}

SANITIZE_UNCHECKED static inline void link_set(char *block, size_t at, char *next)
{
    *(char **)(void *)(block + at) = next;
}

/* Into the list where `used` says it belongs, and out of the one that it is in, be that the one of
 * the leaving; the class's `current` is then to be chosen anew. */
void pool_slab_link(struct pool_class *c, struct pool_slab *s);
void pool_slab_unlink(struct pool_class *c, struct pool_slab *s);
/* Into the list of the bin that it says it is in. */
void pool_slab_list(struct pool_class *c, struct pool_slab *s);
void pool_class_choose(struct pool *p, struct pool_class *c);
/* The pages of an unused slab are the pool's again. */
void pool_slab_reclaim(struct pool *p, struct pool_arena *a, uint32_t i);
/* Takes the mark off the newest of the leaving slabs of a class; there is one. It may be full. */
void pool_class_stay(struct pool *p, struct pool_class *c);
/* After `used` has left low..high: into the list where the slab belongs, or back to its arena. */
void pool_slab_rebin(struct pool *p, struct pool_slab *s);
/* Sanitizer builds: the block is poisoned and given back later. */
void pool_quarantine(struct pool *p, struct pool_class *c, char *block);

/* pool_class_pop() when no slab of the class has room. */
char *pool_class_pop_refill(struct pool *p, struct pool_class *c, size_t at);

/* One block of the class, still poisoned; NULL when the system has no memory. `at` is the class's
 * link_at(). */
static inline char *pool_class_pop(struct pool *p, struct pool_class *c, size_t at)
{
    struct pool_slab *s = c->current;
    char *block = s->free;
    if (LIKELY(block != NULL)) {
        s->free = link_get(block, at);
    } else {
        block = s->fresh;
        if (UNLIKELY(block == s->end)) return pool_class_pop_refill(p, c, at);
        s->fresh = block + c->stride;
    }
    c->live++;
    p->live_bytes += c->bytes;
    if (UNLIKELY(++s->used == s->high)) pool_slab_rebin(p, s);
    return block;
}

static inline void pool_slab_push(struct pool *p, struct pool_slab *s, char *block, size_t at)
{
    link_set(block, at, s->free);
    s->free = block;
    if (UNLIKELY(s->used-- == s->low)) pool_slab_rebin(p, s);
}

/* Takes a block back that was handed out. */
static inline void pool_class_push(struct pool *p, struct pool_slab *s, char *block, size_t at)
{
    struct pool_class *c = &p->classes[s->class_index];
    c->live--;
    p->live_bytes -= c->bytes;
    if (SANITIZE_ON) {
        pool_quarantine(p, c, block);
    } else {
        pool_slab_push(p, s, block, at);
    }
}

#endif
