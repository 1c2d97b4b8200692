/*
 * Goal: under maxmemory a command that may need memory finds room, or is refused, and more is never
 * used than the limit, its slack and one command (twice the slack while garbage is looked for);
 * what waits to be freed goes before any name. Method: a server without a network at tight limits,
 * under every policy; commands that are refused or not by hand; random commands at a limit beside
 * heap_check and keyspace_check; the nth allocation failing.
 */
#include "../command/world.h"
#include "engine/maxmemory.h"

enum { VALUE_BYTES = 1000 };

static uint64_t used(const struct world *w)
{
    return maxmemory_counted_bytes(&w->engine);
}

static void limit(struct world *w, uint64_t bytes, const char *policy)
{
    world_begin(w);
    world_arg(w, "CONFIG");
    world_arg(w, "SET");
    world_arg(w, "maxmemory");
    world_arg(w, "%" PRIu64, bytes);
    world_arg(w, "maxmemory-policy");
    world_arg(w, "%s", policy);
    world_run(w, 0);
    assert_true(world_replied(w, "+OK"));
}

static void set(struct world *w, const char *name, uint32_t i, size_t bytes, const char *option)
{
    char value[WORLD_ARG_BYTES / 2];
    memset(value, 'x', sizeof value);
    snprintf(value, sizeof value, "%u", i); /* no two are equal */
    value[strlen(value)] = 'x';
    world_begin(w);
    world_arg(w, "SET");
    world_arg(w, "%s-%u", name, i);
    world_arg_bytes(w, value, bytes);
    if (option) {
        world_arg(w, "EX");
        world_arg(w, "%s", option);
    }
    world_run(w, 0);
}

static const char refusal[] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/* --- within the limit --- */

static void test_room_holds_under_every_policy(void **state)
{
    (void)state;
    for (uint32_t p = 0; evict_policy_at(p); p++) {
        const struct evict_policy *policy = evict_policy_at(p);
        struct world w;
        world_init(&w, p);
        uint64_t most = used(&w) + (512 << 10);
        limit(&w, most, policy->name);
        uint32_t done = 0;
        for (uint32_t i = 0; i < 3000; i++) {
            set(&w, "name", i, 1 + draw(&w, VALUE_BYTES), i % 2 ? "1000" : NULL);
            done += world_replied(&w, "+OK");
            if (!world_replied(&w, "+OK")) assert_true(world_replied(&w, refusal));
            assert_true(used(&w) <= most + 2 * VALUE_BYTES);
            if (i % 500 == 0) world_assert_sound(&w);
        }
        const struct keyspace *ks = &w.engine.keyspace;
        bool never = policy->order == EVICT_NONE;
        assert_true(evict_check(&w.engine.evict));
        assert_int_equal(ks->evicted == 0, never);
        assert_int_equal(done == 3000, !never && !policy->with_expiry);
        /* Names without a TTL are all there, and in the end nothing else is. */
        if (policy->with_expiry) {
            uint64_t kept = 0;
            for (uint32_t i = 0; i < 3000; i += 2) {
                char line[64];
                snprintf(line, sizeof line, "EXISTS name-%u", i);
                world_do(&w, 0, line);
                kept += world_replied(&w, ":1");
            }
            assert_int_equal(kept, keyspace_names(ks) - keyspace_names_with_expiry(ks));
            assert_true(done > 400);
        }
        world_assert_sound(&w);
        world_fini(&w);
    }
}

static void test_room_counts_what_it_frees(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (uint32_t i = 0; i < 200; i++) {
        world_begin(&w);
        world_arg(&w, "RPUSH");
        world_arg(&w, "list-%u", i);
        for (int k = 0; k < 60; k++) world_arg(&w, "%0*u", 65, i * 1000 + (uint32_t)k);
        world_run(&w, 0);
        assert_true(world_replied(&w, ":60"));
    }
    while (steps_run(&w.engine, true)) {
    }
    uint64_t before = used(&w);
    limit(&w, before / 2, "allkeys-random");
    while (steps_run(&w.engine, true)) { /* CONFIG SET began it */
    }
    uint64_t after = used(&w), freed = w.engine.evict.freed_bytes;
    assert_true(after <= before / 2);
    assert_in_range(freed, before - after - 2000, before - after + 2000);
    assert_in_range(w.engine.keyspace.evicted, 80, 120);
    assert_int_equal(w.engine.evict.names_shared, 0);
    assert_true(w.engine.maxmemory.state == MAXMEMORY_ENOUGH);
    world_assert_reply(&w, "CONFIG RESETSTAT", "+OK\r\n");
    assert_int_equal(w.engine.keyspace.evicted, 0);
    assert_int_equal(w.engine.evict.freed_bytes, 0);
    world_fini(&w);
}

