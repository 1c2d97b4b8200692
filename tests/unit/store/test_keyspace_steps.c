/*
 * Goal: what grows with the number of names is done in steps that do not, and nobody sees them.
 * Method: a hundred thousand names that expire within a second, or are flushed, or are scanned
 * while the table grows and shrinks; the work of each step is bounded by what the keyspace counts.
 */
#include "world.h"

enum { MANY = 100000, STEP = 64, SLACK = 8 /* a bucket's entries are drained together */ };

static void test_keyspace_expiry_of_one_second(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    const int64_t base_ms = 1000000;
    uint64_t early = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        int64_t when_ms = base_ms + world_below(&w, 1000);
        early += when_ms <= base_ms + 499;
        (void)world_bind(&w, i, val_of_small(i), when_ms);
    }
    world_check(&w);
    assert_false(keyspace_step(at(&w.ks, base_ms - 1), STEP));
    assert_int_equal(keyspace_names(&w.ks), MANY);

    for (int64_t now_ms = base_ms + 499; now_ms <= base_ms + 999; now_ms += 500) {
        uint64_t steps = 0, due = now_ms == base_ms + 499 ? early : keyspace_names(&w.ks);
        bool more = true;
        while (more) {
            uint64_t names = keyspace_names(&w.ks);
            int64_t next_ms = keyspace_next_expiry_ms(&w.ks);
            assert_true(next_ms <= now_ms);
            more = keyspace_step(at(&w.ks, now_ms), STEP);
            steps++;
            if (more) assert_int_equal(names - keyspace_names(&w.ks), STEP);
            if (keyspace_names(&w.ks)) assert_true(keyspace_next_expiry_ms(&w.ks) >= next_ms);
        }
        assert_int_equal(steps, (due + STEP - 1) / STEP);
        world_check(&w);
    }
    assert_int_equal(w.ks.expired, MANY);
    assert_int_equal(keyspace_names(&w.ks), 0);
    assert_int_equal(keyspace_next_expiry_ms(&w.ks), KEYSPACE_NEVER);
    world_fini(&w);
}

static void fill(struct world *w, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        val v = i % 50 ? world_string(w, i) : val_of_obj(world_list(w, i));
        (void)world_bind(w, i, v, i % 2 ? KEYSPACE_NEVER : (int64_t)i + 1);
    }
}

static void test_keyspace_flush_in_steps(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 4);
    struct obj *o = w.held[0] = world_list(&w, 1);
    fill(&w, 0, MANY);
    (void)world_bind(&w, MANY, world_retained(&w, o), 5);
    uint64_t bytes = w.ks.entry_bytes, strings = w.heap.objects[OBJ_STRING];
    assert_int_equal(keyspace_dropped_names(&w.ks), 0);
    keyspace_flush(&w.ks);

    assert_int_equal(keyspace_names(&w.ks), 0);
    assert_int_equal(keyspace_dropped_names(&w.ks), MANY + 1);
    assert_int_equal(keyspace_names_with_expiry(&w.ks), 0);
    assert_int_equal(keyspace_next_expiry_ms(&w.ks), KEYSPACE_NEVER);
    assert_null(world_find(&w, 1, 0));
    assert_int_equal(w.ks.entry_bytes, bytes);
    assert_int_equal(o->roots, 1); /* until the step that frees the name */
    world_check(&w);

    /* The names come back while the old ones go; a second FLUSHALL does not wait for the first. */
    fill(&w, 0, 1000);
    uint64_t fresh = 0, steps = 0;
    for (; keyspace_step(at(&w.ks, 0), STEP); steps++) {
        uint64_t now = w.heap.objects[OBJ_STRING];
        if (steps) assert_true(strings - now <= STEP + SLACK);
        strings = now;
        if (steps == 100) {
            assert_int_equal(keyspace_names(&w.ks), 1000);
            uint64_t dropped = keyspace_dropped_names(&w.ks);
            assert_true(dropped > 0 && dropped < MANY + 1);
            keyspace_flush(&w.ks);
            assert_int_equal(keyspace_dropped_names(&w.ks), dropped + 1000);
            fill(&w, 5000, 500);
            fresh = keyspace_names(&w.ks);
            strings = w.heap.objects[OBJ_STRING];
        }
        if (steps % 300 == 0) world_check(&w);
    }
    assert_true(steps > MANY / (STEP + SLACK) && steps < MANY / STEP + 200);
    assert_int_equal(fresh, 500);
    assert_int_equal(keyspace_names(&w.ks), fresh);
    assert_int_equal(keyspace_dropped_names(&w.ks), 0);
    assert_int_equal(o->roots, 0);
    assert_int_equal(o->count, 1);
    assert_int_equal(w.ks.expired, 0);
    world_check(&w);
    world_fini(&w);
}

