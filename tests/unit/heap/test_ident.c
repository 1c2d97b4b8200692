/*
 * Identities. Goal: a number is given once and never again, it finds its object as long as that
 * lives and not a moment longer, and without memory nothing changes.
 *
 * Method: random histories beside an array that remembers every number ever given; trials that are
 * stopped after every slice; pools that have no block left, for every number of identities.
 */
#include "world.h"

static uint64_t number_of(struct world *w, struct obj *o)
{
    uint64_t number = 0;
    assert_int_equal(ident_number(&w->heap, o, &number), STATUS_OK);
    return number;
}

static void assert_tables(const struct world *w, uint32_t used)
{
    assert_int_equal(w->heap.ident.by_number.used, used);
    assert_int_equal(w->heap.ident.by_object.used, used);
}

static void test_ident_number_is_given_on_demand(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *a = keep(w, list_new(w)), *b = keep(w, list_new(w));
    assert_int_equal(ident_get(&w->heap, a), 0);
    assert_null(ident_find(&w->heap, 0));
    assert_null(ident_find(&w->heap, 1));
    assert_tables(w, 0);
    assert_int_equal(number_of(w, b), 1); /* numbers begin at 1 */
    assert_int_equal(number_of(w, a), 2);
    assert_int_equal(number_of(w, b), 1);
    assert_int_equal(ident_get(&w->heap, a), 2);
    assert_true(a->flags & OBJ_IDENTIFIED);
    assert_ptr_equal(ident_find(&w->heap, 1), b);
    assert_ptr_equal(ident_find(&w->heap, 2), a);
    assert_null(ident_find(&w->heap, 3));
    assert_null(ident_find(&w->heap, UINT64_MAX));
    assert_int_equal(a->count, 1); /* a number holds nothing */
    assert_tables(w, 2);
    assert_sound(w);
    drop(w, a);
    drop(w, b);
    assert_tables(w, 0);
    world_free(w);
}

static void test_ident_forget_ends_the_number(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *a = keep(w, list_new(w)), *b = keep(w, list_new(w));
    uint64_t first = number_of(w, a), other = number_of(w, b);
    ident_forget(&w->heap, a);
    assert_false(a->flags & OBJ_IDENTIFIED);
    assert_int_equal(ident_get(&w->heap, a), 0);
    assert_null(ident_find(&w->heap, first));
    assert_tables(w, 1);
    ident_forget(&w->heap, a); /* which has none */
    assert_tables(w, 1);
    uint64_t second = number_of(w, a);
    assert_true(second > first && second != other);
    assert_null(ident_find(&w->heap, first));
    assert_ptr_equal(ident_find(&w->heap, second), a);
    assert_sound(w);
    drop(w, a);
    drop(w, b);
    world_free(w);
}

/* Cells are used again at once, so that new objects stand where dead ones stood. */
static void test_ident_numbers_are_never_given_twice(void **state)
{
    (void)state;
    enum { LIVE = 200, STEPS = 20000 };
    struct world *w = world_new(5);
    struct obj *live[LIVE] = {0};
    uint64_t numbers[LIVE] = {0};
    struct obj **owner = calloc(STEPS + 2, sizeof(void *)); /* of each number, NULL: gone */
    uint64_t last = 0;
    for (int i = 0; i < STEPS; i++) {
        uint64_t at = draw(w, LIVE), what = draw(w, 8);
        if (what == 0) {
            uint64_t fresh = ident_fresh(&w->heap);
            assert_int_equal(fresh, last + 1);
            last = fresh;
        } else if (live[at] && what < 4) {
            if (numbers[at]) owner[numbers[at]] = NULL;
            rc_dec(&w->heap, live[at]);
            live[at] = NULL;
            numbers[at] = 0;
        } else if (live[at]) {
            uint64_t number = number_of(w, live[at]);
            assert_int_equal(number, numbers[at] ? numbers[at] : last + 1);
            if (number > last) last = number;
            numbers[at] = number;
            owner[number] = live[at];
        } else {
            live[at] = list_new(w);
            assert_int_equal(ident_get(&w->heap, live[at]), 0);
        }
        uint64_t any = draw(w, last + 2);
        assert_ptr_equal(ident_find(&w->heap, any), owner[any]);
    }
    uint32_t numbered = 0;
    for (uint64_t n = 0; n <= last; n++) {
        assert_ptr_equal(ident_find(&w->heap, n), owner[n]);
        numbered += owner[n] != NULL;
    }
    assert_tables(w, numbered);
    for (int i = 0; i < LIVE; i++) {
        assert_true(!live[i] || ident_get(&w->heap, live[i]) == numbers[i]);
        if (live[i]) rc_dec(&w->heap, live[i]);
    }
    assert_tables(w, 0);
    free(owner);
    world_free(w);
}

static void test_ident_find_not_what_waits_to_be_freed(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = keep(w, list_new(w)), *inner = list_new(w);
    uint64_t outer_number = number_of(w, o), inner_number = number_of(w, inner);
    push_take(w, inner, text_new(w, LONG_TEXT));
    push_take(w, o, inner);
    drop(w, o);
    assert_int_equal(w->heap.release_pending, 1);
    assert_null(ident_find(&w->heap, outer_number));
    assert_ptr_equal(ident_find(&w->heap, inner_number), inner); /* still counted */
    assert_tables(w, 1);
    assert_true(heap_release_step(&w->heap, 1));
    assert_int_equal(heap_containers(&w->heap), 1);
    assert_null(ident_find(&w->heap, inner_number));
    assert_tables(w, 0);
    assert_sound(w);
    world_free(w);
}

