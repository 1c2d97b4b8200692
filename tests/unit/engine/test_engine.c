/*
 * What runs beside commands. Goal: each step is bounded and measured, whatever is left to do; the
 * steps end, and say so; a command that makes objects frees twice as many. test_server_figures.c
 * has the clocks and the figures.
 *
 * Method: the world without a network, with 200,000 names flushed, 100,000 handles of a closed
 * session, large containers dropped; what one step takes away is counted, and its time is looked at
 * only where a step without a bound would take a hundred times as long.
 */
#include "../command/world.h"
#include "base/clock.h"
#include "heap/rc.h"
#include "value/list.h"

/* Several shares of 100 us in a sanitized build on a machine that does something else too. */
enum { STEP_MS_MAX = 50 };

static struct engine *server_of(struct world *w)
{
    return &w->engine;
}

static void bind(struct world *w, int number, val v)
{
    char key[32];
    snprintf(key, sizeof key, "key:%d", number);
    struct keyspace_bind fresh = {.expires_ms = KEYSPACE_NEVER};
    assert_int_equal(keyspace_bind_take(&w->engine.keyspace, view_of(key), v, fresh, NULL),
                     STATUS_OK);
}

static struct obj *list_new(struct world *w)
{
    struct obj *o = heap_container_new(&w->engine.heap, OBJ_LIST);
    assert_non_null(o);
    return o;
}

/* A string object that no container packs: it is too long. */
static val text_new(struct world *w)
{
    val v;
    char text[200];
    memset(text, 'x', sizeof text);
    assert_int_equal(val_of_text(&w->engine.heap, (struct view){text, sizeof text}, &v), STATUS_OK);
    return v;
}

static void push_take(struct world *w, struct obj *list, val v)
{
    assert_int_equal(list_push_take(&w->engine.heap, list, LIST_TAIL, v), STATUS_OK);
}

/* What the test has made is no command's, which would have to free twice as much. */
static void made_by_nobody(struct world *w)
{
    w->engine.allocated_before = w->engine.heap.allocated;
}

/* One step, as an idle loop takes it; its time is bounded, and what it measured is counted. */
static bool timed_step(struct world *w)
{
    uint64_t measured = w->engine.stats.step_ns.count;
    int64_t began = clock_system_ns(CLOCK_THREAD_CPUTIME_ID);
    bool more = steps_run(&w->engine, true);
    int64_t took = clock_system_ns(CLOCK_THREAD_CPUTIME_ID) - began;
    if (took > STEP_MS_MAX * 1000000) fail_msg("a step of %lld us", (long long)took / 1000);
    if (more) assert_true(w->engine.stats.step_ns.count > measured);
    assert_true(w->engine.stats.longest_step_ns >= w->engine.stats.step_ns.max);
    return more;
}

/* --- idle --- */

static void test_server_step_of_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    assert_false(steps_run(&w.engine, true));
    assert_false(steps_run(&w.engine, false));
    assert_int_equal(w.engine.stats.step_ns.count, 0); /* nothing was done, nothing is measured */
    world_do(&w, 0, "SET k v");
    world_do(&w, 0, "RPUSH l 1 2 3");
    assert_false(steps_run(&w.engine, true));
    assert_true(w.engine.stats.memory_peak_bytes >= engine_used_bytes(&w.engine));
    world_fini(&w);
}

/* False means: called again, it would have nothing to do. */
static void assert_nothing_left(struct world *w)
{
    struct engine *s = server_of(w);
    assert_int_equal(s->heap.release_pending, 0);
    assert_null(s->keyspace.debris);
    assert_int_equal(s->sessions.buried_count, 0);
    assert_true(s->mem.trim_bytes == 0 || s->trim.due_ns > s->mono_ns);
    assert_false(pool_has_spare(s->heap.pool));
    assert_false(collect_has_work(&s->heap, true));
}

/* Something that leaves work behind, or makes what such a command needs. */
static void random_line(struct world *w, char line[96])
{
    unsigned a = (unsigned)draw(w, 20), b = (unsigned)draw(w, 20);
    switch (draw(w, 11)) {
    case 0: snprintf(line, 96, "RPUSH list:%u 1 2 3", a); break;
    case 1: snprintf(line, 96, "REF RPUSH list:%u list:%u", a, b); break;
    case 2: snprintf(line, 96, "DEL list:%u", a); break;
    case 3: snprintf(line, 96, "REF GET list:%u", a); break;
    case 4: snprintf(line, 96, "SETRANGE text:%u 2000000 x", a); break;
    case 5: snprintf(line, 96, "DEL text:%u text:%u", a, b); break;
    case 6: snprintf(line, 96, "REF RPUSH list:%u text:%u", a, b); break;
    case 7: snprintf(line, 96, "PEXPIRE list:%u 1", a); break;
    case 8: snprintf(line, 96, "SADD set:%u a b c d e f g", a); break;
    case 9: snprintf(line, 96, "RESET"); break;
    default: snprintf(line, 96, "FLUSHALL"); break;
    }
}

