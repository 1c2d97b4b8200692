/*
 * Goal: a command that waits leaves nothing until its time has come, then one reply; others run
 * meanwhile; one that goes away leaves nothing behind.
 * Method: the world without a network; the least possible steps, the heap's own check between them,
 * and random commands of other sessions.
 */
#include "world.h"

/* Dispatches a command without spaces in its arguments, and does not wait for it. */
static void begin(struct world *w, int session, const char *line)
{
    world_begin(w);
    for (size_t n; *line; line += n + (line[n] == ' ')) {
        n = strcspn(line, " ");
        world_arg_bytes(w, line, n);
    }
    proto_buf_clear(&w->out, SIZE_MAX);
    dispatch(&w->engine, &w->sessions[session], &(struct request){.argv = w->argv, .argc = w->argc},
             world_to(w));
}

/* --- GC COLLECT --- */

static void begin_collect(struct world *w, int session)
{
    begin(w, session, "GC COLLECT");
    assert_int_equal(w->out.n, 0);
    assert_true(session_waits(&w->sessions[session]));
}

/* Garbage that is found when it is asked for, and not before. */
static void make_ring(struct world *w)
{
    world_do(w, 0, "GC DISABLE");
    world_do(w, 0, "RPUSH ring 1");
    world_do(w, 0, "REF RPUSH ring ring");
    world_do(w, 0, "DEL ring");
}

static void test_collect_waits_and_resumes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = 1;
    make_ring(&w);
    begin_collect(&w, 0);
    assert_int_equal(w.engine.sessions.waiting, 1);
    assert_false(dispatch_resume(&w.engine, &w.sessions[0], world_to(&w)));
    assert_int_equal(w.out.n, 0);
    /* Others run meanwhile. */
    world_do(&w, 1, "SET k v");
    assert_true(world_replied(&w, "+OK\r\n"));
    proto_buf_clear(&w.out, SIZE_MAX);
    uint64_t slices = 0;
    for (; !dispatch_resume(&w.engine, &w.sessions[0], world_to(&w)); slices++) {
        assert_int_equal(w.out.n, 0);
        steps_run(&w.engine, true);
        assert_true(slices < 10000);
    }
    assert_true(slices > 3);
    assert_true(world_replied(&w, ":1\r\n"));
    assert_false(session_waits(&w.sessions[0]));
    assert_int_equal(w.engine.sessions.waiting, 0);
    assert_int_equal(world_stats_of(&w, "gc|collect")->calls, 1);
    assert_int_equal(world_stats_of(&w, "gc|collect")->failed, 0);
    world_assert_reply(&w, "PING", "+PONG\r\n");
    world_fini(&w);
}

static void test_collect_two_wait_and_one_goes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = 1;
    make_ring(&w);
    begin_collect(&w, 0);
    begin_collect(&w, 1);
    steps_run(&w.engine, true);
    begin_collect(&w, 2);
    assert_int_equal(w.engine.sessions.waiting, 3);
    session_close(&w.engine.sessions, &w.sessions[1]);
    assert_int_equal(w.engine.sessions.waiting, 2);
    bool first = false, last = false;
    for (uint32_t steps = 0; !first || !last; steps++) {
        assert_true(steps < 10000);
        steps_run(&w.engine, true);
        proto_buf_clear(&w.out, SIZE_MAX);
        if (!first) first = dispatch_resume(&w.engine, &w.sessions[0], world_to(&w));
        if (!last) last = dispatch_resume(&w.engine, &w.sessions[2], world_to(&w));
        /* Who asked while a collection ran waits for the next. */
        assert_true(first || !last);
    }
    assert_int_equal(w.engine.sessions.waiting, 0);
    assert_int_equal(session_open(&w.engine.sessions, &w.sessions[1], 0), STATUS_OK);
    world_fini(&w);
}

/* Rings that names or handles hold: what waits to be dropped goes before the collection looks. */
static void test_collect_finds_what_was_dropped_just_before(void **state)
{
    (void)state;
    enum { RINGS = 3000 };
    static const char *const drops[] = {"FLUSHALL", "RESET", "close"};
    for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++) {
        struct world w;
        world_init(&w, 1);
        world_do(&w, 0, "GC DISABLE");
        for (int k = 0; k < RINGS; k++) {
            char line[64];
            snprintf(line, sizeof line, "RPUSH ring%d 1", k);
            world_do(&w, 0, line);
            snprintf(line, sizeof line, "REF RPUSH ring%d ring%d", k, k);
            world_do(&w, 0, line);
            if (i == 0) continue;
            snprintf(line, sizeof line, "REF GET ring%d", k);
            world_do(&w, 2, line);
            snprintf(line, sizeof line, "DEL ring%d", k);
            world_do(&w, 0, line);
        }
        if (i < 2)
            world_do(&w, 2, drops[i]);
        else
            session_close(&w.engine.sessions, &w.sessions[2]);
        world_assert_reply(&w, "GC COLLECT", ":3000\r\n");
        if (i == 2)
            assert_int_equal(session_open(&w.engine.sessions, &w.sessions[2], 0), STATUS_OK);
        world_fini(&w);
    }
}

