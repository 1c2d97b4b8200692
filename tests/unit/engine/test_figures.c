/*
 * Goal: the snapshot says what is there, CONFIG RESETSTAT takes back what counts and nothing else,
 * and the rate of commands is that of the last second.
 * Method: a server without a network; its clock is turned by hand where time matters.
 */
#include <unistd.h>

#include "../command/world.h"
#include "base/clock.h"
#include "engine/figures.h"

static struct world w;

static struct figures taken(void)
{
    struct figures now;
    figures_take(&w.engine, &now);
    uint64_t sum = 0;
    for (int t = 0; t < OBJ_TYPES; t++) sum += now.heap.objects_by_type[t];
    assert_int_equal(now.heap.objects, sum);
    assert_true(now.heap.containers <= now.heap.objects);
    assert_true(now.memory.peak_bytes >= now.memory.used_bytes);
    assert_int_equal(now.heap.pool_reserved_bytes, now.heap.pool_live_bytes +
                                                       now.heap.pool_free_bytes +
                                                       now.heap.pool_overhead_bytes);
    return now;
}

/* A cycle of two lists that only a handle holds, and names beside it. */
static void populate(void)
{
    world_do(&w, 0, "RPUSH a x");
    world_do(&w, 0, "RPUSH b y");
    world_do(&w, 0, "REF RPUSH a b");
    world_do(&w, 0, "REF RPUSH b a");
    world_do(&w, 0, "REF GET a");
    assert_true(world_replied(&w, "$"));
    world_do(&w, 0, "DEL a b");
    world_do(&w, 0, "SET c abcdefghijklmnop EX 100");
    world_do(&w, 0, "SET d 1152921504606846976");
    world_do(&w, 0, "HSET e description x");
    world_do(&w, 0, "HSET f description x");
    world_do(&w, 0, "HSET g description x more x");
    world_do(&w, 0, "HSET h description x more x");
    for (int i = 0; i < 3; i++) { /* the first is seen, the others refer to one string */
        char line[100];
        snprintf(line, sizeof line, "HSET i%d description x more a-text-of-thirty-two-characters-",
                 i);
        world_do(&w, 0, line);
    }
}

static void test_take(void **state)
{
    (void)state;
    world_init(&w, 1);
    collect_enable(&w.engine.heap, false); /* nothing is found before it is asked for */
    struct figures now = taken();
    assert_int_equal(now.heap.objects, 0);
    assert_int_equal(now.clients.connected, WORLD_SESSIONS);
    assert_int_equal(now.process.id, getpid());
    assert_true(now.memory.resident_bytes > 0 && now.memory.fragmentation > 0);
    populate();
    now = taken();
    assert_int_equal(now.heap.objects_by_type[OBJ_LIST], 2);
    assert_int_equal(now.heap.objects_by_type[OBJ_HASH], 7);
    assert_int_equal(now.heap.objects_by_type[OBJ_SHAPE], 2);
    assert_int_equal(now.heap.objects_by_type[OBJ_NUMBER], 0); /* d's lies in its entry */
    assert_int_equal(now.heap.objects_by_type[OBJ_STRING], 2); /* the field name, and a value */
    assert_int_equal(now.heap.containers, 9);
    assert_int_equal(now.heap.interned_strings, 2);
    assert_true(now.heap.intern_saved_bytes > 0);
    assert_int_equal(now.heap.names, 9);
    assert_int_equal(now.heap.names_with_expiry, 1);
    assert_int_equal(now.clients.handles, 1);
    assert_string_equal(now.gc.phase_name, "idle");
    assert_int_equal(now.stats.commands, 15);
    world_do(&w, 0, "RESET");
    world_do(&w, 0, "GC COLLECT");
    world_settle(&w);
    now = taken();
    assert_int_equal(now.gc.collected_objects, 2);
    assert_int_equal(now.heap.containers, 7);
    assert_int_equal(now.clients.handles, 0);
    assert_int_equal(now.gc.backlog_objects, 0);
    world_fini(&w);
}

static void test_reset(void **state)
{
    (void)state;
    world_init(&w, 1);
    populate();
    world_do(&w, 0, "GET c");
    world_do(&w, 0, "GET nosuch");
    world_do(&w, 0, "NOSUCH");
    world_do(&w, 0, "GC COLLECT");
    for (int i = 0; i < 1000; i++) world_do(&w, 0, "RPUSH big an-element-that-is-an-object-1234");
    world_do(&w, 0, "DEL big"); /* freed in steps, in a stressed build, too */
    world_settle(&w);
    struct figures before = taken();
    assert_true(before.gc.trials > 0);
    assert_true(before.gc.slices > 0);
    assert_true(before.stats.longest_step_us > 0);
    assert_int_equal(before.stats.keyspace_misses, 1);
    assert_int_equal(before.stats.error_replies, 1);
    figures_reset(&w.engine);
    struct figures after = taken();
    static const struct figures_stats no_stats;
    assert_memory_equal(&after.stats, &no_stats, sizeof no_stats);
    assert_int_equal(after.gc.trials + after.gc.slices + after.gc.cpu_us, 0);
    assert_int_equal(after.gc.longest_slice_us + after.gc.slice_p99_us, 0);
    assert_int_equal(after.heap.intern_hits + after.heap.intern_misses, 0);
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command_stats *stats = &w.engine.stats.command[i];
        assert_int_equal(stats->calls + stats->rejected + stats->failed + stats->ns, 0);
        assert_int_equal(stats->duration_ns.count, 0);
    }
    assert_int_equal(after.heap.objects, before.heap.objects);
    assert_int_equal(after.heap.intern_saved_bytes, before.heap.intern_saved_bytes);
    assert_int_equal(after.heap.names, before.heap.names);
    assert_int_equal(after.clients.handles, before.clients.handles);
    assert_true(after.memory.peak_bytes >= before.memory.used_bytes);
    assert_int_equal(after.gc.last_reached, before.gc.last_reached);
    assert_int_equal(after.gc.threshold, before.gc.threshold);
    world_assert_sound(&w);
    world_fini(&w);
}

/* As if the loop turned when `ms` more have passed since the last sample. */
static void turn_after(int64_t ms)
{
    w.engine.stats.sampled_ns = clock_mono_ns(&w.engine.clock) - ms * 1000000;
    engine_turn(&w.engine);
}

static void test_commands_per_second(void **state)
{
    (void)state;
    world_init(&w, 1);
    for (int i = 0; i < 300; i++) world_do(&w, 0, "PING");
    turn_after(500); /* too early to say */
    assert_int_equal(taken().stats.commands_per_second, 0);
    turn_after(2000);
    uint64_t rate = taken().stats.commands_per_second;
    assert_true(rate >= 140 && rate <= 150);
    turn_after(1500); /* nobody asked anything since */
    assert_int_equal(taken().stats.commands_per_second, 0);
    world_fini(&w);
}

static void test_type_names(void **state)
{
    (void)state;
    for (int t = OBJ_NONE + 1; t < OBJ_TYPES; t++)
        for (int u = OBJ_NONE; u < t; u++)
            assert_string_not_equal(figures_type_name((enum obj_type)t),
                                    figures_type_name((enum obj_type)u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_commands_per_second),
        cmocka_unit_test(test_type_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