static void test_server_step_false_means_nothing_left(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        world_init(&w, seed);
        for (int round = 0; round < 60; round++) {
            char line[96];
            random_line(&w, line);
            world_do(&w, (int)draw(&w, 2), line);
            if (draw(&w, 4) == 0) continue;
            uint32_t steps = 0;
            unmap_finish(); /* what a stressed build's commands lent; else it could end just now */
            while (timed_step(&w)) assert_true(++steps < 100000);
            assert_nothing_left(&w);
        }
        world_assert_sound(&w);
        world_fini(&w);
    }
}

/* Freed mapped blocks wait while others come and go, and are unmapped when none has for a while. */
static void assert_blocks_wait(struct world *w)
{
    struct engine *s = server_of(w);
    size_t waiting = s->mem.trim_bytes;
    assert_true(waiting > 0);
    while (steps_run(s, true)) {
    }
    assert_int_equal(s->mem.trim_bytes, waiting);
    int64_t due_ms = steps_due_ms(s), in_ms = due_ms - s->now_ms;
    assert_in_range(in_ms, 1, 1000);
    world_advance_ms(w, in_ms);
    engine_turn(s);
    (void)steps_run(s, true);
    assert_true(s->mem.trim_bytes < waiting);
    while (steps_run(s, true)) {
    }
    assert_int_equal(s->mem.trim_bytes, 0);
}

/* The collector's share comes last: what it frees may be a block that has yet to be unmapped. */
static void test_server_step_after_the_collector(void **state)
{
    (void)state;
    struct world w;
    world_init_simulated(&w, 1, 0);
    w.engine.heap.collect.slice_slots_max = 0;
    w.engine.heap.collect.budget_ns = 1000000000; /* all of it in one slice */
    world_do(&w, 0, "GC DISABLE");                /* until it is asked for */
    world_do(&w, 0, "SETRANGE long 3000000 x");
    world_do(&w, 0, "RPUSH ring 1");
    world_do(&w, 0, "REF RPUSH ring ring long");
    world_do(&w, 0, "DEL long");
    world_do(&w, 0, "DEL ring");
    assert_int_equal(heap_objects(&w.engine.heap), 2);
    collect_full_begin(&w.engine.heap);
    steps_run(&w.engine, true);
    assert_int_equal(heap_objects(&w.engine.heap), 0);
    collect_step(&w.engine.heap, true); /* in which the full collection sees that nothing is left */
    assert_false(collect_has_work(&w.engine.heap, true));
    assert_blocks_wait(&w);
    assert_nothing_left(&w);
    world_fini(&w);
}

/* --- shares --- */

enum { NAMES = 200000 };

static void test_server_step_after_flushall(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (int i = 0; i < NAMES; i++) bind(&w, i, i % 4 ? val_of_small(i) : text_new(&w));
    world_do(&w, 0, "FLUSHALL");
    assert_true(world_replied(&w, "+OK\r\n"));
    assert_int_equal(keyspace_names(&w.engine.keyspace), 0);
    uint64_t steps = 0, strings = w.engine.heap.objects[OBJ_STRING], bytes_max = 0;
    assert_int_equal(strings, NAMES / 4);
    for (bool more = true; more; steps++) {
        uint64_t before = w.engine.keyspace.entry_bytes;
        more = timed_step(&w);
        uint64_t freed = before - w.engine.keyspace.entry_bytes;
        if (freed > bytes_max) bytes_max = freed;
        assert_true(more || w.engine.keyspace.entry_bytes == 0);
        if (steps == 5) { /* names may come back before the old ones are gone */
            world_do(&w, 0, "SET key:1 new");
            world_do(&w, 0, "GET key:1");
            assert_true(world_replied(&w, "$3\r\nnew\r\n"));
            world_do(&w, 0, "DEL key:1");
        }
    }
    assert_true(bytes_max <= (64 + 24) * 40); /* 64 names, and a chain */
    assert_true(steps >= NAMES / (64 + 24));
    assert_int_equal(heap_objects(&w.engine.heap), 0);
    assert_nothing_left(&w);
    world_fini(&w);
}

