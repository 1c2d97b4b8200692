/*
 * Random commands, by value, by reference and weakly, on a heap of more than a thousand live
 * objects with cycles. Goal: whatever clients send, counts and sums are exact at every moment, each
 * request gets one well-formed reply, no live object is ever condemned, and no garbage is left at
 * the end.
 *
 * Method: commands are drawn from the table itself, so none is forgotten: keys where keys stand,
 * values (or sources, after REF and WEAKREF) where `v` stands, and elsewhere numbers, fields and
 * the words of the command's own syntax. The collector takes a slice of one slot at every command.
 * The clock is a simulated one: before some commands it advances, so that names fall due between
 * two commands, with no step between. heap_check() follows each command.
 *
 * HEAPD_RANDOM_COMMANDS and HEAPD_RANDOM_SEED change the length and the history.
 */
#include "arguments.h"
#include "world.h"

enum { NODES = 1100, KEYS = 24, LIVE_OBJECTS_MIN = 1000 };
/* A shorter history need not meet what is rare; it may be of any length, to find a fault again. */
enum { LONG_COMMANDS = 10000 };
enum { READING_NS = 100, TTL_MS_MAX = 20, ADVANCE_MS_MAX = 8 };

/* Left out: what ends the process or a session (SELECT, in a way), and what shows times. */
static bool left_out(const struct command *cmd)
{
    static const char *const names[] = {"shutdown",    "quit",     "auth",    "config|set",
                                        "client|kill", "flushall", "flushdb", "config|resetstat",
                                        "select"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(cmd->name, names[i]) == 0) return true;
    return !cmd->run;
}

static void arg_key(struct world *w)
{
    uint64_t kind = draw(w, 20);
    if (kind < 12)
        world_arg(w, "k%u", (unsigned)draw(w, KEYS));
    else if (kind < 16)
        world_arg(w, "n%u", (unsigned)draw(w, 12));
    else if (kind < 19)
        world_arg(w, "&:%x", 1 + (unsigned)draw(w, 1400));
    else
        world_arg(w, "#:%x", 1 + (unsigned)draw(w, 1400));
}

static void arg_value(struct world *w)
{
    switch (draw(w, 6)) {
    case 0: world_arg(w, "%d", (int)draw(w, 40) - 20); break;
    case 1: world_arg(w, "%llu", 9223372036854775807ULL - draw(w, 3)); break;
    case 2: world_arg(w, "%u.5", (unsigned)draw(w, 9)); break;
    case 3: world_arg(w, "a text of some length, number %u", (unsigned)draw(w, 20)); break;
    case 4: world_arg(w, "%s", ""); break;
    default: world_arg(w, "v%u", (unsigned)draw(w, 20)); break;
    }
}

static void arg_other(struct world *w, const struct words *words)
{
    uint64_t kind = draw(w, 10);
    if (kind < 3 && words->count)
        world_arg(w, "%s", words->at[draw(w, words->count)]);
    else if (kind < 6)
        world_arg(w, "%d", (int)draw(w, 12) - 4);
    else if (kind < 8)
        world_arg(w, "f%u", (unsigned)draw(w, 10));
    else if (kind < 9)
        arg_key(w);
    else
        arg_value(w);
}

/* `LIMIT` and `COUNT` with huge numbers, and the like, are other tests' matter. */
static void draw_command(struct world *w)
{
    const struct command *cmd;
    struct words words;
    do cmd = command_at((uint32_t)draw(w, command_count()));
    while (left_out(cmd));
    words_of(cmd, &words);
    world_begin(w);
    bool by_ref = (cmd->values.first || cmd->values.replies) && draw(w, 2);
    if (by_ref) world_arg(w, draw(w, 3) ? "REF" : "WEAKREF");
    const char *bar = strchr(cmd->name, '|');
    world_arg(w, "%.*s", (int)(bar ? bar - cmd->name : (int)strlen(cmd->name)), cmd->name);
    uint32_t args = 1;
    if (bar) {
        world_arg(w, "%s", bar + 1);
        args = 2;
    }
    uint32_t wanted = arguments_min(cmd) + (cmd->arity < 0 ? (uint32_t)draw(w, 6) : 0);
    for (; args < wanted; args++) {
        enum argument what = argument_at(cmd, args);
        if (what == ARGUMENT_KEY || (what == ARGUMENT_VALUE && by_ref))
            arg_key(w);
        else if (what == ARGUMENT_VALUE)
            arg_value(w);
        else
            arg_other(w, &words);
    }
}

