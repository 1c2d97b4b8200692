/*
 * What the pools say about themselves, and the recount that proves it. The figures come from the
 * classes' counters, so that they cost the same however large the heap is; pool_check() looks at
 * every slab and every free block.
 */
#include "heap/pool.h"
#include "heap/pool_parts.h"

uint64_t pool_unused_bytes(const struct pool *p)
{
    return p->arenas * POOL_ARENA_BYTES - p->lent_bytes - p->live_bytes;
}

void pool_get_stats(const struct pool *p, struct pool_stats *out)
{
    uint64_t heads = p->arenas * ARENA_HEAD_BYTES;
    uint64_t unused = p->arenas * POOL_ARENA_BYTES - heads - p->lent_bytes;
    *out = (struct pool_stats){.arenas = p->arenas,
                               .reserved_bytes = p->arenas * POOL_ARENA_BYTES - p->lent_bytes,
                               .overhead_bytes = heads,
                               .large_blocks = p->large_blocks,
                               .large_bytes = p->large_bytes,
                               .lent_bytes = p->lent_bytes,
                               .moved_blocks = p->moved_blocks,
                               .moved_bytes = p->moved_bytes};
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        const struct pool_class *c = &p->classes[i];
        out->live_bytes += c->live * c->bytes;
        out->free_bytes += (c->capacity - c->live) * c->bytes;
        out->overhead_bytes += c->span - c->capacity * c->bytes;
        unused -= c->span;
        if (i != POOL_CLASS_CELLS) out->waste_bytes += (c->capacity - c->live) * c->bytes;
    }
    out->free_bytes += unused;
    out->waste_bytes += unused;
}

void pool_get_class_stats(const struct pool *p, uint32_t class_index, struct pool_class_stats *out)
{
    const struct pool_class *c = &p->classes[class_index];
    *out = (struct pool_class_stats){.block_bytes = c->bytes,
                                     .pools = c->slabs,
                                     .live_blocks = c->live,
                                     .free_blocks = c->capacity - c->live,
                                     .reserved_bytes = c->span};
}

/* What pool_check() counts for one class. */
struct recount {
    uint64_t slabs, used, capacity, span;
    uint64_t listed; /* slabs that belong into a list */
    uint64_t leaving, leaving_capacity;
    uint64_t held;
};

static bool block_is_valid(const struct pool_slab *s, uint32_t stride, const char *block)
{
    return block >= s->base && block < s->fresh && (size_t)(block - s->base) % stride == 0;
}

/* Invariant 4, and that the free list holds blocks of this slab only. */
static bool slab_check(const struct pool_class *c, struct pool_arena *a, uint32_t i)
{
    const struct pool_slab *s = &a->slabs[i];
    if (s->capacity != slab_span(i) / c->stride) return false;
    if (s->base != slab_base(a, i) || s->end != s->base + (size_t)s->capacity * c->stride)
        return false;
    if (s->fresh < s->base || s->fresh > s->end) return false;
    if (s->used == 0 || s->used > s->capacity) return false;
    uint32_t never = (uint32_t)((size_t)(s->end - s->fresh) / c->stride);
    uint32_t count = 0;
    for (const char *b = s->free; b; b = link_get(b, link_at(c->index))) {
        if (!block_is_valid(s, c->stride, b) || ++count > s->capacity) return false;
        if (SANITIZE_ON && !sanitize_is_poisoned(b)) return false;
    }
    return s->used + count + never == s->capacity;
}

/* Invariant 5 (invariant 2 of pool.h), from the slab's side. */
static bool slab_is_binned(const struct pool_slab *s)
{
    if (s->bin == SLAB_LEAVING) return s->low == 1 && s->high == UINT16_MAX;
    if (s->bin == SLAB_BINS - 1 && s->low == 1 && s->high == s->capacity)
        return s->used < s->capacity;
    if (s->bin != s->used * (uint32_t)SLAB_BINS / s->capacity) return false;
    return s->used >= s->low && s->used < s->high;
}

static bool arena_check(const struct pool *p, struct pool_arena *a, struct recount *counts,
                        uint64_t *lent_bytes)
{
    if (a->cell_mask & unused_mask(a)) return false;
    if ((a->lent_mask & ~unused_mask(a)) || (a->lending_mask & ~a->lent_mask)) return false; /* 9 */
    if (a->lending_mask & a->free_mask) return false;
    for (uint32_t i = 0; i < ARENA_SLABS; i++) {
        if (a->lent_mask >> i & 1) *lent_bytes += slab_lendable(a, i);
        if (unused_mask(a) >> i & 1) continue;
        const struct pool_slab *s = &a->slabs[i];
        if (s->class_index >= POOL_CLASSES) return false;
        if (!slab_check(&p->classes[s->class_index], a, i) || !slab_is_binned(s)) return false;
        if ((s->class_index == POOL_CLASS_CELLS) != (a->cell_mask >> i & 1)) return false;
        struct recount *r = &counts[s->class_index];
        r->slabs++;
        r->used += s->used;
        r->capacity += s->capacity;
        r->span += slab_span(i);
        if (s->bin == SLAB_LEAVING) {
            r->leaving++;
            r->leaving_capacity += s->capacity;
        } else {
            r->listed += s->bin != SLAB_UNLISTED;
        }
    }
    return true;
}

