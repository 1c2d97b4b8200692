#include "heap/pool.h"

#include <string.h>

#include "base/prefetch.h"
#include "heap/pool_parts.h"

enum {
    CLASSES_LINEAR = POOL_LINEAR_MAX / 8,
    CLASSES_DOUBLING = 16,
    COARSE_BLOCKS_MAX = POOL_BYTES / POOL_FINE_MAX - 1, /* in a pool of the first coarse class, */
    CLASSES_COARSE = CLASSES_LINEAR + 2 * CLASSES_DOUBLING, /* which is this one */
    REDZONE_BYTES = 8,      /* sanitizer builds: poisoned, after each block */
    QUARANTINE_STEP = 1024, /* blocks that one pool_purge_step() lets go */
    SETTLE_ARENAS = 64,     /* arenas whose lent slabs can be had again, in one step */
    LARGE_QUARTERS_MAX = 128 << 10,
    LARGE_PAGE_BYTES = 4096,
    FREED_BYTE = 0xdd,
    ARENAS_KEPT = 1, /* empty ones that are not given back but by a purge */
};

static uint32_t class_of(size_t bytes)
{
    uint32_t last = (uint32_t)bytes - 1;
    if (last < POOL_LINEAR_MAX) return last / 8;
    if (last >= POOL_FINE_MAX)
        return CLASSES_COARSE + COARSE_BLOCKS_MAX - POOL_BYTES / ((last | 7) + 1);
    uint32_t doubling = 31 - (uint32_t)__builtin_clz(last); /* 9 or 10 */
    return CLASSES_LINEAR + (doubling - 10) * CLASSES_DOUBLING + (last >> (doubling - 4));
}

static uint32_t class_bytes(uint32_t i)
{
    if (i == POOL_CLASS_CELLS) return sizeof(struct cell);
    if (i < CLASSES_LINEAR) return (i + 1) * 8;
    if (i >= CLASSES_COARSE)
        return POOL_BYTES / (COARSE_BLOCKS_MAX - (i - CLASSES_COARSE)) & ~UINT32_C(7);
    uint32_t k = i - CLASSES_LINEAR;
    return (CLASSES_DOUBLING + 1 + k % CLASSES_DOUBLING) << (5 + k / CLASSES_DOUBLING);
}

/* What jemalloc takes for a large block: four sizes to a doubling; above LARGE_QUARTERS_MAX it has
 * such sizes, too, but what nobody touches of them has no pages. 0 on overflow. */
static size_t large_bytes(size_t bytes)
{
    size_t step = LARGE_PAGE_BYTES;
    if (bytes <= LARGE_QUARTERS_MAX) {
        step = (size_t)1 << (61 - __builtin_clzl((unsigned long)bytes - 1));
    }
    size_t sum;
    return __builtin_add_overflow(bytes, step - 1, &sum) ? 0 : sum & ~(step - 1);
}

size_t pool_good_bytes_above(size_t bytes)
{
    return bytes <= POOL_SMALL_MAX ? class_bytes(class_of(bytes)) : large_bytes(bytes);
}

static void arena_link(struct pool *p, struct pool_arena *a)
{
    int n = __builtin_popcountl(a->free_mask);
    if (n == 0) return;
    struct pool_arena **head = &p->arenas_free[n];
    a->prev = NULL;
    a->next = *head;
    if (a->next) a->next->prev = a;
    *head = a;
    p->arenas_set |= 1UL << (n - 1);
}

static void arena_unlink(struct pool *p, struct pool_arena *a)
{
    int n = __builtin_popcountl(a->free_mask);
    if (n == 0) return;
    if (a->next) a->next->prev = a->prev;
    if (a->prev) {
        a->prev->next = a->next;
    } else {
        p->arenas_free[n] = a->next;
        if (!a->next) p->arenas_set &= ~(1UL << (n - 1));
    }
}

/* A place in the table for one more arena. */
static bool slot_reserve(struct pool *p)
{
    if (p->slot_free || p->slots_used < p->slots_max) return true;
    uint64_t max = p->slots_max ? p->slots_max * 2 : ARENA_SLOTS_MIN;
    union pool_slot *slots =
        mem_realloc(p->mem, p->slots, p->slots_max * sizeof *slots, max * sizeof *slots);
    if (!slots) return false;
    p->slots = slots;
    p->slots_max = max;
    return true;
}

static void slot_take(struct pool *p, struct pool_arena *a)
{
    if (p->slot_free) {
        a->slot = p->slot_free / 2;
        p->slot_free = p->slots[a->slot].next_free;
    } else {
        a->slot = p->slots_used++;
    }
    p->slots[a->slot].arena = a;
}

