/*
 * What the tests of the heap's own modules share: a heap with the types of value/, and a holder
 * that knows every reference that a test has, so that heap_check() can recount at any moment.
 *
 * Ownership: world_fini requires that the test has let go of everything and that no byte is left.
 */
#ifndef TEST_HEAP_WORLD_H
#define TEST_HEAP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap/check.h"
#include "value/list.h"

enum { HOLDS_MAX = 2048 };

/* A list with such a text in it is not packed, and the text is an object. */
#define LONG_TEXT "a text of more bytes than a packed list takes, whatever else there may be in it"

/* What the test holds of one object. */
struct hold {
    struct obj *o;
    uint64_t counts, roots; /* roots have a count each beside `counts` */
};

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct heap_holder holder;
    struct hold holds[HOLDS_MAX];
    uint32_t hold_count;
    uint64_t seed;
};

static inline uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static inline void world_each(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct world *w = self;
    for (uint32_t i = 0; i < w->hold_count; i++) {
        const struct hold *hold = &w->holds[i];
        for (uint64_t n = 0; n < hold->counts; n++) visit(ctx, hold->o, HEAP_HOLD_COUNT);
        for (uint64_t n = 0; n < hold->roots; n++) visit(ctx, hold->o, HEAP_HOLD_ROOT);
    }
}

static inline struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{seed}}),
                     STATUS_OK);
    value_init(&w->heap, &w->values);
    w->holder = (struct heap_holder){.name = "test", .each = world_each, .self = w};
    heap_add_holder(&w->heap, &w->holder);
    return w;
}

static inline void world_fails_at(struct world *w, uint64_t nth, bool and_after)
{
    w->mem.fail_at = nth;
    w->mem.fail_on = and_after;
}

static inline void assert_sound(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

static inline void drain(struct world *w)
{
    while (heap_release_step(&w->heap, 1000)) {
    }
}

/* Everything that is garbage now goes. */
static inline void collect_all(struct world *w)
{
    for (int rounds = 0; rounds < 2; rounds++) {
        uint64_t found, ticket = collect_full_begin(&w->heap);
        while (!collect_full_found(&w->heap, ticket, &found)) collect_step(&w->heap, true);
        drain(w);
    }
}

static inline void world_free(struct world *w)
{
    assert_int_equal(w->hold_count, 0);
    collect_all(w);
    assert_sound(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    assert_int_equal(w->mem.bytes, 0);
    mem_fini(&w->mem);
    free(w);
}

/* --- references of the test --- */

static inline struct hold *hold_of(struct world *w, struct obj *o)
{
    for (uint32_t i = 0; i < w->hold_count; i++)
        if (w->holds[i].o == o) return &w->holds[i];
    assert_true(w->hold_count < HOLDS_MAX);
    w->holds[w->hold_count] = (struct hold){.o = o};
    return &w->holds[w->hold_count++];
}

static inline void hold_tidy(struct world *w, struct hold *hold)
{
    if (hold->counts == 0 && hold->roots == 0) *hold = w->holds[--w->hold_count];
}

/* The caller's count is the test's from now on. */
static inline struct obj *keep(struct world *w, struct obj *o)
{
    hold_of(w, o)->counts++;
    return o;
}

static inline void drop(struct world *w, struct obj *o)
{
    struct hold *hold = hold_of(w, o);
    hold->counts--;
    hold_tidy(w, hold);
    rc_dec(&w->heap, o);
}

static inline void root(struct world *w, struct obj *o)
{
    rc_inc(&w->heap, o);
    assert_int_equal(rc_root_add(&w->heap, o), STATUS_OK);
    hold_of(w, o)->roots++;
}

static inline void unroot(struct world *w, struct obj *o)
{
    struct hold *hold = hold_of(w, o);
    hold->roots--;
    hold_tidy(w, hold);
    rc_root_drop(&w->heap, o);
    rc_dec(&w->heap, o);
}

/* --- values --- */

/* The count is the caller's. */
static inline struct obj *list_new(struct world *w)
{
    struct obj *o = heap_container_new(&w->heap, OBJ_LIST);
    assert_non_null(o);
    return o;
}

/* The list takes over the caller's count. */
static inline void push_take(struct world *w, struct obj *list, struct obj *o)
{
    assert_int_equal(list_push_take(&w->heap, list, LIST_TAIL, val_of_obj(o)), STATUS_OK);
}

static inline void push(struct world *w, struct obj *list, struct obj *o)
{
    rc_inc(&w->heap, o);
    push_take(w, list, o);
}

/* A string object; the count is the caller's. */
static inline struct obj *text_new(struct world *w, const char *text)
{
    val v;
    assert_int_equal(val_of_text(&w->heap, view_of(text), &v), STATUS_OK);
    assert_true(val_is_obj(v));
    return val_obj(v);
}

/* Lists, each of which refers to the next and the last to the first, which is returned; `extra`
 * counts of it are the caller's. */
static inline struct obj *ring_new(struct world *w, uint32_t length, uint32_t extra)
{
    struct obj *first = list_new(w), *last = first;
    for (uint32_t i = 1; i < length; i++) {
        struct obj *o = list_new(w);
        push_take(w, last, o);
        last = o;
    }
    push(w, last, first);
    for (uint32_t i = 1; i < extra; i++) rc_inc(&w->heap, first);
    if (extra == 0) rc_dec(&w->heap, first);
    return first;
}

#endif
