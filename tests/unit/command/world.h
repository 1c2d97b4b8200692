/*
 * A server without a network: commands go in as texts, replies come out as bytes, and steps are
 * taken by hand. Where its clock is a simulated one, time passes by hand too.
 * Every batch of effects is applied to a second heap (persist/oracle.h), which world_assert_sound
 * compares with the first.
 *
 * Ownership: world_fini closes all sessions and requires that nothing is left in the heap.
 */
#ifndef TEST_COMMAND_WORLD_H
#define TEST_COMMAND_WORLD_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "command/command.h"
#include "engine/reclaim.h"
#include "engine/steps.h"
#include "heap/check.h"
#include "proto/reply.h"

#include "../persist/oracle.h"

enum { WORLD_SESSIONS = 3, WORLD_ARGS = 64, WORLD_ARG_BYTES = 4096 };

struct world {
    struct engine engine;
    struct session sessions[WORLD_SESSIONS];
    struct proto_buf out;    /* the last reply */
    struct reply_refs *refs; /* its large values; NULL: they are copied */
    uint64_t seed;
    struct oracle oracle;
    uint64_t replay_every, asked; /* the oracle is asked each so many times; 0: each time */
    /* The command that is being put together. */
    struct view argv[WORLD_ARGS];
    uint32_t argc;
    char text[WORLD_ARG_BYTES];
    size_t text_used;
};

static inline uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static inline void world_init_by(struct world *w, uint64_t seed, const struct clock *clock)
{
    *w = (struct world){.seed = seed};
    struct config config;
    config_init(&config);
    snprintf(config.hash_seed, sizeof config.hash_seed, "1f");
    assert_int_equal(engine_init(&w->engine, &config, clock), STATUS_OK);
    oracle_init(&w->oracle, &w->engine.heap);
    for (int i = 0; i < WORLD_SESSIONS; i++)
        assert_int_equal(session_open(&w->engine.sessions, &w->sessions[i], 0), STATUS_OK);
    proto_buf_init(&w->out);
}

/* By the machine's clock. */
static inline void world_init(struct world *w, uint64_t seed)
{
    world_init_by(w, seed, &(struct clock){0});
}

/* By a simulated clock, which each reading advances by so much. */
static inline void world_init_simulated(struct world *w, uint64_t seed, int64_t reading_ns)
{
    struct clock clock;
    clock_simulate(&clock, &(struct clock_simulation){.mono_ns = INT64_C(1000000000000),
                                                      .wall_ns = INT64_C(1700000000000000000),
                                                      .reading_ns = reading_ns});
    world_init_by(w, seed, &clock);
}

/* Time passes on a simulated clock, as while the last command ran. */
static inline void world_advance_ms(struct world *w, int64_t ms)
{
    clock_advance(&w->engine.clock, ms * 1000000);
    engine_tick(&w->engine);
}

static inline void world_arg_bytes(struct world *w, const char *p, size_t n)
{
    assert_true(w->argc < WORLD_ARGS && w->text_used + n < WORLD_ARG_BYTES);
    memcpy(w->text + w->text_used, p, n);
    w->argv[w->argc++] = (struct view){w->text + w->text_used, n};
    w->text_used += n;
}

