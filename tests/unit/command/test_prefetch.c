/*
 * Goal: a pipeline that was prefetched for is answered as one that was not, whatever its requests
 * change under each other's feet. Method: the same random pipelines go to two equal servers,
 * request by request to one, as batches to the other; the replies are compared to the byte, and
 * both heaps are checked.
 */
#include "command/prefetch.h"
#include "world.h"

enum { PIPELINES = 3000, REQUESTS_MAX = 16 };

/* %K is a key, %F a field or member, %V a value, %N a small number. */
static const char *const LINES[] = {
    "SET %K %V",
    "GET %K",
    "GET %K",
    "INCR n%N",
    "APPEND %K %V",
    "DEL %K %K",
    "HSET h%N %F %V",
    "HGET h%N %F",
    "HGETALL h%N",
    "HDEL h%N %F",
    "SADD s%N %F %F",
    "SISMEMBER s%N %F",
    "ZADD z%N %N %F",
    "ZSCORE z%N %F",
    "LPUSH l%N %V",
    "RPOP l%N",
    "LRANGE l%N 0 3",
    "RENAME %K %K",
    "PEXPIREAT %K 1",
    "EXPIRE %K 100",
    "TTL %K",
    "MGET %K %K %K",
    "MSET %K %V %K %V",
    "EXISTS",
    "NOSUCH %K",
    "OBJECT FREQ",
    "REF GET %K",
    "REF SET r%N h%N",
    "REF HSET h%N a s%N",
    "GET",
    "SETEX %K 100 %V",
    "SETNX %K %V",
    "GETSET %K %V",
    "GET &:1",
    "DBSIZE",
    "HINCRBY h%N n%N 1",
    "SPOP s%N 0",
    "TYPE %K",
    "COPY %K %K",
    "FLUSHALL",
};

static void put_argument(struct world *w, uint64_t *seed, const char *word, size_t n)
{
    static const char *const VALUES[] = {"1", "short", "x",
                                         "a string that has an object of its own"};
    char arg[128];
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        if (word[i] != '%') {
            arg[to++] = word[i];
            continue;
        }
        *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned number = (unsigned)(*seed >> 33);
        const char *form = word[++i] == 'K' ? "key:%02u" : word[i] == 'F' ? "field-%u" : "%u";
        if (word[i] == 'V')
            to += (size_t)snprintf(arg + to, sizeof arg - to, "%s", VALUES[number % 4]);
        else
            to += (size_t)snprintf(arg + to, sizeof arg - to, form, number % 8);
    }
    world_arg_bytes(w, arg, to);
}

static void put_request(struct world *w, uint64_t *seed, bool flush)
{
    size_t lines = sizeof LINES / sizeof *LINES - !flush;
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    const char *line = LINES[(*seed >> 33) % lines];
    while (*line) {
        size_t n = strcspn(line, " ");
        put_argument(w, seed, line, n);
        line += n + (line[n] == ' ');
    }
}

/* Puts a pipeline together; returns its requests, whose arguments lie in the world. */
static uint32_t pipeline(struct world *w, uint64_t *seed, bool flush,
                         struct request requests[REQUESTS_MAX])
{
    world_begin(w);
    uint32_t count = 1 + (uint32_t)(*seed >> 60) % REQUESTS_MAX;
    if (count * 5 > WORLD_ARGS) count = WORLD_ARGS / 5;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = w->argc;
        put_request(w, seed, flush);
        requests[i] = (struct request){.argv = w->argv + first, .argc = w->argc - first};
    }
    proto_buf_clear(&w->out, SIZE_MAX);
    return count;
}

/* Containers that are large enough for their elements to be looked for. They last until the last
 * line, FLUSHALL, is among those that are drawn: in the second half. */
static void prepare(struct world *w)
{
    char line[100];
    for (int i = 0; i < 2000; i++) {
        static const char *const FORMS[] = {"HSET h%d field-%d a-value", "SADD s%d member-%d",
                                            "ZADD z%d 1 field-%d"};
        snprintf(line, sizeof line, FORMS[i % 3], i % 2, i);
        world_do(w, 0, line);
    }
}

static void test_prefetch_replies_as_without(void **state)
{
    (void)state;
    struct world plain, looking;
    struct request requests[REQUESTS_MAX];
    uint64_t seed = 11, replies = 0;
    world_init(&plain, 1);
    world_init(&looking, 1);
    prepare(&plain);
    prepare(&looking);
    for (int round = 0; round < PIPELINES; round++) {
        uint64_t again = seed;
        bool flush = round > PIPELINES / 2;
        uint32_t count = pipeline(&plain, &seed, flush, requests);
        for (uint32_t i = 0; i < count; i++)
            dispatch(&plain.engine, &plain.sessions[0], &requests[i], world_to(&plain));
        assert_int_equal(pipeline(&looking, &again, flush, requests), count);
        prefetch_requests(&looking.engine, requests, count);
        for (uint32_t i = 0; i < count; i++)
            dispatch(&looking.engine, &looking.sessions[0], &requests[i], world_to(&looking));
        if (plain.out.n != looking.out.n || memcmp(plain.out.p, looking.out.p, plain.out.n) != 0)
            fail_msg("round %d: '%.*s' instead of '%.*s'", round, (int)looking.out.n, looking.out.p,
                     (int)plain.out.n, plain.out.p);
        replies += count;
        steps_run(&plain.engine, true);
        steps_run(&looking.engine, true);
    }
    assert_true(replies > PIPELINES);
    assert_true(keyspace_check(&looking.engine.keyspace));
    world_fini(&plain);
    world_fini(&looking);
}

static struct request looked_at(struct world *w, const char *line)
{
    world_begin(w);
    while (*line) {
        size_t n = strcspn(line, " ");
        world_arg_bytes(w, line, n);
        line += n + (line[n] == ' ');
    }
    struct request r = {.argv = w->argv, .argc = w->argc};
    prefetch_requests(&w->engine, &r, 1);
    return r;
}

/* What has no key, or not all of its words, is left to dispatch, which judges it. */
static void test_prefetch_knows_commands_with_keys(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    assert_ptr_equal(looked_at(&w, "gEt k").command, command_find(view_of("get")));
    struct request object = looked_at(&w, "OBJECT ENCODING k");
    assert_null(object.command);
    assert_null(looked_at(&w, "REF GET k").command);
    assert_null(looked_at(&w, "PING k").command);
    assert_null(looked_at(&w, "GET").command);
    assert_null(looked_at(&w, "NOSUCH k").command);
    struct request many = looked_at(&w, "GET k k");
    proto_buf_clear(&w.out, SIZE_MAX);
    dispatch(&w.engine, &w.sessions[0], &many, world_to(&w));
    assert_true(world_replied(&w, "-ERR wrong number of arguments for 'get' command\r\n"));
    world_fini(&w);
}

/* A statistic would not be one if looking counted; and an expired name must be found expired. */
static void test_prefetch_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_do(&w, 0, "SET k v");
    world_do(&w, 0, "HSET h f v");
    uint64_t commands = w.engine.stats.commands, hits = w.engine.keyspace.hits;
    looked_at(&w, "GET k");
    looked_at(&w, "HGET h f");
    looked_at(&w, "GET missing");
    assert_int_equal(w.engine.stats.commands, commands);
    assert_int_equal(w.engine.keyspace.hits, hits);
    assert_int_equal(w.engine.keyspace.misses, 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefetch_replies_as_without),
        cmocka_unit_test(test_prefetch_knows_commands_with_keys),
        cmocka_unit_test(test_prefetch_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
