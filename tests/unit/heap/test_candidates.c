/*
 * The candidate buffer. Goal: first in first out whatever the length; cells that died while it
 * named them go when it lets go of them, and not later than the living allow; candidates that
 * memory was not there for are found by walking the cells.
 *
 * Method: lists that refer to a list are made candidates by a count that goes up and down again;
 * the buffer is asked directly, or the collector is let loose on it.
 */
#include "world.h"

enum { MANY = 2000 }; /* several chunks */

/* A list that may be a candidate; the test holds it. */
static struct obj *visible_new(struct world *w)
{
    struct obj *o = list_new(w);
    push_take(w, o, list_new(w));
    return o;
}

static void touch(struct world *w, struct obj *o)
{
    rc_inc(&w->heap, o);
    rc_dec(&w->heap, o);
}

static struct candidates *buffer_of(struct world *w)
{
    return &w->heap.collect.candidates;
}

static void test_candidates_first_in_first_out(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *objects[MANY];
    for (int i = 0; i < MANY; i++) objects[i] = keep(w, visible_new(w));
    for (int i = 0; i < MANY; i++) {
        touch(w, objects[i]);
        touch(w, objects[i]); /* noted once */
        assert_true(objects[i]->flags & OBJ_CANDIDATE);
        assert_int_equal(buffer_of(w)->count, i + 1);
    }
    assert_sound(w);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(candidates_take(&w->heap), objects[i]);
        assert_false(objects[i]->flags & OBJ_CANDIDATE);
        assert_int_equal(buffer_of(w)->count, MANY - 1 - i);
    }
    assert_null(candidates_take(&w->heap));
    assert_int_equal(buffer_of(w)->count, 0);
    for (int i = 0; i < MANY; i++) drop(w, objects[i]);
    world_free(w);
}

/* What comes in while others go out waits its turn, and the chunks do not pile up. */
static void test_candidates_add_and_take_in_turn(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    struct obj *objects[MANY];
    uint64_t in = 0, out = 0;
    for (int i = 0; i < MANY; i++) objects[i] = keep(w, visible_new(w));
    size_t bytes = w->mem.bytes, bytes_max = 0;
    for (int i = 0; i < 100000; i++) {
        bool add = in == out || (in - out < MANY / 2 && draw(w, 2));
        if (add)
            touch(w, objects[in++ % MANY]);
        else
            assert_ptr_equal(candidates_take(&w->heap), objects[out++ % MANY]);
        assert_int_equal(buffer_of(w)->count, in - out);
        if (w->mem.bytes - bytes > bytes_max) bytes_max = w->mem.bytes - bytes;
    }
    while (out < in) assert_ptr_equal(candidates_take(&w->heap), objects[out++ % MANY]);
    assert_true(bytes_max <= (MANY / 2 / 500 + 3) * 4096);
    assert_true(w->mem.bytes - bytes <= 4096); /* one chunk is kept */
    for (int i = 0; i < MANY; i++) drop(w, objects[i]);
    world_free(w);
}

static void test_candidates_take_frees_dead_cells(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *first = keep(w, visible_new(w)), *dead = keep(w, visible_new(w)),
               *last = keep(w, visible_new(w));
    touch(w, first);
    touch(w, dead);
    touch(w, last);
    drop(w, dead);
    drain(w);
    assert_int_equal(buffer_of(w)->count, 3);
    assert_int_equal(buffer_of(w)->dead, 1);
    assert_int_equal(collect_backlog(&w->heap), 2);
    assert_sound(w);
    struct pool_class_stats before, after;
    pool_get_class_stats(w->heap.pool, POOL_CLASS_CELLS, &before);
    assert_ptr_equal(candidates_take(&w->heap), first);
    assert_null(candidates_take(&w->heap)); /* the dead one */
    pool_get_class_stats(w->heap.pool, POOL_CLASS_CELLS, &after);
    assert_int_equal(after.live_blocks, before.live_blocks - 1);
    assert_int_equal(buffer_of(w)->dead, 0);
    assert_int_equal(buffer_of(w)->count, 1);
    assert_ptr_equal(candidates_take(&w->heap), last);
    assert_sound(w);
    drop(w, first);
    drop(w, last);
    world_free(w);
}

