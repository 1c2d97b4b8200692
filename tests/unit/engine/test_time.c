/*
 * What the passing of time does. Goal: a name is gone for the first command after its time has
 * come, and not a millisecond earlier, whether or not a step has run since; steps_due_ms says when
 * a step has something to do; a step works for as long as its budget says.
 *
 * Method: the world without a network and a simulated clock. Nobody sleeps.
 */
#include "../command/world.h"
#include "engine/figures.h"

static void test_name_falls_due_between_two_commands(void **state)
{
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    world_assert_reply(&w, "SET k v PX 100", "+OK\r\n");
    world_assert_reply(&w, "PTTL k", ":100\r\n");
    world_advance_ms(&w, 99);
    world_assert_reply(&w, "GET k", "$1\r\nv\r\n");
    world_assert_reply(&w, "PTTL k", ":1\r\n");
    world_advance_ms(&w, 1);
    world_assert_reply(&w, "GET k", "$-1\r\n");
    world_assert_reply(&w, "PTTL k", ":-2\r\n");
    world_assert_sound(&w);
    world_fini(&w);
}

/* Each meets, as the first command since, what has just fallen due. */
static void test_each_command_finds_the_name_gone(void **state)
{
    static const struct {
        const char *make, *command, *reply;
    } rows[] = {
        {"SET k v", "EXISTS k", ":0\r\n"},
        {"SET k v", "TYPE k", "+none\r\n"},
        {"SET k v", "DEL k", ":0\r\n"},
        {"SET k v", "SETNX k w", ":1\r\n"},
        {"SET k v", "SET k w XX", "$-1\r\n"},
        {"SET k v", "APPEND k w", ":1\r\n"},
        {"SET k 41", "INCR k", ":1\r\n"},
        {"SET k v", "RENAME k other", "-ERR no such key\r\n"},
        {"SET k v", "COPY k other", ":0\r\n"},
        {"SET k v", "PERSIST k", ":0\r\n"},
        {"SET k v", "PEXPIRE k 100", ":0\r\n"},
        {"SET k v", "KEYS *", "*0\r\n"},
        {"SET k v", "RANDOMKEY", "$-1\r\n"},
        {"RPUSH k 1 2", "RPUSHX k 3", ":0\r\n"},
        {"RPUSH k 1 2", "RPUSH k 3", ":1\r\n"},
        {"RPUSH k 1 2", "SADD k 3", ":1\r\n"},
        {"HSET k f v", "HGET k f", "$-1\r\n"},
        {"SADD k a b", "SINTER k", "*0\r\n"},
        {"ZADD k 1 a", "ZSCORE k a", "$-1\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        world_init_simulated(&w, 1, 0);
        world_do(&w, 0, rows[i].make);
        world_assert_reply(&w, "PEXPIRE k 5", ":1\r\n");
        world_advance_ms(&w, 5);
        world_assert_reply(&w, rows[i].command, rows[i].reply);
        world_assert_sound(&w);
        world_fini(&w);
    }
}

/* A value that is read by reference, or held by a handle, outlives the name's time. */
static void test_what_is_held_outlives_the_name(void **state)
{
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    world_do(&w, 0, "RPUSH k 1 2");
    world_assert_reply(&w, "REF GET k", "$3\r\n&:1\r\n");
    world_do(&w, 0, "PEXPIRE k 5");
    world_advance_ms(&w, 5);
    world_assert_reply(&w, "REF SET other k", "-NOOBJECT no object is bound to 'k'\r\n");
    world_assert_reply(&w, "LLEN &:1", ":2\r\n");
    world_fini(&w);
}

/* TTLs follow the wall clock, to where it is set; the collector's waiting does not. */
static void test_wall_clock_is_set(void **state)
{
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    world_do(&w, 0, "SET k v PX 1000");
    clock_wall_shift(&w.engine.clock, -INT64_C(3600000000000));
    engine_turn(&w.engine);
    world_assert_reply(&w, "PTTL k", ":3601000\r\n");
    clock_wall_shift(&w.engine.clock, INT64_C(2) * 3600000000000);
    engine_turn(&w.engine);
    world_assert_reply(&w, "GET k", "$-1\r\n");
    world_fini(&w);
}

static void test_steps_are_due_when_a_name_is(void **state)
{
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    world_do(&w, 0, "SET k v PX 250");
    int64_t due_ms = steps_due_ms(&w.engine);
    assert_int_equal(due_ms, w.engine.now_ms + 250);
    world_advance_ms(&w, 249);
    engine_turn(&w.engine);
    assert_false(steps_run(&w.engine, true));
    assert_int_equal(keyspace_names(&w.engine.keyspace), 1);
    world_advance_ms(&w, 1);
    engine_turn(&w.engine);
    (void)steps_run(&w.engine, true);
    assert_int_equal(keyspace_names(&w.engine.keyspace), 0);
    assert_int_equal(w.engine.keyspace.expired, 1);
    world_fini(&w);
}

/* A ring of two is a candidate; nothing else happens until nothing has come up for long enough. */
static void test_garbage_is_collected_when_it_is_due(void **state)
{
    (void)state;
    if (STEPS_STRESS_SLOTS) skip(); /* each command collects */
    struct world w;
    world_init_simulated(&w, 1, 0);
    world_do(&w, 0, "RPUSH ring 1");
    world_do(&w, 0, "REF RPUSH ring ring");
    world_do(&w, 0, "DEL ring");
    int64_t in_ms = steps_due_ms(&w.engine) - w.engine.now_ms;
    assert_in_range(in_ms, 1, 1 + COLLECT_IDLE_NS / 1000000);
    world_advance_ms(&w, in_ms - 2);
    engine_turn(&w.engine);
    assert_false(steps_run(&w.engine, true));
    assert_int_equal(heap_containers(&w.engine.heap), 1);
    clock_wall_shift(&w.engine.clock, INT64_C(3600000000000));
    engine_turn(&w.engine);
    assert_false(steps_run(&w.engine, true));
    assert_int_equal(heap_containers(&w.engine.heap), 1);
    world_advance_ms(&w, 2);
    engine_turn(&w.engine);
    while (steps_run(&w.engine, true)) {
    }
    assert_int_equal(heap_containers(&w.engine.heap), 0);
    world_fini(&w);
}

/* Whatever the wall clock is set to: the uptime, the age of a client and the rate go on. */
static void test_setting_the_wall_clock_makes_nobody_older(void **state)
{
    static const int64_t shifts_s[] = {0, 3600, -7200, 3600};
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    for (size_t i = 0; i < sizeof shifts_s / sizeof *shifts_s; i++) {
        clock_wall_shift(&w.engine.clock, shifts_s[i] * INT64_C(1000000000));
        for (int k = 0; k < 500; k++) world_do(&w, 0, "PING");
        world_advance_ms(&w, 5000);
        engine_turn(&w.engine);
        assert_int_equal(w.engine.stats.commands_per_second, 100);
        struct figures now;
        figures_take(&w.engine, &now);
        assert_int_equal(now.process.uptime_ms, 5000 * (i + 1));
        char wanted[64];
        snprintf(wanted, sizeof wanted, "age=%d idle=%d ", 1005 + 5 * (int)i, 5);
        world_do(&w, 0, "CLIENT LIST");
        if (!memmem(w.out.p, w.out.n, wanted, strlen(wanted)))
            fail_msg("%s is not in %.*s", wanted, (int)w.out.n, w.out.p);
    }
    world_fini(&w);
}

enum { LONG = 5000 };

/* Drops a list of so many texts; how many steps free them, by a clock that each reading advances.
 */
static uint64_t steps_of_long_list(int64_t reading_ns)
{
    struct world w;
    world_init_simulated(&w, 1, reading_ns);
    for (int i = 0; i < LONG; i++) {
        char line[200];
        snprintf(line, sizeof line, "RPUSH k %0150d", i);
        world_do(&w, 0, line);
    }
    world_do(&w, 0, "DEL k");
    uint64_t steps = 0;
    while (w.engine.heap.release_pending) {
        engine_turn(&w.engine);
        (void)steps_run(&w.engine, true);
        assert_true(++steps < LONG);
    }
    world_fini(&w);
    return steps;
}

static void test_step_ends_with_its_budget(void **state)
{
    (void)state;
    uint64_t slow = steps_of_long_list(10000), fast = steps_of_long_list(1000);
    assert_int_equal(steps_of_long_list(0), 1);
    assert_int_equal(steps_of_long_list(1000), fast);
    assert_true(fast > 1);
    assert_in_range(slow, fast * 5, fast * 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_falls_due_between_two_commands),
        cmocka_unit_test(test_each_command_finds_the_name_gone),
        cmocka_unit_test(test_what_is_held_outlives_the_name),
        cmocka_unit_test(test_wall_clock_is_set),
        cmocka_unit_test(test_steps_are_due_when_a_name_is),
        cmocka_unit_test(test_garbage_is_collected_when_it_is_due),
        cmocka_unit_test(test_setting_the_wall_clock_makes_nobody_older),
        cmocka_unit_test(test_step_ends_with_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
