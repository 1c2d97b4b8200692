#include "command/command.h"
#include "command/unsupported.h"
#include "engine/maxmemory.h"
#include "engine/steps.h"
#include "value/adopted_args.h"

/* Commands answer "-ERR unknown command" with their arguments, cut as in Redis. */
static enum status unknown_command(struct call *c)
{
    enum { SHOWN_BYTES_MAX = 128 };
    /* A web page that makes a browser talk to us: closed without a word, as Redis does. */
    if (call_is(c, 0, "post") || call_is(c, 0, "host:")) {
        c->session->close_after_reply = true;
        return STATUS_REPLIED;
    }
    if (unsupported_multi(c)) return STATUS_REPLIED;
    char args[SHOWN_BYTES_MAX * 2];
    size_t n = 0;
    for (uint32_t i = 1; i < c->argc && n < SHOWN_BYTES_MAX; i++) {
        size_t room = SHOWN_BYTES_MAX - n, bytes = strnlen(c->argv[i].p, c->argv[i].n);
        if (bytes > room) bytes = room;
        args[n++] = '\'';
        memcpy(args + n, c->argv[i].p, bytes);
        n += bytes;
        args[n++] = '\'';
        args[n++] = ' ';
    }
    size_t name_bytes = strnlen(c->argv[0].p, c->argv[0].n);
    if (name_bytes > SHOWN_BYTES_MAX) name_bytes = SHOWN_BYTES_MAX;
    return call_error(c, "ERR unknown command '%.*s', with args beginning with: %.*s",
                      (int)name_bytes, c->argv[0].p, (int)n, args);
}

static bool arity_fits(const struct command *cmd, uint32_t argc)
{
    return cmd->arity >= 0 ? argc == (uint32_t)cmd->arity : argc >= (uint32_t)-cmd->arity;
}

static enum call_form form_of(const struct call *c)
{
    if (call_is(c, 0, "ref")) return BY_REF;
    return call_is(c, 0, "weakref") ? BY_WEAKREF : BY_VALUE;
}

/* REF <command ...> and WEAKREF <command ...>: the rest is the command, in that form. REF NEW and
 * both's HELP are commands themselves. */
static enum status take_prefix(struct call *c)
{
    enum call_form form = form_of(c);
    if (form == BY_VALUE || c->argc < 2) return STATUS_OK;
    bool makes = call_is(c, 1, "new");
    if (call_is(c, 1, "help") || (makes && form == BY_REF)) return STATUS_OK;
    if (makes)
        return call_error(c, "ERR WEAKREF NEW: nothing would keep it alive; REF NEW gives a "
                             "handle");
    c->argv++;
    c->argc--;
    c->form = form;
    if (form_of(c) == BY_VALUE) return STATUS_OK;
    return call_error(c, "ERR %s stands once before a command", form == BY_REF ? "REF" : "WEAKREF");
}

/* Finds the row of the command, or of the subcommand. */
static enum status find_row(struct call *c)
{
    enum status status = take_prefix(c);
    if (status) return status;
    c->command = command_find(c->argv[0]);
    if (!c->command) return unknown_command(c);
    if ((c->command->flags & COMMAND_CONTAINER) && c->argc > 1) {
        const struct command *sub = command_find_sub(c->command, c->argv[1]);
        if (!sub) return call_error_subcommand(c);
        c->command = sub;
    }
    return STATUS_OK;
}

/* The row, unless prefetch_requests has found it, and what can be checked without running the
 * command. A row that it finds has a key, so it is neither a prefix nor a container. */
static enum status find(struct call *c)
{
    enum status status = c->command ? STATUS_OK : find_row(c);
    if (status) return status;
    if (!c->command->run || !arity_fits(c->command, c->argc)) return call_error_arity(c);
    if (c->form != BY_VALUE && c->command->values.first == 0 && !c->command->values.replies)
        return call_error(c, "ERR %s: '%s' neither takes nor gives whole values",
                          c->form == BY_REF ? "REF" : "WEAKREF", c->command->name);
    return STATUS_OK;
}

