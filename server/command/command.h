/*
 * The commands: one row of commands.def each, from which come lookup, COMMAND, key positions, the
 * `v` of REF, and heapctl's hints.
 *
 * net/ calls dispatch() with one request and writes what it left in the buffer: dispatch finds the
 * row, checks the arguments' number and whether the command may run, and has execute() run it. A
 * command that runs others (EXEC, a script) finds and admits each, and calls execute() for it.
 *
 * A command that has
 * to wait (GC COLLECT, MEMORY USAGE of much) leaves nothing: the session's `wait` says so (as it
 * does after a command that needed memory which is still being made, see maxmemory.h), net/ then
 * reads no further request of that connection, and dispatch_resume() gives the reply when the time
 * has come.
 */
#ifndef HEAPD_COMMAND_COMMAND_H
#define HEAPD_COMMAND_COMMAND_H

#include "command/call.h"

typedef enum status command_run(struct call *c);

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2,
    COMMAND_FAST = 1 << 3,
    COMMAND_ADMIN = 1 << 4,
    COMMAND_NO_AUTH = 1 << 5,
    COMMAND_LOADING = 1 << 6,
    COMMAND_STALE = 1 << 7,
    COMMAND_NOSCRIPT = 1 << 8,
    COMMAND_MOVABLE_KEYS = 1 << 9,
    COMMAND_BLOCKING = 1 << 10,
    COMMAND_CONTAINER = 1 << 11, /* subcommands follow its row */
};

/* Which arguments are values: from `first` on, every `step`-th, up to `last` (negative: from the
 * end); first 0 = none. */
struct command_values {
    int16_t first, last, step;
    bool replies; /* its replies hold values */
};

struct command {
    const char *name; /* lower case; a subcommand's is "object|refcount" */
    command_run *run; /* NULL when it cannot run without a subcommand */
    int16_t arity;    /* as in Redis: the name counts, negative = at least */
    uint16_t flags;
    int16_t first_key, last_key, key_step; /* as in COMMAND */
    struct command_values values;
    const char *categories; /* "@read @string @fast" */
    const char *since, *group, *complexity, *summary,
        *syntax; /* syntax: "key [NX|XX] ..." for hints */
};

/* In the order of commands.def; subcommands follow their container. */
const struct command *command_at(uint32_t index);
uint32_t command_count(void);
uint32_t command_index(const struct command *cmd);
/* By name, in any case; NULL when unknown. */
const struct command *command_find(struct view name);
const struct command *command_find_sub(const struct command *container, struct view name);

/* One request as net/ read it. The arguments and their bytes stay as they are until it has run. */
struct request {
    const struct view *argv;
    uint32_t argc;                 /* > 0 */
    const struct command *command; /* its row, where prefetch.h found it; else NULL */
    uint32_t key_hash;             /* of its first key; 0 where `command` is NULL */
    const struct given *adopted;   /* arguments that are strings already; NULL: none */
};

/* Runs one request. The reply is appended to `to`; when that fails for lack of memory
 * to.buf->failed says so. */
void dispatch(struct engine *engine, struct session *session, const struct request *request,
              struct reply_to to);
/* Runs the command of a call that has been found and admitted, inside a request or inside another
 * command: takes back the reply and the handles of one that fails, writes its error, commits the
 * handles of one that does not, and accounts for it. Returns what the handler did. */
enum status execute(struct call *c);
/* For a waiting session: writes the reply and ends the wait when what it waits for is there; else
 * false, and it sleeps again. */
bool dispatch_resume(struct engine *engine, struct session *session, struct reply_to to);

/* Handlers, one file a family. */
#define COMMAND(name, run, ...) command_run run;
#define COMMAND_GROUP(name, ...)
#include "command/commands.def"
#undef COMMAND
#undef COMMAND_GROUP

#endif
