/*
 * The last phase of a trial: what it condemned is freed, in passes over the trial's table.
 *
 * The first pass leaves in the table the condemned alone. Many of them were found in the order of
 * the references to them, and each pass looks at a cell, its body and the pools' lists, which then
 * wait for memory. So where they are many they are brought into the order of their addresses first,
 * roughly: a counting sort in place with one digit (McIlroy, Bostic and McIlroy, "Engineering Radix
 * Sort", 1993, the American flag sort), after which neighbours in the table lie in the same
 * COLLECT_SORT_BUCKETS-th of the heap. That costs a sixth of what it saves; what is nearly in
 * order, as candidates that came up in the order in which they were made, is left alone. Pinned
 * objects are known by their flag, and nobody asks for their places any more.
 */
#include <string.h>

#include "base/prefetch.h"
#include "heap/collect_parts.h"

void trial_free_start(struct collect *c)
{
    c->phase = COLLECT_FREE;
    c->free_pass = COLLECT_PINS;
    c->next = 1;
    c->condemned = 0;
    c->sort.least = UINTPTR_MAX;
    c->sort.most = c->sort.last = 0;
    c->sort.falls = 0;
}

static void note_address(struct collect_sort *s, uintptr_t at)
{
    if (at < s->least) s->least = at;
    if (at > s->most) s->most = at;
    s->falls += at < s->last;
    s->last = at;
}

/* Pins the condemned and moves them to the front of the table; black objects have no place then. */
static void pin_step(struct heap *h, uint32_t places)
{
    struct collect *c = &h->collect;
    for (; places && c->next <= c->places; places--, c->next++) {
        if (c->next + PLACES_AHEAD <= c->places) {
            const struct obj *ahead = place_at(c, c->next + PLACES_AHEAD)->o;
            if (ahead) prefetch_to_write(ahead);
        }
        const struct collect_place *p = place_at(c, c->next);
        struct obj *o = p->o;
        if (!o || p->black) continue;
        if (o->flags & OBJ_WEAKLY) weak_ended(h, o);
        o->count++;
        o->flags |= OBJ_PINNED;
        place_at(c, ++c->condemned)->o = o;
        note_address(&c->sort, (uintptr_t)o);
    }
}

/* --- the order of addresses --- */

static uint32_t bucket_of(const struct collect_sort *s, const struct obj *o)
{
    return (uint32_t)(((uintptr_t)o - s->least) >> s->shift);
}

static void sort_start(struct collect_sort *s)
{
    s->shift = 0;
    while ((s->most - s->least) >> s->shift >= COLLECT_SORT_BUCKETS) s->shift++;
    memset(s->heads, 0, sizeof s->heads);
}

static void count_step(struct collect *c, uint32_t places)
{
    for (; places && c->next <= c->places; places--, c->next++)
        c->sort.heads[bucket_of(&c->sort, place_at(c, c->next)->o)]++;
}

/* From the sizes of the buckets to where each begins and ends. */
static void buckets_lay_out(struct collect_sort *s)
{
    uint32_t at = 1;
    for (uint32_t i = 0; i < COLLECT_SORT_BUCKETS; i++) {
        uint32_t size = s->heads[i];
        s->heads[i] = at;
        at += size;
        s->ends[i] = at;
    }
    s->bucket = 0;
}

/* Each turn brings one place into its bucket. */
static void sort_step(struct collect *c, uint32_t places)
{
    struct collect_sort *s = &c->sort;
    for (; places && c->next <= c->places; places--, c->next++) {
        while (s->heads[s->bucket] == s->ends[s->bucket]) s->bucket++;
        struct collect_place *from = place_at(c, s->heads[s->bucket]);
        struct obj *o = from->o;
        struct collect_place *to = place_at(c, s->heads[bucket_of(s, o)]++);
        from->o = to->o;
        to->o = o;
    }
}

/* --- clearing --- */

static void fetch_target(void *ctx, struct obj *t)
{
    (void)ctx;
    prefetch_to_write(t);
}

/* As place_fetch_ahead, and what the slots of a near one refer to: clearing them counts those
 * down. */
static void fetch_targets_ahead(const struct heap *h, uint32_t place)
{
    enum { TARGETS = 8, AHEAD = PLACES_AHEAD / 2 };
    place_fetch_ahead(h, place);
    if (place + AHEAD > h->collect.places) return;
    const struct obj *o = place_at(&h->collect, place + AHEAD)->o;
    if (!o || !obj_body(o)) return;
    const struct heap_type *type = type_of(h, o);
    uint64_t begin = type->begin(o), end = type->end(o);
    if (begin < end) type->visit(o, begin, end, TARGETS, fetch_target, NULL);
}

/* Clears about `slots` slots of the next ones. */
static void clear_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    for (; slots && (c->clearing || c->next <= c->places); slots--) {
        if (!c->clearing) {
            fetch_targets_ahead(h, c->next);
            c->clearing = place_at(c, c->next++)->o;
            trial_count_collected(h, c->clearing);
        }
        const struct heap_type *type = type_of(h, c->clearing);
        uint64_t left = type->end(c->clearing) - type->begin(c->clearing);
        if (!type->clear(h, c->clearing, slots)) return;
        c->clearing = NULL;
        slots -= left < slots ? (uint32_t)left : slots - 1;
    }
}

/* What only the condemned referred to has lost its last count but the pin. */
static void unpin_step(struct heap *h, uint32_t places)
{
    struct collect *c = &h->collect;
    for (; places && c->next <= c->places; places--, c->next++) {
        struct collect_place *p = place_at(c, c->next);
        struct obj *o = p->o;
        p->o = NULL;
        o->flags &= (uint8_t)~OBJ_PINNED;
        if (--o->count == 0) heap_release(h, o);
    }
}

/* --- the passes --- */

static void pins_ended(struct collect *c)
{
    c->places = c->condemned;
    bool in_order = c->sort.falls <= c->condemned / COLLECT_SORT_FALLS_MIN;
    if (in_order || c->condemned < c->sort_min) {
        c->free_pass = COLLECT_CLEARS;
    } else {
        sort_start(&c->sort);
        c->free_pass = COLLECT_COUNTS;
    }
}

/* What was dead before the commit may refer to the condemned. It is cleared before they are
 * unpinned: else one would stay behind for a while, its slots gone and no mark on it, and an
 * identity would find it. True: that was the last pass. */
static bool pass_ended(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->free_pass == COLLECT_CLEARS && h->release_pending) {
        c->stats.hits[COLLECT_HIT_DEAD_CLEARED]++;
        heap_release_step(h, slots);
        return false;
    }
    c->next = 1;
    switch (c->free_pass) {
    case COLLECT_PINS: pins_ended(c); break;
    case COLLECT_COUNTS:
        buckets_lay_out(&c->sort);
        c->free_pass = COLLECT_SORTS;
        break;
    case COLLECT_SORTS: c->free_pass = COLLECT_CLEARS; break;
    case COLLECT_CLEARS: c->free_pass = COLLECT_UNPINS; break;
    case COLLECT_UNPINS: return true;
    }
    return false;
}

bool trial_free_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->next > c->places && !c->clearing) return pass_ended(h, slots);
    switch (c->free_pass) {
    case COLLECT_PINS: pin_step(h, slots); break;
    case COLLECT_COUNTS: count_step(c, slots); break;
    case COLLECT_SORTS: sort_step(c, slots); break;
    case COLLECT_CLEARS: clear_step(h, slots); break;
    case COLLECT_UNPINS: unpin_step(h, slots); break;
    }
    return false;
}