static void test_collect_answers_whatever_resets_the_statistics(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.engine.heap.collect.slice_slots_max = 1;
    make_ring(&w);
    world_do(&w, 0, "GC COLLECT");
    make_ring(&w);
    begin_collect(&w, 0);
    for (;;) {
        steps_run(&w.engine, true);
        world_do(&w, 1, "CONFIG RESETSTAT");
        proto_buf_clear(&w.out, SIZE_MAX);
        if (dispatch_resume(&w.engine, &w.sessions[0], world_to(&w))) break;
    }
    assert_true(world_replied(&w, ":1\r\n"));
    world_fini(&w);
}

/* --- MEMORY USAGE --- */

static struct usages *usages_of(struct world *w)
{
    return &w->engine.sessions.usages;
}

/* 2^doublings lists, each of them below one other. */
static void make_tree(struct world *w, const char *name, int doublings)
{
    char line[96];
    snprintf(line, sizeof line, "RPUSH %s x", name);
    world_do(w, 0, line);
    for (int i = 0; i < doublings; i++) {
        snprintf(line, sizeof line, "COPY %s half DEEP", name);
        world_do(w, 0, line);
        snprintf(line, sizeof line, "REF RPUSH %s half", name);
        world_do(w, 0, line);
        world_do(w, 0, "DEL half");
    }
}

static void begin_usage(struct world *w, int session, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "MEMORY USAGE %s", name);
    begin(w, session, line);
    assert_int_equal(w->out.n, 0);
    assert_true(session_waits(&w->sessions[session]));
}

/* The least step; what it leaves is sound. */
static void step(struct world *w)
{
    usages_step(usages_of(w), 0);
    effects_commit(&w->engine.heap.effects);
    world_assert_sound(w);
    assert_true(usages_check(usages_of(w)));
}

static bool resumes(struct world *w, int session)
{
    proto_buf_clear(&w->out, SIZE_MAX);
    return dispatch_resume(&w->engine, &w->sessions[session], world_to(w));
}

/* The whole answer, as a line of the wire. */
static void usage_at_once(struct world *w, const char *name, char reply[32])
{
    char line[64];
    usages_of(w)->slots_at_once = UINT64_MAX;
    snprintf(line, sizeof line, "MEMORY USAGE %s", name);
    begin(w, 2, line);
    assert_false(session_waits(&w->sessions[2]));
    usages_of(w)->slots_at_once = USAGE_SLOTS_AT_ONCE;
    snprintf(reply, 32, "%.*s", (int)w->out.n, w->out.p);
}

static void test_usage_waits_and_resumes(void **state)
{
    (void)state;
    struct world w;
    char whole[32];
    world_init(&w, 1);
    make_tree(&w, "tree", 12);
    make_tree(&w, "small", 3);
    usage_at_once(&w, "tree", whole);
    begin_usage(&w, 0, "tree");
    assert_int_equal(w.engine.sessions.waiting, 1);
    assert_false(resumes(&w, 0));
    assert_int_equal(w.out.n, 0);
    uint32_t steps = 0;
    for (; !resumes(&w, 0); steps++) {
        assert_int_equal(w.out.n, 0);
        usages_step(usages_of(&w), 0);
        if (steps % 100) continue;
        world_assert_sound(&w);
        world_do(&w, 1, "OBJECT REFCOUNT tree");
        assert_true(world_replied(&w, ":1\r\n"));
        world_do(&w, 1, "INFO clients");
        assert_non_null(memmem(w.out.p, w.out.n, "blocked_clients:1", 17));
        world_do(&w, 1, "CLIENT LIST");
        assert_non_null(memmem(w.out.p, w.out.n, " flags=b ", 9));
        begin(&w, 1, "MEMORY USAGE small"); /* at once */
        assert_true(world_replied(&w, ":"));
    }
    assert_true(steps > 1000);
    assert_true(world_replied(&w, whole));
    assert_false(session_waits(&w.sessions[0]));
    assert_int_equal(w.engine.sessions.waiting, 0);
    assert_int_equal(world_stats_of(&w, "memory|usage")->failed, 0);
    world_assert_reply(&w, "PING", "+PONG\r\n");
    /* The server takes the steps itself, and each is measured. */
    uint64_t measured = w.engine.stats.step_ns.count;
    world_do(&w, 0, "MEMORY USAGE tree");
    assert_true(world_replied(&w, whole));
    assert_true(w.engine.stats.step_ns.count > measured);
    world_fini(&w);
}

