/*
 * Goal: nobody can tell that things move. Method: two servers get the same random commands, of all
 * types, small and large, by value and by reference, with names that expire; one of them moves
 * everything that can move, one slot a step, between the commands, while a collector that takes one
 * slot at a time is in the middle of its trials. Every reply must be the same, and the heap sound.
 * Sanitized, a pointer that was not told of a move is a use after free. The same with weak
 * references and walks that clients wait for, and without memory; then MEMORY PURGE itself.
 */
#include "world.h"

enum { KEYS = 40, FIELDS = 400, COMMANDS = 6000, CHECK_EVERY = 50, STEPS = 6 };

static struct world moving, still;

static void begin(struct world *w, uint64_t seed, bool moves)
{
    world_init(w, seed);
    w->engine.config.memory_waste_percent = 0;
    engine_configure(&w->engine);
    w->engine.heap.collect.slice_slots_max = 1;
    w->engine.heap.collect.eager = true;
    if (!moves) return;
    w->engine.compact.slots_max = 1;
    pool_move_always(w->engine.heap.pool, true);
}

static void assert_sound(struct world *w)
{
    world_assert_sound(w);
    assert_true(compact_check(&w->engine.compact));
}

/* Some steps of a run; runs follow each other. */
static void move_some(struct world *w, uint32_t steps)
{
    struct compact *c = &w->engine.compact;
    for (uint32_t i = 0; i < steps; i++) {
        if (c->phase == COMPACT_IDLE) compact_begin(c);
        if (compact_has_work(c, 0, true)) (void)compact_step(c, 0, 0);
    }
}

static void arg_text(struct world *w, const char *what, uint64_t n)
{
    static const char pad[] =
        "which is long enough to be an object of its own wherever it is kept, "
        "beyond all limits of what is packed";
    if (n % 3)
        world_arg(w, "%s%u", what, (unsigned)n);
    else
        world_arg(w, "%s%u %s", what, (unsigned)n, pad);
}

static void arg_key(struct world *w, char type)
{
    world_arg(w, "%c%u", type, (unsigned)draw(w, type == 's' ? KEYS : 4));
}

static const char *const STRING_COMMANDS[] = {"SET", "GET", "APPEND", "STRLEN", "GETSET"};
static const char *const HASH_COMMANDS[] = {"HSET", "HGET", "HDEL", "HSTRLEN", "HEXISTS"};
static const char *const LIST_COMMANDS[] = {"RPUSH", "LPUSH", "LPOP", "RPOP", "LINDEX", "LREM"};
static const char *const SET_COMMANDS[] = {"SADD", "SREM", "SISMEMBER", "SCARD"};
static const char *const ZSET_COMMANDS[] = {"ZADD", "ZREM", "ZSCORE", "ZRANK", "ZRANGE", "ZINCRBY"};
#define ANY(w, commands) (commands)[draw(w, sizeof(commands) / sizeof *(commands))]

static void draw_string(struct world *w)
{
    const char *name = ANY(w, STRING_COMMANDS);
    world_arg(w, "%s", name);
    arg_key(w, 's');
    if (strcmp(name, "GET") == 0 || strcmp(name, "STRLEN") == 0) return;
    arg_text(w, "v", draw(w, 1000));
    if (strcmp(name, "SET") || draw(w, 3)) return;
    world_arg(w, "EX");
    world_arg(w, "%u", 10000 + (unsigned)draw(w, 10000));
}

static void draw_hash(struct world *w)
{
    const char *name = ANY(w, HASH_COMMANDS);
    world_arg(w, "%s", name);
    arg_key(w, 'h');
    arg_text(w, "f", draw(w, FIELDS));
    if (strcmp(name, "HSET") == 0) arg_text(w, "v", draw(w, 1000));
}

static void draw_list(struct world *w)
{
    const char *name = ANY(w, LIST_COMMANDS);
    world_arg(w, "%s", name);
    arg_key(w, 'l');
    if (strcmp(name, "LREM") == 0) world_arg(w, "1");
    if (strcmp(name, "LINDEX") == 0)
        world_arg(w, "%u", (unsigned)draw(w, 600));
    else if (name[1] != 'P' || name[2] != 'O')
        arg_text(w, "v", draw(w, 1000));
}

