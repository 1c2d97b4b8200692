/*
 * A heap with values and questions about it, and no names: graphs are made by hand.
 *
 * Ownership: world_fini requires that all that is left is garbage, and that no question waits.
 */
#ifndef TEST_INSPECT_WORLD_H
#define TEST_INSPECT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/check.h"
#include "inspect/usage.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum { WORLD_MINE_MAX = 64 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct usages usages;
    struct heap_holder holder;
    struct obj *mine[WORLD_MINE_MAX]; /* what the test holds a count of, for world_assert_sound() */
};

static inline void each_mine(void *self, heap_hold_visit *visit, void *ctx)
{
    struct world *w = self;
    for (int i = 0; i < WORLD_MINE_MAX; i++)
        if (w->mine[i]) visit(ctx, w->mine[i], HEAP_HOLD_COUNT);
}

static inline void world_init(struct world *w)
{
    *w = (struct world){0};
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{7}}), STATUS_OK);
    value_init(&w->heap, &w->values);
    usages_init(&w->usages, &w->heap);
    w->holder = (struct heap_holder){.name = "mine", .each = each_mine, .self = w};
    heap_add_holder(&w->heap, &w->holder);
}

/* The collector takes what is left, and nothing remains. */
static inline void world_fini(struct world *w)
{
    usages_fini(&w->usages);
    uint64_t ticket = collect_full_begin(&w->heap), found;
    do {
        (void)collect_step(&w->heap, true);
        while (heap_release_step(&w->heap, UINT32_MAX)) {
        }
    } while (!collect_full_found(&w->heap, ticket, &found));
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
}

static inline void world_assert_sound(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
    assert_true(usages_check(&w->usages));
}

static inline struct obj *container(struct world *w, enum obj_type type)
{
    struct obj *o = heap_container_new(&w->heap, type);
    assert_non_null(o);
    return o;
}

/* Stores one reference more: the list holds it, and the caller keeps what it had. */
static inline void refer(struct world *w, struct obj *list, struct obj *to)
{
    rc_inc(&w->heap, to);
    assert_int_equal(list_push_take(&w->heap, list, LIST_TAIL, val_of_obj(to)), STATUS_OK);
}

/* Stores the caller's own reference. */
static inline void give(struct world *w, struct obj *list, struct obj *to)
{
    assert_int_equal(list_push_take(&w->heap, list, LIST_TAIL, val_of_obj(to)), STATUS_OK);
}

static inline val text(struct world *w, int i)
{
    char bytes[64];
    int n = snprintf(bytes, sizeof bytes, "a text too long to be an immediate %d", i);
    val v;
    assert_int_equal(val_of_text(&w->heap, (struct view){bytes, (size_t)n}, &v), STATUS_OK);
    return v;
}

static inline void drop(struct world *w, struct obj *o)
{
    rc_dec(&w->heap, o);
    while (heap_release_step(&w->heap, UINT32_MAX)) {
    }
}

/* A list of every type of container, each holding texts that only it refers to. */
static inline struct obj *library(struct world *w, int texts)
{
    struct obj *list = container(w, OBJ_LIST), *hash = container(w, OBJ_HASH);
    struct obj *set = container(w, OBJ_SET), *zset = container(w, OBJ_ZSET);
    struct obj *inner = container(w, OBJ_LIST);
    for (int i = 0; i < texts; i++) {
        char bytes[64];
        bool created;
        size_t length = (size_t)snprintf(bytes, sizeof bytes, "not an immediate either %d", i);
        struct needle n = needle_of_text(&w->heap, (struct view){bytes, length});
        assert_int_equal(set_add(&w->heap, set, &n, &created), STATUS_OK);
        assert_int_equal(zset_set(&w->heap, zset, &n, i, &created), STATUS_OK);
        length = (size_t)snprintf(bytes, sizeof bytes, "f%d", i);
        n = needle_of_text(&w->heap, (struct view){bytes, length});
        assert_int_equal(hash_set_take(&w->heap, hash, &n, text(w, i), NULL), STATUS_OK);
        give(w, inner, val_obj(text(w, i)));
    }
    give(w, list, hash);
    give(w, list, set);
    give(w, list, zset);
    give(w, list, inner);
    return list;
}

/* Counted at once, however much it is. */
static inline uint64_t usage(struct world *w, val v)
{
    struct usage q;
    uint64_t at_once = w->usages.slots_at_once;
    w->usages.slots_at_once = UINT64_MAX;
    assert_int_equal(usage_ask(&w->usages, v, 7, &q), STATUS_OK);
    w->usages.slots_at_once = at_once;
    assert_true(q.done);
    return q.bytes - 7;
}

#endif
