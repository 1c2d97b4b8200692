/*
 * What the tests of lists, hashes and sets share: a heap with a palette of values of every kind,
 * the container under test (the subject), and a scene in which the collector scans the subject one
 * slot at a time while it is being changed.
 *
 * The world's holder holds each value of the palette once, the subject as a root, and lets
 * heap_check() know of it.
 */
#ifndef HEAPD_TESTS_UNIT_VALUE_CONTAINERS_H
#define HEAPD_TESTS_UNIT_VALUE_CONTAINERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "heap/check.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/val.h"

enum { PALETTE = 64 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct heap_holder holder;
    uint64_t seed;
    val palette[PALETTE]; /* no two are equal */
    struct obj *subject;  /* held as a root; may be NULL */
    uint64_t base_objects;
    uint64_t base_bytes;
};

static inline uint32_t below(struct world *w, uint64_t n)
{
    w->seed += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_word(0, w->seed) % n);
}

static inline void hold_each(void *self, heap_hold_visit *visit, void *ctx)
{
    struct world *w = self;
    for (int i = 0; i < PALETTE; i++)
        if (val_is_obj(w->palette[i])) visit(ctx, val_obj(w->palette[i]), HEAP_HOLD_COUNT);
    if (w->subject) visit(ctx, w->subject, HEAP_HOLD_ROOT);
}

/* Texts whose values take every form; i tells them apart. */
static inline struct view text_of(uint32_t i, char text[64])
{
    static const char *const forms[] = {"%u", "f%u", "a name of more than seven bytes %u",
                                        "-92233720368547%05u"};
    return (struct view){text, (size_t)snprintf(text, 64, forms[i % 4], i)};
}

static inline val palette_make(struct world *w, uint32_t i)
{
    char text[64];
    val v = VAL_NONE;
    if (i % 2 == 0) {
        assert_int_equal(val_of_text(&w->heap, text_of(i / 2, text), &v), STATUS_OK);
        return v;
    }
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_LIST};
    struct obj *o = heap_container_new(&w->heap, types[i / 2 % 4]);
    assert_non_null(o);
    return val_of_obj(o);
}

static inline void settle(struct world *w)
{
    while (heap_release_step(&w->heap, 16)) continue;
}

static inline uint64_t live_bytes(const struct world *w)
{
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

static inline void assert_heap(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

static inline void world_begin(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed, .holder = {.name = "test", .each = hold_each}};
    w->holder.self = w;
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{seed}}),
                     STATUS_OK);
    value_init(&w->heap, &w->values);
    heap_add_holder(&w->heap, &w->holder);
    for (uint32_t i = 0; i < PALETTE; i++) w->palette[i] = palette_make(w, i);
    w->base_objects = heap_objects(&w->heap);
    w->base_bytes = live_bytes(w);
}

static inline void subject_make(struct world *w, enum obj_type type)
{
    w->subject = heap_container_new(&w->heap, type);
    assert_non_null(w->subject);
    assert_int_equal(rc_root_add(&w->heap, w->subject), STATUS_OK);
}

static inline void subject_drop(struct world *w)
{
    struct obj *o = w->subject;
    w->subject = NULL;
    rc_root_drop(&w->heap, o);
    rc_dec(&w->heap, o);
}

/* With the subject gone, only the palette is left: nothing has leaked. */
static inline void assert_only_palette(struct world *w)
{
    settle(w);
    assert_heap(w);
    for (int i = 0; i < PALETTE; i++)
        if (val_is_obj(w->palette[i])) assert_int_equal(val_obj(w->palette[i])->count, 1);
    assert_int_equal(heap_objects(&w->heap), w->base_objects);
    assert_int_equal(live_bytes(w), w->base_bytes);
}