/* --- the order --- */

static void test_room_frees_what_waits_before_names(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (uint32_t i = 0; i < 100; i++) set(&w, "kept", i, VALUE_BYTES, NULL);
    uint64_t most = used(&w) + (64 << 10);
    for (uint32_t i = 0; i < 3000; i++) {
        set(&w, "text", i, VALUE_BYTES, NULL);
        char line[64];
        snprintf(line, sizeof line, "REF RPUSH all text-%u", i);
        world_do(&w, 0, line);
        snprintf(line, sizeof line, "DEL text-%u", i);
        world_do(&w, 0, line);
    }
    world_assert_reply(&w, "DEL all", ":1\r\n");
    assert_true(w.engine.heap.release_pending > 0 && used(&w) > most);
    limit(&w, most, "allkeys-lru");
    for (uint32_t i = 0; used(&w) > most; i++) {
        set(&w, "new", i % 10, 10, NULL);
        assert_true(world_replied(&w, "+OK"));
    }
    assert_int_equal(w.engine.keyspace.evicted, 0);
    world_fini(&w);
}

/* --- the refusal --- */

static void test_room_refuses_where_nothing_helps(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "SETRANGE big 3000000 x", ":3000001\r\n");
    world_do(&w, 1, "REF GET big");
    for (uint32_t i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof line, "REF SET alias-%u big", i);
        world_assert_reply(&w, line, "+OK\r\n");
    }
    limit(&w, 2000000, "allkeys-lru");
    for (int i = 0; i < 50; i++) world_assert_reply(&w, "SET k v", refusal);
    assert_int_equal(keyspace_names(&w.engine.keyspace), 1001);
    assert_int_equal(w.engine.keyspace.evicted, 0);
    assert_true(w.engine.maxmemory.state == MAXMEMORY_NONE);
    /* What reads and what frees goes on. */
    world_assert_reply(&w, "STRLEN alias-7", ":3000001\r\n");
    world_assert_reply(&w, "DEL alias-7", ":1\r\n");
    world_assert_reply(&w, "EXPIRE alias-8 100", ":1\r\n");
    world_assert_reply(&w, "FLUSHALL", "+OK\r\n");
    world_do(&w, 1, "RESET");
    for (int i = 0; i < 1000 && used(&w) > 2000000; i++) world_do(&w, 0, "SET k v");
    world_assert_reply(&w, "SET k v", "+OK\r\n");
    while (steps_run(&w.engine, true)) {
    }
    assert_true(w.engine.maxmemory.state == MAXMEMORY_ENOUGH);
    world_fini(&w);
}

/* A refused command has changed nothing, one of several names either. */
static void test_room_refuses_all_or_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "MSET a 1 b 2", "+OK\r\n");
    limit(&w, 1000, "volatile-lru");
    world_assert_reply(&w, "MSET a 3 c 4", refusal);
    world_assert_reply(&w, "MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
    world_assert_reply(&w, "EXPIRE b 100", ":1\r\n");
    world_assert_reply(&w, "MSET a 3 c 4", refusal); /* b went, and it was not enough */
    world_assert_reply(&w, "MGET a b c", "*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n");
    world_fini(&w);
}

/* --- in steps --- */

