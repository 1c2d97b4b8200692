/*
 * One request from its words to its reply. Goal: a command is found whatever its case, checked
 * before it runs, and leaves exactly one reply; one that fails leaves nothing else, neither bytes
 * nor handles. test_wait.c has the commands that wait.
 *
 * Method: requests of the world without a network; error texts are compared to the byte, and those
 * that Redis has too were asked of redis-server 7.0.15.
 */
#include "world.h"

/* As world_assert_reply, for words that the command line of world_do cannot say. */
static void assert_reply_to(struct world *w, uint32_t argc, const struct view *argv,
                            const char *expected)
{
    proto_buf_clear(&w->out, SIZE_MAX);
    dispatch(&w->engine, &w->sessions[0], &(struct request){.argv = argv, .argc = argc},
             world_to(w));
    if (w->out.n != strlen(expected) || !world_replied(w, expected))
        fail_msg("'%.*s' instead of '%s'", (int)w->out.n, w->out.p, expected);
}

/* --- finding --- */

static void test_dispatch_finds_in_any_case(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "SeT k v", "+OK\r\n");
    world_assert_reply(&w, "get k", "$1\r\nv\r\n");
    world_assert_reply(&w, "GET k", "$1\r\nv\r\n");
    world_assert_reply(&w, "oBjEcT rEfCoUnT k", ":2147483647\r\n");
    world_assert_reply(&w, "rEf nEw LIST", "$3\r\n&:1\r\n");
    world_assert_reply(&w, "ReF sEt r &:1", "+OK\r\n");
    assert_string_equal(w.sessions[0].last_command, "set");
    world_fini(&w);
}

static void test_dispatch_unknown_commands(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "nosuch",
                       "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    world_assert_reply(&w, "nosuch a b",
                       "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n");
    world_assert_reply(&w, "REF nosuch a",
                       "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n");
    /* What is no command by itself, and what has a name of two words. */
    world_assert_reply(&w, "object|refcount k",
                       "-ERR wrong number of arguments for 'object|refcount' command\r\n");
    world_assert_reply(&w, "OBJECT nosuch k",
                       "-ERR unknown subcommand 'nosuch'. Try OBJECT HELP.\r\n");
    world_assert_reply(&w, "GC", "-ERR wrong number of arguments for 'gc' command\r\n");
    /* Any bytes: no line is broken, and text ends at a NUL. */
    struct view strange[] = {{"no\r\nsuch", 8}, {"a\0b", 3}, {"c\nd", 3}, {"", 0}};
    assert_reply_to(&w, 4, strange,
                    "-ERR unknown command 'no  such', with args beginning with: 'a' 'c d' '' \r\n");
    struct view empty[] = {{"", 0}};
    assert_reply_to(&w, 1, empty, "-ERR unknown command '', with args beginning with: \r\n");
    assert_int_equal(w.engine.stats.error_replies, 8);
    assert_int_equal(w.engine.stats.commands, 8);
    world_fini(&w);
}

/* Names are cut at 128 bytes, and arguments when 128 bytes are shown. */
static void test_dispatch_unknown_commands_are_cut(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    char x[300], expected[1024], shown[129] = {0};
    memset(x, 'x', sizeof x);
    memset(shown, 'x', 128);
    struct view one[] = {{x, 300}, {x, 300}, {x, 5}};
    snprintf(expected, sizeof expected,
             "-ERR unknown command '%s', with args beginning with: '%s' \r\n", shown, shown);
    assert_reply_to(&w, 3, one, expected);
    /* 100 + 3 bytes are shown, 25 remain for the second, and there is no third. */
    struct view two[] = {{"z", 1}, {x, 100}, {x, 100}, {x, 100}};
    snprintf(expected, sizeof expected,
             "-ERR unknown command 'z', with args beginning with: '%.100s' '%.25s' \r\n", shown,
             shown);
    assert_reply_to(&w, 4, two, expected);
    struct view exact[] = {{"z", 1}, {x, 129}};
    snprintf(expected, sizeof expected,
             "-ERR unknown command 'z', with args beginning with: '%s' \r\n", shown);
    assert_reply_to(&w, 2, exact, expected);
    struct view many[65];
    for (int i = 0; i < 65; i++) many[i] = (struct view){"", 0};
    proto_buf_clear(&w.out, SIZE_MAX);
    dispatch(&w.engine, &w.sessions[0], &(struct request){.argv = many, .argc = 65}, world_to(&w));
    assert_true(world_replied(&w, "-ERR unknown command '', with args beginning with: '' '' "));
    assert_true(w.out.n < 256);
    world_fini(&w);
}

