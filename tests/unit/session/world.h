/*
 * A heap with a registry of sessions on it.
 *
 * Ownership: the tests' own references are listed by a holder, so that heap_check() adds up;
 * world_fini asserts that nothing is left in the pools. Cost: world_check looks at everything.
 */
#ifndef TEST_SESSION_WORLD_H
#define TEST_SESSION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/check.h"
#include "session/session.h"

enum { WORLD_SESSIONS = 40, WORLD_HELD = 8 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct sessions sessions;
    struct session session[WORLD_SESSIONS];
    struct obj *held[WORLD_HELD];
    struct heap_holder holder;
};

static inline void world_held(void *self, heap_hold_visit *visit, void *ctx)
{
    struct world *w = self;
    for (int i = 0; i < WORLD_HELD; i++)
        if (w->held[i]) visit(ctx, w->held[i], HEAP_HOLD_COUNT);
}

static inline void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{31}}), STATUS_OK);
    value_init(&w->heap, &w->values);
    w->holder = (struct heap_holder){.name = "test", .each = world_held, .self = w};
    heap_add_holder(&w->heap, &w->holder);
    sessions_init(&w->sessions, &w->heap);
}

static inline void world_open(struct world *w, int i)
{
    assert_int_equal(session_open(&w->sessions, &w->session[i], 1000), STATUS_OK);
}

/* A container that the test holds once. */
static inline val world_container(struct world *w, int i)
{
    w->held[i] = heap_container_new(&w->heap, OBJ_LIST);
    assert_non_null(w->held[i]);
    return val_of_obj(w->held[i]);
}

static inline void world_drop(struct world *w, int i)
{
    struct obj *o = w->held[i];
    w->held[i] = NULL;
    rc_dec(&w->heap, o);
}

/* A string object that nobody holds but the caller. */
static inline val world_string(struct world *w, int i)
{
    char text[64];
    int n = snprintf(text, sizeof text, "a string value with the number %d", i);
    val v;
    assert_int_equal(val_of_text(&w->heap, (struct view){text, (size_t)n}, &v), STATUS_OK);
    return v;
}

static inline uint64_t world_hold(struct world *w, int i, val v)
{
    uint64_t number = 0;
    assert_int_equal(handles_hold(&w->heap, &w->session[i].handles, v, &number), STATUS_OK);
    return number;
}

/* The registry's count is what its tables hold, and the heap's counts are what is held. */
static inline void world_check(struct world *w)
{
    char text[256];
    const struct sessions *ss = &w->sessions;
    uint64_t sessions = 0, handles = 0;
    for (const struct session *s = ss->first; s; s = s->next) {
        sessions++;
        handles += handles_count(&s->handles);
        assert_true(!s->next || s->next->previous == s);
    }
    for (uint32_t i = 0; i < ss->buried_count; i++) handles += handles_count(&ss->buried[i]);
    assert_int_equal(ss->count, sessions);
    assert_int_equal(sessions_handles(ss), handles);
    assert_true(ss->buried_slots >= sessions + ss->buried_count);
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

static inline void world_fini(struct world *w)
{
    while (w->sessions.first) session_close(&w->sessions, w->sessions.first);
    sessions_fini(&w->sessions);
    assert_int_equal(sessions_handles(&w->sessions), 0);
    for (int i = 0; i < WORLD_HELD; i++)
        if (w->held[i]) world_drop(w, i);
    while (heap_release_step(&w->heap, UINT32_MAX)) {
    }
    uint64_t ticket = collect_full_begin(&w->heap), found;
    while (!collect_full_found(&w->heap, ticket, &found)) (void)collect_step(&w->heap, true);
    assert_int_equal(heap_objects(&w->heap), 0);
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    assert_int_equal(stats.live_bytes + stats.large_bytes, 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    assert_int_equal(w->mem.bytes, 0);
}

#endif
