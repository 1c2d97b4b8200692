/*
 * Pools: where objects and bodies live.
 *
 * Arenas of POOL_ARENA_BYTES come from the system (mem_map), are cut into pools of POOL_BYTES, and
 * a pool serves one size class: 8 bytes apart up to POOL_LINEAR_MAX, then sixteen classes to each
 * doubling, up to POOL_FINE_MAX, then one for each number of blocks that fill a pool, from seven
 * down to four (POOL_SMALL_MAX): segments of tables are such blocks, and the allocator would give
 * theirs back to the system piece by piece. A request above that goes to mem_alloc. A pool keeps
 * its own free list; a class allocates from the fullest pool that has room, so that sparse pools
 * drain; an empty pool goes back to its arena, an empty arena to the system in steps (one is kept).
 * The owner gives the size when it frees, so blocks carry no header. (pymalloc's arenas and pools,
 * mimalloc's free list in each page.)
 *
 * Containers' cells have pools of their own, because cells can be walked: for heap_check(), for
 * people, and for the collector when it had to forget candidates.
 *
 * Memory returns to the system in three ways. An arena is unmapped when it becomes empty. A purge
 * also gives back the pages of pools that no class uses, but keeps their addresses (base/unmap.h
 * does it on a thread; until it is done, no class gets those pools): cells never move, so few
 * arenas of a heap with containers ever become empty as a whole. And sparse pools can be evacuated:
 * pool_leave_step marks as many pools of each class as leaving as can be emptied into the others,
 * the owners of blocks call pool_move for each block, and pool_stay_step finally unmarks the pools
 * that could not be emptied. A class that needs room unmarks a pool before it takes another one.
 * store/compact.h knows what may be moved.
 *
 * In sanitizer builds free blocks are poisoned and wait in a quarantine (POOL_QUARANTINE_BYTES)
 * before they are used again, so that a use after free inside a pool is reported as one outside
 * would be.
 *
 * Invariants (pool_check)
 *   1. reserved == live + free + overhead, for each class and for the whole, in bytes. Reserved
 *      counts arenas without what of them is lent to the system; large blocks are counted in
 *      large_bytes and are all live.
 *   2. Every pool of a class is in the list that its number of live blocks says.
 *   3. An arena none of whose pools is in use, or on its way to the system, waits in the list of
 * the empty ones until pool_trim_step gives it back: one whose pages are lent takes some
 * accounting, and a step that frees many objects may empty many arenas at once. Ownership: a block
 * is the caller's until pool_free() with the same size. Cost: allocation and free O(1), no system
 * call but for a new arena. A mark costs neither anything.
 */
#ifndef HEAPD_HEAP_POOL_H
#define HEAPD_HEAP_POOL_H

#include "base/mem.h"
#include "heap/obj.h"

enum {
    POOL_ARENA_BYTES = 1 << 20,
    POOL_BYTES = 16 << 10,
    POOL_LINEAR_MAX = 512, /* up to here the classes are 8 bytes apart */
    POOL_FINE_MAX = 2048,
    POOL_SMALL_MAX = POOL_BYTES / 4,
    /* 8..512 by 8, two doublings by sixteenths, sevenths to quarters of a pool, and the cells */
    POOL_CLASSES = 64 + 32 + 4 + 1,
    POOL_CLASS_CELLS = POOL_CLASSES - 1,
    POOL_QUARANTINE_BYTES = 1 << 20,
};

/* One size class as MEMORY POOLS shows it. */
struct pool_class_stats {
    uint32_t block_bytes;
    uint32_t pools;
    uint64_t live_blocks;
    uint64_t free_blocks; /* in pools of this class, quarantine included */
    uint64_t reserved_bytes;
};

struct pool_stats {
    uint64_t arenas;
    uint64_t reserved_bytes;
    uint64_t live_bytes;     /* blocks handed out, at the size of their class */
    uint64_t free_bytes;     /* free blocks, and pools that no class uses now */
    uint64_t overhead_bytes; /* headers and the ends of pools */
    uint64_t large_blocks;
    uint64_t large_bytes;
    uint64_t lent_bytes;  /* unused pools' pages that the system has; not part of reserved */
    uint64_t waste_bytes; /* of the free ones, those that an evacuation could give back */
    uint64_t moved_blocks, moved_bytes; /* by pool_move, ever */
};