/* A browser that a web page sends here is shown the door, and gets no reply to show. */
static void test_dispatch_closes_on_http(void **state)
{
    (void)state;
    static const char *const lines[] = {"POST / HTTP/1.1", "Host: 127.0.0.1:7379", "post", "hOsT:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct world w;
        world_init(&w, 1);
        world_do(&w, 0, lines[i]);
        assert_int_equal(w.out.n, 0);
        assert_true(w.sessions[0].close_after_reply);
        world_fini(&w);
    }
}

static void test_dispatch_arity(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    static const struct {
        const char *line, *command;
    } cases[] = {
        {"GET", "get"},
        {"GET a b", "get"},
        {"SET a", "set"},
        {"MGET", "mget"},
        {"OBJECT REFCOUNT", "object|refcount"},
        {"OBJECT REFCOUNT a b", "object|refcount"},
        {"REF GET", "get"},
        {"REF", "ref"},
        {"REF NEW", "ref|new"},
        {"REF NEW list list", "ref|new"},
        {"DBSIZE x", "dbsize"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "-ERR wrong number of arguments for '%s' command\r\n",
                 cases[i].command);
        world_assert_reply(&w, cases[i].line, expected);
    }
    assert_int_equal(world_stats_of(&w, "get")->rejected, 3);
    assert_int_equal(world_stats_of(&w, "get")->calls, 0);
    assert_int_equal(world_stats_of(&w, "mget")->rejected, 1);
    world_fini(&w);
}

/* REF stands before commands that take or give whole values, and before no other. */
static void test_dispatch_prefix(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "RPUSH l 1", ":1\r\n");
    world_assert_reply(&w, "REF GET l", "$3\r\n&:1\r\n");
    world_assert_reply(&w, "REF REF GET l", "-ERR REF stands once before a command\r\n");
    uint32_t taken = 0, refused = 0;
    for (uint32_t i = 0; command_at(i); i++) {
        const struct command *cmd = command_at(i);
        if (!cmd->run || strchr(cmd->name, '|') || strcmp(cmd->name, "ref") == 0) continue;
        world_begin(&w);
        world_arg(&w, "REF");
        world_arg(&w, "%s", cmd->name);
        int words = cmd->arity < 0 ? -cmd->arity : cmd->arity;
        for (int word = 1; word < words; word++) world_arg(&w, "nothing-%d", word);
        bool values = cmd->values.first != 0 || cmd->values.replies;
        char refusal[128];
        snprintf(refusal, sizeof refusal, "-ERR REF: '%s' neither takes nor gives whole values\r\n",
                 cmd->name);
        world_run(&w, 1);
        if (world_replied(&w, refusal) == values)
            fail_msg("%s: %.*s", world_command(&w), (int)w.out.n, w.out.p);
        taken += values;
        refused += !values;
    }
    assert_true(taken > 20 && refused > 20);
    world_assert_sound(&w);
    world_fini(&w);
}

/* --- admission --- */

static void test_dispatch_wants_a_password(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "SET k v", "+OK\r\n");
    world_assert_reply(&w, "CONFIG SET requirepass secret", "+OK\r\n");
    for (int i = 0; i < WORLD_SESSIONS; i++) w.sessions[i].authenticated = false;
    world_assert_reply(&w, "GET k", "-NOAUTH Authentication required.\r\n");
    world_assert_reply(&w, "REF GET k", "-NOAUTH Authentication required.\r\n");
    world_assert_reply(&w, "FLUSHALL", "-NOAUTH Authentication required.\r\n");
    /* What a request is wrong about comes first, as in Redis. */
    world_assert_reply(&w, "nosuch",
                       "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    world_assert_reply(&w, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    assert_int_equal(world_stats_of(&w, "get")->rejected, 3);
    for (uint32_t i = 0; command_at(i); i++) {
        const struct command *cmd = command_at(i);
        if (!cmd->run || (cmd->flags & COMMAND_NO_AUTH)) continue;
        struct view argv[8];
        char name[64];
        snprintf(name, sizeof name, "%s", cmd->name);
        char *bar = strchr(name, '|');
        uint32_t argc = 1, words = (uint32_t)(cmd->arity < 0 ? -cmd->arity : cmd->arity);
        if (bar) {
            *bar = 0;
            argv[argc++] = view_of(bar + 1);
        }
        argv[0] = view_of(name);
        assert_true(words <= 8);
        while (argc < words) argv[argc++] = view_of("k");
        assert_reply_to(&w, argc, argv, "-NOAUTH Authentication required.\r\n");
    }
    world_assert_reply(&w, "AUTH wrong",
                       "-WRONGPASS invalid username-password pair or user is "
                       "disabled.\r\n");
    world_assert_reply(&w, "AUTH secret", "+OK\r\n");
    world_assert_reply(&w, "GET k", "$1\r\nv\r\n");
    world_do(&w, 1, "GET k");
    assert_true(world_replied(&w, "-NOAUTH"));
    w.engine.config.requirepass[0] = 0;
    world_fini(&w);
}