/* Stores one object in another by the command of each type: one fits, the others are refused. */
static void store_everyhow(struct world *w, const char *prefix, const char *into, const char *what)
{
    static const struct {
        const char *command, *between;
    } forms[] = {{"RPUSH", NULL}, {"HSET", "field"}, {"SADD", NULL}, {"ZADD", "1"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        world_begin(w);
        world_arg(w, "%s", prefix);
        world_arg(w, "%s", forms[i].command);
        world_arg(w, "%s", into);
        if (i == 1)
            world_arg(w, "%s %s", forms[i].between, what);
        else if (forms[i].between)
            world_arg(w, "%s", forms[i].between);
        world_arg(w, "%s", what);
        world_run(w, 0);
    }
}

/* A few names, from which a random graph of nested containers hangs: more than a thousand objects,
 * many on cycles. */
static void build_graph(struct world *w)
{
    static const char *const types[] = {"list", "hash", "set", "zset"};
    char handles[NODES][HANDLE_TEXT_CHARS];
    for (int i = 0; i < NODES; i++) {
        world_begin(w);
        world_arg(w, "REF");
        world_arg(w, "NEW");
        world_arg(w, "%s", types[draw(w, 4)]);
        world_run(w, 0);
        const char *text = memchr(w->out.p, '\n', w->out.n);
        assert_non_null(text);
        snprintf(handles[i], sizeof handles[i], "%.*s", (int)strcspn(text + 1, "\r"), text + 1);
    }
    for (int i = 0; i < NODES; i++) {
        store_everyhow(w, "REF", handles[i / 3], handles[i]);
        if (draw(w, 3) == 0) store_everyhow(w, "REF", handles[i], handles[draw(w, NODES)]);
        if (draw(w, 3) == 0) store_everyhow(w, "WEAKREF", handles[i], handles[draw(w, NODES)]);
    }
    for (int i = 0; i < 12; i++) {
        world_begin(w);
        world_arg(w, "REF");
        world_arg(w, "SET");
        world_arg(w, "n%d", i);
        world_arg(w, "%s", handles[i]);
        world_run(w, 0);
    }
    world_do(w, 0, "RESET");
    while (steps_run(&w->engine, true)) {
    }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void count_gone(void *ctx, uint64_t number)
{
    assert_true(number > 0);
    ++*(uint64_t *)ctx;
}

static void new_client(struct world *w, int i)
{
    session_close(&w->engine.sessions, &w->sessions[i]);
    assert_int_equal(session_open(&w->engine.sessions, &w->sessions[i], 0), STATUS_OK);
    if (draw(w, 2)) w->sessions[i].protocol = 3;
}

static bool has_due(const struct world *w)
{
    int64_t due_ms = keyspace_next_expiry_ms(&w->engine.keyspace);
    return due_ms != KEYSPACE_NEVER && due_ms <= w->engine.now_ms;
}

/* Names get a TTL, or time passes; true when a name that was not due before is due then. */
static bool pass_time(struct world *w)
{
    if (draw(w, 8) == 0) {
        world_begin(w);
        world_arg(w, "PEXPIRE");
        arg_key(w);
        world_arg(w, "%u", 1 + (unsigned)draw(w, TTL_MS_MAX));
        world_run(w, 0);
    }
    if (draw(w, 4)) return false;
    bool was_due = has_due(w);
    world_advance_ms(w, (int64_t)draw(w, draw(w, 16) ? ADVANCE_MS_MAX : 4000));
    return !was_due && has_due(w);
}

static void test_random_commands_keep_the_heap_sound(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    uint64_t commands = setting("HEAPD_RANDOM_COMMANDS", 20000), replied_error = 0, weak_gone = 0;
    uint64_t fell_due = 0;
    world_init_simulated(w, setting("HEAPD_RANDOM_SEED", 1), READING_NS);
    w->engine.config.reply_values_max = 2000;
    w->replay_every = setting("HEAPD_REPLAY_EVERY", 1);
    build_graph(w);
    w->engine.heap.collect.slice_slots_max = 1;
    w->engine.heap.weak.gone = count_gone;
    w->engine.heap.weak.gone_ctx = &weak_gone;
    for (uint64_t i = 0; i < commands; i++) {
        if (heap_containers(&w->engine.heap) < LIVE_OBJECTS_MIN) build_graph(w);
        if (draw(w, 200) == 0) new_client(w, (int)draw(w, WORLD_SESSIONS));
        if (draw(w, 16) == 0) engine_turn(&w->engine);
        if (i % 256 == 0) { /* GC DISABLE and GC THRESHOLD are drawn too; they shall not last */
            world_do(w, 0, "GC ENABLE");
            world_do(w, 0, "GC THRESHOLD 16");
        }
        fell_due += pass_time(w);
        draw_command(w);
        world_run(w, (int)draw(w, WORLD_SESSIONS));
        world_assert_one_reply(w);
        replied_error += world_replied(w, "-");
        steps_run(&w->engine, draw(w, 2));
        world_assert_sound(w);
        if (w->engine.heap.collect.phase == COLLECT_FREE && draw(w, 4) == 0)
            assert_int_equal(heap_trace(&w->engine.heap).condemned, 0);
        if (i % 5000 == 4999) world_assert_no_garbage(w);
    }
    assert_int_equal(w->engine.heap.collect.stats.faults, 0);
    if (commands >= LONG_COMMANDS) {
        /* Commands that are nearly all refused would prove nothing. */
        assert_true(replied_error < commands * 3 / 4);
        assert_true(w->engine.heap.collect.stats.trials > 0);
        assert_true(weak_gone > commands / 1000);
        assert_true(fell_due > commands / 100);
        assert_true(w->engine.keyspace.expired > commands / 100);
    }
    world_assert_no_garbage(w);
    world_fini(w);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_commands_keep_the_heap_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
