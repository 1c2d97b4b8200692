/*
 * Goal: a reply whose large values are held reads as one that copied them, whatever command made it
 * and whatever happens to the values afterwards; what failed holds nothing. Method: the same
 * commands go to two equal servers, one of which holds; its pieces are put together and compared
 * to the byte, after the names they came from are gone. heap_check() counts what is held.
 */
#include "../command/world.h"

enum { LARGE = 100 << 10 };

struct pair {
    struct world holding, copying;
    struct reply_refs held;
};

static void pair_init(struct pair *p)
{
    world_init(&p->holding, 1);
    world_init(&p->copying, 1);
    p->held = (struct reply_refs){0};
}

static void pair_fini(struct pair *p)
{
    reply_refs_drop_behind(&p->holding.engine.reply_refs, &p->held, NULL);
    assert_int_equal(p->holding.engine.reply_refs.count, 0);
    world_fini(&p->holding);
    world_fini(&p->copying);
}

/* Runs it on both; what a reply held before is let go. */
static void both(struct pair *p, const char *line)
{
    struct engine *s = &p->holding.engine;
    reply_refs_drop_behind(&s->reply_refs, &p->held, NULL);
    world_do(&p->copying, 0, line);
    p->holding.refs = &p->held;
    world_do(&p->holding, 0, line);
    p->holding.refs = NULL;
}

static void text_of(const struct pair *p, struct proto_buf *to)
{
    const struct proto_buf *out = &p->holding.out;
    size_t at = 0;
    proto_buf_init(to);
    for (const struct reply_ref *h = p->held.first; h; h = h->behind) {
        proto_buf_append(to, out->p + at, h->at - at);
        proto_buf_append(to, h->bytes.p, h->bytes.n);
        at = h->at;
    }
    proto_buf_append(to, out->p + at, out->n - at);
}

static void assert_same(struct pair *p, const char *line)
{
    struct proto_buf text;
    assert_int_equal(reply_refs_check(&p->held), 0);
    text_of(p, &text);
    if (text.n != p->copying.out.n || memcmp(text.p, p->copying.out.p, text.n) != 0)
        fail_msg("%s: %zu bytes instead of %zu", line, text.n, p->copying.out.n);
    proto_buf_fini(&text);
}

static void prepare(struct pair *p)
{
    static const char *const LINES[] = {
        "SETRANGE large 102399 x", "SETRANGE other 50000 y",       "SET small tiny",
        "REF RPUSH l large small", "REF RPUSH l other large",      "REF HSET h a large b small",
        "REF SADD s large small",  "REF SADD t large other small", "RPUSH l 12 word",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) both(p, LINES[i]);
    assert_int_equal(p->held.count, 0);
}

static void test_held_replies_read_as_copied(void **state)
{
    (void)state;
    static const char *const LINES[] = {
        "GET large",           "GET small",        "MGET large small other large",
        "LRANGE l 0 -1",       "LINDEX l 0",       "HGET h a",
        "HGETALL h",           "SMEMBERS t",       "SINTER s t",
        "SUNION s t",          "SDIFF t s",        "HVALS h",
        "GETEX large",         "GETSET other new", "LPOP l 2",
        "GETDEL large",        "FETCH h",          "SET small v GET",
        "GETRANGE large 0 -1",
    };
    uint64_t held = 0;
    for (int gone = 0; gone < 2; gone++) {
        for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
            struct pair p;
            pair_init(&p);
            prepare(&p);
            both(&p, LINES[i]);
            held += p.held.count;
            world_assert_sound(&p.holding);
            struct proto_buf reply = p.holding.out;
            if (gone) {
                /* Other values lie where these did, if nothing held them. */
                proto_buf_init(&p.holding.out);
                world_do(&p.holding, 0, "APPEND large more");
                world_do(&p.holding, 0, "SETRANGE large 10 changed");
                world_do(&p.holding, 0, "FLUSHALL");
                while (steps_run(&p.holding.engine, true)) {
                }
                world_do(&p.holding, 0, "SETRANGE new 102399 z");
                proto_buf_fini(&p.holding.out);
                p.holding.out = reply;
            }
            assert_same(&p, LINES[i]);
            pair_fini(&p);
        }
    }
    assert_true(held > 20);
}

/* A reply that is taken back lets go; what earlier replies hold stays. */
static void test_held_is_taken_back(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    prepare(&p);
    both(&p, "GET large");
    assert_int_equal(p.held.count, 1);
    p.holding.engine.config.output_limits[CLIENT_NORMAL].hard_bytes = 2 * LARGE;
    p.holding.refs = &p.held;
    for (int i = 0; i < 3; i++) world_do(&p.holding, 0, "REF RPUSH l large large");
    world_do(&p.holding, 0, "LRANGE l 0 -1");
    p.holding.refs = NULL;
    assert_true(world_replied(&p.holding, "-"));
    assert_int_equal(p.held.count, 1);
    assert_int_equal(p.held.bytes, LARGE);
    world_assert_sound(&p.holding);
    pair_fini(&p);
}

static void test_held_without_memory_is_copied(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    prepare(&p);
    p.holding.engine.mem.fail_at = 1;
    both(&p, "GET large");
    p.holding.engine.mem.fail_at = 0;
#ifdef HEAPD_DEBUG
    assert_int_equal(p.held.count, 0);
#endif
    assert_same(&p, "GET large");
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_replies_read_as_copied),
        cmocka_unit_test(test_held_is_taken_back),
        cmocka_unit_test(test_held_without_memory_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