/* The slabs that are leaving: invariants 5 and 9. */
static bool leaving_check(const struct pool_class *c, const struct recount *r)
{
    uint64_t listed = 0;
    const struct pool_slab *prev = NULL;
    for (const struct pool_slab *s = c->leaving; s; prev = s, s = s->next) {
        if (s->prev != prev || s->bin != SLAB_LEAVING || s->class_index != c->index) return false;
        if (++listed > r->leaving) return false;
    }
    return listed == r->leaving && r->leaving_capacity == c->leaving_capacity;
}

/* Invariants 1, 5 and 6 for one class. */
static bool class_check(const struct pool *p, const struct pool_class *c, const struct recount *r)
{
    if (r->slabs != c->slabs || r->capacity != c->capacity || r->span != c->span) return false;
    if (r->used != c->live + c->held || r->held != c->held) return false;
    if (!leaving_check(c, r)) return false;
    uint64_t listed = 0;
    for (uint32_t b = 0; b < SLAB_BINS; b++) {
        if ((c->bins[b] != NULL) != (c->bins_set >> b & 1)) return false;
        const struct pool_slab *prev = NULL;
        for (const struct pool_slab *s = c->bins[b]; s; prev = s, s = s->next) {
            if (s->prev != prev || s->bin != b || s->class_index != c->index) return false;
            if (++listed > r->listed) return false;
        }
    }
    const struct pool_slab *fullest =
        c->bins_set ? c->bins[31 - __builtin_clz(c->bins_set)] : &p->none;
    return listed == r->listed && c->current == fullest;
}

/* Invariants 3 and 7: every arena with unused slabs is in the list of their number, and the empty
 * ones are counted. */
static bool lists_check(const struct pool *p, uint64_t arenas_listed)
{
    uint64_t listed = 0, before_empty = 0;
    for (int n = 1; n <= ARENA_SLABS; n++) {
        if (n == ARENA_SLABS) before_empty = listed;
        if ((p->arenas_free[n] != NULL) != (p->arenas_set >> (n - 1) & 1)) return false;
        const struct pool_arena *prev = NULL;
        for (const struct pool_arena *a = p->arenas_free[n]; a; prev = a, a = a->next) {
            if (a->prev != prev || __builtin_popcountl(a->free_mask) != n) return false;
            if (++listed > arenas_listed) return false;
        }
    }
    return listed == arenas_listed && listed - before_empty == p->arenas_empty;
}

/* Invariant 9: the arenas that wait for their lends are in the list, each once. */
static bool lending_check(const struct pool *p, uint64_t arenas_lending)
{
    uint64_t listed = 0;
    const struct pool_arena *last = NULL;
    for (const struct pool_arena *a = p->lending_first; a; last = a, a = a->lending_next) {
        if (!a->lending_mask || ++listed > arenas_lending) return false;
    }
    return listed == arenas_lending && last == p->lending_last;
}

static bool quarantine_check(const struct pool *p, struct recount *counts)
{
    size_t bytes = 0;
    const char *last = NULL;
    for (const char *b = p->held_first; b;) {
        uint32_t i = slab_of(b)->class_index;
        counts[i].held++;
        bytes += p->classes[i].bytes;
        if (bytes > p->held_bytes) return false;
        last = b;
        b = link_get(b, link_at(i));
    }
    return bytes == p->held_bytes && last == p->held_last;
}

/* The list of free places has those that are not arenas, each once. */
static bool slots_check(const struct pool *p)
{
    uint64_t count = 0;
    for (uint64_t free = p->slot_free; free; free = p->slots[free / 2].next_free) {
        if (!(free & 1) || free / 2 >= p->slots_used || slot_is_arena(p->slots[free / 2]))
            return false;
        if (++count > p->slots_used) return false;
    }
    return count + p->arenas == p->slots_used && p->slots_used <= p->slots_max;
}

static bool sums_check(const struct pool *p)
{
    struct pool_stats s;
    pool_get_stats(p, &s);
    return s.reserved_bytes == s.live_bytes + s.free_bytes + s.overhead_bytes &&
           p->live_bytes == s.live_bytes && s.reserved_bytes + s.large_bytes <= p->mem->bytes;
}

bool pool_check(const struct pool *p)
{
    struct recount counts[POOL_CLASSES] = {{0}};
    uint64_t arenas = 0;
    uint64_t arenas_listed = 0, arenas_lending = 0, lent_bytes = 0;
    for (uint64_t i = 0; i < p->slots_used; i++) {
        if (!slot_is_arena(p->slots[i])) continue;
        struct pool_arena *a = p->slots[i].arena;
        if (a->slot != i || arena_of(a) != a || !arena_check(p, a, counts, &lent_bytes))
            return false;
        arenas++;
        arenas_listed += a->free_mask != 0;
        arenas_lending += a->lending_mask != 0;
    }
    if (arenas != p->arenas || !slots_check(p) || !lists_check(p, arenas_listed)) return false;
    if (!quarantine_check(p, counts) || lent_bytes != p->lent_bytes) return false;
    if (!lending_check(p, arenas_lending)) return false;
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        if (!class_check(p, &p->classes[i], &counts[i])) return false;
    }
    return sums_check(p);
}
