/*
 * Nested replies. Goal: any shape of the heap gives one well-formed reply of bounded size: nested
 * to the depth asked for, cycles and what is too deep as identities, shared parts as often as they
 * are met but never more than reply-values-max, in both protocols; without memory an error and no
 * leak.
 *
 * Method: replies to FETCH, LRANGE and HGETALL compared to the byte; graphs that double at each
 * level; random graphs, whose replies are read back and compared with a walk of the heap.
 */
#include "value/hash.h"
#include "value/list.h"
#include "world.h"

static void assert_reply(struct world *w, const char *line, const char *expected)
{
    world_do(w, 0, line);
    if (w->out.n != strlen(expected) || !world_replied(w, expected))
        fail_msg("%s: '%.*s' instead of '%s'", line, (int)w->out.n, w->out.p, expected);
}

static void run_all(struct world *w, const char *const *lines)
{
    for (; *lines; lines++) {
        world_do(w, 0, *lines);
        if (world_replied(w, "-")) fail_msg("%s: %.*s", *lines, (int)w->out.n, w->out.p);
    }
}

#define RUN(w, ...) run_all(w, (const char *const[]){__VA_ARGS__, NULL})

/* --- forms --- */

static void test_nested_plain_values(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    RUN(&w, "SET k a-string-that-needs-an-object", "SET n -12", "SET big 9223372036854775807");
    assert_reply(&w, "FETCH k", "$29\r\na-string-that-needs-an-object\r\n");
    assert_reply(&w, "FETCH n", "$3\r\n-12\r\n");
    assert_reply(&w, "FETCH big", "$19\r\n9223372036854775807\r\n");
    assert_reply(&w, "FETCH nothing", "$-1\r\n");
    assert_reply(&w, "FETCH k DEPTH 0", "$29\r\na-string-that-needs-an-object\r\n");
    world_fini(&w);
}

/* Every type in every type that can hold it. */
static void make_types(struct world *w)
{
    RUN(w, "RPUSH l 1", "HSET h f 2", "SADD s 3", "ZADD z 1.5 4", "REF RPUSH list l h s z",
        "REF HSET hash f l", "REF SADD set z", "REF ZADD zset 2 h");
}

static void test_nested_types_in_resp2(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_types(&w);
    assert_reply(&w, "FETCH list",
                 "*4\r\n*1\r\n$1\r\n1\r\n*2\r\n$1\r\nf\r\n$1\r\n2\r\n*1\r\n$1\r\n3\r\n"
                 "*2\r\n$1\r\n4\r\n$3\r\n1.5\r\n");
    assert_reply(&w, "FETCH hash", "*2\r\n$1\r\nf\r\n*1\r\n$1\r\n1\r\n");
    assert_reply(&w, "FETCH set", "*1\r\n*2\r\n$1\r\n4\r\n$3\r\n1.5\r\n");
    assert_reply(&w, "FETCH zset", "*2\r\n*2\r\n$1\r\nf\r\n$1\r\n2\r\n$1\r\n2\r\n");
    RUN(&w, "REF NEW list", "REF SET empty &:2", "REF NEW hash", "REF RPUSH &:2 &:3");
    assert_reply(&w, "FETCH empty", "*1\r\n*0\r\n");
    world_fini(&w);
}

static void test_nested_types_in_resp3(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_types(&w);
    RUN(&w, "HELLO 3");
    assert_reply(&w, "FETCH list",
                 "*4\r\n*1\r\n$1\r\n1\r\n%1\r\n$1\r\nf\r\n$1\r\n2\r\n~1\r\n$1\r\n3\r\n"
                 "*1\r\n*2\r\n$1\r\n4\r\n,1.5\r\n");
    assert_reply(&w, "FETCH hash", "%1\r\n$1\r\nf\r\n*1\r\n$1\r\n1\r\n");
    assert_reply(&w, "FETCH set", "~1\r\n*1\r\n*2\r\n$1\r\n4\r\n,1.5\r\n");
    assert_reply(&w, "FETCH zset", "*1\r\n*2\r\n%1\r\n$1\r\nf\r\n$1\r\n2\r\n,2\r\n");
    assert_reply(&w, "FETCH nothing", "_\r\n");
    world_fini(&w);
}

/* --- depth and cycles --- */

/* c0 holds c1 holds c2 ... : each a list of its number and the next. */
static void make_chain(struct world *w, int length)
{
    for (int i = length - 1; i >= 0; i--) {
        char line[64];
        snprintf(line, sizeof line, "RPUSH c%d %d", i, i);
        RUN(w, line);
        if (i == length - 1) continue;
        snprintf(line, sizeof line, "REF RPUSH c%d c%d", i, i + 1);
        RUN(w, line);
    }
}