static inline void world_end(struct world *w)
{
    if (w->subject) subject_drop(w);
    for (int i = 0; i < PALETTE; i++) {
        val v = w->palette[i];
        w->palette[i] = VAL_NONE;
        val_release(&w->heap, v);
    }
    settle(w);
    assert_heap(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    assert_int_equal(w->mem.bytes, 0);
}

/* A value of the palette with a count for the container that it is put into. */
static inline val palette_take(struct world *w, uint32_t i)
{
    val_retain(&w->heap, w->palette[i]);
    return w->palette[i];
}

static inline uint32_t palette_index(const struct world *w, val v)
{
    for (uint32_t i = 0; i < PALETTE; i++)
        if (w->palette[i].w == v.w) return i;
    fail_msg("a value that nobody stored");
    return 0;
}

/* --- visits --- */

struct visits {
    const struct world *world;
    uint32_t palette[PALETTE];
    uint64_t all;
};

static inline void visits_count(void *ctx, struct obj *target)
{
    struct visits *v = ctx;
    v->all++;
    for (uint32_t i = 0; i < PALETTE; i++)
        if (v->world->palette[i].w == val_of_obj(target).w) v->palette[i]++;
}

/* One whole scan of an object, in steps of so many slots. */
static inline struct visits visits_of(const struct world *w, const struct obj *o, uint32_t slots)
{
    struct visits v = {.world = w};
    const struct heap_type *type = w->heap.types[o->type];
    uint64_t end = type->end(o);
    for (uint64_t at = type->begin(o); at < end;) {
        uint64_t next = type->visit(o, at, end, slots, visits_count, &v);
        assert_true(next > at);
        at = next;
    }
    return v;
}

/* Every reference to a value of the palette is one of the palette's own, or of a slot; each slot is
 * visited once. */
static inline void assert_visits(const struct world *w, const struct obj *o, uint32_t slots)
{
    struct visits v = visits_of(w, o, slots);
    for (int i = 0; i < PALETTE; i++)
        if (val_is_obj(w->palette[i]))
            assert_int_equal(v.palette[i] + 1, val_obj(w->palette[i])->count);
}

/* --- the scene --- */

/*
 * The subject is held by a root's slot only, so trials enter it, and holds children: lists of a
 * number and a reference back to the subject. Only the subject holds them, so if the scan of the
 * subject misses one, the trial clears it; which is seen by its length.
 */
enum { CHILDREN_MAX = 2000 };

struct scene {
    struct world world; /* its subject is the root */
    struct obj *o;      /* the container under test */
    struct obj
        *bystander; /* a candidate that no change rescues, so that no trial ends for want of one */
    uint64_t gray, black; /* changes that hit the subject in mid-scan */
};

static inline void scene_begin(struct scene *s, enum obj_type type, uint64_t seed)
{
    *s = (struct scene){0};
    world_begin(&s->world, seed);
    subject_make(&s->world, OBJ_LIST);
    struct heap *h = &s->world.heap;
    h->collect.threshold = 1;
    h->collect.threshold_fixed = true;
    h->collect.slice_slots_max = 1;
    h->collect.sort_min = 1;
    s->o = heap_container_new(h, type);
    assert_non_null(s->o);
    assert_int_equal(list_push_take(h, s->world.subject, LIST_TAIL, val_of_obj(s->o)), STATUS_OK);
    s->bystander = heap_container_new(h, OBJ_LIST);
    assert_non_null(s->bystander);
    val v = val_of_obj(s->bystander);
    assert_int_equal(list_push_take(h, s->world.subject, LIST_TAIL, v), STATUS_OK);
    rc_inc(h, s->bystander);
    assert_int_equal(list_push_take(h, s->bystander, LIST_TAIL, v), STATUS_OK);
}

static inline void scene_candidate(struct heap *h, struct obj *o)
{
    if (o->flags & OBJ_CANDIDATE) return;
    rc_inc(h, o);
    rc_dec(h, o);
}

static inline val child_new(struct scene *s, int64_t number)
{
    struct heap *h = &s->world.heap;
    struct obj *o = heap_container_new(h, OBJ_LIST);
    assert_non_null(o);
    assert_int_equal(list_push_take(h, o, LIST_TAIL, val_of_small(number)), STATUS_OK);
    rc_inc(h, s->o);
    assert_int_equal(list_push_take(h, o, LIST_TAIL, val_of_obj(s->o)), STATUS_OK);
    return val_of_obj(o);
}

/* The child's number, if the collector has left it alone. */
static inline int64_t child_number(const struct scene *s, val child)
{
    assert_true(val_is_container(child));
    const struct obj *o = val_obj(child);
    assert_int_equal(o->type, OBJ_LIST);
    assert_int_equal(list_length(o), 2);
    assert_ptr_equal(val_obj(list_get(o, 1)), s->o);
    return val_small(list_get(o, 0));
}

/* Counts what the next change of the subject will hit. */
static inline void scene_note(struct scene *s)
{
    const struct collect *c = &s->world.heap.collect;
    if (c->scanning != s->o) return;
    s->gray += c->phase == COLLECT_GRAY;
    s->black += c->phase == COLLECT_BLACK;
}

/* Slices between two changes; the subject is a candidate whenever no trial is under way. No trial
 * here finds anything, and after those the collector rests: the scene does not wait for it. */
static inline void scene_slices(struct scene *s, uint32_t slices)
{
    struct heap *h = &s->world.heap;
    while (slices-- > 0) {
        if (h->collect.phase == COLLECT_IDLE) {
            scene_candidate(h, s->o);
            scene_candidate(h, s->bystander);
        }
        h->collect.rest_until_ns = 0;
        collect_step(h, true);
    }
    settle(&s->world);
}

/* A few slices while the subject is in mid-scan, so that one scan meets several changes; now and
 * then enough for a trial to end. */
static inline void scene_pause(struct scene *s, uint32_t length)
{
    struct world *w = &s->world;
    if (w->heap.collect.scanning == s->o)
        scene_slices(s, below(w, 24));
    else
        scene_slices(s, below(w, 3) ? below(w, 60) : below(w, 8 * (uint64_t)length));
}

/* Everything becomes garbage in cycles, and the collector finds all of it. */
static inline void scene_end(struct scene *s)
{
    struct heap *h = &s->world.heap;
    assert_int_equal(h->collect.stats.faults, 0);
    subject_drop(&s->world);
    settle(&s->world);
    uint64_t ticket = collect_full_begin(h), found;
    while (!collect_full_found(h, ticket, &found)) collect_step(h, true);
    assert_only_palette(&s->world);
    world_end(&s->world);
}

#endif
