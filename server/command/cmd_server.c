/* The server as a whole: its configuration, its end, its clock, and all names at once. */
#include <inttypes.h>
#include <stdio.h>

#include "base/descriptors.h"
#include "base/glob.h"
#include "command/command.h"
#include "engine/figures.h"

/* --- CONFIG --- */

static bool asked_for(const struct call *c, const char *name)
{
    for (uint32_t i = 2; i < c->argc; i++)
        if (glob_match(c->argv[i], view_of(name), GLOB_NOCASE)) return true;
    return false;
}

/* CONFIG GET pattern [pattern ...]: each directive once. */
enum status cmd_config_get(struct call *c)
{
    const struct config *config = &c->engine->config;
    const char *name;
    char value[CONFIG_TEXT_BYTES];
    uint64_t n = 0;
    for (uint32_t i = 0; config_get(config, i, &name, value); i++) n += asked_for(c, name);
    reply_map(c, n);
    for (uint32_t i = 0; config_get(config, i, &name, value); i++) {
        if (!asked_for(c, name)) continue;
        reply_text(c, name);
        reply_text(c, value);
    }
    return STATUS_OK;
}

/* As the table writes a directive that was asked for in any case. */
static struct view canonical(const struct call *c, struct view asked)
{
    const char *name;
    char value[CONFIG_TEXT_BYTES];
    for (uint32_t i = 0; config_get(&c->engine->config, i, &name, value); i++)
        if (view_is(asked, name)) return view_of(name);
    return asked;
}

static enum status refuse_value(struct call *c, struct view name, const char *why)
{
    return call_error(c, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                      name.n > 128 ? 128 : (int)name.n, name.p, why);
}

static enum status refuse_name(struct call *c, uint32_t i)
{
    struct view name = c->argv[i];
    return call_error(c, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                      name.n > 128 ? 128 : (int)name.n, name.p);
}

static bool named_before(const struct call *c, uint32_t i)
{
    for (uint32_t k = 2; k < i; k += 2)
        if (c->argv[k].n == c->argv[i].n &&
            strncasecmp(c->argv[k].p, c->argv[i].p, c->argv[i].n) == 0)
            return true;
    return false;
}

/* Redis checks all names before it looks at any value, so a wrong value is reported last. There are
 * at most as many pairs as directives before one is unknown or named twice. */
static enum status set_all(struct call *c, struct config *config)
{
    char error[CONFIG_ERROR_BYTES], first_error[CONFIG_ERROR_BYTES];
    uint32_t invalid = 0;
    for (uint32_t i = 2; i < c->argc; i += 2) {
        if (named_before(c, i)) return refuse_value(c, c->argv[i], "duplicate parameter");
        switch (config_set(config, c->argv[i], c->argv[i + 1], error)) {
        case CONFIG_SET_UNKNOWN: return refuse_name(c, i);
        case CONFIG_SET_FIXED: return refuse_value(c, c->argv[i], "can't set immutable config");
        case CONFIG_SET_INVALID:
            if (!invalid) memcpy(first_error, error, sizeof error);
            if (!invalid) invalid = i;
            break;
        case CONFIG_SET_DONE: break;
        }
    }
    return invalid ? refuse_value(c, canonical(c, c->argv[invalid]), first_error) : STATUS_OK;
}

/* What the system has to give first: descriptors for more clients. */
static enum status reach(struct call *c, const struct config *config)
{
    if (config->maxclients <= c->engine->config.maxclients) return STATUS_OK;
    uint64_t possible = descriptors_for(config->maxclients);
    if (possible >= config->maxclients) return STATUS_OK;
    char why[128];
    snprintf(why, sizeof why,
             "The operating system is not able to handle the specified number of clients, try with "
             "%" PRIu64,
             possible);
    return refuse_value(c, view_of("maxclients"), why);
}

/* CONFIG SET directive value [directive value ...]: all or none. */
enum status cmd_config_set(struct call *c)
{
    struct engine *s = c->engine;
    if (c->argc % 2) return STATUS_SYNTAX;
    struct config config = s->config;
    enum status status = set_all(c, &config);
    if (!status) status = reach(c, &config);
    if (status) return status;
    /* Who came in while no password was wanted stays in, as in Redis. */
    if (!s->config.requirepass[0] && config.requirepass[0])
        for (struct session *one = s->sessions.first; one; one = one->next)
            one->authenticated = true;
    s->config = config;
    engine_configure(s);
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_config_resetstat(struct call *c)
{
    figures_reset(c->engine);
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_config_help(struct call *c)
{
    static const char *const lines[] = {
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}

/* --- SHUTDOWN --- */

enum { SHUT_NOSAVE = 1, SHUT_SAVE = 2, SHUT_NOW = 4, SHUT_FORCE = 8, SHUT_ABORT = 16 };

static int shutdown_option(const struct call *c, uint32_t i)
{
    if (call_is(c, i, "nosave")) return SHUT_NOSAVE;
    if (call_is(c, i, "save")) return SHUT_SAVE;
    if (call_is(c, i, "now")) return SHUT_NOW;
    if (call_is(c, i, "force")) return SHUT_FORCE;
    if (call_is(c, i, "abort")) return SHUT_ABORT;
    return 0;
}

/* SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] | ABORT. Without an error there is no reply: clients take
 * the end of the connection for one. It never waits, so there is never one to abort. */
enum status cmd_shutdown(struct call *c)
{
    int options = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        int option = shutdown_option(c, i);
        if (!option) return STATUS_SYNTAX;
        options |= option;
    }
    if ((options & SHUT_ABORT) && options != SHUT_ABORT) return STATUS_SYNTAX;
    if ((options & SHUT_SAVE) && (options & SHUT_NOSAVE)) return STATUS_SYNTAX;
    if (options & SHUT_ABORT) return call_error(c, "ERR No shutdown in progress.");
    if ((options & SHUT_SAVE) && !(options & SHUT_FORCE))
        return call_error(c, "ERR nothing can be saved, for heapd keeps its data in memory alone: "
                             "SHUTDOWN NOSAVE, or SAVE FORCE, ends it without");
    c->engine->shutdown = ENGINE_SHUTTING_DOWN;
    c->session->close_after_reply = true;
    return STATUS_OK;
}

/* --- the clock, and all names --- */

/* TIME: read now, not once a turn, because microseconds are asked for. */
enum status cmd_time(struct call *c)
{
    int64_t now_us = clock_wall_ns(c->heap->clock) / 1000;
    reply_array(c, 2);
    proto_put_bulk_integer(c->out, now_us / 1000000);
    proto_put_bulk_integer(c->out, now_us % 1000000);
    return STATUS_OK;
}

enum status cmd_dbsize(struct call *c)
{
    reply_integer(c, (int64_t)keyspace_names(c->keyspace));
    return STATUS_OK;
}

/* FLUSHALL [ASYNC | SYNC]: the names go at once and what they kept is freed in steps, whichever is
 * said; nobody can tell but by the memory. */
enum status cmd_flushall(struct call *c)
{
    if (c->argc > 2) return STATUS_SYNTAX;
    if (c->argc == 2 && !call_is(c, 1, "async") && !call_is(c, 1, "sync")) return STATUS_SYNTAX;
    keyspace_flush(c->keyspace);
    reply_ok(c);
    return STATUS_OK;
}

/* There is one keyspace. */
enum status cmd_flushdb(struct call *c)
{
    return cmd_flushall(c);
}