static void test_nested_depth(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_chain(&w, 4);
    assert_reply(&w, "FETCH c0 DEPTH 0", "$3\r\n#:1\r\n"); /* c0 itself is too deep */
    assert_reply(&w, "FETCH c0 DEPTH 1", "*2\r\n$1\r\n0\r\n$3\r\n#:2\r\n");
    assert_reply(&w, "FETCH c0 DEPTH 2", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n1\r\n$3\r\n#:3\r\n");
    const char *whole = "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n1\r\n*2\r\n$1\r\n2\r\n*1\r\n$1\r\n3\r\n";
    assert_reply(&w, "FETCH c0 DEPTH 4", whole);
    assert_reply(&w, "FETCH c0", whole);
    assert_reply(&w, "FETCH c0 DEPTH 33",
                 "-ERR DEPTH must be between 0 and reply-depth-max (32)\r\n");
    assert_reply(&w, "FETCH c0 DEPTH -1",
                 "-ERR DEPTH must be between 0 and reply-depth-max (32)\r\n");
    RUN(&w, "HELLO 3");
    assert_reply(&w, "FETCH c0 DEPTH 1", "*2\r\n$1\r\n0\r\n=7\r\nref:#:2\r\n");
    /* What a command shows as a whole is not counted: its elements are at depth 1. */
    w.engine.config.reply_depth_max = 1;
    assert_reply(&w, "LRANGE c0 0 -1", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n1\r\n=7\r\nref:#:3\r\n");
    world_fini(&w);
}

/* Deeper than any depth: the last one is named, and the identity finds it. */
static void test_nested_deep_chain(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    make_chain(&w, 2000);
    world_do(&w, 0, "FETCH c0");
    world_assert_one_reply(&w);
    assert_memory_equal(w.out.p + w.out.n - 9, "$3\r\n#:1\r\n", 9);
    world_do(&w, 0, "FETCH #:1");
    assert_true(world_replied(&w, "-"));
    world_do(&w, 0, "REF GET #:1");
    assert_true(world_replied(&w, "$3\r\n&:1\r\n"));
    assert_reply(&w, "LINDEX &:1 0", "$2\r\n32\r\n");
    world_fini(&w);
}

static void test_nested_cycles(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    RUN(&w, "RPUSH l 1", "REF RPUSH l l");
    assert_reply(&w, "FETCH l", "*2\r\n$1\r\n1\r\n$3\r\n#:1\r\n");
    assert_reply(&w, "LRANGE l 0 -1", "*2\r\n$1\r\n1\r\n$3\r\n#:1\r\n");
    assert_reply(&w, "LINDEX l 1", "*2\r\n$1\r\n1\r\n$3\r\n#:1\r\n");
    RUN(&w, "HSET h name x", "REF HSET h list l", "REF RPUSH l h", "HELLO 3");
    assert_reply(&w, "FETCH l",
                 "*3\r\n$1\r\n1\r\n=7\r\nref:#:1\r\n%2\r\n$4\r\nname\r\n$1\r\nx\r\n$4\r\nlist\r\n"
                 "=7\r\nref:#:1\r\n");
    assert_reply(&w, "HGETALL h",
                 "%2\r\n$4\r\nname\r\n$1\r\nx\r\n$4\r\nlist\r\n*3\r\n$1\r\n1\r\n=7\r\nref:#:1\r\n"
                 "=7\r\nref:#:2\r\n");
    /* Met twice, but not inside itself: written twice. */
    RUN(&w, "RPUSH part p", "REF RPUSH both part part");
    assert_reply(&w, "FETCH both", "*2\r\n*1\r\n$1\r\np\r\n*1\r\n$1\r\np\r\n");
    world_fini(&w);
}

/* --- bounds --- */

/* d0 refers to d1 twice, that to d2 twice: 2^levels leaves in levels + 1 lists. */
static void make_doubling(struct world *w, int levels)
{
    char line[64];
    snprintf(line, sizeof line, "RPUSH d%d leaf", levels);
    RUN(w, line);
    for (int i = levels - 1; i >= 0; i--) {
        snprintf(line, sizeof line, "REF RPUSH d%d d%d d%d", i, i + 1, i + 1);
        RUN(w, line);
    }
}

static void test_nested_explosion_is_bounded(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    const char *too_big = "-TOOBIG the reply would hold more than reply-values-max values\r\n";
    make_doubling(&w, 30); /* 2^30 leaves */
    size_t bytes = w.engine.mem.bytes;
    assert_reply(&w, "FETCH d0", too_big);
    assert_reply(&w, "LRANGE d0 0 -1", too_big);
    assert_true(w.out.cap < 1 << 20); /* nor was most of it written */
    assert_true(w.engine.mem.bytes <=
                bytes + 4096); /* identities were not given, frames are gone */
    /* The values of a doubling of n levels: 2 + 4 + ... + 2^n, and 2^n leaves. */
    for (int level = 20; level <= 30; level++) {
        char line[32];
        uint64_t values = ((uint64_t)2 << (30 - level)) - 2 + ((uint64_t)1 << (30 - level));
        snprintf(line, sizeof line, "FETCH d%d", level);
        w.engine.config.reply_values_max = values;
        world_do(&w, 0, line);
        if (world_replied(&w, "-")) fail_msg("%s: %.*s", line, (int)w.out.n, w.out.p);
        world_assert_one_reply(&w);
        w.engine.config.reply_values_max = values - 1;
        assert_reply(&w, line, too_big);
    }
    world_fini(&w);
}

/* What counts are values: neither fields nor scores, nor the containers' own number. */
static void test_nested_values_of_every_type_count_once(void **state)
{
    (void)state;
    static const char *const makes[] = {"RPUSH c 1 2 3 4 5 6 7 8", "SADD c 1 2 3 4 5 6 7 8",
                                        "HSET c a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8",
                                        "ZADD c 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h"};
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
        struct world w;
        world_init(&w, 1);
        RUN(&w, makes[i]);
        w.engine.config.reply_values_max = 8;
        world_do(&w, 0, "FETCH c");
        if (world_replied(&w, "-")) fail_msg("%s: %.*s", makes[i], (int)w.out.n, w.out.p);
        w.engine.config.reply_values_max = 7;
        world_do(&w, 0, "FETCH c");
        assert_true(world_replied(&w, "-TOOBIG"));
        RUN(&w, "REF RPUSH outer c c"); /* 2 + 8 + 8 */
        w.engine.config.reply_values_max = 18;
        world_do(&w, 0, "FETCH outer");
        assert_true(world_replied(&w, "*2\r\n"));
        w.engine.config.reply_values_max = 17;
        world_do(&w, 0, "FETCH outer");
        assert_true(world_replied(&w, "-TOOBIG"));
        RUN(&w, "REF RPUSH before c", "RPUSH before last"); /* 1 + 8 + 1 */
        w.engine.config.reply_values_max = 10;
        world_do(&w, 0, "FETCH before");
        assert_true(world_replied(&w, "*2\r\n"));
        w.engine.config.reply_values_max = 9;
        world_do(&w, 0, "FETCH before");
        assert_true(world_replied(&w, "-TOOBIG"));
        world_fini(&w);
    }
}

/* One long string many times over. */
static void test_nested_bytes_are_bounded(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    RUN(&w, "SETRANGE long 99999 x");
    for (int i = 0; i < 100; i++) RUN(&w, "REF RPUSH l long");
    RUN(&w, "REF RPUSH outer l");
    w.engine.config.output_limits[CLIENT_NORMAL].hard_bytes = 1 << 20;
    world_do(&w, 0, "FETCH outer");
    assert_true(world_replied(&w, "-TOOBIG the reply would hold more bytes than "
                                  "its limit\r\n"));
    assert_true(w.out.cap < 4 << 20); /* it did not write it all to find out */
    w.engine.config.output_limits[CLIENT_NORMAL].hard_bytes = 11 << 20;
    world_do(&w, 0, "FETCH outer");
    assert_true(world_replied(&w, "*1\r\n*100\r\n"));
    world_assert_one_reply(&w);
    world_fini(&w);
}

/* --- random graphs --- */

enum { NODES = 12 };

/* Whether the reply is what the heap holds: a container, its elements in order, identities where a
 * cycle closes. Hashes and lists only, since sets have no order to compare by. */
struct reading {
    struct world *w;
    struct obj *open[64];
    uint32_t depth;
};

static void assert_same(struct reading *r, const struct heapd_reply *reply, val v);

struct pairs {
    struct reading *r;
    const struct heapd_reply *reply;
    size_t next;
};

static void assert_same_pair(void *ctx, val field, val value)
{
    struct pairs *p = ctx;
    assert_same(p->r, &p->reply->children[p->next++], field);
    assert_same(p->r, &p->reply->children[p->next++], value);
}

static void assert_same_container(struct reading *r, const struct heapd_reply *reply, struct obj *o)
{
    for (uint32_t i = 0; i < r->depth; i++) {
        if (r->open[i] != o) continue;
        char text[HANDLE_TEXT_CHARS];
        size_t n = identity_put(text, ident_get(&r->w->engine.heap, o));
        assert_int_equal(reply->n, n);
        assert_memory_equal(reply->text, text, n);
        return;
    }
    r->open[r->depth++] = o;
    if (o->type == OBJ_HASH) {
        uint64_t cursor = 0;
        struct pairs pairs = {r, reply, 0};
        assert_int_equal(reply->n, (reply->type == HEAPD_REPLY_MAP ? 1 : 2) * hash_length(o));
        while (hash_walk(o, &cursor, 16, assert_same_pair, &pairs)) {
        }
    } else {
        assert_int_equal(reply->type, HEAPD_REPLY_ARRAY);
        assert_int_equal(reply->n, list_length(o));
        for (uint64_t i = 0; i < list_length(o); i++)
            assert_same(r, &reply->children[i], list_get(o, i));
    }
    r->depth--;
}

static void assert_same(struct reading *r, const struct heapd_reply *reply, val v)
{
    if (val_is_container(v)) {
        assert_same_container(r, reply, val_obj(v));
        return;
    }
    char scratch[VAL_TEXT_CHARS];
    struct view text = val_text(&v, scratch);
    assert_int_equal(reply->n, text.n);
    assert_memory_equal(reply->text, text.p, text.n);
}

static void make_graph(struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        world_begin(w);
        world_arg(w, i % 2 ? "HSET" : "RPUSH");
        world_arg(w, "n%d", i);
        if (i % 2) world_arg(w, "a field of some length");
        world_arg(w, "a value of some length %d", i);
        world_run(w, 0);
    }
    for (int i = 0; i < NODES * 3 / 2; i++) {
        uint64_t from = draw(w, NODES), to = draw(w, NODES);
        world_begin(w);
        world_arg(w, "REF");
        world_arg(w, from % 2 ? "HSET" : "RPUSH");
        world_arg(w, "n%d", (int)from);
        if (from % 2) world_arg(w, "f%d", (int)draw(w, 3));
        world_arg(w, "n%d", (int)to);
        world_run(w, 0);
    }
}