static void test_room_is_made_in_steps(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (uint32_t i = 0; i < 60000; i++) set(&w, "name", i, 100, NULL);
    uint64_t before = used(&w);
    limit(&w, before / 4, "allkeys-lru");
    assert_true(w.engine.maxmemory.state == MAXMEMORY_BEHIND);
    uint64_t evicted = w.engine.keyspace.evicted;
    assert_true(evicted < 30000); /* not all at once */
    /* A reader is served meanwhile; a writer has its reply, and then waits. */
    struct view get[] = {view_of("GET"), view_of("none")};
    struct view put[] = {view_of("SET"), view_of("k"), view_of("v")};
    proto_buf_clear(&w.out, SIZE_MAX);
    dispatch(&w.engine, &w.sessions[0], &(struct request){.argv = get, .argc = 2}, world_to(&w));
    assert_false(session_waits(&w.sessions[0]));
    proto_buf_clear(&w.out, SIZE_MAX);
    dispatch(&w.engine, &w.sessions[1], &(struct request){.argv = put, .argc = 3}, world_to(&w));
    assert_true(world_replied(&w, "+OK\r\n"));
    assert_true(session_waits(&w.sessions[1]));
    assert_int_equal(w.engine.sessions.waiting, 1);
    size_t replied = w.out.n;
    uint32_t steps = 0;
    for (bool more = true; !dispatch_resume(&w.engine, &w.sessions[1], world_to(&w)); steps++) {
        assert_true(more && steps < 100000); /* it waits for steps alone */
        assert_true(maxmemory_is_short(&w.engine));
        more = steps_run(&w.engine, true);
    }
    assert_true(steps > 0);
    assert_int_equal(w.out.n, replied); /* nothing more is said */
    assert_int_equal(w.engine.sessions.waiting, 0);
    assert_true(used(&w) <= before / 4 + before / 4 / MAXMEMORY_SLACK_PART);
    while (steps_run(&w.engine, true)) {
    }
    assert_true(used(&w) <= before / 4);
    assert_true(w.engine.maxmemory.state == MAXMEMORY_ENOUGH);
    world_assert_sound(&w);
    world_fini(&w);
}

/* Values much larger than the names that go for them: more is never used than the slack and what is
 * asked for at once. */
static void test_room_does_not_run_away(void **state)
{
    (void)state;
    enum { BIG = 200000 };
    struct world w;
    world_init(&w, 1);
    uint64_t most = used(&w) + (4 << 20);
    limit(&w, most, "allkeys-random");
    for (uint32_t i = 0; i < 60000; i++) set(&w, "name", i, 24, NULL);
    uint64_t peak = 0;
    for (uint32_t i = 0; i < 100; i++) {
        world_begin(&w);
        world_arg(&w, "SETRANGE");
        world_arg(&w, "big-%u", i);
        world_arg(&w, "%d", BIG);
        world_arg(&w, "x");
        world_run(&w, (int)i % WORLD_SESSIONS);
        assert_true(world_replied(&w, ":"));
        if (used(&w) > peak) peak = used(&w);
    }
    assert_true(w.engine.keyspace.evicted > 30000);
    assert_true(peak <= most + most / MAXMEMORY_SLACK_PART + (WORLD_SESSIONS + 1) * BIG);
    world_assert_sound(&w);
    world_fini(&w);
}

/* --- garbage --- */

/* Names of what refers to itself free their entries alone when they go, and the collector the rest:
 * it is given the time, so that not many more names go than would if that were known. */
static void assert_waits_for_garbage(uint32_t slice_slots)
{
    enum { LISTS = 3000, ELEMENTS = 20, PUSHES = 3000, PUSHED_BYTES = 500 };
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = slice_slots;
    w.engine.heap.collect.eager = false;
    world_assert_reply(&w, "REF NEW list", "$3\r\n&:1\r\n");
    uint64_t before = used(&w);
    for (uint32_t i = 0; i < LISTS; i++) {
        world_begin(&w);
        world_arg(&w, "RPUSH");
        world_arg(&w, "list-%u", i);
        for (uint32_t k = 0; k < ELEMENTS; k++) world_arg(&w, "%070u", i * ELEMENTS + k);
        world_run(&w, 0);
        char line[64];
        snprintf(line, sizeof line, "REF RPUSH list-%u list-%u", i, i);
        world_do(&w, 0, line);
        assert_true(world_replied(&w, ":21"));
    }
    world_settle(&w);
    uint64_t most = used(&w), each = (most - before) / LISTS, peak = 0;
    limit(&w, most, "allkeys-lru");
    for (uint32_t i = 0; i < PUSHES; i++) {
        world_begin(&w);
        world_arg(&w, "RPUSH");
        world_arg(&w, "&:1");
        world_arg(&w, "%0*u", PUSHED_BYTES, i);
        world_run(&w, 0);
        assert_true(world_replied(&w, ":"));
        if (i % 16 == 0) steps_run(&w.engine, false);
        if (used(&w) > peak) peak = used(&w);
    }
    uint64_t evicted = w.engine.keyspace.evicted;
    assert_true(evicted > PUSHES * PUSHED_BYTES / each / 2);
    assert_true(3 * evicted < 4 * PUSHES * PUSHED_BYTES / each);
    assert_true(peak <= most + most / MAXMEMORY_SLACK_PART + VALUE_BYTES);
    world_assert_sound(&w);
    world_fini(&w);
}