struct pool; /* the set of all pools of one heap */

struct pool *pool_new(struct mem *m);
/* Everything must have been freed, but for what `abandon` says: at exit the arenas go with all that
 * is in them. */
void pool_delete(struct pool *p);

/* At least `bytes` (> 0) bytes, aligned to 8, not zeroed; NULL when the system has none. */
void *pool_alloc(struct pool *p, size_t bytes) __attribute__((malloc, warn_unused_result));
/* p may be NULL when bytes is 0. */
void pool_free(struct pool *p, void *block, size_t bytes);
/* pool_good_bytes for more than POOL_LINEAR_MAX bytes. */
size_t pool_good_bytes_above(size_t bytes);

/* Fetches what pool_free of a block will touch. The address may be any. */
void pool_fetch_to_free(const void *block);

/* The bytes that a request of `bytes` really takes: what accounts add up. */
static inline size_t pool_good_bytes(size_t bytes)
{
    return bytes <= POOL_LINEAR_MAX ? (bytes + 7) & ~(size_t)7 : pool_good_bytes_above(bytes);
}

/* A block that mem_alloc has given for pool_good_bytes(bytes) is from now on one that pool_alloc
 * has given for `bytes` (above POOL_SMALL_MAX). */
void pool_adopt(struct pool *p, void *block, size_t bytes);

/* A container's cell, zeroed. */
struct cell *pool_cell_alloc(struct pool *p) __attribute__((warn_unused_result));
void pool_cell_free(struct pool *p, struct cell *c);

/*
 * Calls fn for cells in use, from *cursor (0 = the beginning), at most cells_max of them (it may
 * look at more free ones; the step stays bounded). Returns false at the end, with *cursor 0.
 * Between two calls cells may come and go: a cell that was there at the first call and still is at
 * the last has been seen exactly once; others at most once. Inside fn nothing may be allocated or
 * freed in the pools.
 */
typedef void pool_cell_fn(void *ctx, struct cell *c);
bool pool_cell_walk(struct pool *p, uint64_t *cursor, uint32_t cells_max, pool_cell_fn *fn,
                    void *ctx);

/* Whether more arenas are empty than are kept, or lent pools wait to be had again. */
bool pool_has_spare(const struct pool *p);
/* Gives one of those arenas back to the system, and the pools to their arenas; true while there are
 * more. */
bool pool_trim_step(struct pool *p);
/* Gives one empty arena back, the kept one too, or begins to lend the system what is unused of
 * another; true while more remains to be begun. */
bool pool_purge_step(struct pool *p);

/* What the arenas take beyond the blocks handed out: reserved - live. */
uint64_t pool_unused_bytes(const struct pool *p);

/* Marks about slabs_max pools as leaving (or looks at so many arenas), the sparsest of each class
 * that can spare some; true while there is more to be done. Cells have no marks. */
bool pool_leave_step(struct pool *p, uint32_t slabs_max);
/* The block elsewhere, with its `bytes` bytes, and the old one freed, if it lies in a pool that is
 * leaving and there is room in those that stay; else the block itself. The caller sees to whatever
 * refers to it. */
void *pool_move(struct pool *p, void *block, size_t bytes) __attribute__((warn_unused_result));
/* For tests: pool_move moves every block that it is asked about, as if all pools were leaving. */
void pool_move_always(struct pool *p, bool on);
/* Takes marks off, slabs_max at most; true while there are more. What could not be emptied is
 * filled first from now on: so another pass, which marks others, gives back nearly as much as if
 * all could be moved. */
bool pool_stay_step(struct pool *p, uint32_t slabs_max);
bool pool_has_leaving(const struct pool *p);
/* Whether pool_move would move anything. */
bool pool_has_moves(const struct pool *p);

void pool_get_stats(const struct pool *p, struct pool_stats *out);
void pool_get_class_stats(const struct pool *p, uint32_t class_index, struct pool_class_stats *out);
bool pool_check(const struct pool *p);

#endif