static void test_nested_random_graphs(void **state)
{
    (void)state;
    uint64_t compared = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world w;
        world_init(&w, seed);
        make_graph(&w);
        if (seed % 2) RUN(&w, "HELLO 3");
        for (int i = 0; i < NODES; i++) {
            char key[16];
            snprintf(key, sizeof key, "n%d", i);
            world_begin(&w);
            world_arg(&w, "FETCH");
            world_arg(&w, "%s", key);
            world_run(&w, 0);
            if (world_replied(&w, "-TOOBIG")) continue;
            struct reply_reader reader;
            struct heapd_reply *reply = NULL;
            reply_reader_init(&reader, NULL);
            assert_int_equal(reply_reader_feed(&reader, w.out.p, w.out.n), REPLY_READY);
            assert_int_equal(reply_reader_next(&reader, &reply), REPLY_READY);
            struct reading r = {.w = &w};
            assert_same(&r, reply, entry_value(keyspace_find(&w.engine.keyspace, view_of(key))));
            heapd_reply_free(reply);
            reply_reader_fini(&reader);
            compared++;
        }
        world_assert_sound(&w);
        world_fini(&w);
    }
    assert_true(compared > 300);
}

#ifdef HEAPD_DEBUG
/* What the pools have lent to the system counts: in a stressed build it comes and goes. */
static uint64_t taken_bytes(const struct world *w)
{
    struct pool_stats s;
    pool_get_stats(w->engine.heap.pool, &s);
    return w->engine.mem.bytes + s.lent_bytes;
}

