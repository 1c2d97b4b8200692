/*
 * Goal: a handle holds its value as long as it is there and no longer, and the shared count
 * follows. Method: tables on a real heap; world_check recounts all of it after each step.
 */
#include "world.h"

static void test_hold_container_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    val v = world_container(&w, 0);
    uint64_t number = world_hold(&w, 0, v);
    assert_int_equal(world_hold(&w, 0, v), number);
    assert_int_equal(handles_count(hs), 1);
    assert_int_equal(sessions_handles(&w.sessions), 1);
    assert_int_equal(w.held[0]->count, 2);
    assert_int_equal(w.held[0]->roots, 1);
    uint64_t identity;
    assert_int_equal(ident_number(&w.heap, w.held[0], &identity), STATUS_OK);
    assert_int_equal(number, identity);
    assert_true(handles_get(hs, number).w == v.w);
    handles_commit(&w.heap, hs);
    world_check(&w);

    world_drop(&w, 0); /* the handle alone keeps it */
    assert_int_equal(val_obj(handles_get(hs, number))->count, 1);
    assert_true(handles_release(&w.heap, hs, number));
    assert_false(handles_release(&w.heap, hs, number));
    assert_true(val_is_none(handles_get(hs, number)));
    world_check(&w);
    world_fini(&w);
}

/* A string may be held often: each time under a number that was never used. */
static void test_hold_string_each_time(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    val v = world_string(&w, 1);
    uint64_t a = world_hold(&w, 0, v), b = world_hold(&w, 0, v),
             c = world_hold(&w, 0, val_of_small(7));
    assert_true(a != b && b != c && a != c);
    assert_int_equal(handles_count(hs), 3);
    assert_int_equal(val_obj(v)->count, 3);
    assert_true(handles_get(hs, c).w == val_of_small(7).w);
    val_release(&w.heap, v);
    handles_commit(&w.heap, hs);
    world_check(&w);
    assert_true(handles_release(&w.heap, hs, a));
    assert_true(handles_get(hs, b).w == v.w);
    uint64_t later = world_hold(&w, 0, val_of_small(7));
    assert_true(later != a && later != b && later != c);
    world_check(&w);
    world_fini(&w);
}

/* A command that fails takes back what it made, and only that. */
static void test_rollback(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    val kept = world_container(&w, 0), made = world_container(&w, 1);
    uint64_t before = world_hold(&w, 0, kept);
    handles_commit(&w.heap, hs);
    assert_int_equal(world_hold(&w, 0, kept), before); /* held already: not made now */
    for (int i = 0; i < 100; i++) {
        val s = world_string(&w, i);
        (void)world_hold(&w, 0, s);
        val_release(&w.heap, s);
    }
    (void)world_hold(&w, 0, made);
    assert_int_equal(sessions_handles(&w.sessions), 102);
    handles_rollback(&w.heap, hs);
    assert_int_equal(handles_count(hs), 1);
    assert_int_equal(sessions_handles(&w.sessions), 1);
    assert_true(handles_get(hs, before).w == kept.w);
    assert_int_equal(w.held[1]->roots, 0);
    world_check(&w);
    handles_rollback(&w.heap, hs);
    assert_int_equal(handles_count(hs), 1);
    world_fini(&w);
}

static void each_counts(void *ctx, uint64_t number, val v)
{
    (void)number;
    uint64_t *sum = ctx;
    *sum += (uint64_t)val_small(v);
}

static void test_walk_shows_each_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    uint64_t sum = 0;
    for (int i = 1; i <= 1000; i++) (void)world_hold(&w, 0, val_of_small(i));
    handles_walk(&w.session[0].handles, each_counts, &sum);
    assert_int_equal(sum, 1000 * 1001 / 2);
    world_fini(&w);
}