static void test_room_waits_for_garbage(void **state)
{
    (void)state;
    assert_waits_for_garbage(0); /* the collector's true pace, in a stressed build too */
}

/* As where others have the processor: what is missing is more than all entries by the time that the
 * collector finds the garbage, and no command is refused for it. */
static void test_room_waits_for_a_slow_collector(void **state)
{
    (void)state;
    assert_waits_for_garbage(20);
}

/* There is always some garbage, and never enough; the names that may go would free nothing. A
 * command is refused then, and what is used stays within twice the slack. */
static void test_room_is_not_made_by_little_garbage(void **state)
{
    (void)state;
    enum { LISTS = 400, NAMES = EVICT_SHARERS_MAX + 2, PUSHED_BYTES = 500 };
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "REF NEW list", "$3\r\n&:1\r\n");
    char line[64];
    for (uint32_t i = 0; i < LISTS; i++) {
        snprintf(line, sizeof line, "RPUSH list-%u x", i);
        world_do(&w, 0, line);
        snprintf(line, sizeof line, "REF RPUSH list-%u list-%u", i, i);
        world_do(&w, 0, line);
    }
    for (uint32_t k = 0; k < NAMES; k++) {
        snprintf(line, sizeof line, "REF SET name-%u &:1", k);
        world_do(&w, 0, line);
        snprintf(line, sizeof line, "EXPIRE name-%u 1000", k);
        world_assert_reply(&w, line, ":1\r\n");
    }
    world_settle(&w);
    uint64_t most = used(&w), peak = 0;
    uint32_t refused = 0;
    limit(&w, most, "volatile-lru");
    for (uint32_t i = 0; i < LISTS; i++) {
        snprintf(line, sizeof line, "DEL list-%u", i);
        world_do(&w, 0, line);
        world_begin(&w);
        world_arg(&w, "RPUSH");
        world_arg(&w, "&:1");
        world_arg(&w, "%0*u", PUSHED_BYTES, i);
        world_run(&w, 0);
        refused += world_replied(&w, "-OOM");
        if (used(&w) > peak) peak = used(&w);
    }
    assert_true(refused > LISTS / 2);
    assert_int_equal(w.engine.keyspace.evicted, 0);
    assert_true(peak <= most + 2 * most / MAXMEMORY_SLACK_PART + PUSHED_BYTES + 1000);
    world_assert_sound(&w);
    world_fini(&w);
}

/* --- histories --- */

static const char *const lines[] = {
    "SET %u %0700u",
    "RPUSH l%u a%u b c",
    "SADD s%u m%u",
    "HSET h%u f%u v",
    "ZADD z%u 1 m%u",
    "REF SET a%u l%u",
    "REF RPUSH l%u h%u",
    "REF HSET h%u f l%u",
    "WEAKREF SET w%u s%u",
    "EXPIRE %u 1000",
    "EXPIRE l%u 1000",
    "PERSIST h%u",
    "GET %u",
    "HGETALL h%u",
    "DEL z%u",
    "REF GET l%u",
    "MSET %u %0300u y %u",
    "RENAME h%u g%u",
    "COPY l%u c%u",
    "REF SADD s%u s%u",
    "APPEND %u %0100u",
    "OBJECT IDLETIME a%u",
    "FLUSHALL",
    "LRANGE l%u 0 -1",
};

static void random_line(struct world *w)
{
    char line[1024], format[64];
    uint32_t i = (uint32_t)draw(w, sizeof lines / sizeof *lines);
    if (strcmp(lines[i], "FLUSHALL") == 0 && draw(w, 100)) return;
    /* The formats are this file's own. */
    snprintf(format, sizeof format, "%s", lines[i]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, format, (unsigned)draw(w, 200), (unsigned)draw(w, 200),
             (unsigned)draw(w, 200));
#pragma GCC diagnostic pop
    world_do(w, (int)draw(w, WORLD_SESSIONS), line);
}