static void draw_set(struct world *w)
{
    const char *name = ANY(w, SET_COMMANDS);
    world_arg(w, "%s", name);
    arg_key(w, 't');
    if (strcmp(name, "SCARD")) arg_text(w, "m", draw(w, FIELDS));
}

static void draw_zset(struct world *w)
{
    const char *name = ANY(w, ZSET_COMMANDS);
    world_arg(w, "%s", name);
    arg_key(w, 'z');
    if (strcmp(name, "ZRANGE") == 0) {
        unsigned from = (unsigned)draw(w, FIELDS);
        world_arg(w, "%u", from);
        world_arg(w, "%u", from + 8);
        return;
    }
    if (strcmp(name, "ZADD") == 0 || strcmp(name, "ZINCRBY") == 0)
        world_arg(w, "%u", (unsigned)draw(w, 20));
    arg_text(w, "m", draw(w, FIELDS));
}

/* What has to do with names, and with references between containers. */
static void draw_name(struct world *w)
{
    static const char types[] = "shltz";
    char type = types[draw(w, 5)];
    switch (draw(w, 8)) {
    case 0:
        if (draw(w, 10)) {
            world_arg(w, "EXISTS");
            arg_key(w, type);
        } else {
            world_arg(w, "DEL");
            arg_key(w, type);
        }
        break;
    case 1:
        world_arg(w, "EXPIRE");
        arg_key(w, type);
        world_arg(w, "10000");
        break;
    case 2:
        world_arg(w, "PERSIST");
        arg_key(w, type);
        break;
    case 3:
        world_arg(w, "RENAME");
        arg_key(w, 's');
        arg_key(w, 's');
        break;
    case 4:
        world_arg(w, "REF");
        world_arg(w, "HSET");
        arg_key(w, 'h');
        arg_text(w, "f", draw(w, FIELDS));
        arg_key(w, type);
        break;
    case 5:
        world_arg(w, "REF");
        world_arg(w, draw(w, 2) ? "RPUSH" : "SADD");
        arg_key(w, w->text[w->text_used - 1] == 'H' ? 'l' : 't');
        arg_key(w, type);
        break;
    case 6:
        world_arg(w, "OBJECT");
        world_arg(w, "ENCODING");
        arg_key(w, type);
        break;
    default:
        world_arg(w, "REF");
        world_arg(w, "GET");
        arg_key(w, type);
        break;
    }
}

static void draw_command(struct world *w)
{
    static void (*const draws[])(struct world *) = {draw_string, draw_hash, draw_list,
                                                    draw_set,    draw_zset, draw_name};
    world_begin(w);
    draws[draw(w, 6)](w);
}

/* Large ones: a table, a deque of chunks, a tree of some height. */
static void fill(struct world *w)
{
    for (unsigned i = 0; i < 1500; i++) {
        world_begin(w);
        world_arg(w, i % 2 ? "RPUSH" : "LPUSH");
        world_arg(w, "l0");
        arg_text(w, "v", i);
        world_run(w, 0);
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        world_begin(w);
        world_arg(w, "ZADD");
        world_arg(w, "z0");
        world_arg(w, "%u", i % 20);
        arg_text(w, "m", i);
        world_run(w, 0);
        world_begin(w);
        world_arg(w, "HSET");
        world_arg(w, "h0");
        arg_text(w, "f", i);
        arg_text(w, "v", i * 7);
        world_run(w, 0);
    }
}

/* A whole container is shown in the order of its buckets, and a table that is fitted has other
 * ones: then the bytes must be the same in whatever order. */
static bool is_same(const struct proto_buf *a, const struct proto_buf *b)
{
    uint32_t counts[256] = {0};
    if (a->n != b->n) return false;
    if (a->n == 0 || a->p[0] != '*') return memcmp(a->p, b->p, a->n) == 0;
    for (size_t i = 0; i < a->n; i++) {
        counts[(unsigned char)a->p[i]]++;
        counts[(unsigned char)b->p[i]]--;
    }
    for (size_t i = 0; i < 256; i++)
        if (counts[i]) return false;
    return true;
}

static void begin_both(uint64_t seed)
{
    begin(&moving, seed, true);
    begin(&still, seed, false);
    fill(&moving);
    fill(&still);
}