/* One that closes at any moment: before its turn, in the middle of its walk, when it is done. */
static void test_usage_of_those_who_go(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 40; at++) {
        struct world w;
        world_init(&w, 1);
        make_tree(&w, "tree", 5);
        usages_of(&w)->slots_at_once = 0;
        for (int i = 0; i < WORLD_SESSIONS; i++) begin_usage(&w, i, "tree");
        for (uint32_t i = 0; i < 3 * at; i++) step(&w);
        int goes = (int)(at % WORLD_SESSIONS);
        session_close(&w.engine.sessions, &w.sessions[goes]);
        assert_int_equal(w.engine.sessions.waiting, 2);
        for (uint32_t steps = 0; usages_have_work(usages_of(&w)); steps++) {
            step(&w);
            assert_true(steps < 1000);
        }
        for (int i = 0; i < WORLD_SESSIONS; i++)
            if (i != goes) assert_true(resumes(&w, i) && world_replied(&w, ":"));
        assert_int_equal(w.engine.sessions.waiting, 0);
        assert_int_equal(session_open(&w.engine.sessions, &w.sessions[goes], 0), STATUS_OK);
        world_fini(&w);
    }
}

/* Nobody asks any more, and the server ends in the middle. */
static void test_usage_when_the_server_ends(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_tree(&w, "tree", 6);
    usages_of(&w)->slots_at_once = 0;
    begin_usage(&w, 0, "tree");
    for (int i = 0; i < 20; i++) step(&w);
    world_do(&w, 1, "FLUSHALL");
    for (int i = 0; i < WORLD_SESSIONS; i++) session_close(&w.engine.sessions, &w.sessions[i]);
    assert_true(usages_of(&w)->walk.frames > 0);
    proto_buf_fini(&w.out);
    oracle_fini(&w.oracle, &w.engine.heap);
    engine_fini(&w.engine);
    assert_int_equal(w.engine.mem.bytes, 0);
}

static void test_usage_of_what_goes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_tree(&w, "tree", 5);
    make_tree(&w, "other", 5);
    world_do(&w, 2, "HELLO 3");
    usages_of(&w)->slots_at_once = 0;
    begin_usage(&w, 0, "tree");
    step(&w);
    begin_usage(&w, 1, "other");
    begin_usage(&w, 2, "other");
    begin(&w, 0, "DEL tree other"); /* by whom does not matter */
    while (usages_have_work(usages_of(&w))) {
        step(&w);
        steps_after_command(&w.engine);
    }
    assert_true(resumes(&w, 0) && world_replied(&w, ":"));
    assert_true(resumes(&w, 1) && world_replied(&w, "$-1\r\n"));
    assert_true(resumes(&w, 2) && world_replied(&w, "_\r\n"));
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
static void test_usage_without_memory(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_tree(&w, "tree", 5);
    usages_of(&w)->slots_at_once = 0;
    begin_usage(&w, 0, "tree");
    uint64_t errors = w.engine.stats.error_replies;
    w.engine.mem.fail_at = 1;
    while (!resumes(&w, 0)) step(&w);
    assert_true(world_replied(&w, "-OOM"));
    assert_int_equal(w.engine.stats.error_replies, errors + 1);
    while (usages_have_work(usages_of(&w))) step(&w);
    world_fini(&w);
}
#endif

