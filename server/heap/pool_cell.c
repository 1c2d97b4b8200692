/*
 * Cells of containers: the class whose slabs a walk can find.
 *
 * The cursor is a place in the table of arenas, a slab in the arena and a block in the slab. None
 * of them ever moves while a cell lives in it, so a cell that stays is passed once, whatever comes
 * and goes around it.
 */
#include "heap/pool.h"
#include "heap/pool_parts.h"

enum {
    CURSOR_BLOCK_BITS = 11, /* a slab has at most 1024 cells */
    CURSOR_SLAB_BITS = 6,
    WALK_LOOKS_MIN =
        64, /* what one step may look at beside cells_max cells and three times as many free ones */
    WALK_LOOKS_CELL = 4,
};

static_assert(POOL_BYTES / sizeof(struct cell) < 1 << CURSOR_BLOCK_BITS,
              "the cursor holds any block's number");
static_assert(ARENA_SLABS == 1 << CURSOR_SLAB_BITS, "the cursor holds any slab's number");

struct walk {
    uint64_t slot;
    uint32_t slab;
    uint32_t block;
    uint64_t cells_left;
    uint64_t looks_left; /* at blocks in use or free, and at arenas */
    pool_cell_fn *fn;
    void *ctx;
};

struct cell *pool_cell_alloc(struct pool *p)
{
    if (mem_fault(p->mem)) return NULL;
    struct pool_class *class = &p->classes[POOL_CLASS_CELLS];
    struct cell *c = (void *)pool_class_pop(p, class, offsetof(struct cell, body));
    if (!c) return NULL;
    sanitize_unpoison(c, sizeof *c);
    *c = (struct cell){0};
    return c;
}

void pool_cell_free(struct pool *p, struct cell *c)
{
    if (SANITIZE_ON) sanitize_touch(c);
    struct pool_slab *s = slab_of(c);
    DASSERT(s->class_index == POOL_CLASS_CELLS && (char *)c < s->fresh);
    c->head = (struct obj){0};
    pool_class_push(p, s, (char *)c, offsetof(struct cell, body));
}

static bool cell_is_used(const struct cell *c)
{
    return !sanitize_is_poisoned(c) && c->head.type != OBJ_NONE;
}

/* The cells of one slab from w->block on; false when the step has done enough. */
static bool walk_slab(struct walk *w, struct pool_arena *a, uint32_t stride)
{
    const struct pool_slab *s = &a->slabs[w->slab];
    uint32_t blocks = (uint32_t)((size_t)(s->fresh - s->base) / stride);
    for (; w->block < blocks; w->block++) {
        if (!w->cells_left || !w->looks_left) return false;
        w->looks_left--;
        struct cell *c = (void *)(s->base + (size_t)w->block * stride);
        if (!cell_is_used(c)) continue;
        w->cells_left--;
        w->fn(w->ctx, c);
    }
    return true;
}

/* The slabs of one arena from w->slab on; false when the step has done enough. */
static bool walk_arena(struct walk *w, struct pool_arena *a, uint32_t stride)
{
    while (w->slab < ARENA_SLABS) {
        uint64_t rest = a->cell_mask >> w->slab;
        if (!rest) return true;
        uint32_t skip = (uint32_t)__builtin_ctzl(rest);
        if (skip) w->block = 0;
        w->slab += skip;
        if (!walk_slab(w, a, stride)) return false;
        w->slab++;
        w->block = 0;
    }
    return true;
}

bool pool_cell_walk(struct pool *p, uint64_t *cursor, uint32_t cells_max, pool_cell_fn *fn,
                    void *ctx)
{
    struct walk w = {
        .slot = *cursor >> (CURSOR_BLOCK_BITS + CURSOR_SLAB_BITS),
        .slab = (uint32_t)(*cursor >> CURSOR_BLOCK_BITS) % ARENA_SLABS,
        .block = (uint32_t)(*cursor % (1 << CURSOR_BLOCK_BITS)),
        .cells_left = cells_max,
        .looks_left = (uint64_t)cells_max * WALK_LOOKS_CELL + WALK_LOOKS_MIN,
        .fn = fn,
        .ctx = ctx,
    };
    uint32_t stride = p->classes[POOL_CLASS_CELLS].stride;
    while (w.slot < p->slots_used) {
        if (!w.cells_left || !w.looks_left) break;
        w.looks_left--;
        union pool_slot slot = p->slots[w.slot];
        if (slot_is_arena(slot) && !walk_arena(&w, slot.arena, stride)) break;
        w.slot++;
        w.slab = 0;
        w.block = 0;
    }
    if (w.slot >= p->slots_used) {
        *cursor = 0;
        return false;
    }
    *cursor = (w.slot << (CURSOR_BLOCK_BITS + CURSOR_SLAB_BITS)) |
              ((uint64_t)w.slab << CURSOR_BLOCK_BITS) | w.block;
    return true;
}