/* Whether the slabs that were lent first can be had again. */
static bool lent_is_settled(const struct pool *p)
{
    return p->lending_first && unmap_is_lent(&p->lending_first->lend);
}

void pool_slab_reclaim(struct pool *p, struct pool_arena *a, uint32_t i)
{
    a->lent_mask &= ~(1UL << i);
    p->lent_bytes -= slab_lendable(a, i);
    mem_reclaim(p->mem, slab_base(a, i), slab_span(i));
}

static bool arena_new(struct pool *p)
{
    if (!slot_reserve(p)) return false;
    struct pool_arena *a = mem_map(p->mem, POOL_ARENA_BYTES, POOL_ARENA_BYTES);
    if (!a) return false;
    memset(a, 0, sizeof *a);
    sanitize_poison((char *)a + ARENA_HEAD_BYTES, POOL_ARENA_BYTES - ARENA_HEAD_BYTES);
    a->free_mask = UINT64_MAX;
    slot_take(p, a);
    p->arenas++;
    p->arenas_empty++;
    arena_link(p, a);
    return true;
}

/* The arena is in no list any more. */
static void arena_free(struct pool *p, struct pool_arena *a)
{
    while (a->lent_mask) pool_slab_reclaim(p, a, (uint32_t)__builtin_ctzl(a->lent_mask));
    p->slots[a->slot].next_free = p->slot_free;
    p->slot_free = 2 * a->slot + 1;
    p->arenas--;
    mem_unmap(p->mem, a, POOL_ARENA_BYTES);
}

/* Slabs that have been lent since can be had again. */
static void lent_settle(struct pool *p)
{
    for (int i = 0; i < SETTLE_ARENAS && lent_is_settled(p); i++) {
        struct pool_arena *a = p->lending_first;
        p->lending_first = a->lending_next;
        if (!p->lending_first) p->lending_last = NULL;
        arena_unlink(p, a);
        a->free_mask |= a->lending_mask;
        a->lending_mask = 0;
        arena_link(p, a);
        p->arenas_empty += a->free_mask == UINT64_MAX;
    }
}

void pool_class_choose(struct pool *p, struct pool_class *c)
{
    c->current = c->bins_set ? c->bins[31 - __builtin_clz(c->bins_set)] : &p->none;
}

void pool_slab_list(struct pool_class *c, struct pool_slab *s)
{
    s->prev = NULL;
    s->next = c->bins[s->bin];
    if (s->next) s->next->prev = s;
    c->bins[s->bin] = s;
    c->bins_set |= 1U << s->bin;
}

/* `used` is 0 only for a slab that is about to give a block. */
void pool_slab_link(struct pool_class *c, struct pool_slab *s)
{
    uint32_t capacity = s->capacity;
    uint32_t bin = s->used * (uint32_t)SLAB_BINS / capacity;
    s->bin = (uint8_t)bin;
    if (bin == SLAB_UNLISTED) {
        s->low = s->capacity;
        s->high = UINT16_MAX;
        return;
    }
    uint32_t low = (bin * capacity + SLAB_BINS - 1) / SLAB_BINS;
    s->low = (uint16_t)(low ? low : 1); /* so that the last block's free is noticed */
    s->high = (uint16_t)(((bin + 1) * capacity + SLAB_BINS - 1) / SLAB_BINS);
    pool_slab_list(c, s);
}

void pool_slab_unlink(struct pool_class *c, struct pool_slab *s)
{
    if (s->bin == SLAB_UNLISTED) return;
    if (s->bin == SLAB_LEAVING) c->leaving_capacity -= s->capacity;
    if (s->next) s->next->prev = s->prev;
    if (s->prev) {
        s->prev->next = s->next;
    } else if (s->bin == SLAB_LEAVING) {
        c->leaving = s->next;
    } else {
        c->bins[s->bin] = s->next;
        if (!s->next) c->bins_set &= ~(1U << s->bin);
    }
}

/* A new slab for a class, from the arena with the fewest unused ones, so that the others can become
 * empty. */
