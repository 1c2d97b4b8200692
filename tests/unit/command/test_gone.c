/*
 * Goal: what is gone has no rank, though its slot is still there: ranges, ranks, counts of ranges
 * and pops of a zset go by what is shown.
 *
 * Method: a zset that refers weakly to objects of which most are dropped, by one command, and a
 * twin that holds the others alone. Each command must reply the same of both.
 */
#include "world.h"

enum { OBJECTS = 150, ROUNDS = 40, QUERIES = 60 };

static void put(struct world *w, const char *format, int i)
{
    char line[96];
    snprintf(line, sizeof line, format, i, i, i);
    world_do(w, 0, line);
    if (world_replied(w, "-")) fail_msg("%s: %.*s", line, (int)w->out.n, w->out.p);
}

/* The command on wz and on its twin. */
static void assert_same(struct world *w, const char *format, const char *rest)
{
    char line[160], reply[8192];
    size_t n[2];
    for (int twin = 0; twin < 2; twin++) {
        snprintf(line, sizeof line, format, twin ? "twin" : "wz", rest);
        world_do(w, 0, line);
        n[twin] = w->out.n;
        assert_true(n[twin] < sizeof reply);
        if (!twin) memcpy(reply, w->out.p, n[0]);
    }
    if (n[0] != n[1] || memcmp(reply, w->out.p, n[0]) != 0)
        fail_msg("%s: '%.*s' instead of '%.*s'", line, (int)n[0], reply, (int)n[1], w->out.p);
}

static void query(struct world *w)
{
    char rest[96];
    int a = (int)draw(w, 2 * OBJECTS) - OBJECTS, b = (int)draw(w, 2 * OBJECTS) - OBJECTS;
    int low = (int)draw(w, OBJECTS / 2), high = low + (int)draw(w, OBJECTS / 2);
    int offset = (int)draw(w, 8), limit = (int)draw(w, 8) - 1;
    switch (draw(w, 6)) {
    case 0: snprintf(rest, sizeof rest, "%d %d", a, b); break;
    case 1: snprintf(rest, sizeof rest, "%d %d REV WITHSCORES", a, b); break;
    case 2:
        snprintf(rest, sizeof rest, "%d %d BYSCORE LIMIT %d %d", low, high, offset, limit);
        break;
    case 3:
        snprintf(rest, sizeof rest, "%d (%d REV BYSCORE LIMIT %d %d", high, low, offset, limit);
        break;
    case 4: snprintf(rest, sizeof rest, "%d +inf BYSCORE LIMIT %d %d", low, offset, limit); break;
    default: snprintf(rest, sizeof rest, "-1 -1"); break;
    }
    assert_same(w, "WEAKREF ZRANGE %s %s", rest);
    snprintf(rest, sizeof rest, "(%d %d", low, high);
    assert_same(w, "ZCOUNT %s %s", rest);
}

/* Every third lives on. */
static void fill(struct world *w)
{
    for (int i = 0; i < OBJECTS; i++) {
        put(w, "HSET h%d f v%d", i);
        put(w, i % 2 ? "WEAKREF ZADD wz %d h%d" : "WEAKREF ZADD wz 7 h%d", i);
        if (i % 3 == 0) put(w, i % 2 ? "REF ZADD twin %d h%d" : "REF ZADD twin 7 h%d", i);
    }
}

/* In one command, after which few slots are removed. */
static void drop(struct world *w, int first, int step)
{
    char keys[OBJECTS][16];
    struct view argv[OBJECTS + 1] = {view_of("DEL")};
    uint32_t argc = 1;
    for (int i = first; i < OBJECTS; i++) {
        if (step && i % step == 0) continue;
        snprintf(keys[argc - 1], sizeof keys[0], "h%d", i);
        argv[argc] = view_of(keys[argc - 1]);
        argc++;
    }
    proto_buf_clear(&w->out, SIZE_MAX);
    dispatch(&w->engine, &w->sessions[0], &(struct request){.argv = argv, .argc = argc},
             world_to(w));
    assert_true(weak_is_pending(&w->engine.heap));
}

static void test_ranks_go_by_what_is_shown(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct world *w = calloc(1, sizeof *w);
        world_init(w, round + 1);
        fill(w);
        drop(w, 0, 3);
        assert_same(w, "WEAKREF ZRANGE %s %s", "0 0");
        assert_same(w, "WEAKREF ZRANGE %s %s", "-inf +inf BYSCORE LIMIT 0 1");
        for (int i = 0; i < QUERIES && weak_is_pending(&w->engine.heap); i++) query(w);
        world_fini(w);
        free(w);
    }
}

static void test_rank_of_a_member_goes_by_what_is_shown(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    fill(&w);
    drop(&w, 0, 3);
    for (int i = 0; i < OBJECTS; i += 3) {
        char member[16];
        snprintf(member, sizeof member, "h%d", i);
        assert_same(&w, "REF ZRANK %s %s", member);
        assert_same(&w, "REF ZREVRANK %s %s", member);
    }
    world_fini(&w);
}

static void test_pops_go_by_what_is_shown(void **state)
{
    (void)state;
    static const char *const pops[] = {"1", "2", "5", "100"};
    for (int from = 0; from < 2; from++) {
        for (size_t i = 0; i < sizeof pops / sizeof pops[0]; i++) {
            struct world w;
            world_init(&w, 1);
            fill(&w);
            drop(&w, 0, 3);
            assert_same(&w, from ? "WEAKREF ZPOPMAX %s %s" : "WEAKREF ZPOPMIN %s %s", pops[i]);
            assert_same(&w, "WEAKREF ZRANGE %s %s", "0 -1");
            world_assert_sound(&w);
            world_fini(&w);
        }
    }
}

static void test_random_members_are_those_shown(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (int i = 0; i < OBJECTS; i++) {
        put(&w, "HSET h%d f v%d", i);
        put(&w, "WEAKREF SADD ws h%d", i);
    }
    drop(&w, 1, 0);
    static const char *const only[] = {"WEAKREF SRANDMEMBER ws 3", "WEAKREF SMEMBERS ws",
                                       "WEAKREF SPOP ws 3"};
    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        world_do(&w, 0, only[i]);
        if (!world_replied(&w, "*1\r\n")) fail_msg("%s: %.*s", only[i], (int)w.out.n, w.out.p);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_go_by_what_is_shown),
        cmocka_unit_test(test_rank_of_a_member_goes_by_what_is_shown),
        cmocka_unit_test(test_pops_go_by_what_is_shown),
        cmocka_unit_test(test_random_members_are_those_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