/* "command name-i" for each of so many names. */
static void for_names(struct world *w, int session, const char *command, int names)
{
    for (int i = 0; i < names; i++) {
        char line[64];
        snprintf(line, sizeof line, command, i);
        world_do(w, session, line);
        if (world_replied(w, "-")) fail_msg("%s: %.*s", line, (int)w->out.n, w->out.p);
    }
}

static void fill(struct world *w, int names)
{
    for_names(w, 0, "SETRANGE s-%d 4000 x", names);
}

static void limit_memory(struct world *w, size_t bytes)
{
    w->engine.config.maxmemory = bytes;
}

static void test_dispatch_refuses_above_maxmemory(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    const char *refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    fill(&w, 1000);
    limit_memory(&w, engine_used_bytes(&w.engine) - 1);
    for (uint32_t i = 0; command_at(i); i++) {
        const struct command *cmd = command_at(i);
        if (!cmd->run || strchr(cmd->name, '|')) continue;
        if (!(cmd->flags & COMMAND_DENYOOM)) continue;
        struct view argv[8] = {view_of(cmd->name)};
        uint32_t words = (uint32_t)(cmd->arity < 0 ? -cmd->arity : cmd->arity);
        for (uint32_t word = 1; word < words; word++) argv[word] = view_of("k");
        assert_reply_to(&w, words, argv, refusal);
    }
    world_assert_reply(&w, "REF NEW list", refusal);
    assert_int_equal(world_stats_of(&w, "set")->rejected, 1);
    /* Reading goes on, and so does what frees. */
    world_assert_reply(&w, "STRLEN s-0", ":4001\r\n");
    world_assert_reply(&w, "DEL s-0", ":1\r\n");
    limit_memory(&w, engine_used_bytes(&w.engine));
    world_assert_reply(&w, "SET k v", "+OK\r\n"); /* at the limit is not above it */
    limit_memory(&w, 0);
    world_fini(&w);
}

/* What waits to be freed is freed before anything is refused, whatever it waits in. */
static void test_dispatch_frees_before_it_refuses(void **state)
{
    (void)state;
    static const char *const ways[] = {"release queue", "names of FLUSHALL", "closed session"};
    for (int way = 0; way < 3; way++) {
        struct world w;
        world_init(&w, 1);
        fill(&w, 1);
        size_t limit = engine_used_bytes(&w.engine) + (4 << 20);
        fill(&w, 3000);
        if (way == 0) {
            for_names(&w, 0, "REF RPUSH all s-%d", 3000);
            for_names(&w, 0, "DEL s-%d", 3000);
            world_assert_reply(&w, "DEL all", ":1\r\n");
            assert_true(w.engine.heap.release_pending > 0);
        } else if (way == 1) {
            world_assert_reply(&w, "FLUSHALL", "+OK\r\n");
            assert_non_null(w.engine.keyspace.debris);
        } else {
            for_names(&w, 2, "REF GET s-%d", 3000);
            for_names(&w, 0, "DEL s-%d", 3000);
            world_do(&w, 2, "RESET");
            assert_true(w.engine.sessions.buried_count > 0);
        }
        assert_true(engine_used_bytes(&w.engine) > limit);
        limit_memory(&w, limit);
        /* No command frees for long; while some waits, none is refused. */
        do {
            uint64_t before = engine_used_bytes(&w.engine);
            world_do(&w, 0, "SET k v");
            if (!world_replied(&w, "+OK\r\n"))
                fail_msg("%s: %" PRIu64 " over %zu, %.*s", ways[way], before, limit, (int)w.out.n,
                         w.out.p);
            assert_true(engine_used_bytes(&w.engine) < before);
        } while (engine_used_bytes(&w.engine) > limit);
        world_assert_sound(&w);
        limit_memory(&w, 0);
        world_fini(&w);
    }
}

/* --- failing --- */