/* Steps release a bounded number each, and the last leaves no memory behind. */
static void test_drain_in_steps(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    for (int i = 0; i < 5000; i++) (void)world_hold(&w, 0, val_of_small(i));
    handles_commit(&w.heap, hs);
    int steps = 0;
    uint64_t left = 5000;
    while (!handles_drain(&w.heap, hs, 64)) {
        uint64_t now = handles_count(hs);
        assert_true(now <= left && left - now <= 128);
        assert_int_equal(sessions_handles(&w.sessions), now);
        left = now;
        steps++;
    }
    assert_true(steps >= 5000 / 128);
    assert_int_equal(handles_count(hs), 0);
    assert_int_equal(sessions_handles(&w.sessions), 0);
    world_check(&w);
    world_fini(&w);
}

/* One command may make very many: none of the room for that stays, whether it keeps them or not. */
static void test_many_made_by_one_command(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    for (int i = 0; i < MANY; i++) (void)world_hold(&w, 0, val_of_small(i));
    handles_rollback(&w.heap, hs);
    assert_int_equal(handles_count(hs), 0);
    assert_null(hs->made);
    uint64_t numbers[2] = {0, 0};
    for (int i = 0; i < MANY; i++) numbers[i == MANY - 1] = world_hold(&w, 0, val_of_small(i));
    handles_commit(&w.heap, hs);
    assert_null(hs->made);
    for (uint64_t n = numbers[1] - MANY + 1; n <= numbers[1]; n++)
        assert_true(handles_release(&w.heap, hs, n));
    assert_int_equal(handles_count(hs), 0);
    world_check(&w);
    /* All given back, a session that closes leaves nothing to be stepped through. */
    session_close(&w.sessions, &w.session[0]);
    assert_int_equal(w.sessions.buried_count, 0);
    struct pool_stats stats;
    pool_get_stats(w.heap.pool, &stats);
    assert_int_equal(stats.live_bytes + stats.large_bytes, 0);
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
/* Whichever allocation fails: nothing is held, and nothing counted. */
static void test_hold_out_of_memory(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    val v = world_container(&w, 0);
    uint64_t number;
    enum status status = STATUS_OOM;
    int failures = 0;
    for (uint64_t nth = 1; status == STATUS_OOM; nth++) {
        assert_true(nth < 100);
        w.mem.fail_at = nth;
        status = handles_hold(&w.heap, hs, v, &number);
        w.mem.fail_at = 0;
        if (status == STATUS_OK) break;
        assert_int_equal(status, STATUS_OOM);
        assert_int_equal(handles_count(hs), 0);
        assert_int_equal(sessions_handles(&w.sessions), 0);
        assert_int_equal(w.held[0]->count, 1);
        assert_int_equal(w.held[0]->roots, 0);
        world_check(&w);
        failures++;
    }
    assert_true(failures > 0);
    assert_int_equal(sessions_handles(&w.sessions), 1);
    world_fini(&w);
}
#endif

static void test_texts(void **state)
{
    (void)state;
    char text[HANDLE_TEXT_CHARS];
    uint64_t number = 0;
    struct view handle = {text, handle_put(text, 0x1f)};
    assert_true(view_eq(handle, view_of("&:1f")));
    assert_true(handle_parse(handle, &number));
    assert_int_equal(number, 0x1f);
    assert_false(identity_parse(handle, &number));
    struct view identity = {text, identity_put(text, UINT64_MAX)};
    assert_true(view_eq(identity, view_of("#:ffffffffffffffff")));
    assert_true(identity_parse(identity, &number));
    assert_true(number == UINT64_MAX);
    static const char *const others[] = {"",
                                         "&",
                                         "&:",
                                         "&1f",
                                         "&:1F",
                                         "&:01",
                                         "&:1g",
                                         "&:-1",
                                         "&: 1",
                                         "&:1 ",
                                         "&:10000000000000000",
                                         ":1f"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(handle_parse(view_of(others[i]), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_container_once),
        cmocka_unit_test(test_hold_string_each_time),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_walk_shows_each_once),
        cmocka_unit_test(test_drain_in_steps),
        cmocka_unit_test(test_many_made_by_one_command),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_hold_out_of_memory),
#endif
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