static void test_replies_are_the_same(void **state)
{
    (void)state;
    uint64_t moved = 0, runs = 0;
    begin_both(5);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        draw_command(&moving);
        draw_command(&still);
        world_run(&moving, 0);
        world_run(&still, 0);
        if (!is_same(&moving.out, &still.out))
            fail_msg("%u: %s: '%.*s' where nothing moves, '%.*s' where it does", i,
                     world_command(&still), (int)still.out.n, still.out.p, (int)moving.out.n,
                     moving.out.p);
        move_some(&moving, STEPS);
        (void)collect_step(&moving.engine.heap, true);
        (void)collect_step(&still.engine.heap, true);
        if (i % CHECK_EVERY == 0) assert_sound(&moving);
        /* A reply that is refused on the way has given identities in the order of buckets up to
         * there, and a table that is fitted has another order: both begin anew. */
        if (i < COMMANDS - 1 && !world_replied(&still, "-TOOBIG")) continue;
        struct pool_stats s;
        pool_get_stats(moving.engine.heap.pool, &s);
        moved += s.moved_blocks;
        runs += moving.engine.compact.stats.runs;
        world_fini(&moving);
        world_fini(&still);
        if (i < COMMANDS - 1) begin_both(6 + i);
    }
    assert_true(moved > COMMANDS / 8);
    assert_true(runs >= 2);
}

/* Weak references and their names, handles, held replies, questions that wait, FLUSHALL. */
static void test_whatever_else_there_is(void **state)
{
    static const char *const lines[] = {"WEAKREF SET s1 h1",
                                        "WEAKREF HSET h2 f l1",
                                        "WEAKREF RPUSH l2 h1",
                                        "WEAKREF SADD t1 h2",
                                        "WEAKREF ZADD z1 1 h",
                                        "GC COLLECT",
                                        "MEMORY USAGE h0",
                                        "DEL h1",
                                        "REF GET h2",
                                        "RELEASE &:1",
                                        "SETRANGE s2 30000 x",
                                        "GET s2",
                                        "EXPIRE s1 10000",
                                        "MEMORY PURGE",
                                        "COPY z0 z3",
                                        "FLUSHALL",
                                        "DEL z0",
                                        "REF HSET h1 me h1",
                                        "DEL l1",
                                        "REF RPUSH l3 l3",
                                        "EXPIRE s3 0",
                                        "RENAME s1 s4",
                                        "MEMORY STATS",
                                        "MEMORY POOLS"};
    (void)state;
    begin(&moving, 77, true);
    for (uint32_t i = 0; i < COMMANDS / 2; i++) {
        if (i % 700 == 0) fill(&moving);
        if (draw(&moving, 3)) {
            draw_command(&moving);
            world_run(&moving, 0);
        } else {
            const char *line = ANY(&moving, lines);
            if (strcmp(line, "FLUSHALL") || draw(&moving, 40) == 0) world_do(&moving, 0, line);
        }
        world_assert_one_reply(&moving);
        if (!usages_have_work(&moving.engine.sessions.usages)) move_some(&moving, STEPS);
        (void)collect_step(&moving.engine.heap, true);
        (void)steps_run(&moving.engine, draw(&moving, 2));
        if (i % CHECK_EVERY == 0) assert_sound(&moving);
    }
    world_fini(&moving);
}

#ifdef HEAPD_DEBUG
static void test_every_move_without_memory(void **state)
{
    (void)state;
    begin(&moving, 9, true);
    fill(&moving);
    struct mem *m = &moving.engine.mem;
    for (uint32_t i = 0; i < COMMANDS; i++) {
        m->fail_at = 1 + draw(&moving, 3);
        m->fail_on = draw(&moving, 2);
        move_some(&moving, STEPS);
        m->fail_at = m->fail_on = 0;
        draw_command(&moving);
        world_run(&moving, 0);
        if (i % CHECK_EVERY == 0) assert_sound(&moving);
    }
    world_fini(&moving);
}
#endif

static uint64_t reserved(const struct world *w)
{
    struct pool_stats s;
    pool_get_stats(w->engine.heap.pool, &s);
    return s.reserved_bytes;
}

