/*
 * Evacuation: sparse slabs are marked as leaving, what lies in them is moved by whoever can
 * (pool_move), and the last block that leaves gives the slab back to its arena as any last free
 * does. A mark costs the usual paths nothing: a leaving slab is in no bin, so nothing is allocated
 * from it, and its `low` lets pool_slab_push notice the last free alone.
 */
#include <string.h>

#include "heap/pool.h"
#include "heap/pool_parts.h"

enum {
    ROOM_PART = 32, /* of its blocks a class keeps free, so that it does not need a slab at once */
    GAIN_PART = 16, /* of its slabs a class must be able to spare */
};

/* Blocks that must find a place in the slabs that stay. */
static uint64_t blocks_wanted(const struct pool_class *c)
{
    uint64_t used = c->live + c->held;
    return used + used / ROOM_PART;
}

static bool class_gains(const struct pool_class *c)
{
    uint64_t wanted = blocks_wanted(c);
    uint64_t spare = c->capacity > wanted ? (c->capacity - wanted) * c->slabs / c->capacity : 0;
    return spare > 0 && spare >= c->slabs / GAIN_PART;
}

/* Whether all blocks would still fit in the others. */
static bool may_leave(const struct pool_class *c, const struct pool_slab *s)
{
    return c->capacity - c->leaving_capacity - s->capacity >= blocks_wanted(c);
}

static void slab_leave(struct pool *p, struct pool_class *c, struct pool_slab *s)
{
    pool_slab_unlink(c, s);
    s->bin = SLAB_LEAVING;
    s->low = 1;
    s->high = UINT16_MAX;
    s->prev = NULL;
    s->next = c->leaving;
    if (s->next) s->next->prev = s;
    c->leaving = s;
    c->leaving_capacity += s->capacity;
    pool_class_choose(p, c);
}

/* One of the class that is not nearly full, the sparsest first; NULL: there is none. */
static struct pool_slab *sparsest(const struct pool_class *c)
{
    uint32_t sparse = c->bins_set & ~(1U << (SLAB_BINS - 1));
    return sparse ? c->bins[__builtin_ctz(sparse)] : NULL;
}

static bool is_filled_first(const struct pool_slab *s)
{
    return s->bin == SLAB_BINS - 1 && s->low == 1;
}

static bool gains_more(const struct pool *p)
{
    for (uint32_t i = 0; i < POOL_CLASS_CELLS; i++) {
        const struct pool_class *c = &p->classes[i];
        if (class_gains(c) && c->capacity - c->leaving_capacity > blocks_wanted(c)) return true;
    }
    return false;
}

/* The nearly full ones of an arena: what lies in them fits into those that are filled first. */
static void arena_leave(struct pool *p, struct pool_arena *a)
{
    for (uint64_t used = ~(unused_mask(a) | a->cell_mask); used; used &= used - 1) {
        struct pool_slab *s = &a->slabs[__builtin_ctzl(used)];
        struct pool_class *c = &p->classes[s->class_index];
        if (s->bin == SLAB_LEAVING || is_filled_first(s)) continue;
        if (class_gains(c) && may_leave(c, s)) slab_leave(p, c, s);
    }
}

/* The classes first, by their lists of sparse slabs. Where those are not enough, because slabs that
 * are filled first hold the room, the full ones are needed, which are in no list. */
bool pool_leave_step(struct pool *p, uint32_t slabs_max)
{
    for (; p->leave_class < POOL_CLASS_CELLS; p->leave_class++) {
        struct pool_class *c = &p->classes[p->leave_class];
        for (struct pool_slab *s; class_gains(c) && (s = sparsest(c)) && may_leave(c, s);) {
            if (slabs_max == 0) return true;
            slabs_max--;
            slab_leave(p, c, s);
        }
    }
    if (p->leave_slot == 0 && !gains_more(p)) p->leave_slot = p->slots_used;
    while (p->leave_slot < p->slots_used) {
        if (slabs_max == 0) return true;
        slabs_max--;
        union pool_slot slot = p->slots[p->leave_slot++];
        if (slot_is_arena(slot)) arena_leave(p, slot.arena);
    }
    p->leave_class = 0;
    p->leave_slot = 0;
    return false;
}

void pool_class_stay(struct pool *p, struct pool_class *c)
{
    struct pool_slab *s = c->leaving;
    pool_slab_unlink(c, s);
    pool_slab_link(c, s);
    pool_class_choose(p, c);
}

/* Something in the slab cannot move. It is listed among the fullest until it is full or empty: so
 * it is what is filled first from now on, and what is marked last in another pass. */
static void slab_fill_first(struct pool *p, struct pool_class *c, struct pool_slab *s)
{
    pool_slab_unlink(c, s);
    s->bin = SLAB_BINS - 1;
    s->low = 1;
    s->high = s->capacity;
    pool_slab_list(c, s);
    pool_class_choose(p, c);
}

bool pool_stay_step(struct pool *p, uint32_t slabs_max)
{
    p->leave_class = 0;
    p->leave_slot = 0;
    for (uint32_t i = 0; i < POOL_CLASS_CELLS; i++) {
        struct pool_class *c = &p->classes[i];
        for (; c->leaving; slabs_max--) {
            if (slabs_max == 0) return true;
            struct pool_slab *s = c->leaving;
            pool_class_stay(p, c);
            if (s->bin != SLAB_UNLISTED) slab_fill_first(p, c, s);
        }
    }
    return false;
}

bool pool_has_leaving(const struct pool *p)
{
    for (uint32_t i = 0; i < POOL_CLASS_CELLS; i++)
        if (p->classes[i].leaving) return true;
    return false;
}

bool pool_has_moves(const struct pool *p)
{
    return p->moves_always || pool_has_leaving(p);
}

void pool_move_always(struct pool *p, bool on)
{
    p->moves_always = on;
}

/* Nobody wants another slab for what is to be moved. */
static bool wants_to_move(const struct pool *p, const struct pool_slab *s)
{
    if (p->moves_always) return true;
    return s->bin == SLAB_LEAVING && p->classes[s->class_index].current != &p->none;
}

void *pool_move(struct pool *p, void *block, size_t bytes)
{
    if (bytes > POOL_SMALL_MAX || !wants_to_move(p, slab_of(block))) return block;
    void *to = pool_alloc(p, bytes);
    if (!to) return block;
    memcpy(to, block, bytes);
    p->moved_blocks++;
    p->moved_bytes += p->classes[slab_of(block)->class_index].bytes;
    pool_free(p, block, bytes);
    return to;
}