/* With no memory left, and while what other flushes dropped still waits. */
static void test_keyspace_flush_needs_no_memory(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 8);
    for (int i = 0; i < 3; i++) {
        fill(&w, 0, 300);
        uint64_t attempts = w.mem.attempts;
        keyspace_flush(&w.ks);
        keyspace_flush(&w.ks);
        assert_int_equal(w.mem.attempts, attempts);
        assert_int_equal(keyspace_names(&w.ks), 0);
        world_check(&w);
    }
    world_fini(&w);
}

static void test_keyspace_flush_of_nothing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 5);
    keyspace_flush(&w.ks);
    assert_false(keyspace_step(at(&w.ks, 0), STEP));
    struct entry *e = world_bind(&w, 1, val_of_small(1), 100);
    keyspace_unbind(&w.ks, e, NAME_REMOVED);
    keyspace_flush(&w.ks);
    assert_false(keyspace_step(at(&w.ks, 0), STEP));
    world_check(&w);
    world_fini(&w);
}

static void test_keyspace_step_shares_its_bound(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 6);
    fill(&w, 0, 1000);
    keyspace_flush(&w.ks);
    for (uint32_t i = 0; i < 100; i++) (void)world_bind(&w, i, val_of_small(i), 10);
    uint64_t strings = w.heap.objects[OBJ_STRING];
    assert_true(keyspace_step(at(&w.ks, 10), 0)); /* asks only */
    assert_true(keyspace_step(at(&w.ks, 10), STEP));
    assert_int_equal(w.ks.expired, STEP);
    assert_int_equal(w.heap.objects[OBJ_STRING], strings); /* names that are due go first */
    assert_true(keyspace_step(at(&w.ks, 10), STEP));
    assert_int_equal(w.ks.expired, 100);
    assert_true(w.heap.objects[OBJ_STRING] < strings);
    world_fini(&w);
}

static void test_keyspace_fini_with_debris(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 7);
    fill(&w, 0, 30000);
    keyspace_flush(&w.ks);
    fill(&w, 0, 100);
    keyspace_flush(&w.ks);
    fill(&w, 0, 100);
    assert_true(keyspace_step(at(&w.ks, 0), STEP));
    world_fini(&w);
}

/* Which of the first names a scan has shown. */
enum { STAYING = 2000, PASSING = 20000 };

static void mark(void *ctx, const struct entry *e)
{
    uint8_t *shown = ctx;
    int64_t i = val_small(entry_value(e));
    if (i < STAYING) shown[i] = 1;
}

static void test_keyspace_scan_while_it_changes(void **state)
{
    (void)state;
    for (int shrinks = 0; shrinks < 2; shrinks++) {
        struct world w;
        uint8_t shown[STAYING] = {0};
        world_init(&w, 8);
        for (uint32_t i = 0; i < STAYING; i++)
            (void)world_bind(&w, i, val_of_small(i), KEYSPACE_NEVER);
        if (shrinks) {
            for (uint32_t i = STAYING; i < PASSING; i++)
                (void)world_bind(&w, i, val_of_small(i), KEYSPACE_NEVER);
        }
        uint64_t cursor = 0;
        uint32_t passing = STAYING;
        do {
            cursor = keyspace_scan(at(&w.ks, 0), cursor, mark, shown);
            for (int n = 0; n < 10 && passing < PASSING; n++, passing++) {
                if (shrinks)
                    keyspace_unbind(&w.ks, world_find(&w, passing, 0), NAME_REMOVED);
                else
                    (void)world_bind(&w, passing, val_of_small(passing), KEYSPACE_NEVER);
            }
        } while (cursor);
        for (uint32_t i = 0; i < STAYING; i++) assert_int_equal(shown[i], 1);
        world_check(&w);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyspace_expiry_of_one_second),
        cmocka_unit_test(test_keyspace_flush_in_steps),
        cmocka_unit_test(test_keyspace_flush_needs_no_memory),
        cmocka_unit_test(test_keyspace_flush_of_nothing),
        cmocka_unit_test(test_keyspace_step_shares_its_bound),
        cmocka_unit_test(test_keyspace_fini_with_debris),
        cmocka_unit_test(test_keyspace_scan_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