/* So many names of each type; `odd` ones only, or all. */
static void fill_names(struct world *w, unsigned count, bool odd)
{
    for (unsigned i = 0; i < count; i++) {
        if (odd && i % 2 == 0) continue;
        static const char *const lines[] = {
            "SET s:%u a-value-of-some-bytes-%u", "HSET h:%u name n%u city somewhere plan free",
            "RPUSH l:%u one two three %u five six seven", "SADD t:%u 1 2 3 4 5 6 7 8 9 %u"};
        for (int t = 0; t < 4; t++) {
            char line[128];
            snprintf(line, sizeof line, lines[t], i, i);
            world_do(w, 0, line);
        }
    }
}

static void drop_names(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i += 2) {
        char line[128];
        snprintf(line, sizeof line, "DEL s:%u h:%u l:%u t:%u", i, i, i, i);
        world_do(w, 0, line);
    }
}

/* Half of the names are deleted: what is left takes little more than if it had come alone. */
static void test_purge_gives_back_half(void **state)
{
    enum { NAMES = 6000 };
    (void)state;
    world_init(&moving, 1);
    world_init(&still, 1);
    fill_names(&moving, NAMES, false);
    fill_names(&still, NAMES, true);
    drop_names(&moving, NAMES);
    uint64_t before = reserved(&moving);
    world_assert_reply(&moving, "MEMORY PURGE", "+OK\r\n");
    world_assert_reply(&still, "MEMORY PURGE", "+OK\r\n"); /* sanitized, what is in quarantine */
    assert_sound(&moving);
    assert_true(reserved(&moving) < before * 3 / 4);
    /* Beside a pool for each class that is not full. */
    assert_true(reserved(&moving) < reserved(&still) * 5 / 4 + 64 * (uint64_t)POOL_BYTES);
    world_assert_reply(&moving, "GET s:1", "$23\r\na-value-of-some-bytes-1\r\n");
    world_fini(&moving);
    world_fini(&still);
}

#ifndef HEAPD_STRESS

/* Who asks while a run is under way waits for the next. */
static void test_purge_asked_twice(void **state)
{
    (void)state;
    begin(&moving, 3, true);
    struct compact *c = &moving.engine.compact;
    fill(&moving);
    uint64_t first = compact_begin(c);
    assert_int_equal(compact_begin(c), first); /* none has begun */
    while (c->phase != COMPACT_CONTAINERS) steps_run(&moving.engine, true);
    uint64_t second = compact_begin(c);
    assert_true(second > first);
    assert_int_equal(compact_begin(c), second);
    while (!compact_is_done(c, first)) steps_run(&moving.engine, true);
    assert_false(compact_is_done(c, second));
    while (!compact_is_done(c, second)) steps_run(&moving.engine, true);
    assert_int_equal(c->stats.runs, 2);
    world_fini(&moving);
}

/* A step is bounded also where arenas hold no container: they are looked at a few at a time. */
static void test_containers_are_far_apart(void **state)
{
    enum { BLOCKS = 22000 };
    (void)state;
    begin(&moving, 4, false);
    struct compact *c = &moving.engine.compact;
    world_do(&moving, 0, "HSET h name value");
    for (unsigned i = 0; i < BLOCKS; i++) {
        char line[64];
        snprintf(line, sizeof line, "SETRANGE s:%u 4000 x", i);
        world_do(&moving, 0, line);
    }
    assert_true(reserved(&moving) > (uint64_t)80 * POOL_ARENA_BYTES);
    pool_move_always(moving.engine.heap.pool, true);
    compact_begin(c);
    uint32_t steps = 0;
    while (c->stats.runs == 0 || c->phase != COMPACT_IDLE) {
        steps += c->phase == COMPACT_CONTAINERS;
        assert_true(compact_has_work(c, 0, true));
        (void)compact_step(c, 0, 0);
    }
    assert_true(steps > COMPACT_PASSES_MAX);
    world_fini(&moving);
}