static void test_room_random_commands(void **state)
{
    (void)state;
    for (uint32_t p = 0; evict_policy_at(p); p++) {
        struct world w;
        world_init(&w, p + 100);
        limit(&w, used(&w) + (24 << 10), evict_policy_at(p)->name);
        for (int i = 0; i < 6000; i++) {
            w.engine.keyspace.access.now_s += draw(&w, 10) == 0;
            random_line(&w);
            world_assert_one_reply(&w);
            if (draw(&w, 4) == 0) steps_run(&w.engine, draw(&w, 2));
            if (draw(&w, 400) == 0) world_do(&w, 0, "RESET");
            assert_true(evict_check(&w.engine.evict));
            if (i % 20 == 0) world_assert_sound(&w);
        }
        limit(&w, 0, "noeviction");
        world_assert_no_garbage(&w);
        world_fini(&w);
    }
}

#ifdef HEAPD_DEBUG
static void test_room_nth_allocation_fails(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (uint32_t i = 0; i < 300; i++) set(&w, "name", i, VALUE_BYTES, NULL);
    limit(&w, used(&w), "allkeys-lfu");
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        for (uint32_t i = 0; used(&w) <= w.engine.config.maxmemory; i++)
            set(&w, "more", i, VALUE_BYTES, NULL);
        uint64_t evicted = w.engine.keyspace.evicted;
        w.engine.mem.fail_at = n;
        world_do(&w, 0, "MSET a 1 b 2 c 3");
        bool failed = w.engine.mem.fail_at == 0;
        w.engine.mem.fail_at = 0;
        assert_true(w.engine.keyspace.evicted > evicted);
        world_assert_one_reply(&w);
        world_assert_sound(&w);
        failures += world_replied(&w, "-OOM");
        world_do(&w, 0, "DEL a b c");
        if (!failed) break;
    }
    assert_true(failures > 0);
    world_fini(&w);
}
#endif

/* No name helps, but garbage has been found out about: commands run while it is looked for, and are
 * refused again when the collection has ended in vain. */
static void test_room_may_come_from_garbage_alone(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = 1;
    w.engine.heap.collect.eager = false;
    world_do(&w, 1, "REF NEW list");
    assert_true(world_replied(&w, "$3\r\n&:1\r\n"));
    world_assert_reply(&w, "SETRANGE big 3000000 x", ":3000001\r\n");
    world_do(&w, 1, "REF GET big");
    for (uint32_t i = 0; i < 200; i++) {
        char line[64];
        snprintf(line, sizeof line, "REF SET alias-%u big", i);
        world_assert_reply(&w, line, "+OK\r\n");
    }
    world_assert_reply(&w, "GC DISABLE", "+OK\r\n");
    world_do(&w, 0, "RPUSH ring 1");
    world_do(&w, 0, "REF RPUSH ring ring");
    world_do(&w, 0, "SETRANGE text 60000 x");
    world_do(&w, 0, "REF RPUSH ring text");
    world_do(&w, 0, "DEL text");
    world_do(&w, 0, "DEL ring");
    while (steps_run(&w.engine, true)) continue;
    world_assert_reply(&w, "GC ENABLE", "+OK\r\n");
    limit(&w, used(&w) - 30000, "allkeys-lru");
    for (int i = 0; i < 5; i++) {
        world_do(&w, 1, "RPUSH &:1 x");
        assert_true(world_replied(&w, ":"));
        assert_true(w.engine.maxmemory.state == MAXMEMORY_BEHIND);
    }
    while (steps_run(&w.engine, true)) continue;
    assert_true(used(&w) <= w.engine.config.maxmemory);
    world_do(&w, 1, "RPUSH &:1 x");
    assert_true(world_replied(&w, ":"));
    limit(&w, used(&w) - 30000, "allkeys-lru");
    while (steps_run(&w.engine, true)) continue;
    world_do(&w, 1, "RPUSH &:1 x");
    assert_true(world_replied(&w, refusal));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_holds_under_every_policy),
        cmocka_unit_test(test_room_counts_what_it_frees),
        cmocka_unit_test(test_room_frees_what_waits_before_names),
        cmocka_unit_test(test_room_refuses_where_nothing_helps),
        cmocka_unit_test(test_room_refuses_all_or_nothing),
        cmocka_unit_test(test_room_is_made_in_steps),
        cmocka_unit_test(test_room_does_not_run_away),
        cmocka_unit_test(test_room_waits_for_garbage),
        cmocka_unit_test(test_room_waits_for_a_slow_collector),
        cmocka_unit_test(test_room_is_not_made_by_little_garbage),
        cmocka_unit_test(test_room_may_come_from_garbage_alone),
        cmocka_unit_test(test_room_random_commands),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_room_nth_allocation_fails),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