/* Something that changes what may be under way. */
static void random_line(struct world *w, char line[96])
{
    unsigned a = (unsigned)draw(w, 6), b = (unsigned)draw(w, 6);
    switch (draw(w, 13)) {
    case 0: snprintf(line, 96, "RPUSH l:%u a b c-is-too-long-for-an-immediate", a); break;
    case 1: snprintf(line, 96, "REF RPUSH l:%u l:%u h:%u", a, b, a); break;
    case 2: snprintf(line, 96, "DEL l:%u h:%u", a, b); break;
    case 3: snprintf(line, 96, "LPOP l:%u 2", a); break;
    case 4: snprintf(line, 96, "REF HSET h:%u f%u l:%u", a, b, b); break;
    case 5: snprintf(line, 96, "HSET h:%u field-%u a-value-of-some-length", a, b); break;
    case 6: snprintf(line, 96, "LMOVE l:%u l:%u LEFT RIGHT", a, b); break;
    case 7: snprintf(line, 96, "REF LPOP l:%u", a); break;
    case 8: snprintf(line, 96, "COPY l:%u l:%u REPLACE DEEP", a, b); break;
    case 9: snprintf(line, 96, "REF SADD s:%u l:%u h:%u", a, b, a); break;
    case 10: snprintf(line, 96, "RENAME l:%u l:%u", a, b); break;
    case 11: snprintf(line, 96, "REF ZADD z:%u 1 l:%u 2 h:%u", a, b, a); break;
    default: snprintf(line, 96, "RESET"); break;
    }
}

static void test_usage_beside_random_commands(void **state)
{
    (void)state;
    static const char *const kinds[] = {"l", "h", "s", "z"};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world w;
        world_init(&w, seed);
        w.engine.heap.collect.slice_slots_max = 1;
        usages_of(&w)->slots_at_once = 0;
        for (int round = 0; round < 600; round++) {
            char line[96], name[16];
            for (int i = 0; i < 2; i++) { /* two ask, and the third changes */
                if (session_waits(&w.sessions[i])) {
                    resumes(&w, i);
                } else if (draw(&w, 3) == 0) {
                    snprintf(name, sizeof name, "%s:%u", kinds[draw(&w, 4)], (unsigned)draw(&w, 6));
                    snprintf(line, sizeof line, "MEMORY USAGE %s", name);
                    begin(&w, i, line);
                } else if (draw(&w, 20) == 0) {
                    session_close(&w.engine.sessions, &w.sessions[i]);
                    assert_int_equal(session_open(&w.engine.sessions, &w.sessions[i], 0),
                                     STATUS_OK);
                }
            }
            random_line(&w, line);
            world_do(&w, 2, line);
            step(&w);
            if (draw(&w, 2)) collect_step(&w.engine.heap, true);
        }
        while (usages_have_work(usages_of(&w))) step(&w);
        for (int i = 0; i < 2; i++)
            if (session_waits(&w.sessions[i])) assert_true(resumes(&w, i));
        world_fini(&w);
    }
}

/* A walk that counts bytes would see slots twice that a compaction moves meanwhile. */
static void test_compaction_waits_for_usage(void **state)
{
    (void)state;
    struct world w;
    char whole[32];
    world_init(&w, 1);
    make_tree(&w, "tree", 10);
    usage_at_once(&w, "tree", whole);
    while (steps_run(&w.engine, true)) continue;
    begin_usage(&w, 0, "tree");
    begin(&w, 1, "MEMORY PURGE");
    assert_true(session_waits(&w.sessions[1]));
    const struct compact *compact = &w.engine.compact;
    enum compact_phase phase = compact->phase;
    w.engine.clock.reading_ns = 0;
    clock_simulate(&w.engine.clock, &(struct clock_simulation){.mono_ns = w.engine.mono_ns,
                                                               .wall_ns = w.engine.now_ms * 1000000,
                                                               .reading_ns = 60000});
    uint32_t steps = 0;
    for (; usages_have_work(usages_of(&w)); steps++) {
        assert_int_equal(compact->phase, phase);
        engine_tick(&w.engine);
        steps_run(&w.engine, true);
    }
    assert_true(steps > 10);
    assert_true(resumes(&w, 0));
    assert_true(world_replied(&w, whole));
    for (steps = 0; !resumes(&w, 1); steps++) {
        engine_tick(&w.engine);
        steps_run(&w.engine, true);
        assert_true(steps < 1000000);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect_waits_and_resumes),
        cmocka_unit_test(test_collect_two_wait_and_one_goes),
        cmocka_unit_test(test_collect_finds_what_was_dropped_just_before),
        cmocka_unit_test(test_collect_answers_whatever_resets_the_statistics),
        cmocka_unit_test(test_usage_waits_and_resumes),
        cmocka_unit_test(test_usage_of_those_who_go),
        cmocka_unit_test(test_usage_when_the_server_ends),
        cmocka_unit_test(test_usage_of_what_goes),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_usage_without_memory),
#endif
        cmocka_unit_test(test_usage_beside_random_commands),
        cmocka_unit_test(test_compaction_waits_for_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