static void make_waste(uint32_t names)
{
    char line[300];
    for (unsigned i = 0; i < names; i++) {
        snprintf(line, sizeof line, "SET s:%u %0200u", i, i);
        world_do(&moving, 0, line);
    }
    assert_false(compact_has_work(&moving.engine.compact, COMPACT_LOOK_NS, true));
    for (unsigned i = 0; i < names; i++) {
        snprintf(line, sizeof line, "DEL s:%u", i);
        if (i % 4) world_do(&moving, 0, line);
    }
}

/* The background begins when the waste is large enough, not again for what it could not move, and
 * takes a small part of a busy server's time. */
static void test_background(void **state)
{
    enum { NAMES = 60000 };
    (void)state;
    world_init(&moving, 1);
    struct compact *c = &moving.engine.compact;
    make_waste(NAMES);
    c->waste_percent = 0;
    assert_false(compact_has_work(c, COMPACT_LOOK_NS * 3, true));
    c->waste_percent = 25;
    assert_true(compact_has_work(c, COMPACT_LOOK_NS * 3, true));
    int64_t now = COMPACT_LOOK_NS * 3;
    assert_true(compact_step(c, now, 1));
    assert_false(compact_has_work(c, now + 1, false)); /* busy: it has had its part */
    assert_true(compact_has_work(c, now + 1, true));
    uint64_t before = reserved(&moving);
    while (compact_step(c, now, 100000)) continue;
    assert_true(reserved(&moving) < before / 2);
    assert_true(c->stats.adopted_bytes > before / 4);
    assert_sound(&moving);
    assert_false(compact_has_work(c, now + COMPACT_LOOK_NS * 1000, true));
    world_fini(&moving);
}

/* What is still being freed may leave whole arenas empty: a run waits for it, though not for
 * ever. */
static void test_background_waits_for_what_is_freed(void **state)
{
    enum { NAMES = 60000 };
    (void)state;
    world_init(&moving, 1);
    struct compact *c = &moving.engine.compact;
    c->waste_percent = 25;
    make_waste(NAMES);
    world_do(&moving, 0, "FLUSHALL");
    int64_t now = COMPACT_LOOK_NS * 3;
    assert_false(compact_has_work(c, now, true));
    assert_int_equal(c->phase, COMPACT_DRAINS);
    assert_false(compact_has_work(c, now + COMPACT_DRAIN_UNASKED_NS - 1, true));
    assert_true(compact_has_work(c, now + COMPACT_DRAIN_UNASKED_NS, true));
    while (reclaim_some(&moving.engine)) continue;
    assert_true(compact_has_work(c, now, true));
    while (compact_step(c, now, 100000)) continue;
    assert_int_equal(c->stats.runs, 1);
    assert_sound(&moving);
    world_fini(&moving);
}

/* Also for what the collector has condemned. */
static void test_background_waits_for_the_condemned(void **state)
{
    enum { NAMES = 60000 };
    (void)state;
    world_init(&moving, 1);
    struct compact *c = &moving.engine.compact;
    struct collect *collect = &moving.engine.heap.collect;
    c->waste_percent = 25;
    make_waste(NAMES);
    while (reclaim_some(&moving.engine)) continue;
    world_do(&moving, 0, "RPUSH ring x");
    world_do(&moving, 0, "REF RPUSH ring ring");
    world_do(&moving, 0, "DEL ring");
    collect->slice_slots_max = 1;
    (void)collect_full_begin(&moving.engine.heap);
    while (collect->phase != COLLECT_FREE) collect_step(&moving.engine.heap, true);
    int64_t now = COMPACT_LOOK_NS * 3;
    assert_false(compact_has_work(c, now, true));
    assert_int_equal(c->phase, COMPACT_DRAINS);
    while (collect->phase == COLLECT_FREE || moving.engine.heap.release_pending)
        assert_true(reclaim_some(&moving.engine));
    assert_true(compact_has_work(c, now, true));
    world_fini(&moving);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_are_the_same),
        cmocka_unit_test(test_whatever_else_there_is),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_every_move_without_memory),
#endif
        cmocka_unit_test(test_purge_gives_back_half),
#ifndef HEAPD_STRESS /* there the commands begin runs, and the pacing is off */
        cmocka_unit_test(test_purge_asked_twice),
        cmocka_unit_test(test_containers_are_far_apart),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_background_waits_for_what_is_freed),
        cmocka_unit_test(test_background_waits_for_the_condemned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