static void test_server_step_expires_in_steps(void **state)
{
    (void)state;
    enum { DUE = 20000 };
    struct world w;
    world_init_simulated(&w, 1, 0);
    for (int i = 0; i < DUE + 10; i++) {
        char key[32];
        snprintf(key, sizeof key, "key:%d", i);
        struct keyspace_bind bind_options = {.expires_ms =
                                                 w.engine.now_ms + (i < DUE ? 10 : 3600000)};
        assert_int_equal(
            keyspace_bind_take(&w.engine.keyspace, view_of(key), text_new(&w), bind_options, NULL),
            STATUS_OK);
    }
    assert_false(steps_run(&w.engine, true)); /* not yet */
    assert_int_equal(keyspace_names(&w.engine.keyspace), DUE + 10);
    world_advance_ms(&w, 10);
    engine_turn(&w.engine);
    uint64_t steps = 0;
    for (bool more = true; more; steps++) {
        uint64_t before = keyspace_names(&w.engine.keyspace);
        more = timed_step(&w);
        assert_true(before - keyspace_names(&w.engine.keyspace) <= 64);
    }
    assert_true(steps >= DUE / 64);
    assert_int_equal(keyspace_names(&w.engine.keyspace), 10);
    assert_int_equal(w.engine.keyspace.expired, DUE);
    world_fini(&w);
}

/* Eight pieces of sixteen, each of whole buckets with their chains. */
enum { HANDLES = 100000, HANDLES_STEP_MAX = 8 * (16 + 24) };

static void test_server_step_after_a_session_with_handles(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    oracle_fini(&w.oracle, &w.engine.heap); /* its work would be measured, too */
    struct session *s = &w.sessions[2];
    uint64_t number;
    for (int i = 0; i < HANDLES; i++) {
        struct obj *o = list_new(&w);
        push_take(&w, o, val_of_small(i));
        assert_int_equal(handles_hold(&w.engine.heap, &s->handles, val_of_obj(o), &number),
                         STATUS_OK);
        rc_dec(&w.engine.heap, o);
        handles_commit(&w.engine.heap, &s->handles);
    }
    assert_int_equal(sessions_handles(&w.engine.sessions), HANDLES);
    int64_t began = clock_thread_ns(&w.engine.clock);
    session_close(&w.engine.sessions, s);
    assert_true(clock_thread_ns(&w.engine.clock) - began < STEP_MS_MAX * 1000000 / 10);
    assert_int_equal(sessions_handles(&w.engine.sessions), HANDLES);
    world_assert_sound(&w);
    uint64_t steps = 0;
    for (bool more = true; more; steps++) {
        uint64_t before = sessions_handles(&w.engine.sessions);
        more = timed_step(&w);
        assert_true(before - sessions_handles(&w.engine.sessions) <= HANDLES_STEP_MAX);
        if (steps % 300 == 0) world_assert_sound(&w);
    }
    assert_true(steps >= HANDLES / HANDLES_STEP_MAX);
    assert_int_equal(sessions_handles(&w.engine.sessions), 0);
    assert_int_equal(heap_objects(&w.engine.heap), 0);
    assert_nothing_left(&w);
    assert_int_equal(session_open(&w.engine.sessions, s, 0), STATUS_OK);
    world_fini(&w);
}

static void test_server_step_frees_a_large_list_in_steps(void **state)
{
    (void)state;
    enum { ELEMENTS = 500000 };
    struct world w;
    world_init(&w, 1);
    oracle_fini(&w.oracle, &w.engine.heap); /* its work would be measured, too */
    struct obj *list = list_new(&w);
    for (int i = 0; i < ELEMENTS; i++) push_take(&w, list, text_new(&w));
    bind(&w, 1, val_of_obj(list));
    made_by_nobody(&w);
    int64_t began = clock_thread_ns(&w.engine.clock);
    world_do(&w, 0, "DEL key:1");
    assert_true(world_replied(&w, ":1\r\n"));
    assert_true(clock_thread_ns(&w.engine.clock) - began < STEP_MS_MAX * 1000000 / 10);
    assert_int_equal(w.engine.heap.release_pending, 1);
    assert_true(heap_objects(&w.engine.heap) >= ELEMENTS - 100);
    uint64_t releasing = 0; /* arenas are given back after that */
    while (timed_step(&w)) releasing += w.engine.heap.release_pending > 0;
    assert_true(releasing > 20);
    assert_int_equal(heap_objects(&w.engine.heap), 0);
    assert_nothing_left(&w);
    world_fini(&w);
}