static bool class_refill(struct pool *p, struct pool_class *c)
{
    if (!p->arenas_set) lent_settle(p);
    if (!p->arenas_set && !arena_new(p)) return false;
    struct pool_arena *a = p->arenas_free[__builtin_ctzl(p->arenas_set) + 1];
    uint64_t paged = a->free_mask & ~a->lent_mask;
    uint32_t i = (uint32_t)__builtin_ctzl(paged ? paged : a->free_mask);
    if (!paged) pool_slab_reclaim(p, a, i);
    p->arenas_empty -= a->free_mask == UINT64_MAX;
    arena_unlink(p, a);
    a->free_mask &= ~(1UL << i);
    if (c->index == POOL_CLASS_CELLS) a->cell_mask |= 1UL << i;
    arena_link(p, a);

    struct pool_slab *s = &a->slabs[i];
    char *base = slab_base(a, i);
    uint32_t capacity = (uint32_t)slab_span(i) / c->stride;
    *s = (struct pool_slab){.base = base,
                            .fresh = base,
                            .end = base + (size_t)capacity * c->stride,
                            .capacity = (uint16_t)capacity,
                            .class_index = (uint8_t)c->index};
    c->slabs++;
    c->capacity += capacity;
    c->span += slab_span(i);
    pool_slab_link(c, s);
    pool_class_choose(p, c);
    return true;
}

/* The slab is in no list any more. */
static void slab_release(struct pool *p, struct pool_class *c, struct pool_slab *s)
{
    struct pool_arena *a = arena_of(s);
    uint32_t i = (uint32_t)(s - a->slabs);
    c->slabs--;
    c->capacity -= s->capacity;
    c->span -= slab_span(i);
    arena_unlink(p, a);
    a->free_mask |= 1UL << i;
    a->cell_mask &= ~(1UL << i);
    arena_link(p, a);
    p->arenas_empty += a->free_mask == UINT64_MAX;
}

void pool_slab_rebin(struct pool *p, struct pool_slab *s)
{
    struct pool_class *c = &p->classes[s->class_index];
    pool_slab_unlink(c, s);
    if (s->used) {
        pool_slab_link(c, s);
    } else {
        slab_release(p, c, s);
    }
    pool_class_choose(p, c);
}

char *pool_class_pop_refill(struct pool *p, struct pool_class *c, size_t at)
{
    while (c->leaving && c->current == &p->none) pool_class_stay(p, c);
    if (c->current == &p->none && !class_refill(p, c)) return NULL;
    return pool_class_pop(p, c, at);
}

static void quarantine_pop(struct pool *p)
{
    char *block = p->held_first;
    struct pool_slab *s = slab_of(block);
    struct pool_class *c = &p->classes[s->class_index];
    size_t at = link_at(c->index);
    p->held_first = link_get(block, at);
    if (!p->held_first) p->held_last = NULL;
    p->held_bytes -= c->bytes;
    c->held--;
    pool_slab_push(p, s, block, at);
}

void pool_quarantine(struct pool *p, struct pool_class *c, char *block)
{
    size_t at = link_at(c->index);
    sanitize_poison(block, c->bytes);
    link_set(block, at, NULL);
    if (p->held_last) {
        link_set(p->held_last, link_at(slab_of(p->held_last)->class_index), block);
    } else {
        p->held_first = block;
    }
    p->held_last = block;
    p->held_bytes += c->bytes;
    c->held++;
    while (p->held_bytes > POOL_QUARANTINE_BYTES) quarantine_pop(p);
}

struct pool *pool_new(struct mem *m)
{
    struct pool *p = mem_alloc(m, sizeof *p);
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    p->mem = m;
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        struct pool_class *c = &p->classes[i];
        c->index = i;
        c->bytes = class_bytes(i);
        c->stride = c->bytes;
        /* Cells stay 16 bytes apart, or a multiple. */
        if (SANITIZE_ON) c->stride += i == POOL_CLASS_CELLS ? 2 * REDZONE_BYTES : REDZONE_BYTES;
        c->current = &p->none;
    }
    return p;
}

void pool_delete(struct pool *p)
{
    if (!p) return;
    struct mem *m = p->mem;
    if (p->lending_first) unmap_finish();
    while (p->lending_first) lent_settle(p);
    for (uint64_t i = 0; i < p->slots_used; i++) {
        if (slot_is_arena(p->slots[i])) arena_free(p, p->slots[i].arena);
    }
    mem_free(m, p->slots, p->slots_max * sizeof *p->slots);
    mem_free(m, p, sizeof *p);
}

void pool_adopt(struct pool *p, void *block, size_t bytes)
{
    size_t good = large_bytes(bytes);
    sanitize_poison((char *)block + bytes, good - bytes);
    p->large_blocks++;
    p->large_bytes += good;
}