/*
 * From the commit on no number finds a member of a condemned ring, also when its slots have been
 * cleared while others still refer to it. What is found by then was never condemned.
 */
static void test_ident_find_not_the_condemned(void **state)
{
    (void)state;
    enum { RING = 6 };
    struct world *w = world_new(1);
    w->heap.collect.slice_slots_max = 1;
    struct obj *live = keep(w, ring_new(w, 3, 1)), *ring = ring_new(w, RING, 1), *at = ring;
    uint64_t numbers[RING], live_number = number_of(w, live), found_live = 0;
    for (int i = 0; i < RING; i++) {
        /* Each is referred to twice, so that it outlives the clearing of the one before it. */
        push(w, ring, at);
        numbers[i] = number_of(w, at);
        at = val_obj(list_get(at, 0));
    }
    rc_inc(&w->heap, live);
    rc_dec(&w->heap, live);
    rc_dec(&w->heap, ring);
    uint64_t found, ticket = collect_full_begin(&w->heap), after_commit = 0;
    while (!collect_full_found(&w->heap, ticket, &found)) {
        collect_step(&w->heap, true);
        assert_ptr_equal(ident_find(&w->heap, live_number), live);
        bool gone = w->heap.collect.phase == COLLECT_FREE || heap_objects(&w->heap) == 3;
        after_commit += gone;
        for (int i = 0; i < RING; i++) {
            struct obj *o = ident_find(&w->heap, numbers[i]);
            if (gone && o)
                fail_msg("member %d is found with %u elements after the commit", i,
                         (unsigned)list_length(o));
            if (w->heap.collect.trial_open) found_live += o != NULL;
        }
    }
    assert_int_equal(found, RING);
    assert_true(after_commit > RING);
    assert_true(found_live > RING); /* until the commit they are found */
    assert_tables(w, 1);
    assert_sound(w);
    drop(w, live);
    world_free(w);
}

#ifdef HEAPD_DEBUG
enum { BLOCKS_MAX = 1 << 17 };

/* Takes all blocks of all sizes that the arenas still have, so that no table can grow. */
static uint32_t exhaust(struct world *w, void **blocks, uint32_t *sizes)
{
    uint32_t n = 0;
    world_fails_at(w, 1, true);
    for (uint32_t bytes = POOL_SMALL_MAX; bytes >= 8; bytes -= 8) {
        while (n < BLOCKS_MAX && (blocks[n] = pool_alloc(w->heap.pool, bytes))) sizes[n++] = bytes;
        assert_true(n < BLOCKS_MAX);
    }
    return n;
}

/* For every number of identities that are there already: the next ones fail one after the other,
 * in the one table or in the other, and change nothing. */
static void test_ident_number_without_memory(void **state)
{
    (void)state;
    enum { OBJECTS = 80 };
    void **blocks = calloc(BLOCKS_MAX, sizeof *blocks);
    uint32_t *sizes = calloc(BLOCKS_MAX, sizeof *sizes);
    for (uint32_t given = 0; given < OBJECTS; given += 3) {
        struct world *w = world_new(1 + given);
        struct obj *objects[OBJECTS];
        uint32_t used = given, failed = 0;
        for (uint32_t i = 0; i < OBJECTS; i++) objects[i] = keep(w, list_new(w));
        for (uint32_t i = 0; i < given; i++) assert_int_equal(number_of(w, objects[i]), i + 1);
        uint32_t n = exhaust(w, blocks, sizes);
        for (uint32_t i = given; i < OBJECTS; i++) {
            uint64_t number = 4711, next = w->heap.ident.next;
            enum status s = ident_number(&w->heap, objects[i], &number);
            if (s == STATUS_OK) {
                assert_int_equal(number, next);
                used++;
            } else {
                assert_int_equal(s, STATUS_OOM);
                assert_int_equal(number, 4711);
                assert_int_equal(w->heap.ident.next, next);
                assert_int_equal(ident_get(&w->heap, objects[i]), 0);
                assert_null(ident_find(&w->heap, next));
                failed++;
            }
            assert_tables(w, used);
        }
        assert_true(failed > 0);
        for (uint32_t i = 0; i < given; i++)
            assert_ptr_equal(ident_find(&w->heap, i + 1), objects[i]);
        world_fails_at(w, 0, false);
        while (n--) pool_free(w->heap.pool, blocks[n], sizes[n]);
        for (uint32_t i = 0; i < OBJECTS; i++)
            assert_ptr_equal(ident_find(&w->heap, number_of(w, objects[i])), objects[i]);
        assert_tables(w, OBJECTS);
        assert_sound(w);
        for (uint32_t i = 0; i < OBJECTS; i++) drop(w, objects[i]);
        world_free(w);
    }
    free(blocks);
    free(sizes);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ident_number_is_given_on_demand),
        cmocka_unit_test(test_ident_forget_ends_the_number),
        cmocka_unit_test(test_ident_numbers_are_never_given_twice),
        cmocka_unit_test(test_ident_find_not_what_waits_to_be_freed),
        cmocka_unit_test(test_ident_find_not_the_condemned),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_ident_number_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