/* All shares at once: each is measured by itself. */
static void test_server_step_measures_each_share(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = 1;
    world_do(&w, 0, "GC DISABLE");
    world_do(&w, 2, "REF NEW list");
    world_do(&w, 0, "RPUSH ring 1");
    world_do(&w, 0, "REF RPUSH ring ring");
    world_do(&w, 0, "DEL ring");
    for (int i = 0; i < 1000; i++) bind(&w, i, val_of_small(i));
    world_do(&w, 0, "FLUSHALL");
    world_do(&w, 2, "RESET");
    struct obj *list = list_new(&w);
    for (int i = 0; i < 1000; i++) push_take(&w, list, text_new(&w));
    rc_dec(&w.engine.heap, list);
    collect_full_begin(&w.engine.heap);
    /* Not a command's: in a stressed build the next command could hand it over. */
    mem_free(&w.engine.mem, mem_alloc(&w.engine.mem, MEM_MAP_BYTES), MEM_MAP_BYTES);
    assert_true(w.engine.mem.trim_bytes > 0);
    w.engine.trim.changes = w.engine.mem.trim_changes; /* the block has waited long enough */
    assert_int_equal(w.engine.stats.step_ns.count, 0);
    assert_true(steps_run(&w.engine, true));
    assert_int_equal(w.engine.stats.step_ns.count, 5);
    assert_true(w.engine.stats.longest_step_ns > 0);
    assert_int_equal(w.engine.stats.longest_step_ns, w.engine.stats.step_ns.max);
    world_fini(&w);
}

/* --- after a command --- */

/* Lists of one string wait to be freed: two objects each, and as many slots of work. */
static void queue_up(struct world *w, uint64_t objects)
{
    for (uint64_t i = 0; i < objects / 2; i++) {
        struct obj *list = list_new(w);
        push_take(w, list, text_new(w));
        rc_dec(&w->engine.heap, list);
    }
    made_by_nobody(w);
}

static void test_server_after_command_frees_twice_what_was_made(void **state)
{
    (void)state;
    static const uint32_t makes[] = {0, 1, 2, 10, 57, 300};
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
        struct world w;
        world_init(&w, 1);
        queue_up(&w, 4000);
        struct obj *list = list_new(&w);
        for (uint32_t n = 1; n < makes[i]; n++) push_take(&w, list, text_new(&w));
        if (makes[i] == 0) made_by_nobody(&w);
        uint64_t before = heap_objects(&w.engine.heap);
        steps_after_command(&w.engine);
        uint64_t freed = before - heap_objects(&w.engine.heap);
        assert_true(freed >= 2 * (uint64_t)makes[i]);
        assert_true(freed > 0); /* never nothing, while something waits */
        assert_true(freed <= 2 * (uint64_t)makes[i] + 16); /* but no more than a command's share */
        steps_after_command(&w.engine);
        assert_true(before - freed - heap_objects(&w.engine.heap) <= 16);
        rc_dec(&w.engine.heap, list);
        world_fini(&w);
    }
}

/* By commands: who makes and drops without pause cannot outrun the queue, though no step is ever
 * taken beside. */
static void test_server_after_command_keeps_up(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    uint64_t objects_max = 0;
    for (int i = 0; i < 20000; i++) {
        world_do(&w, 0, "RPUSH l a-string-object-1 a-string-object-2 a-string-object-3");
        world_do(&w, 0, "HSET h a-field-of-a-hash a-string-object-4");
        world_do(&w, 0, "DEL l h");
        uint64_t objects = heap_objects(&w.engine.heap);
        if (objects > objects_max) objects_max = objects;
    }
    assert_true(objects_max <= 30);
    world_assert_sound(&w);
    world_fini(&w);
}

/* --- without memory --- */

static void test_server_free_step_ends(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    assert_false(reclaim_some(&w.engine));
    queue_up(&w, 60000);
    for (int i = 0; i < 3000; i++) bind(&w, i, text_new(&w));
    world_do(&w, 2, "REF NEW list");
    world_do(&w, 0, "FLUSHALL");
    world_do(&w, 2, "RESET");
    uint32_t steps = 0;
    for (bool more = true; more; steps++) {
        uint64_t objects = heap_objects(&w.engine.heap);
        assert_true(steps < 60000 / 32 + 3000 / 4 + 100);
        more = reclaim_some(&w.engine);
        assert_true(objects - heap_objects(&w.engine.heap) <= 512);
    }
    assert_true(steps > 60000 / 512);
    assert_int_equal(heap_objects(&w.engine.heap), 0);
    assert_null(w.engine.keyspace.debris);
    assert_int_equal(w.engine.sessions.buried_count, 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_step_of_nothing),
        cmocka_unit_test(test_server_step_false_means_nothing_left),
        cmocka_unit_test(test_server_step_after_the_collector),
        cmocka_unit_test(test_server_step_after_flushall),
        cmocka_unit_test(test_server_step_expires_in_steps),
        cmocka_unit_test(test_server_step_after_a_session_with_handles),
        cmocka_unit_test(test_server_step_frees_a_large_list_in_steps),
        cmocka_unit_test(test_server_step_measures_each_share),
        cmocka_unit_test(test_server_after_command_frees_twice_what_was_made),
        cmocka_unit_test(test_server_after_command_keeps_up),
        cmocka_unit_test(test_server_free_step_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