/* Apart, so that the way of a small block stays short. */
__attribute__((noinline)) static void *large_alloc(struct pool *p, size_t bytes)
{
    size_t good = large_bytes(bytes);
    char *block = good ? mem_alloc(p->mem, good) : NULL;
    if (block) pool_adopt(p, block, bytes);
    return block;
}

__attribute__((noinline)) static void large_free(struct pool *p, char *block, size_t bytes)
{
    size_t good = large_bytes(bytes);
    sanitize_unpoison(block + bytes, good - bytes);
    p->large_blocks--;
    p->large_bytes -= good;
    mem_free(p->mem, block, good);
}

void *pool_alloc(struct pool *p, size_t bytes)
{
    DASSERT(bytes > 0);
    if (mem_fault(p->mem)) return NULL;
    if (UNLIKELY(bytes > POOL_SMALL_MAX)) return large_alloc(p, bytes);
    char *block = pool_class_pop(p, &p->classes[class_of(bytes)], 0);
    if (SANITIZE_ON && block) sanitize_unpoison(block, bytes);
    return block;
}

/* The block begins where one of its slab does, and its class is the one that the size says. */
static bool block_is_sound(struct pool *p, const struct pool_slab *s, const char *block,
                           size_t bytes)
{
    const struct pool_class *c = &p->classes[s->class_index];
    return s->class_index == class_of(bytes) && block < s->fresh && s->used > 0 &&
           (size_t)(s->end - block) % c->stride == 0;
}

void pool_free(struct pool *p, void *block, size_t bytes)
{
    if (UNLIKELY(bytes - 1 >= POOL_SMALL_MAX)) {
        if (bytes) large_free(p, block, bytes);
        return;
    }
    if (SANITIZE_ON) sanitize_touch(block);
    struct pool_slab *s = slab_of(block);
    DASSERT(block_is_sound(p, s, block, bytes));
#ifdef HEAPD_DEBUG
    memset(block, FREED_BYTE, bytes);
#endif
    pool_class_push(p, s, block, 0);
}

void pool_fetch_to_free(const void *block)
{
    /* As slab_of, of what may be no block. */
    uintptr_t arena = (uintptr_t)block & ~(uintptr_t)(POOL_ARENA_BYTES - 1);
    uintptr_t slab = (uintptr_t)block / POOL_BYTES % ARENA_SLABS * sizeof(struct pool_slab);
    prefetch_to_write(block);
    prefetch_to_write((const void *)(arena + slab)); // NOLINT
}

static void give_back_one(struct pool *p)
{
    struct pool_arena *a = p->arenas_free[ARENA_SLABS];
    arena_unlink(p, a);
    p->arenas_empty--;
    arena_free(p, a);
}

/* Lends the system the pages of all slabs that can be had; false when there are none. */
static bool arena_lend(struct pool *p, struct pool_arena *a)
{
    uint64_t cells = a->free_mask & ~a->lent_mask;
    if (!cells || a->lending_mask) return false;
    if (!slab_lendable(a, ARENA_SLABS - 1)) return false; /* the system's pages are larger */
    arena_unlink(p, a);
    a->free_mask &= ~cells;
    arena_link(p, a);
    a->lent_mask |= cells;
    a->lending_mask = cells;
    a->lend.base = (char *)a;
    a->lend.cell_bytes = POOL_BYTES;
    a->lend.kept_bytes = POOL_BYTES - slab_lendable(a, 0);
    a->lend.cells = cells;
    p->lent_bytes += unmap_lend_bytes(&a->lend);
    a->lending_next = NULL;
    if (p->lending_last)
        p->lending_last->lending_next = a;
    else
        p->lending_first = a;
    p->lending_last = a;
    mem_lend(p->mem, &a->lend);
    return true;
}

bool pool_trim_step(struct pool *p)
{
    lent_settle(p);
    if (p->arenas_empty > ARENAS_KEPT) give_back_one(p);
    return pool_has_spare(p);
}

bool pool_has_spare(const struct pool *p)
{
    return p->arenas_empty > ARENAS_KEPT || lent_is_settled(p);
}

bool pool_purge_step(struct pool *p)
{
    for (uint32_t i = 0; i < QUARANTINE_STEP && p->held_first; i++) quarantine_pop(p);
    if (p->held_first) return true;
    lent_settle(p);
    if (p->arenas_empty) {
        give_back_one(p);
        return true;
    }
    while (p->lend_slot < p->slots_used) {
        union pool_slot slot = p->slots[p->lend_slot++];
        if (slot_is_arena(slot) && arena_lend(p, slot.arena)) return true;
    }
    p->lend_slot = 0;
    return false;
}
