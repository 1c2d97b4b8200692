/*
 * Counts, roots and the barrier. Goal: a count that has reached its end stays there and keeps the
 * books right; any number of roots is exact, whatever memory does; and whatever moment of a trial a
 * command chooses to take or to move a reference, what it holds is not collected.
 *
 * Method: counts near the end are written into the header (nobody can make two thousand million
 * references), roots are really added; for the barrier the same scene is played again for every
 * slice of a trial, and the command comes after that slice.
 */
#include "world.h"

#include "value/hash.h"

/* --- counts --- */

static void test_rc_dec_notes_candidates(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *plain = keep(w, list_new(w)), *visible = keep(w, list_new(w));
    push_take(w, visible, list_new(w));
    rc_inc(&w->heap, plain);
    rc_dec(&w->heap, plain);
    assert_false(plain->flags & OBJ_CANDIDATE); /* refers to no container */
    root(w, visible);
    rc_inc(&w->heap, visible);
    rc_dec(&w->heap, visible);
    assert_false(visible->flags & OBJ_CANDIDATE); /* a root holds it */
    assert_int_equal(collect_backlog(&w->heap), 0);
    unroot(w, visible);
    assert_true(visible->flags & OBJ_CANDIDATE);
    rc_inc(&w->heap, visible);
    rc_dec(&w->heap, visible);
    assert_int_equal(collect_backlog(&w->heap), 1); /* once */
    assert_sound(w);
    drop(w, plain);
    drop(w, visible);
    world_free(w);
}

static void test_rc_stored_makes_the_owner_visible(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *owner = keep(w, list_new(w)), *target = keep(w, list_new(w));
    push_take(w, owner, text_new(w, "a string that needs an object"));
    assert_false(owner->flags & OBJ_VISIBLE);
    push(w, owner, target);
    assert_true(owner->flags & OBJ_VISIBLE);
    assert_false(owner->flags & OBJ_REFERRED);
    assert_false(target->flags & OBJ_REFERRED);
    assert_false(target->flags & OBJ_VISIBLE);
    assert_sound(w);
    drop(w, owner);
    drop(w, target);
    world_free(w);
}

/* Near its end the count is the test's word only: nothing may recount until it is put right. */
static void count_set(struct obj *o, uint32_t count)
{
    o->count = count;
}

static void test_rc_count_saturates(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = keep(w, list_new(w));
    push_take(w, o, list_new(w));
    count_set(o, OBJ_COUNT_MAX - 2);
    rc_inc(&w->heap, o);
    assert_int_equal(o->count, OBJ_COUNT_MAX - 1);
    assert_int_equal(w->heap.saturated, 0);
    rc_dec(&w->heap, o);
    assert_int_equal(o->count, OBJ_COUNT_MAX - 2);
    rc_inc(&w->heap, o);
    rc_inc(&w->heap, o);
    assert_int_equal(o->count, OBJ_COUNT_MAX);
    assert_int_equal(w->heap.saturated, 1);
    for (int i = 0; i < 100; i++) rc_inc(&w->heap, o);
    assert_int_equal(o->count, OBJ_COUNT_MAX);
    assert_int_equal(w->heap.saturated, 1);
    uint64_t backlog = collect_backlog(&w->heap);
    for (int i = 0; i < 1000; i++) rc_dec(&w->heap, o);
    assert_int_equal(o->count, OBJ_COUNT_MAX);
    assert_int_equal(collect_backlog(&w->heap), backlog);
    assert_sound(w); /* an immortal's references are not counted against it */
    count_set(o, 1);
    w->heap.saturated = 0;
    drop(w, o);
    world_free(w);
}

/* An immortal that nothing refers to but itself is not garbage. */
static void test_rc_saturated_is_never_collected(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = ring_new(w, 3, 1);
    count_set(o, OBJ_COUNT_MAX - 1);
    rc_inc(&w->heap, o);
    for (int i = 0; i < 10; i++) rc_dec(&w->heap, o);
    rc_moved(&w->heap, o);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 3);
    assert_int_equal(w->heap.collect.stats.collected_objects, 0);
    assert_sound(w);
    count_set(o, 2);
    w->heap.saturated = 0;
    rc_dec(&w->heap, o);
    world_free(w);
}

/* --- roots --- */

static void roots_up(struct world *w, struct obj *o, uint64_t to)
{
    while (rc_roots(&w->heap, o) < to) root(w, o);
}

static void roots_down(struct world *w, struct obj *o, uint64_t to)
{
    while (rc_roots(&w->heap, o) > to) unroot(w, o);
}

