/*
 * Goal: a name whose time has come is missing for every command, and stays in the table, so that
 * what a command borrowed before it looked the name up is still there.
 * Method: time passes between two commands and no step is taken, so names stay due. Each command
 * that looks a due name up while it holds something that only this name keeps alive is run, under
 * the sanitizers; then heap_check() and keyspace_check().
 */
#include "world.h"

enum { FIELDS = 300 };

/* Time passes, and no step is taken. */
static void pass(struct world *w, int64_t ms)
{
    w->engine.wall_offset_ns += ms * 1000000;
    engine_tick(&w->engine);
}

/* A hash as a table, #:1, whose name is due. */
static void due_hash(struct world *w, const char *name)
{
    for (int i = 0; i < FIELDS; i++) {
        world_begin(w);
        world_arg(w, "HSET");
        world_arg(w, "%s", name);
        world_arg(w, "field-%d", i);
        world_arg(w, "value-%d-that-is-an-object", i);
        world_run(w, 0);
    }
    world_begin(w);
    world_arg(w, "OBJECT");
    world_arg(w, "ID");
    world_arg(w, "%s", name);
    world_run(w, 0);
    assert_true(world_replied(w, "$3\r\n#:1"));
    world_begin(w);
    world_arg(w, "PEXPIRE");
    world_arg(w, "%s", name);
    world_arg(w, "5");
    world_run(w, 0);
    pass(w, 10);
}

static void test_copy_onto_the_due_name_of_what_is_copied(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    due_hash(&w, "h");
    world_assert_reply(&w, "EXISTS h", ":0\r\n");
    world_assert_reply(&w, "COPY #:1 h REPLACE", ":1\r\n");
    world_assert_reply(&w, "HLEN h", ":300\r\n");
    world_assert_reply(&w, "PTTL h", ":-1\r\n");
    assert_int_equal(w.engine.keyspace.expired, 1);
    world_assert_sound(&w);
    world_fini(&w);
}

static void test_sources_by_identity_outlive_lookups_of_their_due_name(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "REF SET h #:1",  "REF HSET h h #:1", "REF SETNX h #:1",   "REF MSET a #:1 h #:1",
        "REF SADD h #:1", "REF RPUSH h #:1",  "REF ZADD h 1 #:1",  "COPY #:1 h DEEP",
        "REF GET #:1",    "FETCH #:1",        "WEAKREF SET h #:1", "REF MSETNX a #:1 h #:1",
        "GETSET h v",     "INCR h",           "APPEND h v",        "SETRANGE h 3 v",
        "HINCRBY h n 1",  "LPUSH h a b",      "SUNIONSTORE h h",   "RENAME other h",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct world w;
        world_init(&w, 1);
        due_hash(&w, "h");
        world_do(&w, 0, "SET other text");
        world_do(&w, 0, lines[i]);
        world_assert_one_reply(&w);
        world_assert_sound(&w);
        world_do(&w, 0, "EXISTS h");
        world_assert_sound(&w);
        world_fini(&w);
    }
}

static void test_a_due_name_has_no_ttl_to_keep(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_do(&w, 0, "SET k v PX 5");
    pass(&w, 5);
    world_assert_reply(&w, "SET k w KEEPTTL", "+OK\r\n");
    world_assert_reply(&w, "PTTL k", ":-1\r\n");
    world_do(&w, 0, "SET k v PX 5");
    pass(&w, 5);
    world_assert_reply(&w, "INCR k", ":1\r\n");
    world_assert_reply(&w, "PTTL k", ":-1\r\n");
    world_assert_sound(&w);
    world_fini(&w);
}

static void test_lookups_leave_due_names_to_the_steps(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_do(&w, 0, "SET k v PX 5");
    pass(&w, 5);
    world_assert_reply(&w, "GET k", "$-1\r\n");
    world_assert_reply(&w, "DEL k", ":0\r\n");
    world_assert_reply(&w, "PERSIST k", ":0\r\n");
    assert_int_equal(keyspace_names(&w.engine.keyspace), 1);
    assert_int_equal(w.engine.keyspace.expired, 0);
    while (steps_run(&w.engine, true)) continue;
    assert_int_equal(keyspace_names(&w.engine.keyspace), 0);
    assert_int_equal(w.engine.keyspace.expired, 1);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_onto_the_due_name_of_what_is_copied),
        cmocka_unit_test(test_sources_by_identity_outlive_lookups_of_their_due_name),
        cmocka_unit_test(test_a_due_name_has_no_ttl_to_keep),
        cmocka_unit_test(test_lookups_leave_due_names_to_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