/* The nth allocation fails, for every n: frames, their items, identities. */
static void test_nested_without_memory(void **state)
{
    (void)state;
    static const char *const commands[] = {"FETCH n0", "LRANGE n0 0 -1", "HGETALL n1", "FETCH c0"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        uint64_t failures = 0;
        for (uint64_t n = 1;; n++) {
            struct world w;
            world_init(&w, 9);
            make_graph(&w);
            make_chain(&w, 40);
            uint64_t bytes = taken_bytes(&w);
            w.engine.mem.fail_at = n;
            world_do(&w, 0, commands[i]);
            bool failed = w.engine.mem.fail_at == 0;
            w.engine.mem.fail_at = 0;
            world_assert_one_reply(&w);
            if (failed) {
                assert_true(world_replied(&w, "-OOM"));
                assert_true(taken_bytes(&w) <= bytes);
                failures++;
            } else {
                assert_true(world_replied(&w, "*"));
            }
            world_assert_sound(&w);
            world_fini(&w);
            if (!failed) break;
        }
        assert_true(failures > 2);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_plain_values),
        cmocka_unit_test(test_nested_types_in_resp2),
        cmocka_unit_test(test_nested_types_in_resp3),
        cmocka_unit_test(test_nested_depth),
        cmocka_unit_test(test_nested_deep_chain),
        cmocka_unit_test(test_nested_cycles),
        cmocka_unit_test(test_nested_explosion_is_bounded),
        cmocka_unit_test(test_nested_values_of_every_type_count_once),
        cmocka_unit_test(test_nested_bytes_are_bounded),
        cmocka_unit_test(test_nested_random_graphs),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_nested_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