static void test_rc_roots_beyond_the_header(void **state)
{
    (void)state;
    static const uint64_t stops[] = {OBJ_ROOTS_MAX - 1, OBJ_ROOTS_MAX, OBJ_ROOTS_MAX + 1,
                                     OBJ_ROOTS_MAX + 2, 3 * OBJ_ROOTS_MAX};
    enum { STOPS = sizeof stops / sizeof *stops };
    struct world *w = world_new(1);
    struct obj *a = keep(w, list_new(w)), *b = keep(w, list_new(w));
    push(w, a, b);
    for (int i = 0; i < STOPS; i++) {
        roots_up(w, a, stops[i]);
        if (i == 1) roots_up(w, b, stops[i]);
        assert_int_equal(rc_roots(&w->heap, a), stops[i]);
        assert_int_equal(a->roots, stops[i] < OBJ_ROOTS_MAX ? stops[i] : OBJ_ROOTS_MAX);
        assert_int_equal(w->heap.roots_over.used, i == 0 ? 0 : 2);
        assert_sound(w);
    }
    for (int i = STOPS - 1; i >= 0; i--) {
        roots_down(w, a, stops[i]);
        assert_int_equal(rc_roots(&w->heap, a), stops[i]);
        assert_int_equal(w->heap.roots_over.used, i == 0 ? 1 : 2);
        assert_sound(w);
    }
    assert_int_equal(rc_roots(&w->heap, b), OBJ_ROOTS_MAX); /* its own number */
    roots_down(w, b, 0);
    assert_int_equal(w->heap.roots_over.used, 0);
    assert_false(a->flags & OBJ_CANDIDATE);
    roots_down(w, a, 0);
    assert_true(a->flags & OBJ_CANDIDATE);
    drop(w, a);
    drop(w, b);
    world_free(w);
}

/* An object at the edge goes to and fro. */
static void test_rc_roots_at_the_edge(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    struct obj *o = keep(w, list_new(w));
    roots_up(w, o, OBJ_ROOTS_MAX);
    uint64_t roots = OBJ_ROOTS_MAX;
    for (int i = 0; i < 10000; i++) {
        if (draw(w, 2)) {
            root(w, o);
            roots++;
        } else {
            unroot(w, o);
            roots--;
        }
        assert_int_equal(rc_roots(&w->heap, o), roots);
        assert_int_equal(w->heap.roots_over.used, roots >= OBJ_ROOTS_MAX);
    }
    assert_sound(w);
    roots_down(w, o, 0);
    drop(w, o);
    world_free(w);
}

static void test_rc_roots_of_strings_are_not_counted(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *text = keep(w, text_new(w, "a string that needs an object"));
    root(w, text);
    assert_int_equal(text->roots, 0);
    assert_int_equal(rc_roots(&w->heap, text), 0);
    assert_int_equal(text->count, 2);
    assert_sound(w);
    unroot(w, text);
    assert_int_equal(text->roots, 0);
    drop(w, text);
    world_free(w);
}

#ifdef HEAPD_DEBUG
enum { BLOCKS_MAX = 1 << 16 };

/* Takes every block of a size that the arenas still have. */
static uint32_t exhaust(struct world *w, void **blocks, size_t bytes)
{
    uint32_t n = 0;
    world_fails_at(w, 1, true);
    while (n < BLOCKS_MAX && (blocks[n] = pool_alloc(w->heap.pool, bytes))) n++;
    assert_true(n < BLOCKS_MAX);
    return n;
}

static void test_rc_root_add_without_memory(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    void **blocks = calloc(BLOCKS_MAX, sizeof *blocks);
    struct obj *o = keep(w, list_new(w));
    roots_up(w, o, OBJ_ROOTS_MAX - 1);
    size_t bucket_bytes = 8 + 7 * 16; /* of a table of 16-byte entries */
    uint32_t n = exhaust(w, blocks, bucket_bytes);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rc_root_add(&w->heap, o), STATUS_OOM);
        assert_int_equal(rc_roots(&w->heap, o), OBJ_ROOTS_MAX - 1);
        assert_int_equal(w->heap.roots_over.used, 0);
        assert_sound(w);
    }
    unroot(w, o);
    root(w, o); /* below the edge nothing is needed */
    world_fails_at(w, 0, false);
    while (n) pool_free(w->heap.pool, blocks[--n], bucket_bytes);
    free(blocks);
    roots_up(w, o, OBJ_ROOTS_MAX + 1);
    assert_sound(w);
    roots_down(w, o, 0);
    drop(w, o);
    world_free(w);
}
#endif

/* --- the barrier --- */

/* A trial that may be stopped after any slice. */
static struct world *slow_world(void)
{
    struct world *w = world_new(1);
    w->heap.collect.slice_slots_max = 1;
    w->heap.collect.threshold = 1;
    w->heap.collect.threshold_fixed = true;
    return w;
}

static void assert_condemned_is_unreachable(struct world *w)
{
    struct heap_trace trace = heap_trace(&w->heap);
    assert_false(trace.failed);
    assert_int_equal(trace.condemned, 0);
}

/* A ring of three that only an identity still names. A command takes a reference after slice k,
 * unless the trial has committed by then (test_ident.c): all of the ring lives. */
