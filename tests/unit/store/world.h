/*
 * A heap with a keyspace on it, and what the tests of the keyspace do to both.
 *
 * The world's own references to containers are listed by a holder, so that heap_check() adds up.
 * Invariants: world_check. Ownership: world_fini asserts that nothing is left in the pools.
 * Cost: world_check looks at everything.
 */
#ifndef TEST_STORE_WORLD_H
#define TEST_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "heap/check.h"
#include "store/keyspace.h"
#include "value/list.h"

enum { WORLD_HELD = 8, WORLD_KEY_CHARS = 80 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct keyspace ks;
    struct obj *held[WORLD_HELD];
    struct heap_holder holder;
    uint64_t seed;
};

static inline void world_held(void *self, heap_hold_visit *visit, void *ctx)
{
    struct world *w = self;
    for (int i = 0; i < WORLD_HELD; i++)
        if (w->held[i]) visit(ctx, w->held[i], HEAP_HOLD_COUNT);
}

static inline void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed};
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{seed}}),
                     STATUS_OK);
    value_init(&w->heap, &w->values);
    w->holder = (struct heap_holder){.name = "test", .each = world_held, .self = w};
    heap_add_holder(&w->heap, &w->holder);
    keyspace_init(&w->ks, &w->heap);
}

/* The collector's pace is no matter here: everything that it can find, now. */
static inline void world_collect(struct world *w)
{
    uint64_t ticket = collect_full_begin(&w->heap), found;
    while (!collect_full_found(&w->heap, ticket, &found)) {
        (void)collect_step(&w->heap, true);
        (void)heap_release_step(&w->heap, 64);
    }
    while (heap_release_step(&w->heap, 1024)) {
    }
}

static inline void world_check(struct world *w)
{
    char text[256];
    assert_true(keyspace_check(&w->ks));
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

static inline uint64_t world_live_bytes(const struct world *w)
{
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

static inline void world_fini(struct world *w)
{
    for (int i = 0; i < WORLD_HELD; i++)
        if (w->held[i]) rc_dec(&w->heap, w->held[i]);
    keyspace_fini(&w->ks);
    assert_int_equal(keyspace_names(&w->ks), 0);
    assert_int_equal(w->ks.entry_bytes, 0);
    memset(w->held, 0, sizeof w->held);
    world_collect(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_int_equal(world_live_bytes(w), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    assert_int_equal(w->mem.bytes, 0);
}

static inline uint32_t world_below(struct world *w, uint32_t n)
{
    w->seed += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_word(0, w->seed) % n);
}

/* The key of a number; some are long. */
static inline struct view world_key(uint32_t i, char text[WORLD_KEY_CHARS])
{
    static const char *const forms[] = {"%u", "key:%u", "a much longer key, as keys often are:%u"};
    int n = i ? snprintf(text, WORLD_KEY_CHARS, forms[i % 3], i) : 0;
    return (struct view){text, (size_t)n};
}

/* A string object, which is nobody else's. */
static inline val world_string(struct world *w, uint32_t i)
{
    char text[64];
    int n = snprintf(text, sizeof text, "a string value with the number %u", i);
    val v;
    assert_int_equal(val_of_text(&w->heap, (struct view){text, (size_t)n}, &v), STATUS_OK);
    return v;
}

/* A list whose only element is the number: what the collector clears loses it. */
static inline struct obj *world_list(struct world *w, uint32_t i)
{
    struct obj *o = heap_container_new(&w->heap, OBJ_LIST);
    assert_non_null(o);
    assert_int_equal(list_push_take(&w->heap, o, LIST_TAIL, val_of_small(i)), STATUS_OK);
    return o;
}

static inline val world_retained(struct world *w, struct obj *o)
{
    rc_inc(&w->heap, o);
    return val_of_obj(o);
}

/* Binds or fails the test. */
static inline struct entry *world_bind(struct world *w, uint32_t key, val v, int64_t expires_ms)
{
    char text[WORLD_KEY_CHARS];
    struct entry *e = NULL;
    assert_int_equal(keyspace_bind_take(&w->ks, world_key(key, text), v,
                                        (struct keyspace_bind){.expires_ms = expires_ms}, &e),
                     STATUS_OK);
    return e;
}

/* The keyspace at a time of the wall clock. */
static inline struct keyspace *at(struct keyspace *ks, int64_t now_ms)
{
    ks->now_ms = now_ms;
    return ks;
}

static inline struct entry *world_find(struct world *w, uint32_t key, int64_t now_ms)
{
    char text[WORLD_KEY_CHARS];
    return keyspace_find(at(&w->ks, now_ms), world_key(key, text));
}

#endif
