/*
 * Goal: what MEMORY USAGE counts is the object and what only it keeps alive, and the walk ends
 * whatever refers to whatever.
 * Method: graphs on a real heap; the sum is compared with what the pools get back when the object
 * goes, or with the objects' own bytes added up by hand. test_usage_steps.c has the walks that go
 * on between commands.
 */
#include "world.h"

static uint64_t live_bytes(struct world *w)
{
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

static uint64_t own(struct world *w, const struct obj *o)
{
    return val_own_bytes(&w->heap, val_of_obj(o));
}

static void test_immediates_take_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_int_equal(usage(&w, val_of_small(5)), 0);
    val v = text(&w, 1);
    assert_int_equal(usage(&w, v), val_own_bytes(&w.heap, v));
    assert_true(usage(&w, v) > 0);
    val_release(&w.heap, v);
    world_fini(&w);
}

static void test_everything_kept_is_counted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *list = library(&w, 500);
    uint64_t before = live_bytes(&w), bytes = usage(&w, val_of_obj(list));
    drop(&w, list);
    assert_int_equal(bytes, before - live_bytes(&w));
    world_fini(&w);
}

/* What somebody else refers to as well is not counted, nor what only that keeps. */
static void test_shared_is_not_counted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *list = container(&w, OBJ_LIST), *shared = library(&w, 500);
    refer(&w, list, shared);
    assert_int_equal(usage(&w, val_of_obj(list)), own(&w, list));
    /* The one who asks for the shared one itself gets it all. */
    uint64_t all = usage(&w, val_of_obj(shared));
    assert_true(all > own(&w, shared));
    drop(&w, shared);
    assert_int_equal(usage(&w, val_of_obj(list)), own(&w, list) + all);
    /* Twice in one list is shared, too. */
    refer(&w, list, shared);
    assert_int_equal(usage(&w, val_of_obj(list)), own(&w, list));
    drop(&w, list);
    world_fini(&w);
}

static void test_name_in_a_cycle(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *a = container(&w, OBJ_LIST), *b = container(&w, OBJ_LIST);
    refer(&w, b, a);
    give(&w, a, b);
    assert_int_equal(usage(&w, val_of_obj(a)), own(&w, a) + own(&w, b));
    drop(&w, a);
    world_fini(&w);
}

/* An identity holds nothing: what it names may be garbage that the collector has not found yet. */
static void test_garbage_cycle(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *self = container(&w, OBJ_LIST);
    refer(&w, self, self);
    drop(&w, self);
    assert_int_equal(self->count, 1);
    assert_int_equal(usage(&w, val_of_obj(self)), own(&w, self));

    struct obj *a = container(&w, OBJ_LIST), *b = container(&w, OBJ_LIST);
    refer(&w, b, a);
    give(&w, a, b);
    drop(&w, a);
    assert_int_equal(a->count, 1);
    assert_int_equal(b->count, 1);
    assert_int_equal(usage(&w, val_of_obj(a)), own(&w, a) + own(&w, b));
    assert_int_equal(usage(&w, val_of_obj(b)), own(&w, a) + own(&w, b));
    world_fini(&w);
}

/* A chain as long as memory allows: nothing recurses. */
static void test_long_chain(void **state)
{
    (void)state;
    enum { LINKS = 200000 };
    struct world w;
    world_init(&w);
    struct obj *first = container(&w, OBJ_LIST);
    for (int i = 1; i < LINKS; i++) {
        struct obj *o = container(&w, OBJ_LIST);
        give(&w, o, first);
        first = o;
    }
    uint64_t had = live_bytes(&w), bytes = usage(&w, val_of_obj(first));
    drop(&w, first);
    assert_int_equal(bytes, had - live_bytes(&w));
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
/* Whichever allocation fails: an answer that did not look at everything is none. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *list = container(&w, OBJ_LIST);
    for (int i = 0; i < 1000; i++) {
        struct obj *inner = container(&w, OBJ_LIST);
        give(&w, inner, val_obj(text(&w, i)));
        give(&w, list, inner);
    }
    uint64_t all = usage(&w, val_of_obj(list)), used = w.mem.bytes;
    struct usage q;
    w.usages.slots_at_once = UINT64_MAX;
    int failures = 0;
    for (uint64_t nth = 1;; nth++) {
        assert_true(nth < 100);
        w.mem.fail_at = nth;
        enum status s = usage_ask(&w.usages, val_of_obj(list), 0, &q);
        w.mem.fail_at = 0;
        assert_int_equal(w.mem.bytes, used);
        if (s == STATUS_OK) break;
        assert_int_equal(s, STATUS_OOM);
        assert_null(w.usages.first);
        failures++;
    }
    assert_true(failures > 1);
    assert_int_equal(q.bytes, all);
    drop(&w, list);
    world_fini(&w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_immediates_take_nothing),
        cmocka_unit_test(test_everything_kept_is_counted),
        cmocka_unit_test(test_shared_is_not_counted),
        cmocka_unit_test(test_name_in_a_cycle),
        cmocka_unit_test(test_garbage_cycle),
        cmocka_unit_test(test_long_chain),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_out_of_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