/* Taken out while it waits in the release queue: the queue frees the cell then. */
static void test_candidates_take_what_waits_to_be_freed(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = keep(w, visible_new(w));
    touch(w, o);
    drop(w, o);
    assert_int_equal(w->heap.release_pending, 1);
    assert_null(candidates_take(&w->heap));
    assert_int_equal(buffer_of(w)->count, 0);
    assert_int_equal(buffer_of(w)->dead, 0);
    assert_sound(w);
    drain(w);
    assert_int_equal(buffer_of(w)->dead, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    struct pool_class_stats cells;
    pool_get_class_stats(w->heap.pool, POOL_CLASS_CELLS, &cells);
    assert_int_equal(cells.live_blocks, 0);
    world_free(w);
}

/* While the collector is off the buffer stays in proportion to what lives, and forgets none. */
static void test_candidates_shed_the_dead(void **state)
{
    (void)state;
    enum { LIVE = 300, DEAD = 50000 };
    struct world *w = world_new(3);
    struct obj *live[LIVE];
    uint64_t count_max = 0;
    collect_enable(&w->heap, false);
    for (int i = 0; i < DEAD; i++) {
        struct obj *o = visible_new(w);
        if (i % (DEAD / LIVE) == 0 && i / (DEAD / LIVE) < LIVE) {
            live[i / (DEAD / LIVE)] = keep(w, o);
            touch(w, o);
            continue;
        }
        touch(w, o);
        rc_dec(&w->heap, o);
        heap_release_step(&w->heap, 100);
        if (buffer_of(w)->count > count_max) count_max = buffer_of(w)->count;
        if (i % 5000 == 0) assert_sound(w);
    }
    assert_true(count_max < 2 * (LIVE + 1024) + 10);
    assert_sound(w);
    uint64_t candidates = 0;
    while (buffer_of(w)->count) candidates += candidates_take(&w->heap) != NULL;
    assert_int_equal(candidates, LIVE);
    for (int i = 0; i < LIVE; i++) drop(w, live[i]);
    collect_enable(&w->heap, true);
    world_free(w);
}

static void test_candidates_fini_with_candidates(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *objects[MANY];
    for (int i = 0; i < MANY; i++) touch(w, objects[i] = visible_new(w));
    candidates_fini(&w->heap);
    assert_int_equal(buffer_of(w)->count, 0);
    assert_null(candidates_take(&w->heap));
    for (int i = 0; i < MANY; i++) {
        objects[i]->flags &= (uint8_t)~OBJ_CANDIDATE;
        rc_dec(&w->heap, objects[i]);
    }
    world_free(w);
}

#ifdef HEAPD_DEBUG
/* Rings whose candidates nobody could note: without a flag, so that a later decrement tries again,
 * and found all the same once there is memory. */
static void test_candidates_lost_are_found_by_the_walk(void **state)
{
    (void)state;
    enum { RINGS = 600, LENGTH = 3 };
    for (uint32_t noted = 0; noted < RINGS; noted += 150) {
        struct world *w = world_new(1 + noted);
        struct obj *rings[RINGS], *live = keep(w, ring_new(w, LENGTH, 1));
        for (int i = 0; i < RINGS; i++) rings[i] = ring_new(w, LENGTH, 1);
        for (uint32_t i = 0; i < noted; i++) rc_dec(&w->heap, rings[i]);
        world_fails_at(w, 1, true);
        for (uint32_t i = noted; i < RINGS; i++) rc_dec(&w->heap, rings[i]);
        touch(w, live);
        world_fails_at(w, 0, false);
        uint64_t flagged = 0;
        for (int i = 0; i < RINGS; i++) flagged += (rings[i]->flags & OBJ_CANDIDATE) != 0;
        assert_true(buffer_of(w)->lost);
        assert_int_equal(buffer_of(w)->count, flagged + ((live->flags & OBJ_CANDIDATE) != 0));
        assert_true(flagged < RINGS && flagged >= noted);
        assert_sound(w);
        uint64_t found, ticket = collect_full_begin(&w->heap);
        while (!collect_full_found(&w->heap, ticket, &found)) collect_step(&w->heap, true);
        assert_int_equal(found, RINGS * LENGTH);
        assert_false(buffer_of(w)->lost);
        assert_int_equal(heap_objects(&w->heap), LENGTH);
        assert_sound(w);
        drop(w, live);
        world_free(w);
    }
}

/* The dead are shed without memory too; a living one that then has no place any more is lost, and
 * the buffer knows it. */
static void test_candidates_shed_without_memory(void **state)
{
    (void)state;
    enum { LIVE = 600, DEAD = 1000, WITHOUT = 1000 };
    struct world *w = world_new(1);
    struct obj *live[LIVE];
    uint64_t lost = 0;
    collect_enable(&w->heap, false);
    for (int i = 0; i < LIVE; i++) touch(w, live[i] = keep(w, visible_new(w)));
    for (int i = 0; i < DEAD + WITHOUT; i++) {
        struct obj *o = visible_new(w);
        if (i >= DEAD) world_fails_at(w, 1, true);
        touch(w, o);
        world_fails_at(w, 0, false);
        rc_dec(&w->heap, o);
        drain(w);
        uint64_t unknown = 0;
        for (int k = 0; k < LIVE; k++) unknown += (live[k]->flags & OBJ_CANDIDATE) == 0;
        assert_true(unknown == 0 || buffer_of(w)->lost);
        if (unknown > lost) lost = unknown;
    }
    assert_true(lost > 0);
    assert_sound(w);
    for (int i = 0; i < LIVE; i++) drop(w, live[i]);
    collect_enable(&w->heap, true);
    world_free(w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates_first_in_first_out),
        cmocka_unit_test(test_candidates_add_and_take_in_turn),
        cmocka_unit_test(test_candidates_take_frees_dead_cells),
        cmocka_unit_test(test_candidates_take_what_waits_to_be_freed),
        cmocka_unit_test(test_candidates_shed_the_dead),
        cmocka_unit_test(test_candidates_fini_with_candidates),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_candidates_lost_are_found_by_the_walk),
        cmocka_unit_test(test_candidates_shed_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