static bool rescue_after(uint32_t slices)
{
    struct world *w = slow_world();
    struct obj *garbage = ring_new(w, 2, 1), *ring = ring_new(w, 3, 1);
    uint64_t number;
    assert_int_equal(ident_number(&w->heap, ring, &number), STATUS_OK);
    rc_dec(&w->heap, garbage);
    rc_dec(&w->heap, ring);
    bool more = true;
    for (uint32_t i = 0; i < slices && more; i++) more = collect_step(&w->heap, true);
    bool committed = w->heap.collect.phase == COLLECT_FREE;
    struct obj *found = committed ? NULL : ident_find(&w->heap, number);
    if (w->heap.collect.trial_open) assert_non_null(found);
    if (found) {
        assert_ptr_equal(found, ring);
        rc_inc(&w->heap, found);
        keep(w, found);
    }
    while (collect_step(&w->heap, true)) assert_condemned_is_unreachable(w);
    assert_sound(w);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), found ? 3 : 0);
    assert_int_equal(w->heap.collect.stats.faults, 0);
    if (found) {
        const struct obj *at = ring;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(list_length(at), 1);
            at = val_obj(list_get(at, 0));
        }
        assert_ptr_equal(at, ring);
        drop(w, ring);
    }
    world_free(w);
    return more;
}

static void test_rc_inc_rescues_at_every_slice(void **state)
{
    (void)state;
    uint32_t slices = 0;
    while (rescue_after(slices)) slices++;
    assert_true(slices > 20); /* the trial was really cut up */
}

/*
 * What a trial has reached is moved out of it. A candidate list refers to a ring that nothing else
 * holds; it is alive through a slot of a root. After slice k its reference to the ring moves into a
 * hash that no trial looks at, and the candidate is dropped.
 */
static bool move_after(uint32_t slices, bool stays)
{
    struct world *w = slow_world();
    struct heap *h = &w->heap;
    struct obj *top = list_new(w), *candidate = list_new(w);
    struct obj *hash = heap_container_new(h, OBJ_HASH), *ring = ring_new(w, 3, 1);
    root(w, top);
    root(w, hash);
    rc_dec(h, top);
    rc_dec(h, hash);
    if (stays) push_take(w, candidate, text_new(w, LONG_TEXT));
    push_take(w, candidate, ring);
    push(w, top, candidate);
    rc_dec(h, candidate);         /* a candidate from here on */
    rc_dec(h, ring_new(w, 2, 1)); /* and garbage: the trial goes on whatever happens to the other */
    bool more = true;
    for (uint32_t i = 0; i < slices && more; i++) more = collect_step(h, true);
    struct needle field = needle_of_text(h, view_of("field"));
    val v = list_pop(h, candidate, LIST_TAIL);
    assert_ptr_equal(val_obj(v), ring);
    assert_int_equal(hash_set_take(h, hash, &field, v, NULL), STATUS_OK);
    val_moved(h, v);
    while (collect_step(h, true)) assert_condemned_is_unreachable(w);
    assert_sound(w);
    collect_all(w);
    assert_int_equal(heap_objects(h), stays ? 7 : 6);
    assert_ptr_equal(val_obj(hash_get(hash, &field)), ring);
    assert_int_equal(list_length(ring), 1);
    assert_int_equal(h->collect.stats.faults, 0);
    unroot(w, top);
    unroot(w, hash);
    world_free(w);
    return more;
}

static void test_rc_moved_rescues_at_every_slice(void **state)
{
    (void)state;
    /* What is moved was the last element, or something stays in its list. */
    for (int stays = 0; stays < 2; stays++) {
        uint32_t slices = 0;
        while (move_after(slices, stays)) slices++;
        assert_true(slices > 10);
    }
}

/* What a move leaves behind is tried again: the count did not change, and yet it is garbage. */
static void test_rc_moved_makes_a_candidate(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct obj *from = keep(w, list_new(w)), *to = list_new(w);
    push_take(w, from, to);
    push(w, to, from); /* a cycle that the test holds */
    val v = list_pop(h, from, LIST_TAIL);
    assert_int_equal(list_push_take(h, to, LIST_TAIL, v), STATUS_OK); /* `to` refers to itself */
    assert_false(to->flags & OBJ_CANDIDATE);
    val_moved(h, v);
    assert_true(to->flags & OBJ_CANDIDATE);
    drop(w, from);
    collect_all(w);
    assert_int_equal(heap_objects(h), 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rc_dec_notes_candidates),
        cmocka_unit_test(test_rc_stored_makes_the_owner_visible),
        cmocka_unit_test(test_rc_count_saturates),
        cmocka_unit_test(test_rc_saturated_is_never_collected),
        cmocka_unit_test(test_rc_roots_beyond_the_header),
        cmocka_unit_test(test_rc_roots_at_the_edge),
        cmocka_unit_test(test_rc_roots_of_strings_are_not_counted),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_rc_root_add_without_memory),
#endif
        cmocka_unit_test(test_rc_inc_rescues_at_every_slice),
        cmocka_unit_test(test_rc_moved_rescues_at_every_slice),
        cmocka_unit_test(test_rc_moved_makes_a_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