/* Behind another reply in the same buffer: only the failed command's own bytes are taken back. */
static void test_dispatch_error_takes_back_the_reply(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_assert_reply(&w, "SADD big 1 2 3 4 5 6 7 8 9 10", ":10\r\n");
    world_assert_reply(&w, "RPUSH l first second", ":2\r\n");
    world_assert_reply(&w, "REF RPUSH l big", ":3\r\n");
    w.engine.config.reply_values_max = 5;
    struct view ping[] = {view_of("PING")};
    struct view range[] = {view_of("LRANGE"), view_of("l"), view_of("0"), view_of("-1")};
    proto_buf_clear(&w.out, SIZE_MAX);
    dispatch(&w.engine, &w.sessions[0], &(struct request){.argv = ping, .argc = 1}, world_to(&w));
    dispatch(&w.engine, &w.sessions[0], &(struct request){.argv = range, .argc = 4}, world_to(&w));
    dispatch(&w.engine, &w.sessions[0], &(struct request){.argv = ping, .argc = 1}, world_to(&w));
    const char *expected = "+PONG\r\n-TOOBIG the reply would hold more than reply-values-max "
                           "values\r\n+PONG\r\n";
    assert_int_equal(w.out.n, strlen(expected));
    assert_memory_equal(w.out.p, expected, w.out.n);
    assert_int_equal(world_stats_of(&w, "lrange")->calls, 1);
    assert_int_equal(world_stats_of(&w, "lrange")->failed, 1);
    assert_int_equal(world_stats_of(&w, "lrange")->rejected, 0);
    assert_int_equal(world_stats_of(&w, "lrange")->duration_ns.count, 1);
    assert_int_equal(w.engine.stats.error_replies, 1);
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
/* A reply of handles fails at its nth allocation: the handles that it had made are gone, those that
 * were there before stay. */
static void test_dispatch_error_takes_back_handles(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (int i = 0; i < 40; i++) {
        world_begin(&w);
        world_arg(&w, "RPUSH");
        world_arg(&w, "list-%d", i);
        world_arg(&w, "%d", i);
        world_run(&w, 0);
        world_begin(&w);
        world_arg(&w, "REF");
        world_arg(&w, "RPUSH");
        world_arg(&w, "all");
        world_arg(&w, "list-%d", i);
        world_run(&w, 0);
    }
    world_assert_reply(&w, "REF GET list-3", "$3\r\n&:1\r\n");
    struct handles *hs = &w.sessions[0].handles;
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        w.engine.mem.fail_at = n;
        world_do(&w, 0, "REF LRANGE all 0 -1");
        bool failed = w.engine.mem.fail_at == 0;
        w.engine.mem.fail_at = 0;
        world_assert_one_reply(&w);
        if (!failed) break;
        if (world_replied(&w, "-OOM")) {
            failures++;
            assert_int_equal(handles_count(hs), 1);
            assert_false(val_is_none(handles_get(hs, 1)));
        } else {
            assert_int_equal(handles_count(hs), 40); /* one that the table could put off */
            world_do(&w, 0, "RESET");
            world_assert_reply(&w, "REF GET list-3", "$3\r\n&:1\r\n");
        }
        assert_int_equal(hs->made_count, 0);
        while (steps_run(&w.engine, true)) {
        }
        assert_int_equal(sessions_handles(&w.engine.sessions), handles_count(hs));
        world_assert_sound(&w);
    }
    assert_true(failures > 0);
    assert_int_equal(handles_count(hs), 40);
    world_fini(&w);
}
#endif

/* --- accounts --- */

static void test_dispatch_accounts(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    assert_string_equal(w.sessions[0].last_command, "NULL");
    world_assert_reply(&w, "SET k v", "+OK\r\n");
    world_assert_reply(&w, "LLEN k",
                       "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    assert_string_equal(w.sessions[0].last_command, "llen");
    world_assert_reply(&w, "nosuch",
                       "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    assert_string_equal(w.sessions[0].last_command, "llen");
    world_assert_reply(&w, "OBJECT ENCODING",
                       "-ERR wrong number of arguments for 'object|encoding' "
                       "command\r\n");
    assert_string_equal(w.sessions[0].last_command, "object|encoding");
    assert_int_equal(w.sessions[0].commands, 4);
    assert_int_equal(w.sessions[1].commands, 0);
    assert_int_equal(w.engine.stats.commands, 4);
    assert_int_equal(w.engine.stats.error_replies, 3);
    assert_int_equal(world_stats_of(&w, "set")->calls, 1);
    assert_int_equal(world_stats_of(&w, "set")->duration_ns.count, 1);
    assert_int_equal(world_stats_of(&w, "set")->failed, 0);
    assert_int_equal(world_stats_of(&w, "llen")->calls, 1);
    assert_int_equal(world_stats_of(&w, "llen")->failed, 1);
    assert_int_equal(world_stats_of(&w, "object|encoding")->rejected, 1);
    assert_int_equal(world_stats_of(&w, "object|encoding")->calls, 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch_finds_in_any_case),
        cmocka_unit_test(test_dispatch_unknown_commands),
        cmocka_unit_test(test_dispatch_unknown_commands_are_cut),
        cmocka_unit_test(test_dispatch_closes_on_http),
        cmocka_unit_test(test_dispatch_arity),
        cmocka_unit_test(test_dispatch_prefix),
        cmocka_unit_test(test_dispatch_wants_a_password),
        cmocka_unit_test(test_dispatch_refuses_above_maxmemory),
        cmocka_unit_test(test_dispatch_frees_before_it_refuses),
        cmocka_unit_test(test_dispatch_error_takes_back_the_reply),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_dispatch_error_takes_back_handles),
#endif
        cmocka_unit_test(test_dispatch_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