static inline void world_arg(struct world *w, const char *format, ...)
{
    char arg[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(arg, sizeof arg, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof arg);
    world_arg_bytes(w, arg, (size_t)n);
}

static inline void world_begin(struct world *w)
{
    w->argc = 0;
    w->text_used = 0;
}

/* The command in words, for a failure's message. */
static inline const char *world_command(const struct world *w)
{
    static char shown[WORLD_ARG_BYTES * 2];
    size_t n = 0;
    for (uint32_t i = 0; i < w->argc; i++)
        n +=
            (size_t)snprintf(shown + n, sizeof shown - n, "%.*s ", (int)w->argv[i].n, w->argv[i].p);
    return shown;
}

static inline struct reply_to world_to(struct world *w)
{
    return (struct reply_to){&w->out, w->refs};
}

/* Runs what has been put together on a session; the reply is in w->out. */
static inline void world_run(struct world *w, int session)
{
    struct session *s = &w->sessions[session];
    effects_commit(&w->engine.heap.effects); /* of a step that the test took by hand */
    proto_buf_clear(&w->out, SIZE_MAX);
    dispatch(&w->engine, s, &(struct request){.argv = w->argv, .argc = w->argc}, world_to(w));
    while (session_waits(s) && !dispatch_resume(&w->engine, s, world_to(w)))
        steps_run(&w->engine, true);
}

/* The same for a command without spaces in its arguments. */
static inline void world_do(struct world *w, int session, const char *line)
{
    world_begin(w);
    while (*line) {
        size_t n = strcspn(line, " ");
        world_arg_bytes(w, line, n);
        line += n + (line[n] == ' ');
    }
    world_run(w, session);
}

static inline bool world_replied(const struct world *w, const char *prefix)
{
    size_t n = strlen(prefix);
    return w->out.n >= n && memcmp(w->out.p, prefix, n) == 0;
}

static inline void world_assert_reply(struct world *w, const char *line, const char *expected)
{
    world_do(w, 0, line);
    if (w->out.n != strlen(expected) || !world_replied(w, expected))
        fail_msg("%s: '%.*s' instead of '%s'", line, (int)w->out.n, w->out.p, expected);
}

static inline const struct command_stats *world_stats_of(const struct world *w, const char *name)
{
    const struct command *cmd = command_find(view_of(name));
    assert_non_null(cmd);
    return &w->engine.stats.command[command_index(cmd)];
}

/* Exactly one well-formed reply. */
static inline void world_assert_one_reply(struct world *w)
{
    struct reply_reader reader;
    struct heapd_reply *reply = NULL;
    reply_reader_init(&reader, NULL);
    if (reply_reader_feed(&reader, w->out.p, w->out.n) != REPLY_READY ||
        reply_reader_next(&reader, &reply) != REPLY_READY)
        fail_msg("%s: no whole reply: %.*s", world_command(w), (int)w->out.n, w->out.p);
    heapd_reply_free(reply);
    if (reply_reader_next(&reader, &reply) != REPLY_MORE)
        fail_msg("%s: more than one reply: %.*s", world_command(w), (int)w->out.n, w->out.p);
    reply_reader_fini(&reader);
}

static inline void world_assert_sound(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->engine.heap, text);
    if (wrong) fail_msg("after %s: %s", world_command(w), wrong);
    if (!keyspace_check(&w->engine.keyspace))
        fail_msg("after %s: keyspace_check", world_command(w));
    if (w->replay_every && ++w->asked % w->replay_every) return;
    wrong = oracle_check(&w->oracle, &w->engine.keyspace);
    if (wrong) fail_msg("after %s: replay: %s", world_command(w), wrong);
}

/* Everything that waits is done: the release queue, debris, buried handles, and two full
 * collections. */
static inline void world_settle(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        uint64_t found, ticket = collect_full_begin(&w->engine.heap);
        while (!collect_full_found(&w->engine.heap, ticket, &found)) steps_run(&w->engine, true);
        while (steps_run(&w->engine, true)) {
        }
    }
}

/* What GC FREEZE hid is looked at again. */
static inline void world_assert_no_garbage(struct world *w)
{
    collect_freeze(&w->engine.heap, false);
    world_settle(w);
    struct heap_trace trace = heap_trace(&w->engine.heap);
    assert_false(trace.failed);
    assert_int_equal(trace.objects, heap_objects(&w->engine.heap));
}

static inline void world_fini(struct world *w)
{
    world_do(w, 0, "FLUSHALL");
    for (int i = 0; i < WORLD_SESSIONS; i++) session_close(&w->engine.sessions, &w->sessions[i]);
    world_settle(w);
    assert_int_equal(heap_objects(&w->engine.heap), 0);
    proto_buf_fini(&w->out);
    oracle_fini(&w->oracle, &w->engine.heap);
    engine_fini(&w->engine);
    assert_int_equal(w->engine.mem.bytes, 0);
}

#endif