/* Whether it may take memory: what makes handles does, whatever the command. */
static bool needs_memory(const struct call *c)
{
    return (c->command->flags & COMMAND_DENYOOM) ||
           (c->form != BY_VALUE && c->command->values.replies);
}

static enum status admit(struct call *c)
{
    struct engine *s = c->engine;
    if (s->config.requirepass[0] && !c->session->authenticated &&
        (c->command->flags & COMMAND_NO_AUTH) == 0)
        return call_error(c, "NOAUTH Authentication required.");
    if (s->config.maxmemory && needs_memory(c) &&
        maxmemory_counted_bytes(s) > s->config.maxmemory && !maxmemory_make(s))
        return call_error(c, "OOM command not allowed when used memory > 'maxmemory'.");
    return STATUS_OK;
}

static bool memory_is_there(const struct engine *s, const struct wait *w)
{
    (void)w;
    return !maxmemory_is_short(s);
}

/* There is not room yet: a client whose command needed memory waits for it (maxmemory.h). */
static void hold_up(struct call *c)
{
    static const struct wait_type type = {.ready = memory_is_there};
    if (c->command && needs_memory(c) && maxmemory_is_short(c->engine) &&
        !session_waits(c->session))
        call_wait(c, &type, &c->engine->waits.memory);
}

static void account(struct call *c, enum status ran, int64_t began_ns)
{
    struct engine *s = c->engine;
    struct command_stats *stats = &s->stats.command[command_index(c->command)];
    uint64_t took = (uint64_t)(s->mono_ns - began_ns);
    s->stats.commands++;
    stats->calls++;
    stats->ns += took;
    histogram_record(&stats->duration_ns, took);
    stats->failed += ran != STATUS_OK;
}

enum status execute(struct call *c)
{
    struct engine *s = c->engine;
    struct handles *handles = &c->session->handles;
    int64_t began_ns = s->mono_ns;
    const struct given *outer = adopted_offered(c->heap);
    if (UNLIKELY(c->adopted != outer)) adopted_offer(c->heap, c->adopted);
    enum status ran = c->command->run(c);
    if (UNLIKELY(c->adopted != outer)) adopted_offer(c->heap, outer);
    if (ran == STATUS_OK && c->out->failed) ran = STATUS_OOM;
    if (ran != STATUS_OK && ran != STATUS_REPLIED) call_error(c, "%s", status_text(ran));
    if (handles->made_count) handles_commit(c->heap, handles);
    engine_tick(s);
    account(c, ran, began_ns);
    return ran;
}

/* A request that no command was run for. */
static void account_refused(struct call *c)
{
    struct engine *s = c->engine;
    engine_tick(s);
    s->stats.commands++;
    if (c->command) s->stats.command[command_index(c->command)].rejected++;
}

void dispatch(struct engine *engine, struct session *session, const struct request *request,
              struct reply_to to)
{
    struct reply_refs *refs = to.refs;
    DASSERT(!engine->heap.effects.pending);
    /* Every field is named, so that none is cleared first. */
    struct call c = {
        .engine = engine,
        .heap = &engine->heap,
        .keyspace = &engine->keyspace,
        .session = session,
        .command = request->command,
        .argv = request->argv,
        .argc = request->argc,
        .form = BY_VALUE,
        .key_hash = request->key_hash,
        .adopted = request->adopted,
        .out = to.buf,
        .out_start = to.buf->n,
        .refs = refs,
        .refs_start = refs ? refs->last : NULL,
        .refs_bytes_start = refs ? refs->bytes : 0,
        .effects_start = {0, NULL},
        .now_ms = engine->now_ms,
        .open = NULL,
        .nested_values = 0,
        .nested_bytes = 0,
    };
    enum status found = STATUS_OK;
    if (UNLIKELY(unsupported_was_asked(session))) found = unsupported_check(&c);
    if (!found) found = find(&c);
    if (!found) found = admit(&c);
    if (!found)
        execute(&c);
    else
        account_refused(&c);
    session->commands++;
    session->active_ns = engine->mono_ns;
    if (c.command) session->last_command = c.command->name;
    steps_after_command(engine);
    if (UNLIKELY(engine->maxmemory.state == MAXMEMORY_BEHIND)) hold_up(&c);
}
