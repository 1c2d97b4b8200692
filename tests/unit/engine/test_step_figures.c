/*
 * Goal: the clocks are read when they should be, the configuration is applied, and the figures of
 * memory and rate are what they say; memory goes back without threads too. Method: the world
 * without a network; threads are refused by the test (the linker's --wrap).
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "../command/world.h"
#include "base/clock.h"

static bool threads_refused;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
    return threads_refused ? EAGAIN : __real_pthread_create(t, a, run, arg);
}

static void test_server_clocks(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    int64_t now = w.engine.now_ms, mono = w.engine.mono_ns;
    assert_in_range(clock_wall_ns(&w.engine.clock) / 1000000 - now, 0, 5000);
    assert_int_equal(w.engine.started_ms, now);
    usleep(3000);
    assert_int_equal(w.engine.now_ms, now); /* read only when told to */
    engine_tick(&w.engine);
    assert_true(w.engine.mono_ns >= mono + 3000000);
    assert_true(w.engine.now_ms >= now + 3);
    now = w.engine.now_ms;
    usleep(2000);
    engine_turn(&w.engine);
    assert_true(w.engine.now_ms >= now + 2);
    assert_int_equal(w.engine.keyspace.access.now_s, w.engine.mono_ns / 1000000000);
    assert_int_equal(strlen(w.engine.run_id), ENGINE_RUN_ID_CHARS - 1);
    world_fini(&w);
}

static void test_server_turn_samples_the_rate(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct engine_stats *stats = &w.engine.stats;
    for (int i = 0; i < 500; i++) world_do(&w, 0, "PING");
    engine_turn(&w.engine);
    assert_int_equal(stats->commands_per_second, 0); /* a second has not passed */
    stats->sampled_ns -= 2000 * INT64_C(1000000);
    engine_turn(&w.engine);
    assert_in_range(stats->commands_per_second, 50, 250);
    assert_int_equal(stats->sampled_commands, 500);
    world_fini(&w);
}

static void test_server_configure(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct collect *c = &w.engine.heap.collect;
    assert_true(c->enabled);
    assert_false(c->threshold_fixed);
    world_do(&w, 0, "CONFIG SET gc-budget-us 250");
    world_do(&w, 0, "CONFIG SET gc-threshold 77");
    world_do(&w, 0, "CONFIG SET gc no");
    assert_int_equal(c->budget_ns, 250000);
    assert_int_equal(c->threshold, 77);
    assert_true(c->threshold_fixed);
    assert_false(c->enabled);
    world_do(&w, 0, "CONFIG SET gc-threshold 0");
    world_do(&w, 0, "CONFIG SET gc yes");
    assert_false(c->threshold_fixed);
    assert_true(c->enabled);
    world_fini(&w);
}

static void test_server_memory_figures(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    uint64_t used = engine_used_bytes(&w.engine);
    world_do(&w, 0, "SETRANGE long 20000000 x");
    assert_in_range(engine_used_bytes(&w.engine) - used, 20000000, 26000000);
    assert_true(engine_resident_bytes() > 20000000);
    steps_run(&w.engine, true);
    assert_true(w.engine.stats.memory_peak_bytes >= used + 20000000);
    world_fini(&w);
    assert_true(w.engine.stats.memory_peak_bytes >= used + 20000000);
}

/* Every mapped block has been handed over to be unmapped, and nobody else is there to do it. */
static void test_steps_unmap_where_threads_are_refused(void **state)
{
    (void)state;
    struct world w;
    threads_refused = true;
    world_init(&w, 1);
    world_do(&w, 0, "SETRANGE long 20000000 x");
    world_do(&w, 0, "DEL long");
    while (w.engine.mem.trim_bytes) {
        engine_tick(&w.engine);
        steps_run(&w.engine, true);
        usleep(1000);
    }
    while (steps_run(&w.engine, false)) continue;
    assert_int_equal(engine_waiting_bytes(&w.engine), 0);
    world_fini(&w);
    threads_refused = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_clocks),
        cmocka_unit_test(test_server_turn_samples_the_rate),
        cmocka_unit_test(test_server_configure),
        cmocka_unit_test(test_server_memory_figures),
        cmocka_unit_test(test_steps_unmap_where_threads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
